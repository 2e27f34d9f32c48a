"""Probes find what is there, and the control task shows what a probe can learn by heart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badger_agents.whitebox.probes import (
    places,
    reassigned,
    ridge_accuracy,
    role_decodability,
    schedule,
    trial_permutations,
)
from badger_envs import keyed_random

STEPS, TRIALS, EXPERTS = 10, 200, 4


def test_a_probe_separates_what_a_plane_separates() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    labels, fitted = (x[:, 0] > 0).astype(int), np.arange(400) < 200
    assert ridge_accuracy(x, labels, fitted) > 0.95
    assert ridge_accuracy(x[:, 1:], labels, fitted) < 0.65
    assert ridge_accuracy(1e6 * x + 1e3, labels, fitted) > 0.95  # units do not matter
    with pytest.raises(ValueError, match="others to be tested on"):
        ridge_accuracy(x, labels, np.ones(400, bool))


def test_roles_in_the_states_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    roles = rng.permuted(places(TRIALS, EXPERTS), axis=1)
    control = reassigned(roles, keyed_random.outer_keys(0, 0, TRIALS))
    noise = rng.normal(size=(STEPS, TRIALS, EXPERTS, 8))
    nothing = role_decodability(noise, roles, control)
    assert nothing.chance == 1 / EXPERTS
    assert abs(nothing.accuracy - nothing.control) < 0.05
    found = role_decodability(noise + 5 * np.eye(EXPERTS, 8)[roles], roles, control)
    assert found.accuracy > 0.97
    assert found.accuracy - found.control > 0.6


def test_the_control_task_uncovers_a_probe_that_learns_by_heart() -> None:
    """States that only say which expert of which trial this is: any roles can be read off them."""
    rng = np.random.default_rng(0)
    roles = rng.permuted(places(6, EXPERTS), axis=1)
    names = np.eye(6 * EXPERTS).reshape(1, 6, EXPERTS, -1) + 0.01 * rng.normal(size=(STEPS, 6, EXPERTS, 24))
    learned = role_decodability(names, roles, reassigned(roles, keyed_random.outer_keys(1, 0, 6)))
    assert learned.accuracy == learned.control == 1.0


def test_experts_without_a_role_are_left_out() -> None:
    rng = np.random.default_rng(0)
    roles = np.where(np.arange(EXPERTS) < 2, places(TRIALS, EXPERTS), -1)
    states = rng.normal(size=(STEPS, TRIALS, EXPERTS, 4))
    control = reassigned(roles, keyed_random.outer_keys(0, 0, TRIALS))
    other = np.where(roles[None, ..., None] < 0, 1e3 * rng.normal(size=states.shape), states)
    assert role_decodability(other, roles, control) == role_decodability(states, roles, control)
    assert role_decodability(states, roles, control).chance == 0.5


def test_schedule_by_hand() -> None:
    writing = np.zeros((4, 2, 4))
    writing[2, 0, 0], writing[0, 0, 1], writing[2, 0, 3] = 1.0, -0.5, -2.0  # expert 2 writes nothing
    writing[0, 0, 0] = 0.3  # not its largest
    assert schedule(writing)[0].tolist() == [2, 0, -1, 1]
    assert schedule(writing)[1].tolist() == [-1] * 4


@given(
    st.lists(st.lists(st.integers(-1, 3), min_size=5, max_size=5), min_size=1, max_size=6),
    st.integers(0, 99),
)
def test_roles_are_reassigned_among_those_who_have_one(rows: list[list[int]], seed: int) -> None:
    roles = np.array(rows)
    control = reassigned(roles, keyed_random.outer_keys(seed, 0, len(rows)))
    assert ((control < 0) == (roles < 0)).all()
    assert (np.sort(control) == np.sort(roles)).all()


def test_permutations_of_trials() -> None:
    orders = trial_permutations(keyed_random.outer_keys(0, 0, 30), 5)
    assert (np.sort(orders, axis=1) == np.arange(30)).all()
    assert len(np.unique(orders, axis=0)) == 5
