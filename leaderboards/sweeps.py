"""Sweeps: one policy measured over sizes, numbers of experts or lengths of life, on the same tasks."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.progress import track

from badger_agents.agent import Agent
from badger_agents.evaluation import Evaluation, evaluate, half_width
from badger_agents.recipe.loading import Recipe
from badger_envs import keyed_random
from badger_envs.family import Family
from leaderboards.results import Record, progress_console, record
from leaderboards.subjects import Subject

T_QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""97.5 % points of Student's t with 1 to 30 degrees of freedom."""

CHUNK = 160_000
"""Experts at a time, over all trials of a chunk: what keeps memory bounded."""


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


def measure(agent: Agent, family: Family, trials: int, seed: int, device: str) -> Evaluation:
    """An agent on fresh tasks, the same ones for the same seed; as many at a time as memory has room for."""
    experts = getattr(getattr(agent, "settings", None), "experts", 1)
    chunk = max(1, min(2_000, CHUNK // experts))
    return evaluate(agent, family, trials, seed=seed, device=device, chunk=chunk)


def sweep(
    subjects: Sequence[Subject],
    over: str,
    places: Sequence[int],
    conditions: Callable[[Recipe, int], tuple[Family, dict[str, Any]]],
    *,
    trials: int,
    seed: int,
    device: str,
    what: str,
    settings: dict[str, Any],
) -> tuple[Sweep, list[list[Evaluation]]]:
    """Measure each policy at each place.

    Args:
        subjects: outer seeds of one recipe.
        over: name of what is varied.
        places: its values.
        conditions: family, and settings of the agent to change, at a place.
        trials: tasks.
        seed: which tasks.
        device: a torch device.
        what: said beside the progress bar.
        settings: what else the results hold for.

    Returns:
        The sweep, and the evaluations behind it by seed and place.
    """
    one = keyed_random.outer_keys(seed, 0, 1, "test", like=torch.zeros((), device=device))
    jobs = []
    for subject in subjects:
        for place in places:
            family, changes = conditions(subject.recipe, place)
            agent = subject.make(**changes)
            agent.initial_state(family, one)
            jobs.append((agent, family))  # what it refuses, it refused before minutes of measuring
    bar = track(jobs, what, console=progress_console(), transient=True)
    flat = [measure(agent, family, trials, seed, device) for agent, family in bar]
    found = [flat[row * len(places) : (row + 1) * len(places)] for row in range(len(subjects))]
    return (
        Sweep(
            "error",
            subjects[0].name,
            over,
            tuple(places),
            tuple(subject.seed for subject in subjects),
            np.array([[result.mean for result in row] for row in found]),
            np.array([[result.ci95 for result in row] for row in found]),
            trials,
            {**settings, "split": "test", "task_seed": seed},
        ),
        found,
    )


def difference(one: Evaluation, other: Evaluation) -> tuple[float, tuple[float, float]]:
    """Mean of one minus other over the same tasks, and its paired 95 % interval over tasks."""
    paired = one.outcomes - other.outcomes  # (N,); lives may differ in length
    mean, half = float(paired.mean()), float(half_width(paired))
    return mean, (mean - half, mean + half)


def over_seeds(values: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Mean of a result over outer seeds and its 95 % interval by Student's t; of one seed, infinite.

    Args:
        values: [S], one of each seed.
    """
    mean, freedom = float(values.mean()), len(values) - 1
    if not freedom:
        return mean, (-math.inf, math.inf)
    # beyond the table: the first term of the quantile's expansion in 1 / freedom
    factor = (
        T_QUANTILES[freedom - 1] if freedom <= len(T_QUANTILES) else 1.96 + (1.96**3 + 1.96) / 4 / freedom
    )
    half = factor * float(values.std(ddof=1)) / len(values) ** 0.5
    return mean, (mean - half, mean + half)
