"""Grid searches on the validation split, and what there is to search: bandits, ridge regression."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from badger_agents.agent import Agent
from badger_agents.evaluation import evaluate
from badger_envs.family import Family
from baselines.bandits.classical import UCB1, EpsilonGreedy, Greedy, RandomArm
from baselines.bandits.gittins import Gittins
from baselines.bandits.optimistic import LikeliestThompson, OptimisticThompson
from baselines.tuned_settings import Tuned, cell_of

TENTHS = tuple(tenths / 10 for tenths in range(11))
DRAWS = tuple(range(1, 21))
DISCOUNTS = (0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999, 0.9995)
WEIGHTS = (1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Values tried: of c and epsilon, of draws, of the Gittins index's discount, of the ridge's weight."""

CHUNK = 100_000
"""Numbers that are drawn at once in an evaluation: they stay in the processor's cache."""


class Algorithm(NamedTuple):
    """An algorithm for Bernoulli bandits.

    Attributes:
        make: builds it.
        setting: name of its setting; None if it has none.
        grid: values that are tried of it.
    """

    make: Callable[..., Agent]
    setting: str | None = None
    grid: tuple[float, ...] = ()


ALGORITHMS: dict[str, Algorithm] = {
    "random": Algorithm(RandomArm),
    "gittins": Algorithm(Gittins, "discount", DISCOUNTS),
    "thompson": Algorithm(partial(LikeliestThompson, draws=1)),  # `Thompson` takes ten times as long
    "ots": Algorithm(LikeliestThompson, "draws", DRAWS),
    "ucb1": Algorithm(UCB1, "c", TENTHS),
    "eps_greedy": Algorithm(EpsilonGreedy, "epsilon", TENTHS),
    "greedy": Algorithm(Greedy),
    "optimistic": Algorithm(OptimisticThompson),
}
"""The algorithms by the names of Duan et al. 2016, table 1; "optimistic", May et al.'s, is not there."""


def chunk_of(agent: Agent, family: Family) -> int:
    """How many trials to evaluate at a time."""
    draws = getattr(agent, "draws", 1)
    return max(
        50, min(2_000, CHUNK // (family.slots.outputs * (draws if isinstance(draws, int) else DRAWS[-1])))
    )


def search(
    make: Callable[..., Agent],
    setting: str,
    grid: Sequence[float],
    family: Family,
    *,
    trials: int = 4_000,
    seed: int = 1,
) -> Tuned:
    """Try all values of a setting on the same tasks of the validation split.

    Args:
        make: the agent's class.
        setting: name of its setting.
        grid: values.
        family: the family, of any split.
        trials: validation trials for each value.
        seed: which trials.

    Returns:
        All outcomes, and the value of the best; of equals the first.

    Raises:
        ValueError: the grid is empty, or the family is no cell for which settings are kept.
    """
    cell = cell_of(family)
    if cell is None or not grid:
        raise ValueError(
            f"{type(family).__name__} is no cell for which settings are kept, or the grid is empty"
        )
    validation = dataclasses.replace(family, split="validation")
    sign = 1 if family.higher_is_better else -1
    outcomes = []
    for value in grid:
        agent = make(**{setting: value})
        found = evaluate(agent, validation, trials, seed=seed, chunk=chunk_of(agent, family)).mean
        outcomes.append((value, found))
    best, _ = max(outcomes, key=lambda pair: sign * pair[1])
    name: Any = getattr(make, "__name__", str(make))
    return Tuned(cell, name, setting, best, tuple(outcomes), trials, seed)
