"""Finished runs of a board, put together: results, costs, and a Parquet file of every task's outcome."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from badger_agents.atomic_files import write_together
from leaderboards.boards.board import Board
from leaderboards.boards.costs import FILE as COSTS
from leaderboards.boards.costs import costs_text, read_costs
from leaderboards.boards.results import FILE, Row, parse_results, results_text, rows_of
from leaderboards.boards.rows import RunRows, read_runs

TASKS = "tasks.parquet"
"""The outcome of every task, beside `results.csv`: never in git or in the wheel."""


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
    seconds = {(run.agent, run.seed): run.facts.get("seconds") for run in found}
    write_together(
        {
            folder / FILE: results_text(rows).encode(),
            folder / COSTS: costs_text(seconds).encode(),
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
            kept / FILE: results_text(row for run in whole for row in runs[run]).encode(),
            kept / COSTS: costs_text({run: seconds.get(run) for run in whole}).encode(),
        }
    )


def _runs_in(folder: Path) -> dict[tuple[str, int | None], list[Row]]:
    """Rows of each run in a folder's results."""
    runs: dict[tuple[str, int | None], list[Row]] = {}
    if (folder / FILE).is_file():
        for row in parse_results((folder / FILE).read_text(encoding="utf-8"), str(folder / FILE)):
            runs.setdefault((row.agent, row.seed), []).append(row)
    return runs


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
    rows = [(run.agent, run.seed, cell, values) for run in runs for cell, values in run.outcomes.items()]
    arrays = [
        pa.array([agent for agent, _, _, _ in rows], type=pa.string()),
        pa.array([seed for _, seed, _, _ in rows], type=pa.int64()),
        pa.array([cell for _, _, cell, _ in rows], type=pa.string()),
        pa.array([values.tolist() for _, _, _, values in rows], type=pa.list_(pa.float64())),
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays, names=list(NAMES)), sink, compression="zstd")
    return sink.getvalue().to_pybytes()
