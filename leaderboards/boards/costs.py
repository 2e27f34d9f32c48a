"""What trainings of a board took by the clock: a CSV beside its results, which do not depend on it."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path

from leaderboards.boards.board import BoardError

FILE = "costs.csv"
"""Beside a board's results.csv, and written together with it."""

COLUMNS = ["agent", "seed", "seconds"]
"""Of the file; seconds are those of the training, on one core."""

Seconds = Mapping[tuple[str, int | None], float | None]
"""Seconds of each run, by line and outer seed; None where nobody measured them."""


def costs_text(seconds: Seconds) -> str:
    """Seconds of runs as the text of a file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (agent, seed), value in seconds.items():
        writer.writerow([agent, "" if seed is None else seed, "" if value is None else repr(float(value))])
    return text.getvalue()


def read_costs(path: Path) -> Seconds:
    """Seconds of runs from a file; none if it is not there.

    Raises:
        BoardError: it is damaged.
    """
    if not path.is_file():
        return {}
    found: dict[tuple[str, int | None], float | None] = {}
    lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    try:
        if next(lines, None) != COLUMNS:
            raise BoardError(f"{path} has another header than {','.join(COLUMNS)}")
        for number, line in enumerate(lines, 2):
            try:
                agent, seed, seconds = line
                value = float(seconds) if seconds else None
                key = agent, int(seed) if seed else None
            except ValueError:
                raise BoardError(f"{path}: line {number} is no row: {str(line)[:80]}") from None
            if key in found or (value is not None and not 0 <= value < math.inf):
                raise BoardError(f"{path}: line {number} is there twice, or no time: {str(line)[:80]}")
            found[key] = value
    except csv.Error as error:
        raise BoardError(f"{path} is no CSV: {error}") from None
    return found
