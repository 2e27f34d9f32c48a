"""Rows of a submission: one outcome for each outer seed, cell and task, none left out and none twice."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

COLUMNS = ["outer_seed", "cell", "task", "outcome"]

HELD_OUT = ["outer_seed", "cell", "task", "task_seed", "outcome"]
"""Columns of rows of a season, each of whose tasks has a seed of its own."""

WIDEST = 200
"""Bytes that a row may have: a file of rows is read no further than the rows of its board can reach."""

Key = tuple[int, str, int]
"""Outer seed, cell, task."""


class RowsError(ValueError):
    """Rows that cannot be used; the message says why."""


def write_rows(outcomes: Mapping[int, Mapping[str, np.ndarray]]) -> str:
    """Rows as text, from outcomes [N] of each cell, by outer seed."""
    return _written(COLUMNS, ([*key, value] for key, value in _flat(outcomes)))


def write_held_out(
    outcomes: Mapping[int, Mapping[str, np.ndarray]], seeds: Mapping[str, Sequence[int]]
) -> str:
    """Rows of a season as text, from outcomes as in `write_rows` and the task seeds [N] of each cell."""
    return _written(HELD_OUT, ([*key, seeds[key[1]][key[2]], value] for key, value in _flat(outcomes)))


def read_rows(text: str) -> dict[Key, float]:
    """Outcomes by (outer seed, cell, task).

    Raises:
        RowsError: another header, a row that is no row, an outcome that is not finite, or a row twice.
    """
    return {key: outcome for key, _, outcome in _read(text, COLUMNS)}


def read_held_out(text: str) -> tuple[dict[Key, float], dict[Key, int]]:
    """Outcomes and task seeds by (outer seed, cell, task); errors as of `read_rows`."""
    outcomes, seeds = {}, {}
    for key, seed, outcome in _read(text, HELD_OUT):
        outcomes[key], seeds[key] = outcome, seed
    return outcomes, seeds


def grid_violations(
    rows: Mapping[Key, float],
    seeds: Sequence[int],
    tasks: int,
    bounds: Mapping[str, tuple[float, float]],
) -> list[str]:
    """What keeps rows from being the whole grid of a board, with outcomes within the bounds of their cell.

    Returns:
        A line each for rows that are missing, that belong to no board, and that lie outside their bounds.
    """
    wanted = {(seed, cell, task) for seed in seeds for cell in bounds for task in range(tasks)}
    found = []
    for said, keys in (("missing", wanted - rows.keys()), ("not of this board", rows.keys() - wanted)):
        if keys:
            found.append(f"{len(keys)} rows are {said}, such as {place(min(keys))}")
    outside = [
        key for key in sorted(rows.keys() & wanted) if not bounds[key[1]][0] <= rows[key] <= bounds[key[1]][1]
    ]
    if outside:
        low, high = bounds[outside[0][1]]
        found.append(
            f"{len(outside)} rows are out of bounds, such as {place(outside[0])} with the outcome"
            f" {rows[outside[0]]}, outside [{low:.6g}, {high:.6g}]"
        )
    return found


def place(key: Key) -> str:
    """Where a row stands, in words."""
    return f"outer seed {key[0]}, cell {key[1]}, task {key[2]}"


def by_seed(rows: Mapping[Key, float], seeds: Sequence[int], cell: str, tasks: int) -> np.ndarray:
    """[seeds, tasks], outcomes of a cell of a whole grid."""
    return np.array([[rows[seed, cell, task] for task in range(tasks)] for seed in seeds])


def largest(seeds: int, cells: int, tasks: int) -> int:
    """Bytes to which a file of rows of such a grid may unpack."""
    return WIDEST * (1 + seeds * cells * tasks)


def _flat(outcomes: Mapping[int, Mapping[str, np.ndarray]]) -> Iterator[tuple[Key, str]]:
    for seed, cells in sorted(outcomes.items()):
        for cell, values in cells.items():
            for task, value in enumerate(values):
                yield (seed, cell, task), f"{value:.7g}"


def _written(columns: list[str], rows: Iterator[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _read(text: str, columns: list[str]) -> Iterator[tuple[Key, int, float]]:
    """Key, task seed (0 if there is no such column) and outcome of each row."""
    seen: set[Key] = set()
    lines = csv.reader(io.StringIO(text))
    try:
        if next(lines, None) != columns:
            raise RowsError(f"the rows' header is not {','.join(columns)}")
        for number, line in enumerate(lines, 2):
            try:
                seed, cell, task, *middle, outcome = line
                key, value = (int(seed), cell, int(task)), float(outcome)
                (task_seed,) = map(int, middle if columns is HELD_OUT else ["0", *middle])
            except ValueError:
                said = ",".join(line)[:80]
                raise RowsError(f"row {number} is not {','.join(columns)}: {said!r}") from None
            if not math.isfinite(value):
                raise RowsError(f"row {number} has the outcome {value}; it takes a finite number")
            if key in seen:
                raise RowsError(f"row {number} repeats {place(key)}")
            seen.add(key)
            yield key, task_seed, value
    except csv.Error as error:
        raise RowsError(f"the rows are no CSV: {error}") from None
