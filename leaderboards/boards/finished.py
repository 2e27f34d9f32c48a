"""Finished runs of a board, put together: results, costs, and a Parquet file of every task's outcome."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from badger_agents.atomic_files import write_together
from leaderboards.boards.board import Board
from leaderboards.boards.csv_rows import read_rows, rows_text
from leaderboards.boards.results import COSTS, FILE, Cost, Row, read_costs, rows_of
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


def keep_runs(board: Board, folder: Path, kept: Path) -> None:
    """Put finished results and costs where they are kept, both files or neither.

    Runs that are kept already and were not made now stay, if they have all cells of today's board.

    Args:
        board: the board.
        folder: with what `put_together` wrote.
        kept: folder of what is kept; it may have none yet.
    """
    place = {agent: number for number, agent in enumerate(board.agents)}
    runs = {**_runs_in(kept), **_runs_in(folder)}
    whole = [
        (agent, seed)
        for (agent, seed), rows in runs.items()
        if agent in place and set(board.cells_of(agent)) <= {row.cell for row in rows}
    ]
    whole.sort(key=lambda run: (place[run[0]], -1 if run[1] is None else run[1]))
    seconds = {**read_costs(kept / COSTS), **read_costs(folder / COSTS)}
    write_together(
        {
            kept / FILE: rows_text(Row, (row for run in whole for row in runs[run])).encode(),
            kept / COSTS: rows_text(Cost, (Cost(*run, seconds.get(run)) for run in whole)).encode(),
        }
    )


def _runs_in(folder: Path) -> dict[tuple[str, int | None], list[Row]]:
    """Rows of each run in a folder's results."""
    runs: dict[tuple[str, int | None], list[Row]] = {}
    for row in read_rows(Row, folder / FILE):
        runs.setdefault((row.agent, row.seed), []).append(row)
    return runs


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
