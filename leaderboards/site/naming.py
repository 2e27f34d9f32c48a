"""Where the names of marks go in a scatter plot."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.transforms import Bbox


class Mark(NamedTuple):
    """A mark to be named: its label, where it is, and the ends of its interval (not numbers: none)."""

    label: str
    x: float
    y: float
    low: float
    high: float


def name_marks(axis: Axes, marked: Sequence[Mark], references: Sequence[tuple[str, float]]) -> None:
    """Write labels where they cover neither marks nor intervals nor lines across nor each other.

    They are beside their marks, or else tied to them by a line; what finds no room at all stays out, and is
    in the page's table.

    Args:
        axis: drawn already.
        marked: what to name.
        references: label and value of lines across.
    """
    scale = 72 / axis.get_figure(root=True).dpi  # type: ignore[union-attr]

    def in_points(x: float, y: float) -> tuple[float, float]:
        across, up = axis.transData.transform((x, y)) * scale
        return float(across), float(up)

    left, bottom, right, top = (end * scale for end in axis.get_window_extent().extents)
    taken = []
    for mark in marked:
        across, up = in_points(mark.x, mark.y)
        taken.append(Bbox.from_extents(across - 4, up - 4, across + 4, up + 4))
        if not math.isnan(mark.low):
            ends = (min(max(in_points(mark.x, end)[1], bottom), top) for end in (mark.low, mark.high))
            taken.append(Bbox.from_extents(across - 1, next(ends), across + 1, next(ends)))
    heights = [in_points(axis.get_xlim()[0], value)[1] for _, value in references]
    dotted = [Bbox.from_extents(left, up - 0.5, right, up + 0.5) for up in heights]
    for (label, value), up in zip(references, heights, strict=True):
        for side, above in ((1, 1.0), (1, -8.5), (0, 1.0), (0, -8.5)):
            width = 4.6 * len(label)
            box = Bbox.from_bounds(right - width if side else left, up + above, width, 7.5)
            if not box.count_overlaps([*taken, *dotted]):
                axis.annotate(
                    label,
                    (side, value),
                    xytext=(0, above + 0.5),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    ha="right" if side else "left",
                    fontsize=7,
                )
                taken.append(box)
                break
    ties: list[Path] = []
    for mark in marked:
        width = 4.4 * len(mark.label)
        across, up = in_points(mark.x, mark.y)
        for aside, above in _offsets(width):
            box = Bbox.from_bounds(across + aside, up + above, width, 9)
            inside = box.x0 >= left and box.x1 <= right and box.y0 >= bottom and box.y1 <= top
            if not inside or box.count_overlaps([*taken, *dotted]):
                continue
            far = math.hypot(max(aside, -aside - width, 0), max(above, -above - 9, 0)) > 8
            tie = Path([(box.x0 + width / 2, box.y0 + 4.5), (across, up)])
            others = [other for other in taken if not other.contains(across, up)]
            if any(line.intersects_bbox(box, filled=False) for line in ties) or (
                far and any(tie.intersects_bbox(other, filled=False) for other in others)
            ):
                continue
            look = {"arrowstyle": "-", "linewidth": 0.5, "color": "0.45", "shrinkA": 0, "shrinkB": 3}
            axis.annotate(
                mark.label,
                (mark.x, mark.y),
                xytext=(aside, above + 1.5),
                textcoords="offset points",
                fontsize=7,
                arrowprops=look if far else None,
            )
            taken.append(box)
            ties += [tie] * far
            break


def _offsets(width: float) -> Iterator[tuple[float, float]]:
    """Where a name's lower left corner may lie, from its mark, in points: near ones first."""
    yield from ((6, -4), (-6 - width, -4), (-width / 2, 6), (-width / 2, -14), (6, 5), (6, -13))
    for distance in range(14, 75, 6):
        for turn in range(16):
            angle = turn * math.pi / 8
            across, up = distance * math.cos(angle), distance * math.sin(angle)
            yield across - width * (across < -1) - width / 2 * (abs(across) <= 1), up - 4.5
