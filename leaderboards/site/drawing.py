"""What all pictures of the site share: look, sizes, axes, and how they become bytes."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import ScaledTranslation

from leaderboards.boards.standing import Line
from leaderboards.plots.style import COLOURS, STYLE
from leaderboards.site.view import View

WIDTH = 4.9
"""Inches of all pictures: narrow, so that letters can be read on a phone."""

LOOK: Any = {
    **STYLE,
    "svg.hashsalt": "badger",  # ids of the file follow from what is drawn
    "svg.fonttype": "none",  # text stays text: small, and can be searched
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that all builds measure text alike
    "axes.axisbelow": True,
}

ROLES = {
    "contestant": (COLOURS[0], "o"),
    "control": (COLOURS[1], "s"),
    "reference": (COLOURS[6], "D"),
}
"""Colour and mark of each role."""

OUTSIDE = " {}: so far below all contestants that it lies outside."
"""Of a mark, in the caption of a picture with a floor (see `floor_for`)."""

DASHES = {"contestant": "-", "control": "--", "reference": ":"}


class Picture(NamedTuple):
    """A picture of a page.

    Attributes:
        name: of the file, without its ending.
        svg: the file.
        alt: what can be seen, for those who cannot see it.
        caption: what is drawn, of how many outer seeds, with which intervals.
    """

    name: str
    svg: bytes
    alt: str
    caption: str


@contextmanager
def canvas(height: float, rows: int = 1, **shared: Any) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure with axes one below the other, in the site's look and in nobody's own settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
        yield figure, list(figure.subplots(rows, 1, squeeze=False, **shared)[:, 0])


def svg(figure: Figure) -> bytes:
    """A figure as SVG; the same figure gives the same bytes on any day."""
    buffer = io.BytesIO()
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # once is enough, and takes half of the time
        for (
            axis
        ) in figure.axes:  # names of clips follow from places: to the last bit, which processors differ in
            x, y, width, height = (round(end, 6) for end in axis.get_position().bounds)
            axis.set_position((x, y, width, height))
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "badger board build"})
    text = buffer.getvalue().decode()
    return "\n".join(line.rstrip() for line in text.splitlines()).encode() + b"\n"


def scale_for(axis: Axis, values: Sequence[float] | np.ndarray, ratio: float = 30) -> None:
    """A logarithmic axis if all values are positive and differ by more than a factor; plain numbers at it."""
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    if not len(found) or found.min() <= 0 or found.max() / found.min() < ratio:
        axis.set_major_locator(MaxNLocator(5))
        return
    set_scale = axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale
    set_scale("log")
    decades = np.log10(found.max() / found.min())
    axis.set_major_locator(
        LogLocator(subs=(1, 2, 5) if decades < 2.2 else (1,), numticks=8 if decades < 5 else 4)
    )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def floor_for(drawn: Sequence[tuple[Line, np.ndarray]]) -> float | None:
    """Where a logarithmic axis may end: a decade below all that contestants reach, whoever is below.

    A reference that is right to rounding, or a control that is told the answer, would else push all others
    together. None where values need not be positive, or nobody is that far below.

    Args:
        drawn: lines with their values, at least one each.
    """
    learnt = [values.min() for line, values in drawn if line.role == "contestant"]
    lowest = min(values.min() for _, values in drawn)
    floor = float(min(learnt, default=0)) / 10
    return floor if 0 < lowest < floor else None


def panels(view: View) -> list[tuple[str, list[Line]]]:
    """Lines for pictures with a curve each: contestants and references, then each contestant's controls."""
    by_name = {line.agent: line for line in view.lines}
    first = [line for line in view.lines if line.role != "control"]
    rest = [line for line in view.lines if line.role == "control"]
    if len(view.lines) <= 6:
        return [("", view.lines)]
    found = [("contestants and references", first)] if first else []
    owners = dict.fromkeys(view.board.agents[line.agent].control_of or "" for line in rest)
    for owner in owners:
        controls = [line for line in rest if (view.board.agents[line.agent].control_of or "") == owner]
        lead = [by_name[owner]] if owner in by_name else []
        found.append((f"{owner} and its controls" if owner else "controls", lead + controls))
    return found


def curve_looks(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """Colour and dashes of each line's curve in a panel; no two are alike among the first 14."""
    looks: dict[str, dict[str, Any]] = {}
    again = {"-": (0, (5, 1, 1, 1)), "--": "-.", ":": (0, (1, 3))}
    for number, line in enumerate(lines):
        dashes = DASHES[line.role]
        looks[line.agent] = {
            "color": COLOURS[number % len(COLOURS)],
            "linestyle": dashes if number < len(COLOURS) else again[dashes],
            "linewidth": 1.8 if line.role == "contestant" else 1.3,
        }
    return looks


def legend_below(axis: Axes) -> None:
    """A legend under the axes and their two-line label, where it covers neither those nor a curve."""
    figure = axis.get_figure(root=True)
    assert figure is not None
    longest = max(map(len, axis.get_legend_handles_labels()[1]), default=0)
    axis.legend(
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=axis.transAxes + ScaledTranslation(-0.4, -0.56, figure.dpi_scale_trans),
        ncols=3 if longest <= 16 else 2,
        fontsize=8,
        handlelength=2.6,
        borderpad=0,
        columnspacing=1.2,
    )
