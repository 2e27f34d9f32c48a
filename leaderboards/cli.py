"""The command line of `badger`: which commands there are, and how errors end."""

import os
import sys
from collections.abc import Callable
from typing import Any

import gymnasium.error
import torch
import tyro

from badger_agents.training.loop import DivergenceError
from badger_agents.training.process_group import LostError
from leaderboards.commands.bench import bench
from leaderboards.commands.board import board
from leaderboards.commands.demo import INTERRUPTED, demo
from leaderboards.commands.evaluate import evaluate
from leaderboards.commands.figure import figure
from leaderboards.commands.grow import grow
from leaderboards.commands.inspect import inspect
from leaderboards.commands.list import list_
from leaderboards.commands.match import match
from leaderboards.commands.play import play
from leaderboards.commands.plot import plot
from leaderboards.commands.publish import publish
from leaderboards.commands.score import score
from leaderboards.commands.table import table
from leaderboards.commands.trace import trace
from leaderboards.commands.train import train
from leaderboards.commands.transplant import transplant
from leaderboards.commands.tune import tune


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what the user can put right is one line on standard error and status 2.

    Args:
        arguments: words of the command line; those of the process if None.
    """
    commands: dict[str, Callable[..., Any]] = {
        "list": list_,
        "demo": demo,
        "train": train,
        "evaluate": evaluate,
        "match": match,
        "publish": publish,
        "trace": trace,
        "inspect": inspect,
        "grow": grow,
        "transplant": transplant,
        "plot": plot,
        "figure": figure,
        "board": board,
        "score": score,
        "tune": tune,
        "table": table,
        "play": play,
        "bench": bench,
    }
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)  # networks this small lose by a second thread; run one training a core
    try:
        tyro.extras.subcommand_cli_from_dict(
            commands,
            prog="badger",
            description="Minimum viable environments for learning to learn, and the Badger agent.",
            args=arguments,
        )
    except KeyboardInterrupt:
        words = sys.argv[1:] if arguments is None else arguments
        saved = "; what was trained is saved, go on with --resume" if words[:1] == ["train"] else ""
        print(f"badger: interrupted{saved}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe went away
        sys.exit(1)
    except MemoryError:
        print("badger: out of memory; make batch, horizon or number of experts smaller", file=sys.stderr)
        sys.exit(2)
    except (ValueError, TypeError, OSError, DivergenceError, LostError, gymnasium.error.Error) as error:
        print(f"badger: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
