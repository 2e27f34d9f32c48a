"""Growth in mid-trial: loss at each step with and without it, and the paired gains."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from badger_agents.evaluation import Evaluation
from leaderboards.growth import Grown
from leaderboards.plots.style import COLOURS, STYLE, log_errors


def draw_growth(found: Sequence[Grown], at: int, title: str) -> Figure:
    """Left: loss over the steps of a trial by condition; right: paired gains. A line where experts change.

    Args:
        found: outer seeds of one recipe; of several, the median is drawn over each.
        at: after how many steps experts change.
        title: over the picture.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 5.2), layout="constrained")
        figure.suptitle(title)
        left, right = figure.subplots(1, 2)
        for colour, name in zip(COLOURS, found[0].outcomes, strict=False):
            first, then = found[0].experts[name]
            count = f"{first} experts" if first == then else f"{first} experts, then {then}"
            _draw(left, [one.outcomes[name] for one in found], colour, f"{name}: {count}")
        for colour, pair in zip(COLOURS[3:], found[0].gains, strict=False):
            _draw(right, [one.gains[pair] for one in found], colour, f"{pair[0]}, against {pair[1]}")
        for axis in (left, right):
            axis.axvline(at + 0.5, color="0.35", linewidth=1, linestyle="--")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.set_xlabel("inner-loop step")
            axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), fontsize=8)
        right.axhline(0, color="0.35", linewidth=1)
        if min(float(one.loss.min()) for each in found for one in each.outcomes.values()) > 0:
            log_errors(left)
        left.set(ylabel="loss", title=f"loss at each step; experts change after step {at} (dashed)")
        right.set(ylabel="loss saved, paired over tasks: above 0 is better", title="gain at each step")
    return figure


def _draw(axis: Axes, results: Sequence[Evaluation], colour: str, label: str) -> None:
    """One outer seed with its band of 95 % over tasks; of several each thin, their median thick."""
    losses = np.array([one.loss.numpy() for one in results])  # [S, T]
    steps = np.arange(1, losses.shape[1] + 1)
    if len(results) == 1:
        low, high = results[0].loss_ci95
        axis.fill_between(steps, low.numpy(), high.numpy(), color=colour, alpha=0.25, linewidth=0)
    else:
        axis.plot(steps, losses.T, color=colour, linewidth=0.7, alpha=0.6)
    axis.plot(steps, np.median(losses, axis=0), color=colour, linewidth=2.2, label=label)
