"""Finished runs of a board, put together: results.csv, and a Parquet file of every task's outcome."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from badger_agents.atomic_files import write_atomically
from leaderboards.boards.board import Board
from leaderboards.boards.results import FILE, Row, results_text, rows_of
from leaderboards.boards.rows import RunRows, read_runs

TASKS = "tasks.parquet"
"""The outcome of every task, beside `results.csv`: never in git or in the wheel."""


def put_together(board: Board, runs: Path, folder: Path) -> list[Row]:
    """Write a board's results, and the outcomes that they are sums of, from its finished runs.

    The same runs give the same bytes, on whatever machine and in whatever order they were made.

    Args:
        board: the board.
        runs: folder of finished runs.
        folder: where both files are put.
    """
    found = [run for of_agent in read_runs(runs, board).values() for run in of_agent]
    rows = [row for run in found for row in rows_of(board, run)]
    write_atomically(folder / FILE, results_text(rows).encode())
    write_atomically(folder / TASKS, _parquet(found))
    return rows


def read_tasks(path: Path) -> dict[tuple[str, int | None, str], np.ndarray]:
    """Outcomes of tasks 0 .. N - 1 by line, outer seed and cell."""
    table = pq.read_table(path).to_pydict()
    return {
        (agent, seed, cell): np.array(outcomes)
        for agent, seed, cell, outcomes in zip(*(table[name] for name in NAMES), strict=True)
    }


NAMES = ("agent", "seed", "cell", "outcomes")
"""Columns of the Parquet file: a row for each line, outer seed and cell."""


def _parquet(runs: list[RunRows]) -> bytes:
    """The file's bytes."""
    rows = [
        (run.agent, run.seed, cell, values.tolist()) for run in runs for cell, values in run.outcomes.items()
    ]
    kinds = (pa.string(), pa.int64(), pa.string(), pa.list_(pa.float64()))
    arrays = [pa.array([row[i] for row in rows], type=kind) for i, kind in enumerate(kinds)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays, names=list(NAMES)), sink, compression="zstd")
    return sink.getvalue().to_pybytes()
