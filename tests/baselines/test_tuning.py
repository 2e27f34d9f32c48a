"""Grid searches: they find the best on validation tasks, and never look at test tasks."""

import dataclasses
from typing import Any

import pytest
import torch

from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Observation
from baselines.bandits.classical import UCB1
from baselines.tuning import ALGORITHMS, TENTHS, search


def test_search_finds_the_published_grid_point() -> None:
    found = search(UCB1, "c", TENTHS, Bandit(arms=5, horizon=10, split="test"), trials=2_000)
    assert (found.cell, found.algorithm, found.setting, found.value) == ("n=10 k=5", "UCB1", "c", 0.1)
    assert dict(found.outcomes)[0.1] == max(outcome for _, outcome in found.outcomes)
    assert [value for value, _ in found.outcomes] == list(TENTHS)


class Spy:
    """Notes the splits it lives in; its outcome does not depend on its setting."""

    seen: set[str] = set()  # noqa: RUF012

    def __init__(self, c: float) -> None:
        self.c = c

    def initial_state(self, family: Any, keys: torch.Tensor) -> tuple[()]:
        self.seen.add(family.split)
        return ()

    def act(self, state: tuple[()], seen: Observation, keys: torch.Tensor, step: int) -> Any:
        return state, torch.zeros(len(keys), dtype=torch.int64), {}


def test_only_validation_tasks_are_met_and_of_equals_the_first_is_taken() -> None:
    for split in ("train", "test"):
        family = dataclasses.replace(Bandit(arms=5, horizon=10), split=split)
        assert search(Spy, "c", (0.3, 0.2), family, trials=10).value == 0.3
    assert Spy.seen == {"validation"}


def test_families_without_a_cell_are_refused() -> None:
    with pytest.raises(ValueError, match="GuessingGame is no cell"):
        search(UCB1, "c", TENTHS, GuessingGame())


def test_every_name_makes_an_algorithm() -> None:
    assert set(ALGORITHMS) > {"random", "gittins", "thompson", "ots", "ucb1", "eps_greedy", "greedy"}
    for made in ALGORITHMS.values():
        assert hasattr(made.make(), "act")
        assert (made.setting is None) == (not made.grid)
