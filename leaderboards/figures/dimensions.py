"""Figure 7: error at inner-loop step 20 against the number of hidden numbers, ours over the published."""

import csv
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from leaderboards.figures.seeds import draw_seeds, said_of_seeds
from leaderboards.figures.style import COLOURS, STYLE, log_errors
from leaderboards.sweeps import Sweep

ANCHOR = Path(__file__).parent.parent / "anchors" / "figure7_badger2019.csv"
"""The published curves, as read off the authors' plot."""

READING = 0.015
"""By how much a value read off that plot may be wrong, either way."""


class Published(NamedTuple):
    """One published curve.

    Attributes:
        column: its name in the file.
        label: in the legend.
        colour: as in the paper (blue, red, green).
        trained: sizes that it was last trained with, from and to.
    """

    column: str
    label: str
    colour: str
    trained: tuple[int, int]


PUBLISHED = (
    Published("trained_d3", "published 2019, trained at d = 3", COLOURS[0], (3, 3)),
    Published("trained_d3_then_d6", "published 2019, d = 3, then 6", COLOURS[1], (6, 6)),
    Published("trained_d3_to_d6", "published 2019, d = 3, 6, then 3 to 6", COLOURS[2], (3, 6)),
)


def read_anchor(path: Path = ANCHOR) -> dict[str, np.ndarray]:
    """Columns of the file of published curves, [20] each; lines that begin with # are its header."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def draw_dimensions(
    ours: Sweep, bounds: list[Sweep], published: dict[str, np.ndarray], trained: tuple[int, int]
) -> Figure:
    """Left: in the paper's manner; right: the same on a logarithmic axis, where small errors can be told.

    Args:
        ours: error over d.
        bounds: errors of agents without weights over d, such as triangulation.
        published: from `read_anchor`.
        trained: sizes that ours met in training, from and to.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 5.4), layout="constrained")
        figure.suptitle(
            f"Figure 7: guess d numbers with {ours.settings['experts']} experts; mean error at inner-loop"
            f" step {ours.settings['horizon']}, one policy at every d\n({ours.trials:,} test tasks per point"
            f"{'; band: 95 % over tasks' if len(ours.seeds) == 1 else ''}; published curves read off the"
            f" authors' plot, within {READING}: their band)"
        )
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        lowest = _lowest(ours, published)
        for axis, floor in ((left, 0.0), (right, lowest)):
            _draw_published(axis, published)
            _draw_bounds(axis, np.array(ours.places), bounds, floor)
            draw_seeds(axis, ours, COLOURS[6], f"{ours.agent}: {said_of_seeds(ours)}")
            axis.set(xlabel="d, hidden numbers and outputs", xlim=(0.5, max(ours.places) + 0.5))
            axis.xaxis.set_major_locator(MultipleLocator(1 if max(ours.places) <= 20 else 5))
            axis.grid(axis="x", alpha=0.12)
            axis.tick_params(axis="x", labelsize=7)
        _draw_training(left, ours.agent, trained)
        left.set_ylabel("error at the last step, 3 x mean squared distance")
        left.set_title("linear: as published")
        right.set_title("logarithmic (triangulation below the axis: on its edge)")
        log_errors(right)
        left.set_ylim(-0.17, max(1.12, min(2.1, 1.05 * float(ours.mean.max()))))
        right.set_ylim(lowest, 2)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _draw_published(axis: Axes, published: dict[str, np.ndarray]) -> None:
    """The three curves with what reading them off a plot leaves open."""
    d = published["d"]
    for curve in PUBLISHED:
        value = published[curve.column]
        low, high = np.maximum(value - READING, 1e-4), value + READING
        axis.fill_between(d, low, high, color=curve.colour, alpha=0.18, linewidth=0)
        axis.plot(d, value, color=curve.colour, linewidth=1.3, marker=".", markersize=4, label=curve.label)


def _draw_bounds(axis: Axes, d: np.ndarray, bounds: list[Sweep], floor: float) -> None:
    """Bounds: outputs that are not told apart, and agents without weights; the latter not below a floor."""
    axis.axhline(1.0, color="0.35", linewidth=1.2, label="0 everywhere: 1")
    above = d[d > 1]  # 0 at d = 1
    axis.plot(above, 1 - 1 / above, color="0.35", linewidth=1.2, linestyle="--",
              label="one number everywhere, the mean: 1 - 1/d")  # fmt: skip
    for bound in bounds:
        plain = "experts" not in bound.settings
        axis.plot(
            bound.places, np.maximum(bound.median, floor), color=COLOURS[3], zorder=3, clip_on=False,
            linewidth=1.8 if plain else 0, marker="" if plain else "o", markersize=5.5, fillstyle="none",
            label="triangulation, the plain algorithm" if plain
            else "triangulation, handcrafted experts through the membrane",
        )  # fmt: skip


def _draw_training(axis: Axes, agent: str, trained: tuple[int, int]) -> None:
    """Below 0, the sizes that each policy met last in training (the paper's dots and bars)."""
    ranges = [(curve.colour, curve.trained) for curve in PUBLISHED] + [(COLOURS[6], trained)]
    for number, (colour, (low, high)) in enumerate(ranges):
        y = -0.035 * (number + 1)
        axis.plot([low, high], [y, y], color=colour, marker="o", markersize=3.5, linewidth=2)
    axis.annotate("sizes in training", (max(trained[1], 6) + 0.4, -0.0875), fontsize=7, va="center")


def _lowest(ours: Sweep, published: dict[str, np.ndarray]) -> float:
    """Lower end of a logarithmic axis: half of the least positive error, but not below 0.0001."""
    values = np.concatenate([ours.mean.ravel(), *(published[curve.column] for curve in PUBLISHED)])
    return max(1e-4, float(values[values > 0].min()) / 2)
