"""One quantity over several outer seeds: all of them thin, their median thick."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from leaderboards.results import Record, record


class Sweep(NamedTuple):
    """One quantity of S outer seeds at N places.

    Attributes:
        name: what was measured.
        agent: name of the recipe.
        over: name of what was varied.
        places: N values of it.
        seeds: S outer seeds (None: an agent without weights).
        mean: [S, N], over tasks.
        ci95: [S, N, 2], 95 % intervals over tasks; None if there are none.
        trials: tasks behind each mean.
        settings: what else it holds for.
    """

    name: str
    agent: str
    over: str
    places: tuple[int, ...]
    seeds: tuple[int | None, ...]
    mean: np.ndarray
    ci95: np.ndarray | None
    trials: int
    settings: dict[str, Any]

    @property
    def median(self) -> np.ndarray:
        """[N], median over the outer seeds at each place; of one seed, its own."""
        return np.median(self.mean, axis=0)

    def records(self) -> list[Record]:
        """One record per seed and place."""
        rows: list[Record] = []
        for s, seed in enumerate(self.seeds):
            held: dict[str, Any] = {"agent": self.agent, **({} if seed is None else {"outer_seed": seed})}
            for n, place in enumerate(self.places):
                ci95 = None if self.ci95 is None else (float(self.ci95[s, n, 0]), float(self.ci95[s, n, 1]))
                settings = {**held, **self.settings, self.over: place}
                rows.append(record(self.name, float(self.mean[s, n]), n=self.trials, ci95=ci95, **settings))
        return rows

    def middle(self) -> list[Record]:
        """One record per place: the median over outer seeds; of one seed, its own records."""
        if len(self.seeds) == 1:
            return self.records()
        settings: dict[str, Any] = {"agent": self.agent, "outer_seeds": len(self.seeds), **self.settings}
        return [
            record(f"median_{self.name}", float(value), n=self.trials, **(settings | {self.over: place}))
            for place, value in zip(self.places, self.median, strict=True)
        ]


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
