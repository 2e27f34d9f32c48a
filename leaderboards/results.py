"""Results as flat records, and how a command shows them: a table for people or one JSON object."""

import csv
import io
import json
import math
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import rich.box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDEST = 6
"""Columns that a table has at the most, if it can be helped."""

Record = dict[str, Any]
"""`name`, the settings it holds for, then `value`, and where they apply `unit`, `n`, `ci95`."""


def record(
    name: str,
    value: float | int | str,
    *,
    unit: str | None = None,
    n: int | None = None,
    ci95: tuple[float, float] | None = None,
    **settings: Any,
) -> Record:
    """One result.

    Args:
        name: what was measured.
        value: the measurement.
        unit: its unit.
        n: how many trials or repetitions stand behind it.
        ci95: its 95 % interval.
        settings: what it holds for (agent, d, experts, ...).
    """
    optional = {"unit": unit, "n": n, "ci95": None if ci95 is None else list(ci95)}
    return {
        "name": name,
        **settings,
        "value": value,
        **{key: item for key, item in optional.items() if item is not None},
    }


def show(results: Sequence[Record], *, as_json: bool, title: str, note: str = "") -> None:
    """Print results on standard output.

    Args:
        results: flat records.
        as_json: one JSON object {"title", "note", "results"} and nothing else, instead of a table.
        title: what the table says.
        note: a line under it.
    """
    if as_json:
        rows = [{key: _json_value(item) for key, item in row.items()} for row in results]
        print(json.dumps({"title": title, "note": note, "results": rows}, indent=1, allow_nan=False))
        return
    columns, shared = _columns(results)
    note = "; ".join(
        [*(f"{name} {text(value)}" for name, value in shared.items()), *([note] if note else [])]
    )
    table = Table(
        title=escape(title),
        caption=escape(note) or None,
        title_justify="left",
        caption_justify="left",
        box=rich.box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        right = column in ("value", "n")
        longest = max(len(text(row.get(column, ""))) for row in results)
        whole = column in ("value", "n", "ci95", "unit") or (
            column == columns[0] and longest < 34
        )  # what is cut cannot be typed again
        table.add_column(column, overflow="fold", no_wrap=whole, justify="right" if right else "left")
    for row in results:
        table.add_row(*(escape(text(row.get(column, ""))) for column in columns))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def columns_of(rows: Sequence[Record], width: int = 80) -> list[str]:
    """Lines of a plain table: names first, all left-aligned, the last column folded to fit.

    Args:
        rows: records with the same keys, which are the columns.
        width: of a line at the most.
    """
    if not rows:
        return ["there is none"]
    heads = list(rows[0])
    cells = [heads, *([text(row[head]) for head in heads] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(heads) - 1)]
    room = max(16, width - sum(widths) - 2 * len(widths))
    lines = []
    for line in cells:
        folded = textwrap.wrap(line[-1], room) or [""]
        start = "  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=False))
        lines.append(f"{start}  {folded[0]}".rstrip())
        lines += [f"{' ' * len(start)}  {more}" for more in folded[1:]]
    return lines


def _columns(results: Sequence[Record]) -> tuple[list[str], Record]:
    """Columns of a table; of more than `WIDEST`, those go into the note that say one thing wherever set."""
    columns = list(dict.fromkeys(key for row in results for key in row))
    shared: Record = {}
    for column in columns[1:]:
        first = results[0].get(column)
        same = column in results[0] and all(row.get(column, first) == first for row in results)
        if len(columns) > WIDEST and same and column not in ("value", "unit", "n", "ci95"):
            shared[column] = first
            columns.remove(column)
    return columns, shared


def markdown(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown, cells as in other tables."""
    lines = [list(heads), ["---"] * len(heads), *([text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_csv(records: Sequence[Record]) -> str:
    """Records as comma-separated values: a column per key, intervals as two columns."""
    rows = []
    for row in records:
        low, high = row.get("ci95", (None, None))
        ends = {} if low is None else {"ci95_low": low, "ci95_high": high}
        rows.append({key: item for key, item in row.items() if key != "ci95"} | ends)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def text(value: Any) -> str:
    """A cell: floats with three or four significant figures, intervals in brackets."""
    if isinstance(value, float):
        return f"{value:.3f}" if 0.01 <= abs(value) < 1e3 else f"{value:.4g}"
    if isinstance(value, list):
        return "[" + ", ".join(text(item) for item in value) + "]"
    return str(value)


def _json_value(value: Any) -> Any:
    """The value, with null for what JSON cannot say: infinities and not-a-number."""
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def progress_console() -> Console:
    """Where progress goes: standard error, so that standard output holds results alone."""
    return Console(stderr=True)
