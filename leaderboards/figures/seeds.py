"""One quantity over several outer seeds: all of them thin, their median thick."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from leaderboards.card import ENOUGH
from leaderboards.sweeps import Sweep


def draw_seeds(axis: Axes, sweep: Sweep, colour: str, label: str, *, marker: str = "o") -> None:
    """Draw a sweep: several outer seeds as thin lines under their median, one with its 95 % intervals.

    Args:
        axis: where to draw.
        sweep: what to draw.
        colour: of all its lines.
        label: of the thick line, in the legend.
        marker: of the thick line's points.
    """
    places = np.array(sweep.places)
    if len(sweep.seeds) > 1:
        for row in sweep.mean:
            axis.plot(places, row, color=colour, linewidth=0.7, alpha=0.6, zorder=4)
    elif sweep.ci95 is not None:
        low, high = sweep.ci95[0, :, 0], sweep.ci95[0, :, 1]
        axis.fill_between(places, low, high, color=colour, alpha=0.25, linewidth=0, zorder=4)
    axis.plot(
        places, sweep.median, color=colour, linewidth=2.2, marker=marker, markersize=4, label=label, zorder=5
    )


def said_of_seeds(sweep: Sweep) -> str:
    """How many outer seeds stand behind a line, for titles and legends."""
    if len(sweep.seeds) > 1:
        return f"median of {len(sweep.seeds)} outer seeds (thin: each)"
    return "no weights" if sweep.seeds[0] is None else f"outer seed {sweep.seeds[0]}"


def said_of_counts(counts: Sequence[int], drawn: str = "median (thin: each)") -> str:
    """How many outer seeds stand behind each of several lines, and whether they are few.

    Args:
        counts: of each line.
        drawn: what is drawn, or told, of several.
    """
    few, many = min(counts), max(counts)
    said = f"{few} outer seed{'s' if few > 1 else ''}" if few == many else f"{few} to {many} outer seeds"
    said += f", {drawn}" if many > 1 and drawn else ""
    return f"{said}{': preliminary' if few < ENOUGH else ''}"
