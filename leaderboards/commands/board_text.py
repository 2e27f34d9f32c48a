"""What a board says, in a terminal or as one JSON object."""

import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.claims import verdicts
from leaderboards.boards.rows import RunRows, kept_folder, read_runs
from leaderboards.boards.scaling import crossings, curves
from leaderboards.boards.standing import Line, place, said, standing, steps_to_threshold
from leaderboards.results import Record, record, show
from leaderboards.statistics import KIND, Estimate
from leaderboards.submissions.entries import FOLDER as SUBMISSIONS
from leaderboards.submissions.entries import with_submissions

WIDE = 100
"""Columns of a terminal from which on a board's table has all that is known of a line."""


def show_board(
    board: Board, folder: Path, as_json: bool, *, kept: bool = False, own: str | None = None
) -> None:
    """Print a board; BoardError if there is not one run of it.

    Args:
        board: the board.
        folder: with rows.
        as_json: as one JSON object.
        kept: where the folder lacks a line's rows, show those that the suite keeps; and its submissions.
        own: line of which to say where it stands.
    """
    found = read_runs(folder, board)
    if kept:
        theirs = read_runs(kept_folder(board), board)
        found = {agent: runs or theirs[agent] for agent, runs in found.items()}
    refused = None
    if kept or folder == kept_folder(board):
        try:
            board, submitted = with_submissions(board, SUBMISSIONS)
            found |= submitted
        except BoardError as error:  # somebody else's mistake; the rest of the board is what it is
            refused = f"without submissions: {error}"
    lines = standing(board, found)
    if not lines:
        raise BoardError(f"{board.name} has no finished runs here; make some: badger board run {board.name}")
    notes = _notes(board, found, lines)
    notes += [] if refused is None else [refused]
    notes += [] if own is None else [place(board, found, own)]
    if as_json:
        show([_facts(board, line) for line in lines], as_json=True, title=board.title, note="; ".join(notes))
        return
    for title, rows in _others(board, found, lines) if len(board.cells) > 1 else ():
        show(rows, as_json=False, title=title)
    others = list({line.compared_with for line in lines} - {None})
    other = others[0] if len(others) == 1 else None
    rows = [_row(board, line, found[line.agent], other) for line in lines]
    show(rows, as_json=False, title=f"{board.title} ({board.name})", note="\n".join(notes))


def _notes(board: Board, found: Mapping[str, Sequence[RunRows]], lines: Sequence[Line]) -> list[str]:
    """What a reader must know of the numbers, and what follows from them."""
    better = "higher" if board.higher_is_better else "lower"
    notes = [f"mean {board.outcome} over {board.tasks} tasks in {board.main}, {better} is better"]
    counts = sorted({len(line.seeds) for line in lines if line.role != "reference"})
    if counts:
        seeds = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
        notes.append(f"intervals: {KIND}, {seeds} outer seeds")
        notes.append("agents that share a letter are not distinguishable")
    if few := [line.agent for line in lines if line.preliminary]:
        notes.append(f"fewer than 10 outer seeds, preliminary: {', '.join(few)}")
    if failed := [f"{line.agent} {list(line.failed)}" for line in lines if line.failed]:
        notes.append(f"failed outer seeds: {', '.join(failed)}")
    notes += [crossing.sentence for crossing in crossings(board, found)]
    return notes + [f"{each.sentence} {each.speed}".rstrip() for each in verdicts(board, found)]


def _row(board: Board, line: Line, runs: Sequence[RunRows], other: str | None) -> Record:
    """A line of the board as people read it; `other`: with whom all are compared, if it is one."""
    versus = "" if line.difference is None else said(line.difference, 3)
    if other is None and line.difference is not None:
        versus += f" to {line.compared_with}"
    row: Record = {"agent": line.agent, "role": line.role, "group": line.group, "seeds": len(line.seeds)}
    row[board.main] = said(line.cells[board.main], 3)
    if board.threshold is not None:
        _, row[f"steps to loss {board.threshold:g}"] = steps_to_threshold([run for run in runs if run.ok])
    row["difference" if other is None else f"minus {other}"] = versus
    row["weights"] = int(line.facts["parameters"]) if "parameters" in line.facts else ""
    row["seconds"] = round(line.facts["seconds"]) if "seconds" in line.facts else ""
    if sys.stdout.isatty() and shutil.get_terminal_size().columns < WIDE:
        for name in ("role", "seeds", "weights", "seconds"):
            del row[name]
    return row


def _others(
    board: Board, found: Mapping[str, Sequence[RunRows]], lines: Sequence[Line]
) -> list[tuple[str, list[Record]]]:
    """Titles and rows of tables with a board's scales, and with cells that stand in none; means alone.

    Where a single agent lives through a scale, each of its places is a row.
    """
    tables = []
    for scale, table in board.scales.items():
        drawn = curves(board, found, scale)
        title = f"mean {board.outcome} by {table.label}"
        if len(drawn) == 1:
            ((agent, points),) = drawn.items()
            places = [{"": f"{point.place:g}", agent: said(point.outcome, 3)} for point in points]
            tables.append((title, places))
            continue
        rows = [
            {"agent": line.agent}
            | {f"{place:g}": "" for place in table.values}
            | {f"{point.place:g}": f"{point.outcome.value:.3g}" for point in drawn[line.agent]}
            for line in lines
            if line.agent in drawn
        ]
        if rows:
            tables.append((title, rows))
    left = [cell for cell in board.cells if not any(cell in table.cells for table in board.scales.values())]
    if left:
        alike = len({board.outcome_in(cell) for cell in left}) == 1
        heads = {cell: cell if alike else f"{cell}: {board.outcome_in(cell)}" for cell in left}
        rows = [
            {"agent": line.agent}
            | {heads[cell]: f"{line.cells[cell].value:.3g}" if cell in line.cells else "" for cell in left}
            for line in lines
        ]
        tables.append((f"mean {board.outcome_in(left[0]) if alike else 'outcome'} in each cell", rows))
    return tables


def _facts(board: Board, line: Line) -> Record:
    """A line of the board as a flat record, for programs."""
    facts: Record = {"role": line.role, "group": line.group, "seeds": len(line.seeds)}
    facts |= {"failed_seeds": list(line.failed), **line.facts}
    facts |= {"iqm": line.middle.value, "iqm_ci95": _ends(line.middle)}
    for cell, estimate in line.cells.items():
        facts |= {f"{cell}.mean": estimate.value, f"{cell}.ci95": _ends(estimate)}
    if line.difference is not None:
        facts |= {"compared_with": line.compared_with, "difference": line.difference.value}
        facts |= {"difference_ci95": _ends(line.difference)}
    main = line.cells[board.main]
    return record(board.outcome, main.value, agent=line.agent, **facts) | {"ci95": _ends(main)}


def _ends(estimate: Estimate) -> list[float] | None:
    return None if math.isnan(estimate.low) else [estimate.low, estimate.high]
