"""The picture of `badger inspect`: who talks to whom, when, about what, and what it is worth."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from badger_agents.whitebox.metrics import first_component
from leaderboards.plots.rollout import EXPERTS, attention_among, draw_rollouts
from leaderboards.plots.style import COLOURS, STYLE
from leaderboards.results import Record

TASKS = 3
"""Tasks that are drawn."""

SNAPSHOTS = 6
"""Steps of task 1 at which attention is drawn as a matrix."""

SAMPLES = 4_000
"""Dots of a scatter plot at the most."""


def draw_inside(
    trace: dict[str, np.ndarray], influence: np.ndarray, changes: Sequence[Record], outcome: str, title: str
) -> Figure:
    """Four rows: tasks over time; who hears whom, when; what messages are about; what the talk is worth.

    Args:
        trace: arrays [T, B, ...] of a `badger_agents.whitebox.Trace`.
        influence: [E, S], of speakers' messages on listeners' writings.
        changes: records of differences of the outcome, with "intervention" and "ci95".
        outcome: the outcome's name.
        title: over the picture.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 13.5), layout="constrained")
        figure.suptitle(title, fontsize=11)
        top, middle, bottom = figure.subfigures(3, 1, squeeze=False, height_ratios=(7, 2.4, 4.6))[:, 0]
        draw_rollouts(top, trace, tasks=TASKS)
        _draw_matrices(middle, trace)
        left, right = bottom.subfigures(1, 2, squeeze=False, width_ratios=(1, 1))[0]
        _draw_meaning(left, trace, influence)
        _draw_worth(right, changes, outcome)
    return figure


def _draw_matrices(figure: SubFigure, trace: dict[str, np.ndarray]) -> None:
    """Who hears whom in task 1, at a few steps; and on average over all trials."""
    matrices = attention_among(trace, EXPERTS)  # [T, B, E, E]
    length = len(matrices)
    times = (
        np.unique(np.linspace(1, length - 1, SNAPSHOTS).round().astype(int)) if length > 1 else np.array([0])
    )
    axes = figure.subplots(1, len(times) + 1, squeeze=False)[0]
    figure.suptitle("who hears whom: task 1 at some steps; last, the mean over steps and trials", fontsize=9)
    pictures = [*((f"step {t + 1}", matrices[t, 0]) for t in times), ("mean", matrices.mean((0, 1)))]
    for axis, (name, matrix) in zip(axes, pictures, strict=True):
        image = axis.imshow(matrix, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
        _square(axis, name)
    axes[0].set_ylabel("listener")
    figure.colorbar(image, ax=list(axes), pad=0.01, aspect=12).set_label("attention", fontsize=8)


def _square(axis: Axes, name: str) -> None:
    axis.grid(False)
    axis.set_title(name, fontsize=8)
    axis.set_xlabel("speaker")
    for one in (axis.xaxis, axis.yaxis):
        one.set_major_locator(MaxNLocator(5, integer=True))


def _draw_meaning(figure: SubFigure, trace: dict[str, np.ndarray], influence: np.ndarray) -> None:
    """Messages along their two main directions, coloured by time, writing and speaker; influence."""
    axes = figure.subplots(2, 2)
    messages = trace["messages"]
    length, trials, experts = messages.shape[:3]
    said, share = first_component(messages, 2)
    if said.shape[-1] == 1:
        said = np.concatenate([said, np.zeros_like(said)], axis=-1)
        share = np.append(share, 0.0)
    shape = (length, trials, experts)
    colours = {
        "step": (np.broadcast_to(np.arange(1, length + 1)[:, None, None], shape), "viridis"),
        "own writing": (trace["writing"][..., 0], "RdBu_r"),
        "expert": (np.broadcast_to(np.arange(experts), shape), None if experts <= len(COLOURS) else "turbo"),
    }
    count = said[..., 0].size
    drawn = np.random.default_rng(0).permutation(count)[
        :SAMPLES
    ]  # in random order, so that none hides others
    points = said.reshape(-1, 2)[drawn]
    for axis, (name, (values, palette)) in zip(axes.flat, colours.items(), strict=False):
        values = values.reshape(-1)[drawn].astype(float)
        axis.set_title(f"messages, by {name}", fontsize=9)
        axis.set_xlabel(f"1st direction ({share[0]:.0%})", fontsize=8)
        axis.set_ylabel(f"2nd ({share[1]:.0%})", fontsize=8)
        axis.tick_params(labelsize=7)
        if palette is None:
            for expert in range(experts):
                here = values == expert
                axis.scatter(*points[here].T, s=3, color=COLOURS[expert], label=f"{expert}", linewidths=0)
            axis.legend(
                fontsize=7, markerscale=3, handletextpad=0.1, loc="center left", bbox_to_anchor=(1, 0.5)
            )
            continue
        limit = np.quantile(np.abs(values), 0.98) or 1.0
        ends = {"vmin": -limit, "vmax": limit} if palette == "RdBu_r" else {}
        dots = axis.scatter(*points.T, s=3, c=values, cmap=palette, linewidths=0, **ends)
        figure.colorbar(dots, ax=axis, pad=0.01, aspect=20).ax.tick_params(labelsize=7)
    axis = axes[1, 1]
    image = axis.imshow(influence[:EXPERTS], cmap="magma", vmin=0, aspect="auto", interpolation="nearest")
    _square(axis, "influence of a message on a writing")
    axis.title.set_fontsize(9)
    axis.set_ylabel("listener")
    bar = figure.colorbar(image, ax=axis, pad=0.01, aspect=20)
    bar.set_label("change, in rms writings", fontsize=7)
    bar.ax.tick_params(labelsize=7)


def _draw_worth(figure: SubFigure, changes: Sequence[Record], outcome: str) -> None:
    """Differences of the outcome with their intervals."""
    rows = [row for row in changes if "intervention" in row]
    base = next(row["value"] for row in changes if row["name"] == outcome)
    axis = figure.subplots()
    for place, row in enumerate(rows):
        low, high = row["ci95"]
        colour = COLOURS[0] if low <= 0 <= high else COLOURS[1]
        axis.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        axis.plot([row["value"]], [place], "o", color=colour, markersize=4)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(range(len(rows)), [row["intervention"] for row in rows], fontsize=8)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlabel(f"change of {outcome} (as it is: {base:.3f}); blue: may be 0", fontsize=8)
    axis.set_title("what interventions change, on the same tasks", fontsize=9)
