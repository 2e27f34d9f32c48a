"""Families left out of training: a table of family by agent in normalised scores, and its picture."""

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from badger_envs.scoring import Scale, scale_of
from leaderboards.boards.board import Board
from leaderboards.boards.results import Results
from leaderboards.boards.standing import mean_outcome, score_said
from leaderboards.plots.style import COLOURS, STYLE
from leaderboards.statistics import Estimate


class LeftOut(NamedTuple):
    """What a board with `leave_out_of` says.

    Attributes:
        columns: what was trained, or done to it, such as "badger without it".
        scores: by cell, the score of each column; None: not run. 0 is the floor of the id, 1 its reference.
    """

    columns: tuple[str, ...]
    scores: Mapping[str, tuple[Estimate | None, ...]]


def left_out(board: Board, results: Results) -> LeftOut:
    """Each agent on each family: trained on all, without it (as it is, and changed), on it alone."""
    named: dict[str, str] = {}  # by column the line, with {} for the cell
    for agent, changes in board.leave_out_of.items():
        named |= {f"{agent} on all": agent, f"{agent} without it": f"{agent}-without-{{}}"}
        named |= {
            f"{agent} without it, {each}": f"{agent}-without-{{}}-{each.replace(' ', '-')}"
            for each in changes
        }
    named |= {f"{agent} on it alone": f"{agent}-alone-{{}}" for agent in board.alone_of}
    scores = {
        cell: tuple(_score(board, results, line.format(cell), cell) for line in named.values())
        for cell in board.cells
    }
    return LeftOut(tuple(named), scores)


def table_rows(said: LeftOut) -> list[list[str]]:
    """A head, a row for each family, and the mean over families of those that were run on all."""
    rows = [["family", *said.columns]]
    for cell, scores in said.scores.items():
        rows.append([cell, *("not run" if score is None else score_said(score) for score in scores)])
    means = [
        "" if None in column else f"{np.mean([score.value for score in column if score]):z.2f}"
        for column in zip(*said.scores.values(), strict=True)
    ]
    return [*rows, ["mean", *means]] if any(means) else rows


def draw_left_out(said: LeftOut) -> Figure:
    """Scores of each family, one below the other; a colour for each column."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 1 + 0.5 * len(said.scores)), layout="constrained")
        axis = figure.subplots()
        axis.axvline(0, color="0.6", lw=0.8)
        axis.axvline(1, color="0.6", lw=0.8)
        for place, column in enumerate(said.columns):
            colour, row = COLOURS[place % len(COLOURS)], place / (len(said.columns) + 2)
            found = [(y + row, scores[place]) for y, scores in enumerate(said.scores.values())]
            known = [(y, score) for y, score in found if score is not None]
            for y, score in known:
                low, high = np.nan_to_num([score.low, score.high], nan=score.value)
                axis.plot([low, high], [y, y], color=colour)
            values = [score.value for _, score in known]
            mark = "o" if place < len(COLOURS) else "s"
            axis.plot(values, [y for y, _ in known], mark, color=colour, ms=4, label=column)
        axis.set_yticks([y + 0.4 for y in range(len(said.scores))], list(said.scores))
        axis.invert_yaxis()
        axis.set(
            xlabel="normalised score: 0 floor, 1 reference; 95 % interval over outer seeds", xlim=(-1, 1.1)
        )
        figure.legend(loc="outside right upper")
    return figure


def _score(board: Board, results: Results, line: str, cell: str) -> Estimate | None:
    """The score of a line in a cell; None if it was not run, or the cell's id has no scale."""
    runs, table = results.get(line), board.cells[cell]
    if not runs or cell not in board.cells_of(line):
        return None
    scale: Scale = scale_of(table.id)
    outcome = mean_outcome(board, runs, cell)
    low, high = sorted(scale.score(end) for end in (outcome.low, outcome.high))
    return Estimate(scale.score(outcome.value), low, high, outcome.n)
