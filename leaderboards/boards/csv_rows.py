"""CSV files of rows: named tuples as text, and read again as what the types of their fields say."""

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from leaderboards.boards.board import BoardError

NEVER = "never"
"""Infinity, as of outer steps to a threshold that a training did not cross."""

RowT = TypeVar("RowT")


def rows_text(kind: Any, rows: Iterable[Any]) -> str:
    """Rows, all of one kind of named tuple, as the text of a file; equal rows give equal bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kind._fields)
    writer.writerows([_said(value) for value in row] for row in rows)
    return text.getvalue()


def parse_rows(kind: type[RowT], text: str, source: str) -> list[RowT]:
    """Rows from the text of a file.

    Args:
        kind: of named tuple, of texts, integers, numbers, or one of them or None (an empty field).
        text: of the file.
        source: what it is, for messages.

    Raises:
        BoardError: it holds no such rows.
    """
    kinds = {name: str(each) for name, each in get_type_hints(kind).items()}
    lines = csv.reader(io.StringIO(text))
    rows: list[RowT] = []
    try:
        if next(lines, None) != list(kinds):
            raise BoardError(f"{source} has another header than {','.join(kinds)}")
        for number, line in enumerate(lines, 2):
            try:
                rows.append(kind(*(_read(*each) for each in zip(kinds.values(), line, strict=True))))
            except ValueError:
                raise BoardError(f"{source}: line {number} is no row: {str(line)[:80]}") from None
    except csv.Error as error:
        raise BoardError(f"{source} is no CSV: {error}") from None
    return rows


def read_rows(kind: type[RowT], path: Path) -> list[RowT]:
    """Rows of a file; none if it is not there. BoardError if it is damaged."""
    if not path.is_file():
        return []
    try:
        return parse_rows(kind, path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise BoardError(f"{path} is no UTF-8 text: {error}") from error


def _said(value: Any) -> Any:
    """A value as the file has it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return NEVER if math.isinf(value) else repr(float(value))
    return value


def _read(kind: str, text: str) -> Any:
    """A value from the file."""
    if "str" in kind:
        return text
    if not text:
        if "None" in kind:
            return None
        raise ValueError("empty")
    if text == NEVER:
        return math.inf
    return int(text) if "int" in kind else float(text)
