"""Scores, and bounds of outcomes."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from badger_agents.rollout import rollout
from badger_envs import family_of, scoring
from badger_envs.family import Family
from leaderboards.boards.board import board_names, load_board
from tests.badger_agents.small import ConstantAgent, keys
from tests.badger_envs.ids import IDS, KINDS_AND_SLOW
from tests.badger_envs.toy_family import Toy

# Scores: the committed constants, and the line through them.


def test_every_id_has_constants_and_nothing_else_has() -> None:
    assert sorted(scoring.scales()) == sorted(IDS)


@pytest.mark.parametrize("id", IDS)
def test_floor_and_reference_score_zero_and_one(id: str) -> None:
    scale = scoring.scale_of(id)
    assert scoring.normalised_score(id, scale.floor.mean) == 0
    assert scoring.normalised_score(id, scale.reference.mean) == 1
    assert scoring.normalised_score(id, (scale.floor.mean + scale.reference.mean) / 2) == pytest.approx(0.5)


@pytest.mark.parametrize("id", IDS)
def test_constants_are_of_this_outcome_well_measured_and_apart(id: str) -> None:
    scale, family = scoring.scale_of(id), family_of(id)
    assert scale.outcome == family.outcome
    assert (scale.reference.mean > scale.floor.mean) == family.higher_is_better
    gap = abs(scale.reference.mean - scale.floor.mean)
    for anchor in (scale.floor, scale.reference):
        assert anchor.trials >= 10_000
        assert 0 <= anchor.standard_error < 0.02 * gap
        assert anchor.agent


def test_known_constants_are_met() -> None:
    """What can be worked out by hand: within four standard errors."""
    for id, floor, reference in (
        ("Badger/GuessingGame-v0", 1.0, 0.0),
        ("Badger/XOR-v0", 0.5, 1.0),
        ("Badger/Bandit-v0", 50.0, None),
        ("Badger/Bandit-dependent-easy-v0", 50.0, None),
        ("Badger/Bandit-informative-v0", 5 * (5 + 9 * 1.1) / 10, 5.5 / 10 + 4 * 5),
        ("Badger/VariableIO-identity-v0", 1.0, 0.0),
    ):
        scale = scoring.scale_of(id)
        for anchor, expected in ((scale.floor, floor), (scale.reference, reference)):
            if expected is not None:
                assert abs(anchor.mean - expected) <= 4 * anchor.standard_error + 1e-6, (id, anchor)


def test_ids_with_their_module_are_known_and_others_refused() -> None:
    assert scoring.normalised_score("badger_envs:Badger/GuessingGame-v0", 0) == pytest.approx(1)
    with pytest.raises(ValueError, match="'CartPole-v1' has no score constants"):
        scoring.normalised_score("CartPole-v1", 1)


@pytest.mark.parametrize("outcome", [math.nan, math.inf])
def test_outcomes_that_are_no_numbers_are_refused(outcome: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        scoring.normalised_score("Badger/GuessingGame-v0", outcome)


def test_the_file_is_what_would_be_written_again() -> None:
    assert scoring.FILE.read_text(encoding="utf-8") == scoring.to_json(scoring.scales())
    assert json.loads(scoring.FILE.read_text(encoding="utf-8"))["command"].startswith("badger admin score")


# Bounds of outcomes hold for the best, the worst and the random, and are not idle.


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


@pytest.mark.parametrize("id", KINDS_AND_SLOW)
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
