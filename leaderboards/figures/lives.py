"""Lives longer than training's: error within a long life, and at the end of lives of several lengths."""

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leaderboards.figures.seeds import draw_seeds, said_of_seeds
from leaderboards.figures.style import COLOURS, STYLE, log_counts, log_errors
from leaderboards.sweeps import Sweep


def draw_lives(within: list[Sweep], ends: list[Sweep], trained: tuple[int, int]) -> Figure:
    """Left: mean error at each step of the longest life; right: at the end of lives of each length.

    Args:
        within: over "step", one sweep per size.
        ends: over "horizon", for the same sizes.
        trained: lengths of life met in training, from and to.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 5), layout="constrained")
        figure.suptitle(f"Lives longer than in training: {ends[0].agent}, {said_of_seeds(ends[0])}")
        left, right = figure.subplots(1, 2, sharey=True)
        for number, (life, end) in enumerate(zip(within, ends, strict=True)):
            colour, label = COLOURS[number % 6], f"d = {end.settings['d']}"
            draw_seeds(left, life, colour, label, marker="")
            draw_seeds(right, end, colour, label)
        longest = max(ends[0].places)
        left.set_title(f"within one life of {longest} steps")
        left.set(xlabel="inner-loop step", ylabel="error, 3 x mean squared distance")
        right.set_title("at the end of lives of several lengths")
        right.set(xlabel="length of life, inner-loop steps")
        _shade(right, trained)
        for axis, ticks in ((left, _round_numbers(longest)), (right, list(ends[0].places))):
            log_counts(axis, ticks)
            log_errors(axis)
        right.tick_params(labelleft=True)
        right.legend(fontsize=8)
        band = "; band: 95 % over tasks" if len(ends[0].seeds) == 1 else ""
        figure.supxlabel(
            f"{ends[0].settings['experts']} experts; {ends[0].trials:,} test tasks, the same for every"
            f" length{band}. The agent knows how long its life will be.",
            fontsize=8, color="0.35",
        )  # fmt: skip
    return figure


def _shade(axis: Axes, trained: tuple[int, int]) -> None:
    """The lengths of life met in training."""
    met = str(trained[0]) if trained[0] == trained[1] else f"{trained[0]} to {trained[1]}"
    axis.axvspan(trained[0] / 1.04, trained[1] * 1.04, color=COLOURS[4], alpha=0.22, linewidth=0,
                 label=f"in training: {met} steps")  # fmt: skip


def _round_numbers(longest: int) -> list[int]:
    """1, 2, 5, 10, ... up to the longest life."""
    ticks = [base * 10**power for power in range(7) for base in (1, 2, 5)]
    return [tick for tick in ticks if tick <= longest]
