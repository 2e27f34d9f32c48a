"""Pictures of a board: outcomes by agent, outcomes over a scale, performance profiles."""

import io
from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from leaderboards.boards.board import Board
from leaderboards.boards.results import Results
from leaderboards.boards.scaling import Point
from leaderboards.boards.standing import Standing, outcomes
from leaderboards.plots.style import COLOURS, STYLE
from leaderboards.statistics import performance_profile

DECADES = 30.0
"""Largest over smallest mark from which on an axis is logarithmic."""

LEAST = 1e-4
"""Marks below it are drawn there, on a logarithmic axis."""

COLOUR_OF = {"contestant": COLOURS[0], "reference": COLOURS[2]}


def draw_outcomes(board: Board, lines: Sequence[Standing]) -> Figure:
    """Contestants and references: mean with its interval, and as a bar that of seeds that do not fail."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 0.8 + 0.22 * len(lines)), layout="constrained")
        axis = figure.subplots()
        for row, line in enumerate(lines):
            low, high = np.nan_to_num([line.mean.low, line.mean.high], nan=line.mean.value)
            colour = COLOUR_OF[line.role]
            axis.plot([max(low, LEAST), max(high, LEAST)], [row, row], color=colour)
            axis.plot(max(line.mean.value, LEAST), row, "o", color=colour)
            if line.succeeded is not None:
                axis.plot(max(line.succeeded.value, LEAST), row, "|", color=colour)
        axis.set_yticks(range(len(lines)), [", ".join(filter(None, (e.label, e.condition))) for e in lines])
        axis.invert_yaxis()
        axis.set_xlabel(f"{board.outcome_in(board.main)}: mean, 95 % interval; | of seeds that do not fail")
        _scaled(axis, "x", [line.mean.value for line in lines])
    return figure


def draw_scale(board: Board, scale: str, drawn: Mapping[str, Sequence[Point]]) -> Figure:
    """Contestants' mean outcomes over a scale, with their intervals."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axis = figure.subplots()
        contestants = [agent for agent in drawn if board.agents[agent].role == "contestant"]
        for number, agent in enumerate(contestants):
            places = [point.place for point in drawn[agent]]
            ends = np.array([[e.value, e.low, e.high] for _, e in drawn[agent]]).T.clip(LEAST)  # (3, N)
            style = ("-", "--", ":")[number // len(COLOURS)]
            axis.plot(
                places,
                ends[0],
                style,
                marker=".",
                color=COLOURS[number % len(COLOURS)],
                label=_name(board, agent),
            )
            axis.fill_between(places, ends[1], ends[2], color=COLOURS[number % len(COLOURS)], alpha=0.15)
        axis.set(xlabel=board.scales[scale].label, ylabel=f"mean {board.outcome_in(board.main)}")
        _scaled(axis, "y", [point.outcome.value for agent in contestants for point in drawn[agent]])
        figure.legend(loc="outside right upper")
    return figure


def draw_profiles(board: Board, results: Results) -> Figure:
    """Share of outer seeds and cells whose outcome is at least as good as each threshold.

    Performance profiles as in Agarwal et al. 2021, over seeds and cells, which are weighted alike.
    """
    contestants = [
        name for name, found in results.items() if found and board.agents[name].role == "contestant"
    ]
    sign = 1 if board.higher_is_better else -1
    values = {
        name: np.concatenate([outcomes(board, results[name], cell) for cell in board.cells_of(name)])
        for name in contestants
    }
    every = np.concatenate(list(values.values())).clip(LEAST)
    spread = every.max() / every.min() > DECADES
    thresholds = (np.geomspace if spread else np.linspace)(every.min(), every.max(), 200)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axis = figure.subplots()
        for number, name in enumerate(contestants):
            shares = performance_profile(sign * values[name], sign * thresholds)
            style = ("-", "--", ":")[number // len(COLOURS)]
            axis.plot(
                thresholds, shares, style, color=COLOURS[number % len(COLOURS)], label=_name(board, name)
            )
        axis.set(xlabel=board.outcome_in(board.main), ylabel="share of seeds and cells at least as good")
        _scaled(axis, "x", list(thresholds))
        figure.legend(loc="outside right upper")
    return figure


def _name(board: Board, agent: str) -> str:
    entrant = board.agents[agent]
    return ", ".join(filter(None, (entrant.label or agent, entrant.condition)))


def svg(figure: Figure) -> bytes:
    """The picture as SVG: the same bytes each time."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "badger"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def _scaled(axes: Axes, which: Literal["x", "y"], values: Sequence[float]) -> None:
    """A logarithmic axis, with plain numbers, if marks span decades."""
    shown = np.maximum(values, LEAST)
    if min(values) < 0 or shown.max() / shown.min() <= DECADES:
        return
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1,), numticks=30))
    axis.set_major_formatter("{x:g}")
