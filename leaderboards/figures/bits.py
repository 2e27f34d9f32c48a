"""Error against bits per step: a dot per outer seed, their mean, and what bounds it."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from leaderboards.figures.seeds import said_of_counts
from leaderboards.figures.style import COLOURS, STYLE, log_errors
from leaderboards.sweeps import Sweep

FLOOR = 1e-3
"""Errors below this stand on the lower edge."""


def draw_bits(
    sweeps: Sequence[Sweep],
    intervals: Sequence[Sequence[float] | None],
    plateau: float,
    triangulation: float,
    solved: float,
) -> Figure:
    """Error over bits per step, both logarithmic, the latter linear from 0 to 1.

    Args:
        sweeps: of one place each, with "bits_per_step" and "horizon" in `settings`; bits rise.
        intervals: of the mean over outer seeds of each; None of one seed.
        plateau: error of outputs that are all alike.
        triangulation: error of the plain algorithm.
        solved: error at which the game counts as solved.
    """
    bits = np.array([found.settings["bits_per_step"] for found in sweeps])
    means = np.array([found.mean.mean() for found in sweeps])
    first, d = sweeps[0], sweeps[0].places[0]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 6.2), layout="constrained")
        axis = figure.subplots()
        axis.axhline(plateau, color="0.35", linewidth=1.2, linestyle="--",
                     label=f"all outputs alike, or all deaf but one: 1 - 1/d = {plateau:.3f}")  # fmt: skip
        axis.axhline(solved, color="0.35", linewidth=1.2, linestyle=":", label=f"solved: {solved:g}")
        axis.axhline(max(triangulation, FLOOR), color=COLOURS[3], linewidth=2.5, clip_on=False,
                     label=f"triangulation, the plain algorithm: {triangulation:.1g}"
                     f"{' (on the edge)' if triangulation < FLOOR else ''}")  # fmt: skip
        said = said_of_counts([len(found.seeds) for found in sweeps], "")
        for number, (place, found) in enumerate(zip(bits, sweeps, strict=True)):
            values = np.maximum(found.mean[:, 0], FLOOR)
            axis.plot(np.full(len(values), place), values, "o", color=COLOURS[0], alpha=0.55, markersize=5,
                      linewidth=0, label=None if number else "each outer seed", zorder=4)  # fmt: skip
        known = [(place, *ends) for place, ends in zip(bits, intervals, strict=True) if ends is not None]
        places, low, high = np.maximum(np.array(known).reshape(-1, 3), (0, FLOOR, FLOOR)).T
        axis.vlines(places, low, high, color=COLOURS[1], linewidth=1.5, zorder=3,
                    label="95 % interval of that mean (Student's t)" if known else "")  # fmt: skip
        axis.plot(bits, np.maximum(means, FLOOR), color=COLOURS[1], marker="_", markersize=13, linewidth=1.3,
                  markeredgewidth=2.2, label="mean over outer seeds", zorder=5)  # fmt: skip
        axis.set_xscale("symlog", base=2, linthresh=1, linscale=1)
        axis.xaxis.set_major_locator(FixedLocator(sorted(set(bits.tolist()))))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_xlim(-0.3, max(2.0, 1.25 * float(bits.max())))
        log_errors(axis)
        axis.set_ylim(FLOOR, max(1.3, *(1.1 * float(found.mean.max()) for found in sweeps)))
        axis.set(
            xlabel="bits that an expert can tell the others in a step",
            ylabel=f"error at step {first.settings['horizon']}, 3 x mean squared distance",
        )
        axis.set_title(
            f"Guess {d} numbers by few bits\n{said}; {first.trials:,} test tasks, the same for all"
        )
        figure.legend(loc="outside lower center", ncols=1, fontsize=8)
    return figure
