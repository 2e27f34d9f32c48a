"""The picture of `badger suite run`: a group of bars per ability, from floor 0 to reference 1."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leaderboards.plots.style import COLOURS, STYLE
from leaderboards.suite import ABILITIES, Score

LOOKS: tuple[dict[str, Any], ...] = (
    {"facecolor": "black", "edgecolor": "black"},
    {"facecolor": COLOURS[5], "edgecolor": "black", "hatch": "////"},
    {"facecolor": "white", "edgecolor": "black", "hatch": "..."},
    {"facecolor": "0.75", "edgecolor": "black"},
)
"""Of the agents in turn; they can be told apart without colours."""

LEAST, MOST = -0.25, 1.1
"""Ends of the axis; a score beyond is drawn to the edge, and its number beside it."""


def draw_profile(scores: Sequence[Score], title: str) -> Figure:
    """Bars side by side for up to four agents, the first of them black.

    Args:
        scores: of all agents, an agent after the other.
        title: over the picture.
    """
    agents = list(dict.fromkeys(score.agent for score in scores))[: len(LOOKS)]
    by_place = {(score.agent, score.ability): score for score in scores}
    thick = 0.8 / len(agents)
    with matplotlib.rc_context(STYLE):
        figure = Figure(
            figsize=(8.5, 1.4 + len(ABILITIES) * (0.3 + 0.19 * len(agents))), layout="constrained"
        )
        figure.suptitle(title)
        axis = figure.subplots()
        for number, agent in enumerate(agents):
            for place, ability in enumerate(ABILITIES):
                score = by_place.get((agent, ability))
                y = place + (number + 0.5) * thick - 0.4
                if score is not None:
                    _bar(axis, score, y, thick, LOOKS[number])
            axis.barh([0], [0], label=agent, **LOOKS[number])
        axis.set_yticks(
            range(len(ABILITIES)),
            [f"{name}\n{ability.task}" for name, ability in ABILITIES.items()],
            fontsize=8,
        )
        axis.set_ylim(len(ABILITIES) - 0.5, -0.5)
        axis.set_xlim(LEAST, MOST + 0.12)
        for edge, style in ((0, "-"), (1, "--")):
            axis.axvline(edge, color="black", linewidth=0.9, linestyle=style)
        axis.grid(axis="y", visible=False)
        axis.set_xlabel("score: 0 the best policy that ignores its input, 1 the reference solution")
        figure.legend(loc="outside lower center", ncols=len(agents), fontsize=8)
    return figure


def _bar(axis: Axes, score: Score, y: float, thick: float, look: dict[str, Any]) -> None:
    """One bar with its interval and number; a cross and no bar where there is no score."""
    if math.isnan(score.value):
        axis.plot([0.012], [y], marker="x", color="black", markersize=4)
        return
    end = min(max(score.value, LEAST), MOST)
    axis.barh([y], [end], height=thick * 0.92, linewidth=0.6, **look)
    low, high = (min(max(value, LEAST), MOST) for value in (score.low, score.high))
    axis.plot([low, high], [y, y], color="0.45", linewidth=1.2, solid_capstyle="butt")
    axis.text(max(end, high, 0.0) + 0.012, y, f"{score.value:.2f}", va="center", fontsize=6.5)
