"""One map from seeds to tasks: what `gym.make` plays is what an evaluation's keys name, for all ids."""

import gymnasium as gym
import numpy as np
import pytest

import badger_envs
from badger_envs import keyed_random
from tests.badger_envs.ids import KINDS_AND_SLOW

SEEDS = range(100)


@pytest.mark.parametrize("id", KINDS_AND_SLOW)
def test_task_i_of_an_evaluation_is_what_gym_make_shows_on_seed_i(id: str) -> None:
    family = badger_envs.family_of(id, split="test")
    task = family.sample_task(keyed_random.trial_keys(SEEDS, 0, "test"))
    expected = family.observe(task, family.initial_state(task))
    single, vector = gym.make(id, split="test"), gym.make_vec(id, num_envs=len(SEEDS), split="test")
    shown = {"gym.make": [single.reset(seed=seed)[0] for seed in SEEDS]}
    together = vector.reset(seed=0)[0]
    shown["make_vec"] = [{name: rows[i] for name, rows in together.items()} for i in SEEDS]
    for face, observations in shown.items():
        for seed, observation in zip(SEEDS, observations, strict=True):
            for name, array in observation.items():
                right = getattr(expected, name)[seed].reshape(-1)
                assert array.tobytes() == right.tobytes(), f"{face}, seed {seed}: {name}"


def test_a_vector_environment_seeds_by_counting_and_by_lists() -> None:
    id, highest = "Badger/GuessingGame-v0", 2**64 - 1
    env = gym.make_vec(id, num_envs=3)
    for seed in (0, 2**32 - 2, 2**63 - 2, highest - 2):
        errors = env.reset(seed=seed)[1]["error"]
        assert np.array_equal(errors, env.reset(seed=[seed, seed + 1, seed + 2])[1]["error"])
        alone = [gym.make(id).reset(seed=seed + i)[1]["error"] for i in range(3)]
        assert np.array_equal(errors, alone)
    with pytest.raises(ValueError, match=f"a seed is {2**64}"):
        env.reset(seed=highest - 1)


def test_unseeded_trials_follow_from_one_seed_drawn_once() -> None:
    env = gym.make("Badger/GuessingGame-v0")
    env.unwrapped.np_random = np.random.default_rng(5)
    first = env.reset()[1]["error"]
    seed = int(np.random.default_rng(5).integers(2**63))
    other = gym.make("Badger/GuessingGame-v0")
    assert other.reset(seed=seed)[1]["error"] == first
    assert env.reset()[1]["error"] == other.reset()[1]["error"]
