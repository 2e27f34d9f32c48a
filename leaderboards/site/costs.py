"""Scatter plots: outcome against what it costs, and against the bits that experts say."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leaderboards.boards.standing import Line
from leaderboards.site.drawing import OUTSIDE, ROLES, Picture, canvas, floor_for, scale_for, svg
from leaderboards.site.naming import Mark, name_marks
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
        below = [
            _scatter(figure, axis, view, lines, fact, label)
            for axis, (fact, label) in zip(axes, COSTS, strict=True)
        ]
        image = svg(figure)
    caption = (
        f"Score against cost: mean {view.board.outcome.replace('_', ' ')} in cell {view.board.main} against"
        f" training time and number of weights; {seeds_said(lines)}. Of seeds trained side by side each"
        " counts an equal part of the time. References, which are not trained, are dotted lines;"
        " agents with the weights of another are left out, they cost nothing of their own."
        f"{OUTSIDE.format('▾') if any(below) else ''}"
    )
    return Picture(f"{view.board.name}-costs", image, f"Outcome and cost of {len(lines)} agents.", caption)


def bits(view: View) -> Picture | None:
    """Outcome against bits per expert and step; None where nothing is known of them."""
    lines = [line for line in view.trained if "bits_per_step" in line.facts]
    if not lines:
        return None
    with canvas(3.1) as (figure, (axis,)):
        label = "bits that an expert can tell the others (bits per step, at the most)"
        below = _scatter(figure, axis, view, lines, "bits_per_step", label)
        image = svg(figure)
    caption = (
        f"Score against communication: mean {view.board.outcome.replace('_', ' ')} in cell {view.board.main}"
        f" against the bits that an expert can tell the others in a step; {seeds_said(lines)}. Numbers sent"
        f" as they are count with all of their bits.{OUTSIDE.format('▾') if below else ''}"
    )
    return Picture(f"{view.board.name}-bits", image, f"Outcome and bits of {len(lines)} agents.", caption)


def _scatter(figure: Figure, axis: Axes, view: View, lines: list[Line], fact: str, label: str) -> bool:
    """Draw marks and their names; whether some lie below the axis."""
    main = view.board.main
    references = [line for line in view.lines if line.role == "reference"]
    drawn = [*lines, *references]
    floor = floor_for([(line, np.array([line.cells[main].value])) for line in drawn])
    scale_for(axis.xaxis, [line.facts[fact] for line in lines], ratio=5)
    scale_for(axis.yaxis, [max(line.cells[main].value, floor or -math.inf) for line in drawn])
    if axis.get_yscale() != "log":
        floor = None
    marked = []
    for line in lines:
        colour, mark = ROLES[line.role]
        place, estimate = line.facts[fact], line.cells[main]
        outside = floor is not None and estimate.value < floor
        value = max(estimate.value, floor or -math.inf)
        if not math.isnan(estimate.low) and not outside:
            axis.plot([place, place], [estimate.low, estimate.high], color=colour, linewidth=1.2, alpha=0.7)
        axis.plot(
            [place],
            [value],
            "v" if outside else mark,
            color=colour,
            markersize=5.5,
            markeredgecolor="white",
            clip_on=False,
        )
        ends = (math.nan, math.nan) if outside else (estimate.low, estimate.high)
        marked.append(Mark(_named(line, estimate.value, outside), place, value, *ends))
    across = []
    for line in references:
        value = line.cells[main].value
        outside = floor is not None and value < floor
        if not outside:
            axis.axhline(value, color="black", linestyle=":", linewidth=1)
        across.append((_named(line, value, outside), max(value, floor or -math.inf)))
    axis.margins(x=0.12, y=0.12)
    if floor is not None:
        axis.set_ylim(bottom=floor)
    axis.set_xlabel(f"{label}\n{seeds_said(lines)}", fontsize=8.5)
    axis.set_ylabel(f"{view.board.outcome.replace('_', ' ')}, mean")
    figure.draw_without_rendering()  # places in points are known only now
    name_marks(axis, marked, across)
    return floor is not None


def _named(line: Line, value: float, outside: bool) -> str:
    return f"{line.agent} ▾ {value:.1g}" if outside else line.agent
