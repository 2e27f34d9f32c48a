"""Rounds used, and accuracy, against the number of bits, where experts vote on when to stop talking."""

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from leaderboards.figures.seeds import draw_seeds, said_of_counts
from leaderboards.figures.style import COLOURS, STYLE
from leaderboards.sweeps import Sweep


def draw_halting(used: Sweep, accuracy: Sweep, most: int, differences: Sequence[str]) -> Figure:
    """Above: rounds used; below: accuracy; each over the number of bits.

    Args:
        used: rounds per step, over "bits".
        accuracy: for the same.
        most: rounds that a step may have.
        differences: of each outer seed, in words: rounds at the most bits minus at the fewest.
    """
    band = "; band: 95 % over tasks" if len(used.seeds) == 1 else ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 6.4), layout="constrained")
        figure.suptitle(
            f"How long do {used.settings['experts']} experts talk? {said_of_counts([len(used.seeds)])}\n"
            f"{used.trials:,} test tasks, the same for all{band}"
        )
        above, below = figure.subplots(2, 1, sharex=True)
        above.axhline(most, color="0.35", linewidth=1.2, linestyle="--", label=f"at most: {most}")
        draw_seeds(above, used, COLOURS[0], used.agent)
        above.set_title(_title(used, differences), loc="left", fontsize=9)
        above.set(ylabel="rounds used in the step", ylim=(0, most + 0.5))
        below.axhline(0.5, color="0.35", linewidth=1, linestyle=":", label="a guess: 0.5")
        below.axhline(0.99, color="0.35", linewidth=1.2, linestyle="--", label="0.99")
        draw_seeds(below, accuracy, COLOURS[0], used.agent)
        below.set(ylabel="accuracy", ylim=(0.44, 1.03), xlabel="bits whose parity is asked for")
        below.xaxis.set_major_locator(MultipleLocator(1))
        for axis in (above, below):
            axis.legend(fontsize=8)
    return figure


def _title(used: Sweep, differences: Sequence[str]) -> str:
    """The paired differences, three in a line; of many seeds the range in which their means lie."""
    if not differences:
        return ""
    start = f"{used.places[-1]} bits minus {used.places[0]}, paired over tasks (95 %)"
    if len(differences) > 3:
        gains = used.mean[:, -1] - used.mean[:, 0]
        return f"{start}: {gains.min():+.2f} to {gains.max():+.2f} in {len(gains)} outer seeds"
    return f"{start}, each outer seed:\n{', '.join(differences)}"
