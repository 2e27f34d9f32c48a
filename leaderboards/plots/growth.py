"""Growth in mid-trial: loss at each step with and without it, and the paired gains."""

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leaderboards.plots.seeds import Sweep, draw_seeds, said_of_seeds
from leaderboards.plots.style import COLOURS, STYLE, log_errors


def draw_growth(losses: Sequence[Sweep], gains: Sequence[Sweep], title: str) -> Figure:
    """Left: loss over the steps of a trial by condition; right: paired gains. A line where experts change.

    Args:
        losses: over "step", with `settings` "condition", "experts", "then" and "at".
        gains: over "step", with `settings` "condition" and "against".
        title: over the picture.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 5.2), layout="constrained")
        figure.suptitle(title)
        left, right = figure.subplots(1, 2)
        for colour, sweep in zip(COLOURS, losses, strict=False):
            draw_seeds(left, sweep, colour, f"{sweep.settings['condition']}: {_experts(sweep)}", marker="")
        for colour, sweep in zip(COLOURS[3:], gains, strict=False):
            label = f"{sweep.settings['condition']}, against {sweep.settings['against']}"
            draw_seeds(right, sweep, colour, label, marker="")
        at = losses[0].settings["at"]
        for axis in (left, right):
            axis.axvline(at + 0.5, color="0.35", linewidth=1, linestyle="--")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.set(xlabel="inner-loop step", xlim=(0.5, len(losses[0].places) + 0.5))
        right.axhline(0, color="0.35", linewidth=1)
        if min(float(sweep.mean.min()) for sweep in losses) > 0:
            log_errors(left)
        left.set(ylabel="loss")
        right.set(ylabel="loss saved, paired over tasks: above 0 is better")
        left.set_title(f"loss at each step; experts change after step {at} (dashed)")
        right.set_title("gain at each step")
        for axis in (left, right):
            _legend_below(axis)
        one = len(losses[0].seeds) == 1
        band = "; bands: 95 % over tasks" if one else ""
        figure.supxlabel(
            f"{losses[0].agent}: {said_of_seeds(losses[0])}; {losses[0].trials:,} test tasks, the same for"
            f" every line{band}",
            fontsize=8, color="0.35",
        )  # fmt: skip
    return figure


def _experts(sweep: Sweep) -> str:
    """How many there are, in words."""
    first, then = sweep.settings["experts"], sweep.settings["then"]
    return f"{first} experts" if first == then else f"{first} experts, then {then}"


def _legend_below(axis: Axes) -> None:
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), fontsize=8)
