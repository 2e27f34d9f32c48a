"""One look for all pictures: colours that the colour-blind can tell apart, and how a file is written."""

from pathlib import Path
from typing import Any

from cycler import cycler
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008."""

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


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the file's ending says (png, svg, pdf).

    Raises:
        ValueError: the ending is none of these, or the file cannot be written.
    """
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"cannot draw into {path}; its name must end in .png, .svg or .pdf")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    except OSError as error:
        raise ValueError(f"cannot write {path} ({error.strerror}); choose another --out") from error
