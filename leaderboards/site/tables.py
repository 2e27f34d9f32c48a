"""Tables of the site: cells with their text, the number that they are sorted by, and where they lead."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from leaderboards.boards.board import Board
from leaderboards.boards.standing import Line, said, seed_means, steps_to_threshold
from leaderboards.site.view import View, slug
from leaderboards.statistics import Estimate

DIGITS = 3
"""Significant digits of outcomes, as `badger board show` prints them."""


class Cell(NamedTuple):
    """A place of a table.

    Attributes:
        text: what is read.
        value: what it is sorted by, if that is a number.
        link: where it leads, from the root of the site; "" for nowhere.
    """

    text: str
    value: float | None = None
    link: str = ""


class Column(NamedTuple):
    """Head of a column; numbers stand at its right."""

    label: str
    numeric: bool = False


class Table(NamedTuple):
    """A table; with `by_role` its rows can be filtered by role, which then stands in the second column."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    by_role: bool = False


def standing_table(view: View) -> Table:
    """All that is known of each agent in the main cell, and what it cost."""
    board = view.board
    what = board.outcome.replace("_", " ")
    columns = [
        Column("agent"),
        Column("role"),
        Column("group"),
        Column("outer seeds", True),
        Column(f"{what} in {board.main}, mean", True),
        Column("paired difference", True),
        Column("to"),
        Column("inter-quartile mean", True),
        Column("weights", True),
        Column("training time (s)", True),
        Column("outer steps", True),
        Column("trials", True),
        Column("bits per step", True),
    ]
    if board.threshold is not None:
        columns.insert(5, Column(f"outer steps to loss {board.threshold:g}", True))
    rows = [_standing_row(view, line) for line in view.lines]
    caption = (
        f"Agents of {board.name}, ordered by their mean. Those that share a letter are not distinguishable."
    )
    if board.threshold is not None:
        caption += (
            f" “Outer steps to loss {board.threshold:g}”: the first at which the training loss fell below it,"
            " median of those outer seeds in which it did."
        )
    return Table("standing", caption, columns, rows, by_role=True)


def _standing_row(view: View, line: Line) -> list[Cell]:
    row = [
        Cell(line.agent, link=agent_page(line.agent)),
        Cell(line.role),
        Cell(line.group or ("preliminary" if line.preliminary else "–")),
        seeds_cell(line),
        estimate_cell(line.cells[view.board.main]),
        estimate_cell(line.difference),
        Cell(line.compared_with or ""),
        estimate_cell(line.middle),
        *(number_cell(line.facts.get(fact)) for fact in ("parameters", "seconds", "outer_steps", "trials")),
        number_cell(line.facts.get("bits_per_step")),
    ]
    if view.board.threshold is not None:
        median, text = steps_to_threshold(view.ok(line.agent))
        row.insert(5, Cell(text or "–", median))  # where `standing_table` has its column
    return row


def cells_table(view: View) -> Table:
    """Every agent in every cell, with what the cell measures."""
    columns = [Column("agent"), Column("role"), Column("cell"), Column("outcome"), Column("mean", True)]
    columns += [Column("low", True), Column("high", True), Column("outer seeds", True)]
    measured = {cell: _measured(view.board, cell) for cell in view.board.cells}
    rows = [
        [
            Cell(line.agent, link=agent_page(line.agent)),
            Cell(line.role),
            Cell(cell),
            Cell(measured[cell]),
            Cell(f"{estimate.value:.{DIGITS}g}", estimate.value),
            number_cell(None if math.isnan(estimate.low) else estimate.low, exact=True),
            number_cell(None if math.isnan(estimate.high) else estimate.high, exact=True),
            seeds_cell(line),
        ]
        for cell in view.board.cells
        for line in view.lines
        if (estimate := line.cells.get(cell)) is not None
    ]
    return Table("cells", "Every agent in every cell, with the ends of its interval.", columns, rows, True)


def crossing_tables(view: View, scale: str) -> list[tuple[str, Table]]:
    """Per pair over a scale the sentence, and the paired differences at its places."""
    label = view.board.scales[scale].label
    return [
        (
            crossing.sentence,
            Table(
                f"{scale}-{crossing.second}",
                f"{crossing.second} minus {crossing.first}, paired by outer seed.",
                [Column(label, True), Column("difference", True), Column("pairs", True)],
                [
                    [Cell(f"{place:g}", place), estimate_cell(found), Cell(str(found.n), found.n)]
                    for place, found in crossing.differences
                ],
            ),
        )
        for crossing in view.crossings
        if crossing.scale == scale
    ]


def _measured(board: Board, cell: str) -> str:
    """What a cell measures, and which way is better."""
    higher = board.cells[cell].family().higher_is_better
    return f"{board.outcome_in(cell)}, {'higher' if higher else 'lower'} is better"


def all_lines_table(views: Iterable[View]) -> Table:
    """Every line of every board, for the first page."""
    columns = [Column("agent"), Column("role"), Column("board"), Column("group"), Column("outer seeds", True)]
    columns += [Column("outcome"), Column("mean in the main cell", True)]
    rows = []
    for view in views:
        known = {line.agent: line for line in view.lines}
        for agent in [*known, *view.missing]:
            line = known.get(agent)
            name = Cell(agent, link=agent_page(agent))
            role = Cell(view.board.agents[agent].role)
            board = Cell(view.board.name, link=board_page(view.board.name))
            what = Cell(view.board.outcome.replace("_", " "))
            if line is None:
                rows.append([name, role, board, Cell("not run"), Cell("0", 0), what, Cell("–")])
            else:
                group = Cell(line.group or ("preliminary" if line.preliminary else "–"))
                mean = estimate_cell(line.cells[view.board.main])
                rows.append([name, role, board, group, seeds_cell(line), what, mean])
    return Table("lines", "Every agent on every board.", columns, rows, by_role=True)


def seeds_table(view: View, agent: str) -> Table:
    """Each run of an agent: its costs, and its mean outcome in each cell."""
    board = view.board
    cells = list(board.cells_of(agent))
    columns = [Column("outer seed", True), Column("status")]
    columns += [Column(f"{board.outcome_in(cell)} in {cell}", True) for cell in cells]
    columns += [Column("training time (s)", True), Column("outer steps", True), Column("weights", True)]
    rows = []
    for run in view.runs[agent]:
        means = [float(seed_means([run], cell)[0]) if run.ok else None for cell in cells]
        seed = Cell("none", -1) if run.seed is None else Cell(str(run.seed), run.seed)
        costs = [number_cell(run.facts.get(fact)) for fact in ("seconds", "outer_steps", "parameters")]
        rows.append([seed, Cell(run.facts["status"]), *(number_cell(m, exact=True) for m in means), *costs])
    caption = f"Each outer seed of {agent} on {board.name}: mean outcome over {board.tasks:,} test tasks."
    return Table(f"seeds-{board.name}", caption, columns, rows)


def estimate_cell(estimate: Estimate | None) -> Cell:
    """An estimate with its interval."""
    return Cell("–") if estimate is None else Cell(said(estimate, DIGITS), estimate.value)


def number_cell(value: float | None, *, exact: bool = False) -> Cell:
    """A number: a measurement to three digits, or a count or time as a whole number from 100 on."""
    if value is None:
        return Cell("–")
    whole = not exact and (abs(value) >= 100 or float(value).is_integer())
    return Cell(f"{value:,.0f}" if whole else f"{value:.{DIGITS}g}", float(value))


def seeds_cell(line: Line) -> Cell:
    """How many outer seeds a line stands on, and how many failed."""
    if line.role == "reference":
        return Cell("no seeds", 0)
    failed = f", {len(line.failed)} failed" if line.failed else ""
    return Cell(f"{len(line.seeds)}{failed}", len(line.seeds))


def agent_page(agent: str) -> str:
    """Where an agent's page lies, from the root of the site."""
    return f"agents/{slug(agent)}.html"


def board_page(board: str) -> str:
    """Where a board's page lies, from the root of the site."""
    return f"boards/{board}.html"
