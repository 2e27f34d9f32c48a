"""Curves: performance profiles, adaptation within a trial, outcomes over sizes."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from leaderboards.boards.scaling import curves as scale_curves
from leaderboards.boards.standing import Line
from leaderboards.site.bands import Band, band
from leaderboards.site.drawing import (
    Picture,
    canvas,
    curve_looks,
    floor_for,
    legend_below,
    panels,
    scale_for,
    svg,
)
from leaderboards.site.view import View, seeds_said
from leaderboards.statistics import performance_profile

POINTS = 41
"""Of a performance profile."""


def profile(view: View) -> Picture:
    """Share of test tasks that are solved as well as a threshold, over the threshold."""
    board = view.board
    learnt = [line for line in view.lines if line.role == "contestant"] or view.lines
    pooled = np.concatenate([run.outcomes[board.main] for line in learnt for run in view.ok(line.agent)])
    low, high = np.quantile(pooled, [0.005, 0.995])
    if low > 0 and high / low > 30:
        thresholds = np.geomspace(low, high, POINTS)
    else:
        thresholds = np.linspace(low, high, POINTS)

    def curve(line: Line) -> tuple[np.ndarray, Band]:
        above = [performance_profile(run.outcomes[board.main], thresholds) for run in view.ok(line.agent)]
        reached = np.array(above) if board.higher_is_better else 1 - np.array(above)
        return thresholds, band(reached)

    sign = "above" if board.higher_is_better else "at or below"

    def label(axis: Axes) -> None:
        scale_for(axis.xaxis, thresholds)
        axis.set_ylim(-0.02, 1.02)
        axis.set_ylabel("share of test tasks")

    image = _drawn(panels(view), curve, label, f"threshold of {view.axis(board.main)}")
    caption = (
        f"Performance profile: share of the {board.tasks:,} test tasks of cell {board.main} whose"
        f" {board.outcome.replace('_', ' ')} is {sign} a threshold, mean over outer seeds (higher curves are"
        f" better); {seeds_said(view.lines)}, point by point."
    )
    alt = f"Performance profiles of {len(view.lines)} agents."
    return Picture(f"{board.name}-profile", image, alt, caption)


def adaptation(view: View) -> Picture | None:
    """Loss at each step of a trial; None if no run has it."""
    board = view.board
    chosen = [(title, [line for line in lines if _losses(view, line)]) for title, lines in panels(view)]
    chosen = [(title, lines) for title, lines in chosen if lines]
    if not chosen:
        return None
    every = [line for _, lines in chosen for line in lines]
    floor = floor_for([(line, np.mean(_losses(view, line), axis=0)) for line in every])

    def curve(line: Line) -> tuple[np.ndarray, Band]:
        losses = np.array(_losses(view, line))
        return np.arange(1, losses.shape[1] + 1), band(losses)

    def label(axis: Axes) -> None:
        _scaled(axis, floor)
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_ylabel("mean loss (no unit)")

    image = _drawn(chosen, curve, label, f"inner-loop step of a trial in {board.main} (steps)")
    caption = (
        f"Adaptation: loss at each step of a trial in cell {board.main}, mean over {board.tasks:,} test tasks"
        f" and over outer seeds; {seeds_said(every)}, point by point."
    )
    return Picture(f"{board.name}-adaptation", image, f"Loss by step of {len(every)} agents.", caption)


def scale(view: View, name: str) -> Picture | None:
    """Outcomes over the sizes of a scale; None if no agent was measured at two of them."""
    board, table = view.board, view.board.scales[name]
    found = scale_curves(board, view.runs, name)
    lines = [line for line in view.lines if line.agent in found]
    if not lines:
        return None
    floor = floor_for([(line, np.array([at.outcome.value for at in found[line.agent]])) for line in lines])

    def curve(line: Line) -> tuple[np.ndarray, Band]:
        points = found[line.agent]
        ends = [(point.outcome.value, point.outcome.low, point.outcome.high) for point in points]
        return np.array([point.place for point in points]), Band(*np.array(ends).T)

    def label(axis: Axes) -> None:
        _scaled(axis, floor)
        what, _, unit = view.axis().partition(" (")
        axis.set_ylabel(f"{what}, mean\n({unit}", fontsize=8.5)
        scale_for(axis.xaxis, table.values, ratio=8)
        axis.set_xticks(_apart(table.values, logarithmic=axis.get_xscale() == "log"))
        axis.xaxis.set_major_formatter("{x:g}")

    image = _drawn([("", lines)], curve, label, f"{table.label} (number)", mark="o")
    caption = (
        f"Mean {board.outcome.replace('_', ' ')} over {board.tasks:,} test tasks against {table.label};"
        f" {seeds_said(lines)}."
    )
    return Picture(f"{board.name}-scale-{name}", image, f"Curves of {len(lines)} agents.", caption)


def _scaled(axis: Axes, floor: float | None) -> None:
    """The outcome's axis for the curves that are drawn, down to a floor; what is all below it is named so."""
    drawn = [np.asarray(curve.get_ydata(), dtype=float) for curve in axis.get_lines()]
    scale_for(axis.yaxis, np.maximum(np.concatenate(drawn), floor or -np.inf))
    if floor is None or axis.get_yscale() != "log" or min(values.min() for values in drawn) >= floor:
        return
    axis.set_ylim(bottom=floor)
    for curve, values in zip(axis.get_lines(), drawn, strict=True):
        if values.max() < floor:
            curve.set_label(f"{curve.get_label()}: {values.max():.0e}, below")


def _losses(view: View, line: Line) -> list[list[float]]:
    return [run.facts["loss_by_step"] for run in view.ok(line.agent) if run.facts.get("loss_by_step")]


def _drawn(
    chosen: Sequence[tuple[str, list[Line]]],
    curve: Callable[[Line], tuple[np.ndarray, Band]],
    label: Callable[[Axes], None],
    below: str,
    mark: str = "",
) -> bytes:
    """Panels of curves with bands, one below the other, each with a legend of its own."""
    legends = sum(0.2 * -(-len(lines) // 2) for _, lines in chosen)
    height = 2.6 * len(chosen) + legends + 0.35
    made = {line.agent: curve(line) for _, lines in chosen for line in lines}
    with canvas(height, len(chosen)) as (figure, axes):
        for axis, (title, lines) in zip(axes, chosen, strict=True):
            looks = curve_looks(lines)
            for line in lines:
                places, found = made[line.agent]
                look = looks[line.agent]
                few = f" (preliminary, n = {len(line.seeds)})" if line.preliminary else ""
                axis.plot(places, found.value, marker=mark, markersize=4, label=f"{line.agent}{few}", **look)
                if np.isfinite(found.low).all():
                    axis.fill_between(
                        places, found.low, found.high, color=look["color"], alpha=0.12, linewidth=0
                    )
            label(axis)
            axis.set_title(title, fontsize=9, loc="left")
            every = [line for _, each in chosen for line in each]
            axis.set_xlabel(f"{below}\n{seeds_said(every if len(chosen) == 1 else lines)}", fontsize=8.5)
            legend_below(axis)
        return svg(figure)


def _apart(values: Sequence[float], *, logarithmic: bool) -> list[float]:
    """Those of rising values whose ticks do not touch."""
    kept: list[float] = []
    width = values[-1] - values[0]
    for value in values:
        far = not kept or (value >= 1.18 * kept[-1] if logarithmic else value - kept[-1] >= 0.05 * width)
        if far:
            kept.append(value)
    return kept
