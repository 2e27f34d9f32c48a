"""Speed and memory of topologies against the number of experts."""

import itertools
import statistics
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leaderboards.bench.topologies import Cell
from leaderboards.figures.style import COLOURS, STYLE, log_counts


def draw_topologies(cells: Sequence[Cell], title: str) -> Figure:
    """Left: inner steps per second; right: peak memory; both over the number of experts, a line each.

    Args:
        cells: what was measured, topology after topology.
        title: over the picture.
    """
    lines = {name: list(group) for name, group in itertools.groupby(cells, lambda cell: cell.topology)}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.4), layout="constrained")
        rounds = min(len(cell.speeds) for cell in cells)
        figure.suptitle(f"{title}; medians of {rounds} rounds, bars: the middle half of them")
        left, right = figure.subplots(1, 2)
        for number, (name, line) in enumerate(lines.items()):
            look = {
                "color": COLOURS[number % len(COLOURS)],
                "marker": "os^D"[number // len(COLOURS) % 4],
                "linestyle": ("-", "--", ":", "-.")[number // len(COLOURS) % 4],
            }
            places = [cell.experts for cell in line]
            speeds = [statistics.median(cell.speeds) for cell in line]
            left.plot(places, speeds, label=name, **look)
            ends = [statistics.quantiles(cell.speeds, n=4) for cell in line]
            left.vlines(places, [q[0] for q in ends], [q[2] for q in ends], color=look["color"])
            right.plot(places, [cell.memory / 1e6 for cell in line], **look)
        places = sorted({cell.experts for cell in cells})
        for axis, what in ((left, "inner steps per second"), (right, "memory at the peak of a step, MB")):
            log_counts(axis, places)
            axis.set_yscale("log")
            axis.set(xlabel="experts", title=what)
        if len(places) > 1:
            slowest = max(cells, key=lambda cell: (cell.experts, -statistics.median(cell.speeds)))
            _draw_slope(left, places, statistics.median(slowest.speeds) * 0.6, -1, "in proportion to experts")
            most = max(cell.memory for cell in cells if cell.experts == places[-1]) / 1e6
            _draw_slope(right, places, most * 1.6, 1, "")
        figure.legend(loc="outside lower center", ncols=6, fontsize=8)
    return figure


def _draw_slope(axis: Axes, places: Sequence[int], at_end: float, power: int, label: str) -> None:
    """A grey line through a value at the most experts that changes with a power of their number."""
    values = [at_end * (place / places[-1]) ** power for place in places]
    axis.plot(places, values, color="0.6", linewidth=1, linestyle=":", label=label or None)
