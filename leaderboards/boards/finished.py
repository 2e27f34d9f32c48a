"""Finished runs of a board, put together: results, costs, and a Parquet file of every task's outcome."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from badger_agents.atomic_files import write_together
from leaderboards.boards.board import Board
from leaderboards.boards.csv_rows import rows_text
from leaderboards.boards.results import COSTS, FILE, Cost, Row, rows_of
from leaderboards.boards.rows import RunRows, read_runs

TASKS = "tasks.parquet"
"""The outcome of every task, beside `results.csv`: never in git or in the wheel."""

COLUMNS = pa.schema(
    {"agent": pa.string(), "seed": pa.int64(), "cell": pa.string(), "outcomes": pa.list_(pa.float64())}
)
"""Of that file; outcomes are of tasks 0 .. N - 1."""


def put_together(board: Board, runs: Path, folder: Path) -> list[Row]:
    """Write a board's results, their costs, and the outcomes that they are sums of, from its finished runs.

    All files or none. The same trainings give the same bytes of results and outcomes, in whatever order and
    however often stopped they were made; only costs are measured by a clock.

    Args:
        board: the board.
        runs: folder of finished runs.
        folder: where the files are put.
    """
    found = [run for of_agent in read_runs(runs, board).values() for run in of_agent]
    rows = [row for run in found for row in rows_of(board, run)]
    costs = [Cost(run.agent, run.seed, run.facts.get("seconds")) for run in found]
    write_together(
        {
            folder / FILE: rows_text(Row, rows).encode(),
            folder / COSTS: rows_text(Cost, costs).encode(),
            folder / TASKS: _parquet(found),
        }
    )
    return rows


def _parquet(runs: list[RunRows]) -> bytes:
    """The file's bytes: a row for each line, outer seed and cell."""
    rows = [
        {"agent": run.agent, "seed": run.seed, "cell": cell, "outcomes": values.tolist()}
        for run in runs
        for cell, values in run.outcomes.items()
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, COLUMNS), sink, compression="zstd")
    return sink.getvalue().to_pybytes()
