"""One look for all pictures: colours that the colour-blind can tell apart, and how a file is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008."""

ENDINGS = (".png", ".svg", ".pdf")
"""Of files that a picture can be written to."""

STYLE: Any = {
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLOURS),
    "legend.frameon": False,
    "font.size": 9,
    "figure.dpi": 120,
}


def log_errors(axis: Axes) -> None:
    """A logarithmic axis of errors with plain numbers: 1, 0.5, 0.2, 0.1, ..."""
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=30))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter("{x:g}")


def log_counts(axis: Axes, ticks: Sequence[int]) -> None:
    """A logarithmic axis of whole numbers, ticked where they are but for those that would touch."""
    kept: list[int] = []
    for tick in sorted(ticks):
        if not kept or tick >= 1.18 * kept[-1]:
            kept.append(tick)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(kept))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:.0f}")


def check_ending(path: Path) -> None:
    """ValueError if a picture cannot be written to a file of that name."""
    if path.suffix not in ENDINGS:
        raise ValueError(f"cannot draw into {path}; its name must end in .png, .svg or .pdf")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the file's ending says (png, svg, pdf).

    Raises:
        ValueError: the ending is none of these, or the file cannot be written.
    """
    check_ending(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise ValueError(f"cannot write {path} ({error.strerror}); choose another --out") from error
