"""Rows of a submission: one outcome for each outer seed, cell and task, none left out and none twice."""

import csv
import io
import math
from collections.abc import Mapping

COLUMNS = ["outer_seed", "cell", "task", "outcome"]


class RowsError(ValueError):
    """Rows that cannot be used; the message says why."""


def read_rows(text: str) -> dict[tuple[int, str, int], float]:
    """Outcomes by (outer seed, cell, task).

    Raises:
        RowsError: another header, a row that is no row, an outcome that is not finite, or a row twice.
    """
    found: dict[tuple[int, str, int], float] = {}
    try:
        lines = iter(list(csv.reader(io.StringIO(text))))
    except csv.Error as error:
        raise RowsError(f"the rows are no CSV: {error}") from None
    if next(lines, None) != COLUMNS:
        raise RowsError(f"the rows' header is not {','.join(COLUMNS)}")
    for number, line in enumerate(lines, 2):
        try:
            seed, cell, task, outcome = line
            key, value = (int(seed), cell, int(task)), float(outcome)
        except ValueError:
            raise RowsError(f"row {number} is not {','.join(COLUMNS)}: {','.join(line)[:80]!r}") from None
        if not math.isfinite(value):
            raise RowsError(f"row {number} has the outcome {value}; it takes a finite number")
        if key in found:
            raise RowsError(f"row {number} repeats outer seed {seed}, cell {cell}, task {task}")
        found[key] = value
    return found


def check_grid(
    rows: Mapping[tuple[int, str, int], float],
    seeds: tuple[int, ...],
    tasks: int,
    bounds: Mapping[str, tuple[float, float]],
) -> None:
    """Check that rows are the whole grid of a board, with outcomes within the bounds of their cell.

    Raises:
        RowsError: a row is missing or belongs to no board, or an outcome lies outside its bounds.
    """
    wanted = {(seed, cell, task) for seed in seeds for cell in bounds for task in range(tasks)}
    for said, keys in (("missing", wanted - rows.keys()), ("not of this board", rows.keys() - wanted)):
        if keys:
            seed, cell, task = min(keys)
            raise RowsError(
                f"{len(keys)} rows are {said}, such as outer seed {seed}, cell {cell}, task {task}"
            )
    for (seed, cell, task), value in rows.items():
        low, high = bounds[cell]
        if not low <= value <= high:
            where = f"outer seed {seed}, cell {cell}, task {task}"
            raise RowsError(f"{where} has the outcome {value}, outside [{low}, {high}]")
