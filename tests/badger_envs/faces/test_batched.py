"""The torch face: seeds and keys, gradients, errors, trials that follow one another."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import badger_envs
from badger_envs.keyed_random import outer_keys

ID = "Badger/GuessingGame-v0"


def test_it_is_made_from_an_id_with_other_settings() -> None:
    env = badger_envs.make_batched(ID, 4, dims=5, horizon=2)
    observation = env.reset(seed=0)
    assert observation.outputs.shape == (4, 5)
    assert env.step(torch.zeros(4, 5)).terminated.tolist() == [False] * 4
    assert env.step(torch.zeros(4, 5)).terminated.all()


@pytest.mark.parametrize("size", [0, -1])
def test_an_empty_batch_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        badger_envs.make_batched(ID, size)


def test_row_i_plays_what_gym_make_seeded_with_s_plus_i_plays_also_later() -> None:
    env, single = badger_envs.make_batched(ID, 3), gym.make(ID)
    for trial in range(2):
        errors = env.reset(seed=None if trial else 7).feedback[:, 0].numpy()
        if trial:
            single.reset(seed=9)
        observation, _ = single.reset(seed=None if trial else 9)
        assert np.isclose(errors[2], observation["feedback"][0], rtol=1e-6)


def test_a_list_of_seeds_is_taken_and_a_wrong_number_refused() -> None:
    env = badger_envs.make_batched(ID, 3)
    whole = env.reset(seed=5).feedback
    assert torch.equal(whole, env.reset(seed=[5, 6, 7]).feedback)
    with pytest.raises(ValueError, match="2 seeds for 3"):
        env.reset(seed=[5, 6])


def test_keys_name_the_trials() -> None:
    env = badger_envs.make_batched(ID, 6)
    keys = torch.from_numpy(outer_keys(1, 2, 6))
    env.reset(keys=keys)
    assert torch.equal(env.task.target, env.family.sample_task(keys).target)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"keys": torch.zeros(6, 4)}, "keys are torch.float32"),
        ({"keys": torch.zeros(5, 4, dtype=torch.int64)}, "int64 .6, 4."),
        ({"keys": torch.zeros(6, 4, dtype=torch.int64), "seed": 1}, "not both"),
    ],
)
def test_wrong_keys_are_refused(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        badger_envs.make_batched(ID, 6).reset(**arguments)


def test_unseeded_environments_differ_and_go_on_to_other_trials() -> None:
    first, second = badger_envs.make_batched(ID, 2), badger_envs.make_batched(ID, 2)
    start = first.reset().feedback
    assert not torch.equal(start, second.reset().feedback)
    assert not torch.equal(start, first.reset().feedback)


def test_stepping_before_reset_and_after_the_end_is_refused() -> None:
    env = badger_envs.make_batched(ID, 2, horizon=1)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(torch.zeros(2, 3))
    env.reset(seed=0)
    env.step(torch.zeros(2, 3))
    with pytest.raises(RuntimeError, match="reset"):
        env.step(torch.zeros(2, 3))
    env.reset()
    env.step(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("id", "action", "error", "words"),
    [
        (ID, torch.zeros(2, 4), ValueError, "must be .2, 3."),
        (ID, torch.zeros(2), ValueError, "must be .2, 3."),
        (ID, torch.zeros(2, 3, dtype=torch.float64), TypeError, "must be float32"),
        (ID, torch.zeros(2, 3, dtype=torch.int64), TypeError, "must be float32"),
        ("Badger/Bandit-v0", torch.zeros(2), TypeError, "must be int64"),
        ("Badger/Bandit-v0", torch.zeros(2, 10, dtype=torch.int64), ValueError, "must be .2,."),
    ],
)
def test_actions_of_a_wrong_shape_or_dtype_are_refused(
    id: str, action: torch.Tensor, error: type, words: str
) -> None:
    env = badger_envs.make_batched(id, 2)
    env.reset(seed=0)
    with pytest.raises(error, match=words):
        env.step(action)


def test_gradients_flow_from_the_last_loss_to_the_first_action() -> None:
    """An agent that writes what it wrote before plus a number learns through the whole trial."""
    env = badger_envs.make_batched(ID, 5)
    observation = env.reset(seed=0)
    move = torch.full((5, 3), 0.01, requires_grad=True)
    for _ in range(20):
        step = env.step(observation.outputs + move)
        observation = step.observation
    (slope,) = torch.autograd.grad(step.loss.sum(), move)
    expected = 2 * (20 * move - env.task.target) * 20
    assert torch.allclose(slope, expected, rtol=1e-4, atol=1e-4)


def test_float64_where_asked_for() -> None:
    env = badger_envs.make_batched(ID, 2, dtype="float64")
    assert all(array.dtype == torch.float64 for array in env.reset(seed=0))
    assert env.step(torch.zeros(2, 3, dtype=torch.float64)).loss.dtype == torch.float64
