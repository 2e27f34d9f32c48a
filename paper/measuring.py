"""Measuring for the figures: a policy over sizes, numbers of experts or lengths of trials, same tasks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.stats
import torch
from rich.progress import track

from badger_agents.agent import Agent
from badger_agents.evaluation import Evaluation, evaluate, interval
from badger_agents.recipe.loading import Recipe
from badger_envs import keyed_random
from badger_envs.family import Family
from leaderboards.results import progress_console
from paper.seeds import Sweep
from paper.subjects import Subject

CHUNK = 160_000
"""Experts at a time, over all trials of a chunk: what keeps memory bounded."""


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
    paired = one.outcomes - other.outcomes  # (N,)
    return float(paired.mean()), interval(paired)


def over_seeds(values: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Mean of a result over outer seeds and its 95 % interval by Student's t; of one seed, infinite.

    Args:
        values: [S], one of each seed.
    """
    mean, freedom = float(values.mean()), len(values) - 1
    if not freedom:
        return mean, (-math.inf, math.inf)
    half = scipy.stats.t.ppf(0.975, freedom) * float(values.std(ddof=1)) / len(values) ** 0.5
    return mean, (mean - half, mean + half)
