"""Learning curves of several runs: training loss, and validation where there was one."""

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leaderboards.figures.seeds import said_of_counts
from leaderboards.figures.style import COLOURS, STYLE, log_errors
from leaderboards.learning import Curve, median, smooth

Over = Literal["steps", "seconds"]

LABELS: dict[Over, str] = {"steps": "outer step", "seconds": "training time, s"}

NEAR = 0.05
"""Stages that begin closer than this part of the horizontal axis share a label."""

DASHES = ("-", "--", ":", "-.")


def draw_learning(groups: Mapping[str, Sequence[Curve]], over: Over, window: int) -> Figure:
    """Above the training loss, each outer seed thin and their median thick; below validation as dots.

    Bars on thin lines are where a stage of the curriculum begins; on the thick ones it says which. The axis
    of losses is logarithmic unless they are negative or next to 0.

    Args:
        groups: outer seeds by recipe.
        over: what is on the horizontal axis.
        window: rows of the log of which losses are running means.
    """
    curves = [curve for group in groups.values() for curve in group]
    validated = [curve for curve in curves if np.isfinite(curve.validation).any()]
    with matplotlib.rc_context(STYLE):
        tall = 4.6 if validated else 0.0
        figure = Figure(figsize=(7, 4.4 + 0.6 * tall + 0.17 * len(groups)), layout="constrained")
        said = said_of_counts([len(group) for group in groups.values()])
        mean = (
            f"losses are running means of {window} rows of the log" if window > 1 else "each row of the log"
        )
        figure.suptitle(f"Learning curves: {said}\n{mean}", fontsize=10)
        axes = figure.subplots(1 + bool(validated), 1, sharex=True, squeeze=False)[:, 0]
        above, below = axes[0], axes[-1]
        longest = max(float(getattr(curve, over)[-1]) for curve in curves)
        shown = np.concatenate([smooth(curve.loss, window) for curve in curves])
        for number, (name, group) in enumerate(groups.items()):
            colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
            for curve in group if len(group) > 1 else ():
                places, losses = getattr(curve, over), smooth(curve.loss, window)
                above.plot(places, losses, color=colour, linestyle=dash, linewidth=0.7, alpha=0.55)
                rows = list(curve.starts.values())
                above.plot(places[rows], losses[rows], "|", color=colour, markersize=9, alpha=0.8)
            middle = median(group, window)
            count = f"{len(group)} outer seeds" if len(group) > 1 else f"outer seed {group[0].seed}"
            above.plot(getattr(middle, over), middle.loss, color=colour, linestyle=dash, linewidth=2,
                       label=f"{name}: {count}", zorder=4)  # fmt: skip
            _mark_stages(above, middle, getattr(middle, over), longest, colour)
            for curve in group if validated else ():
                below.plot(getattr(curve, over), curve.validation, ".", color=colour, markersize=4, alpha=0.7)
        if shown.min() > 1e-4 * shown.max() > 0:
            log_errors(above)
        above.set_ylabel("training loss")
        if any(curve.starts for curve in curves):
            above.set_title("number: a stage of the curriculum begins; bar: it does in one outer seed",
                            fontsize=8, loc="left")  # fmt: skip
        if validated:
            _finish_validation(below, validated)
        below.set_xlabel(LABELS[over])
        figure.legend(loc="outside lower center", ncols=1, fontsize=8)
    return figure


def _mark_stages(axis: Axes, curve: Curve, places: np.ndarray, longest: float, colour: str) -> None:
    """A label on the line where a stage begins, counted from 1; those that would touch share one."""
    shared: list[tuple[int, list[int]]] = []
    for stage, row in curve.starts.items():
        if shared and places[row] - places[shared[-1][0]] < NEAR * longest:
            shared[-1][1].append(stage + 1)
        else:
            shared.append((row, [stage + 1]))
    for row, stages in shared:
        axis.annotate(
            "-".join(map(str, stages[:1] + stages[1:][-1:])), (places[row], curve.loss[row]), zorder=6,
            ha="center", va="center", fontsize=7, color=colour,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": colour},
        )  # fmt: skip


def _finish_validation(axis: Axes, curves: Sequence[Curve]) -> None:
    """Name and scale of the outcome; several outcomes share a linear axis."""
    names = sorted({curve.outcome for curve in curves})
    axis.set_ylabel(f"validation: {', '.join(names)}")
    least = min(float(np.nanmin(curve.validation)) for curve in curves)
    if least > 0 and not any(curve.higher_is_better for curve in curves):
        log_errors(axis)
