"""What a board's runs left: one CSV of raw rows (a task each) and one JSON of facts for each run."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from badger_agents.atomic_files import write_together
from leaderboards.boards.board import Board, BoardError

COLUMNS = ["cell", "outcome"]
"""Of raw rows; a cell's stand in the order of its tasks, whose numbers would be a third of the file."""


class RunRows(NamedTuple):
    """One run of one agent on a board.

    Attributes:
        agent: its line of the board.
        seed: outer seed; None for a reference without weights.
        outcomes: [N] per cell, of tasks 0 .. N - 1; empty if the run failed.
        facts: status ("ok", or what went wrong), fingerprint, weights' hash, costs.
    """

    agent: str
    seed: int | None
    outcomes: dict[str, np.ndarray]
    facts: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether there are outcomes."""
        return self.facts["status"] == "ok"


def stem(agent: str, seed: int | None) -> str:
    """Name of a run's files, without their ending."""
    return agent if seed is None else f"{agent}-seed{seed}"


def write_run(folder: Path, run: RunRows) -> None:
    """Write a run's rows and facts, both or none; the same run gives the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell, outcomes in run.outcomes.items():
        writer.writerows([cell, f"{value:.7g}"] for value in outcomes)
    packed = gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)
    facts = {"agent": run.agent, "seed": run.seed, **run.facts}
    lines = [
        f" {json.dumps(key)}: {json.dumps(value, separators=(',', ':'), allow_nan=False)}"
        for key, value in facts.items()
    ]
    told = "{\n" + ",\n".join(lines) + "\n}\n"
    name = stem(run.agent, run.seed)
    write_together({folder / f"{name}.csv.gz": packed, folder / f"{name}.json": told.encode()})


def read_run(
    folder: Path, board: Board, agent: str, seed: int | None, fingerprint: str | None = None
) -> RunRows | None:
    """A run of a board, or None if it is not there, or was made by another recipe or on other tasks.

    Args:
        folder: with rows.
        board: the board.
        agent: a line of it.
        seed: outer seed; None for a reference.
        fingerprint: the agent's, where it is known.

    Raises:
        BoardError: its files are damaged, or lack a task of the board.
    """
    name = stem(agent, seed)
    if not (folder / f"{name}.json").is_file() or not (folder / f"{name}.csv.gz").is_file():
        return None
    try:
        facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if facts["fingerprint"] != (fingerprint or board.fingerprint(agent)):
            return None
        status = facts["status"]
        outcomes: dict[str, list[float]] = {}
        with gzip.open(folder / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if next(rows, []) != COLUMNS:  # as a version of the suite wrote them that is no more
                return None
            for cell, outcome in rows:
                outcomes.setdefault(cell, []).append(float(outcome))
    except (ValueError, KeyError, TypeError, EOFError, OSError) as error:
        raise BoardError(
            f"the run {name} in {folder} is damaged ({error}); delete it and run again"
        ) from error
    arrays = {cell: np.array(values) for cell, values in outcomes.items()}
    for name_of_cell in board.cells_of(agent) if status == "ok" else ():
        values = arrays.get(name_of_cell, np.empty(0))
        if len(values) != board.tasks or not np.isfinite(values).all():
            raise BoardError(
                f"the run {name} in {folder} lacks tasks of {name_of_cell}; delete it and run again"
            )
    return RunRows(agent, seed, arrays, facts)


def read_runs(folder: Path, board: Board) -> dict[str, list[RunRows]]:
    """All runs that are there, by agent in the board's order; of an agent without any, an empty list."""
    found: dict[str, list[RunRows]] = {}
    for agent, entrant in board.agents.items():
        seeds: list[int | None] = [None] if entrant.role == "reference" else list(board.outer_seeds)
        fingerprint = board.fingerprint(agent)
        runs = [read_run(folder, board, agent, seed, fingerprint) for seed in seeds]
        found[agent] = [run for run in runs if run is not None]
    return found
