"""The picture of `badger demo`: learning curves, error within a trial, and two agents at work."""

from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leaderboards.plots.learning import smooth
from leaderboards.plots.rollout import draw_rollouts
from leaderboards.plots.style import COLOURS, STYLE, log_errors


class Curve(NamedTuple):
    """One agent's curves.

    Attributes:
        label: name in the legend.
        steps: [N], outer steps at which the log has rows.
        loss: [N], training loss there.
        error: [T], mean error at each step of a trial, over test tasks.
        outputs: [T, B, O], outputs in a few trials.
        solution: [T, B, O], their targets.
    """

    label: str
    steps: np.ndarray
    loss: np.ndarray
    error: np.ndarray
    outputs: np.ndarray
    solution: np.ndarray


def draw_demo(curves: list[Curve], bound: float, trials: int) -> Figure:
    """Top: outer loop and inner loop; below: the first two agents at three tasks each.

    Args:
        curves: of all agents, Badger first.
        bound: error that no agent can pass whose deaf experts know nothing.
        trials: test tasks behind `error`.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 7.5), layout="constrained")
        figure.suptitle("Guess 3 numbers; only one expert hears the error (1 outer seed: preliminary)")
        top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.25, 1))[:, 0]
        outer, inner = top.subplots(1, 2)
        for number, curve in enumerate(curves):
            outer.plot(curve.steps, smooth(curve.loss, window=10), label=curve.label, color=COLOURS[number])
            steps = np.arange(1, len(curve.error) + 1)
            inner.plot(steps, curve.error, marker=".", label=curve.label, color=COLOURS[number])
        for axis in (outer, inner):
            label = f"bound if others are deaf: {bound:.3f}"
            axis.axhline(bound, color="black", linestyle="--", linewidth=1, label=label)
            log_errors(axis)
        outer.set_title("outer loop: learning to learn")
        outer.set(xlabel="outer step", ylabel="training loss (mean error, second half of trial)")
        inner.set_title(f"inner loop: learning, weights frozen ({trials:,} test tasks)")
        inner.set(xlabel="inner-loop step", ylabel="error, 3 x mean squared distance")
        inner.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        inner.legend(fontsize=8)
        for half, curve in zip(bottom.subfigures(1, 2), curves, strict=False):
            trace = {"outputs": curve.outputs, "solution": curve.solution}
            draw_rollouts(half, trace, tasks=3, names=f"{curve.label}\ntask {{}}")
    return figure
