"""Triangulation: exact as long as there are steps enough, whatever the sizes and places of the slots."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.xor import XOR
from baselines.optimisers.triangulation import Triangulation
from tests.badger_agents.small import keys


@given(
    st.integers(1, 19),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 99),
)
@settings(max_examples=60)
def test_nineteen_numbers_are_found_in_twenty_steps(
    d: int, spare: int, shuffle: bool, dtype: str, seed: int
) -> None:
    family = GuessingGame(dims=d, capacity=d + spare, shuffle_slots=shuffle, dtype=dtype)
    lived = rollout(Triangulation(), family, keys(20, seed), record=True)
    limit = 1e-8 if dtype == "float32" else 1e-25
    assert float(lived.loss[-1].max()) < limit
    assert float(lived.loss[d:].max()) < limit  # d probes, then it knows and stays
    assert lived.info["is_success"].all()


@pytest.mark.parametrize(("d", "capacity"), [(20, 20), (20, 25), (24, 24)])
@pytest.mark.parametrize("shuffle", [False, True])
def test_of_more_numbers_the_rest_is_left_at_zero(d: int, capacity: int, shuffle: bool) -> None:
    family = GuessingGame(dims=d, capacity=capacity, shuffle_slots=shuffle, split="test")
    result = evaluate(Triangulation(), family, 4000)
    expected = 3 / d * (d - 19) / 3  # 19 probes; a number left at zero costs 3/d * E[target ** 2]
    error = float(result.outcomes.std()) / 4000**0.5
    assert abs(result.mean - expected) < 3 * error


def test_one_number_left_of_twenty_costs_a_twentieth() -> None:
    mean = evaluate(Triangulation(), GuessingGame(dims=20, split="test"), 10_000).mean
    assert mean == pytest.approx(0.05, abs=3 * 3 / 20 * np.sqrt(1 / 5 - 1 / 9) / 100)


def test_sizes_drawn_per_task_are_found_too() -> None:
    family = GuessingGame(dims=(1, 8), shuffle_slots=True)
    assert float(rollout(Triangulation(), family, keys(200)).loss[-1].max()) < 1e-8
    held_out = GuessingGame(dims=(1, 8), shuffle_slots=True, split="test")
    assert float(rollout(Triangulation(), held_out, keys(200)).loss[-1].max()) < 1e-8


def test_numbers_within_a_smaller_scale_are_found_too() -> None:
    family = GuessingGame(dims=5, target_scale=0.1)
    assert float(rollout(Triangulation(), family, keys(50)).loss[-1].max()) < 1e-8


@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_short_trials_leave_the_rest_at_zero(horizon: int) -> None:
    family = GuessingGame(dims=6, horizon=horizon)
    lived = rollout(Triangulation(), family, keys(30), record=True)
    found = (lived.trace["outputs"][-1] != 0).sum(-1)
    assert (found == horizon - 1).all()
    torch.testing.assert_close(
        lived.trace["outputs"][-1][:, : horizon - 1], lived.trace["solution"][-1][:, : horizon - 1]
    )


def test_every_probe_is_a_legal_action() -> None:
    family = GuessingGame(dims=(1, 8), shuffle_slots=True)
    actions = rollout(Triangulation(), family, keys(100), record=True).trace["action"]
    assert actions.abs().max() <= 1
    mask = family.sample_task(keys(100)).mask
    assert (actions * (1 - mask) == 0).all()


def test_another_family_is_refused() -> None:
    family = XOR()
    with pytest.raises(ValueError, match="guessing game"):
        Triangulation().initial_state(family, keys(2))
