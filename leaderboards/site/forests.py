"""Forest plots: outcomes of all agents with their outer seeds, and paired differences around zero."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from leaderboards.boards.standing import Line, seed_means
from leaderboards.site.drawing import OUTSIDE, ROLES, Picture, canvas, floor_for, scale_for, svg
from leaderboards.site.view import UNITS, View, counted, seeds_said
from leaderboards.statistics import Estimate

ROW = 0.29
"""Inches of a line."""


def outcomes(view: View) -> Picture:
    """Mean outcome in the main cell from the best agent on, one dot per outer seed behind it."""
    board, lines = view.board, view.lines
    with canvas(1.25 + ROW * len(lines)) as (figure, (axis,)):
        means = [seed_means(view.ok(line.agent), board.main) for line in lines]
        for place, (line, seeds) in enumerate(zip(lines, means, strict=True)):
            colour, _ = ROLES[line.role]
            if line.role != "reference":
                spread = place + np.linspace(-0.2, 0.2, len(seeds)) if len(seeds) > 1 else [place]
                axis.plot(seeds, spread, ".", color=colour, alpha=0.4, markersize=5, markeredgewidth=0)
            _estimate(axis, place, line.cells[board.main], line.role)
            axis.annotate(
                line.group,
                (1.015, place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
                annotation_clip=False,
            )
        floor = floor_for(list(zip(lines, means, strict=True)))
        scale_for(axis.xaxis, np.maximum(np.concatenate(means), floor or -np.inf))
        if floor is not None and axis.get_xscale() == "log":
            axis.set_xlim(left=floor)
            for place, line in enumerate(lines):
                if (value := line.cells[board.main].value) < floor:
                    off = f"◂ {value:.1g}"
                    axis.annotate(
                        off, (0.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8
                    )
        _rows(axis, [_label(line) for line in lines])
        figure.supxlabel(f"{view.axis(board.main)}\n{seeds_said(lines)}", fontsize=9)
        _legend(axis, lines)
        image = svg(figure)
    caption = (
        f"Mean {board.outcome.replace('_', ' ')} over {board.tasks:,} test tasks of cell {board.main};"
        f" {seeds_said(lines)}. Small dots: outer seeds; large mark: their mean; bar: its interval."
        " Letters at the right: agents that share one are not distinguishable."
        f"{'' if floor is None else OUTSIDE.format('◂')}"
    )
    alt = f"Forest plot of {len(lines)} agents, ordered by their mean; {lines[0].agent} comes first."
    return Picture(f"{board.name}-outcomes", image, alt, caption)


def differences(view: View) -> Picture | None:
    """Paired differences to the agent with which each is compared; None if there are none."""
    board = view.board
    lines = [line for line in view.lines if line.difference is not None]
    if not lines:
        return None
    with canvas(1.25 + ROW * len(lines)) as (figure, (axis,)):
        for place, line in enumerate(lines):
            assert line.difference is not None
            _estimate(axis, place, line.difference, line.role)
        axis.axvline(0, color="black", linewidth=0.8)
        scale_for(axis.xaxis, [-1, 1])
        _rows(axis, [f"{line.agent} − {line.compared_with}" for line in lines])
        better = "above" if board.higher_is_better else "below"
        what = board.outcome.replace("_", " ")
        pairs = [line.difference.n for line in lines if line.difference is not None]
        paired = counted(pairs, "pair of outer seeds")
        figure.supxlabel(
            f"difference in {what} in {board.main} ({UNITS.get(board.outcome, 'no unit')})"
            f"\n{better} 0: the first named is better\n{paired}",
            fontsize=9,
        )
        _legend(axis, lines)
        image = svg(figure)
    caption = (
        f"Differences in {what} in cell {board.main}, outer seed by outer seed; {paired}. Where a bar leaves"
        " out 0, the two are distinguishable."
    )
    alt = f"Forest plot of {len(lines)} paired differences around zero."
    return Picture(f"{board.name}-differences", image, alt, caption)


def _estimate(axis: Axes, place: float, estimate: Estimate, role: str) -> None:
    """A mark, and its interval if there is one."""
    colour, mark = ROLES[role]
    if not math.isnan(estimate.low):
        axis.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=1.8)
    axis.plot([estimate.value], [place], mark, color=colour, markersize=5.5, markeredgecolor="white")


def _label(line: Line) -> str:
    if line.role == "reference":
        return line.agent
    count = f"n = {len(line.seeds)}{f', {len(line.failed)} failed' if line.failed else ''}"
    return f"{line.agent}\npreliminary, {count}" if line.preliminary else f"{line.agent} ({count})"


def _rows(axis: Axes, labels: list[str]) -> None:
    axis.set_yticks(range(len(labels)), labels, fontsize=8, linespacing=1)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")


def _legend(axis: Axes, lines: list[Line]) -> None:
    """Which mark is which role, above the axes."""
    marks = [
        Line2D([], [], color=colour, marker=mark, linestyle="", markersize=5.5, label=role)
        for role, (colour, mark) in ROLES.items()
        if any(line.role == role for line in lines)
    ]
    axis.legend(
        handles=marks,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=3,
        fontsize=8,
        handletextpad=0.1,
        columnspacing=1,
        borderpad=0.1,
    )
