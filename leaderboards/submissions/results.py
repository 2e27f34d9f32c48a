"""The results of a submission: a row for each outer seed and cell, none left out and none twice."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple, get_type_hints

from leaderboards.submissions.manifest import SubmissionError


class Row(NamedTuple):
    """One outer seed of an agent in one cell; of a seed whose training failed, the numbers are nan.

    Attributes:
        agent: name of the submission.
        seed: outer seed.
        cell: of the board.
        status: "ok", or "failed: " and what went wrong.
        mean: mean outcome over the tasks.
        std: its standard deviation over the tasks.
        tasks: how many.
        outer_steps: of the training.
        parameters: weights.
        seconds: of the training.
        weights: hash of the weights; empty if there are none.
    """

    agent: str
    seed: int
    cell: str
    status: str
    mean: float
    std: float
    tasks: int
    outer_steps: int
    parameters: int
    seconds: float
    weights: str

    @property
    def ok(self) -> bool:
        """Whether there are numbers and weights."""
        return self.status == "ok"


TYPES = get_type_hints(Row)


def write_results(rows: Iterable[Row]) -> str:
    """Rows as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows([f"{value:.7g}" if isinstance(value, float) else value for value in row] for row in rows)
    return text.getvalue()


def read_results(text: str) -> list[Row]:
    """Rows from text.

    Raises:
        SubmissionError: it is none.
    """
    lines = csv.reader(io.StringIO(text))
    rows = []
    try:
        if next(lines, None) != list(Row._fields):
            raise SubmissionError(f"results.csv has another header than {','.join(Row._fields)}")
        for number, line in enumerate(lines, 2):
            try:
                values = [TYPES[name](value) for name, value in zip(Row._fields, line, strict=True)]
            except ValueError:
                raise SubmissionError(f"results.csv: line {number} is no row: {str(line)[:80]}") from None
            rows.append(Row(*values))
    except csv.Error as error:
        raise SubmissionError(f"results.csv is no CSV: {error}") from None
    return rows


def find(rows: Sequence[Row], seed: int, cell: str) -> Row:
    """The row of an outer seed and cell."""
    return next(row for row in rows if (row.seed, row.cell) == (seed, cell))
