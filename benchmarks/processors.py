"""How far means of a board move between two processors: `python -m benchmarks.processors guessing-game-v1`.

Stands in for another processor with this one under other instructions, which round otherwise: the same outer
seeds are trained and measured as they come and with `ATEN_CPU_CAPABILITY=default`. `--help` has the options.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.atomic_files import write_atomically
from leaderboards.boards.board import Board
from leaderboards.boards.csv_rows import rows_text
from leaderboards.boards.rows import read_run
from leaderboards.boards.units import rows_folder
from leaderboards.cli import call
from leaderboards.documents.instructions import Measured, moves
from leaderboards.results import record, show
from leaderboards.tuning.choosing import load_as_run

CAPABILITIES = ("", "default")
"""Values of ATEN_CPU_CAPABILITY; "": unset, the best instructions that there are."""


def processors(
    board: Annotated[str, tyro.conf.Positional] = "guessing-game-v1",
    *,
    agents: tuple[str, ...] = ("badger", "gru"),
    seeds: int = 3,
    out: Path = Path("runs/processors"),
    keep: Path | None = None,
    json: bool = False,
) -> None:
    """Train and measure lines of a board under two sets of instructions, and print how far means move.

    Args:
        board: Name of a board, or path to a TOML file.
        agents: Lines of it.
        seeds: How many outer seeds.
        out: Folder of the runs; what is finished there is not made again.
        keep: CSV file for the mean of each outer seed; none if not given.
        json: Print the result as one JSON object.
    """
    measured = []
    for capability in CAPABILITIES:
        folder = out / (capability or "own")
        environment = {key: value for key, value in os.environ.items() if key != "ATEN_CPU_CAPABILITY"}
        command = ["board", "run", board, "--agents", *agents, "--seeds", str(seeds), "--processes", "1"]
        subprocess.run(
            [sys.executable, "-m", "leaderboards.cli", *command, "--out", str(folder)],
            env=environment | ({"ATEN_CPU_CAPABILITY": capability} if capability else {}),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        measured += means(load_as_run(board), agents, seeds, folder)
    if keep is not None:
        write_atomically(keep, rows_text(Measured, measured).encode())
    rows = [
        record(what, value, agent=move.agent, instructions=names, n=move.seeds)
        for move in moves(measured)
        for what, names, value in (
            ("mean", move.instructions[0], move.means[0]),
            ("mean", move.instructions[1], move.means[1]),
            ("difference of means", " less ".join(move.instructions[::-1]), move.means[1] - move.means[0]),
            ("largest difference of a seed", "", move.largest),
        )
    ]
    show(rows, as_json=json, title=f"{board}: means under two sets of instructions")


def means(board: Board, agents: tuple[str, ...], seeds: int, out: Path) -> list[Measured]:
    """The mean outcome in the main cell of each outer seed that is finished."""
    found = []
    for agent in agents:
        for seed in board.outer_seeds[:seeds]:
            run = read_run(rows_folder(out, board), board, agent, seed)
            if run is None or not run.ok:
                raise ValueError(f"{agent}, outer seed {seed}: its training failed under {out.name}")
            mean = float(run.outcomes[board.main].mean())
            found.append(Measured(agent, seed, run.facts["processor"], run.facts["instructions"], mean))
    return found


if __name__ == "__main__":
    call(processors, "python -m benchmarks.processors", sys.argv[1:])
