"""Bounds of outcomes hold for the best, the worst and the random, and are not idle."""

from typing import Any

import numpy as np
import pytest
import torch

from badger_agents.rollout import rollout
from badger_envs import TABLE, family_of
from badger_envs.family import Family
from leaderboards.boards.board import board_names, load_board
from tests.badger_agents.small import ConstantAgent, keys
from tests.badger_envs.toy_family import Toy


def outcomes_of(agent: Any, family: Family, trials: int) -> np.ndarray:
    return rollout(agent, family, keys(trials)).info[family.outcome].numpy()


class Extreme:
    """Writes -1 or 1 at random everywhere, or a random index."""

    def initial_state(self, family: object, names: torch.Tensor) -> torch.Generator:
        self.family = family
        return torch.Generator().manual_seed(0)

    def act(self, state: torch.Generator, observation: object, names: torch.Tensor, step: int) -> tuple:
        shape = observation.outputs.shape  # type: ignore[attr-defined]
        if self.family.action_kind == "categorical":  # type: ignore[attr-defined]
            return state, torch.randint(shape[1], (len(names),), generator=state), {}
        return state, 2.0 * torch.randint(2, shape, generator=state) - 1, {}


@pytest.mark.parametrize("id", [entry.id for entry in TABLE])
def test_no_outcome_of_an_environment_is_out_of_bounds(id: str) -> None:
    family = family_of(id, split="test")
    low, high = family.outcome_bounds
    assert np.isfinite([low, high]).all()
    slack = 1e-5 * (high - low)  # outcomes are rounded
    agents = [Extreme()] if family.action_kind == "categorical" else [Extreme(), ConstantAgent(1.0)]
    for agent in agents:
        found = outcomes_of(agent, family, 200)
        assert found.min() >= low - slack
        assert found.max() <= high + slack


def test_bounds_are_reached_where_they_can_be() -> None:
    game = family_of("Badger/GuessingGame-v0", dims=1, target_scale=1.0, split="test")
    found = outcomes_of(ConstantAgent(1.0), game, 2000)
    assert found.max() > 11.5  # of 12
    assert game.outcome_bounds[1] == 12
    assert family_of("Badger/XOR-v0").outcome_bounds == (0, 1)
    assert family_of("Badger/Bandit-k5-n10-v0").outcome_bounds == (0, 10)


@pytest.mark.parametrize("name", board_names())
def test_every_cell_of_the_suites_boards_has_bounds(name: str) -> None:
    for cell in load_board(name).cells.values():
        assert np.isfinite(cell.family().outcome_bounds).all()


def test_of_other_families_nothing_is_claimed() -> None:
    assert Toy().outcome_bounds == (-np.inf, np.inf)
