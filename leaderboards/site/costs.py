"""Scatter plots: outcome against what it costs, and against the bits that experts say."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leaderboards.boards.standing import Line
from leaderboards.site.drawing import ROLES, Picture, canvas, scale_for, svg
from leaderboards.site.view import View, seeds_said

COSTS = (
    ("seconds", "training time (seconds on one CPU core, median of outer seeds)"),
    ("parameters", "weights (number)"),
)


def costs(view: View) -> Picture | None:
    """Outcome against training time and number of weights; None if no agent was trained."""
    lines = [
        line
        for line in view.trained
        if {"seconds", "parameters"} <= line.facts.keys() and view.board.agents[line.agent].weights_of is None
    ]
    if not lines:
        return None
    with canvas(5.8, 2) as (figure, axes):
        for axis, (fact, label) in zip(axes, COSTS, strict=True):
            _scatter(figure, axis, view, lines, fact, label)
        image = svg(figure)
    caption = (
        f"Score against cost: mean {view.board.outcome.replace('_', ' ')} in cell {view.board.main} against"
        f" training time and number of weights; {seeds_said(lines)}. Of seeds trained side by side each"
        " counts an equal part of the time. References, which are not trained, are dotted lines;"
        " agents with the weights of another are left out, they cost nothing of their own."
    )
    return Picture(f"{view.board.name}-costs", image, f"Outcome and cost of {len(lines)} agents.", caption)


def bits(view: View) -> Picture | None:
    """Outcome against bits per expert and step; None where nothing is known of them."""
    lines = [line for line in view.trained if "bits_per_step" in line.facts]
    if not lines:
        return None
    with canvas(3.1) as (figure, (axis,)):
        label = "bits that an expert can tell the others (bits per step, at the most)"
        _scatter(figure, axis, view, lines, "bits_per_step", label)
        image = svg(figure)
    caption = (
        f"Score against communication: mean {view.board.outcome.replace('_', ' ')} in cell {view.board.main}"
        f" against the bits that an expert can tell the others in a step; {seeds_said(lines)}. Numbers sent"
        " as they are count with all of their bits."
    )
    return Picture(f"{view.board.name}-bits", image, f"Outcome and bits of {len(lines)} agents.", caption)


def _scatter(figure: Figure, axis: Axes, view: View, lines: list[Line], fact: str, label: str) -> None:
    main = view.board.main
    places = [line.facts[fact] for line in lines]
    values = [line.cells[main].value for line in lines]
    for line, place, value in zip(lines, places, values, strict=True):
        colour, mark = ROLES[line.role]
        estimate = line.cells[main]
        if not math.isnan(estimate.low):
            axis.plot([place, place], [estimate.low, estimate.high], color=colour, linewidth=1.2, alpha=0.7)
        axis.plot([place], [value], mark, color=colour, markersize=5.5, markeredgecolor="white")
    references = [line for line in view.lines if line.role == "reference"]
    for line in references:
        axis.axhline(line.cells[main].value, color="black", linestyle=":", linewidth=1)
    scale_for(axis.xaxis, places, ratio=5)
    scale_for(axis.yaxis, [*values, *(line.cells[main].value for line in references)])
    axis.margins(x=0.12, y=0.12)
    axis.set_xlabel(f"{label}\n{seeds_said(lines)}", fontsize=8.5)
    axis.set_ylabel(f"{view.board.outcome.replace('_', ' ')}, mean")
    figure.draw_without_rendering()  # places in points are known only now
    marked = [(line.agent, place, value) for line, place, value in zip(lines, places, values, strict=True)]
    _name(axis, marked, [(line.agent, line.cells[main].value) for line in references])


def _name(
    axis: Axes, marked: Sequence[tuple[str, float, float]], references: Sequence[tuple[str, float]]
) -> None:
    """Write names beside marks where they cover neither marks nor other names; what finds no room stays out.

    The table of the page has all of them.
    """
    scale = 72 / axis.get_figure(root=True).dpi  # type: ignore[union-attr]
    points = [axis.transData.transform((x, y)) * scale for _, x, y in marked]
    frame = [end * scale for end in axis.get_window_extent().extents]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    for name, value in references:
        y = float(axis.transData.transform((axis.get_xlim()[0], value))[1]) * scale
        box = (frame[2] - 4.6 * len(name), y + 1, frame[2], y + 10)
        if not any(_touch(box, other) for other in taken):
            axis.annotate(name, (1, value), xycoords=("axes fraction", "data"), xytext=(0, 1.5),
                          textcoords="offset points", ha="right", va="bottom", fontsize=7)  # fmt: skip
            taken.append(box)
    for (name, x, y), (left, bottom) in zip(marked, points, strict=True):
        width = 4.4 * len(name)
        for across, up in ((6, -4), (-6 - width, -4), (-width / 2, 6), (-width / 2, -14), (6, 5), (6, -13)):
            box = (left + across, bottom + up, left + across + width, bottom + up + 9)
            inside = box[0] >= frame[0] and box[2] <= frame[2] and box[1] >= frame[1] and box[3] <= frame[3]
            if inside and not any(_touch(box, other) for other in taken):
                axis.annotate(name, (x, y), xytext=(across, up + 1.5), textcoords="offset points", fontsize=7)
                taken.append(box)
                break


def _touch(one: Sequence[float], other: Sequence[float]) -> bool:
    return bool(np.all([one[0] < other[2], other[0] < one[2], one[1] < other[3], other[1] < one[3]]))
