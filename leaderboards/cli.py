"""The command line: `badger list | demo | train | evaluate | trace | bench envs`."""

import sys

import gymnasium.error
import tyro

from badger_agents.outer_loop import DivergenceError
from leaderboards.commands.demo import demo
from leaderboards.commands.evaluate import evaluate
from leaderboards.commands.list import list_
from leaderboards.commands.train import train
from leaderboards.commands.trace import trace

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what the user can put right is one line on standard error and status 2.

    Args:
        arguments: words of the command line; those of the process if None.
    """
    commands = {"list": list_, "demo": demo, "train": train, "evaluate": evaluate, "trace": trace}
    try:
        tyro.extras.subcommand_cli_from_dict(
            commands,
            prog="badger",
            description="Minimum viable environments for learning to learn, and the Badger agent.",
            args=arguments,
        )
    except KeyboardInterrupt:
        print("badger: interrupted; what was done is saved, go on with --resume", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe went away
        sys.exit(1)
    except (ValueError, TypeError, OSError, DivergenceError, gymnasium.error.Error) as error:
        print(f"badger: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
