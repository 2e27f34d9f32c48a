"""`badger_envs.evaluate`: the boards' tasks, for models with `predict`, policies and functions."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import badger_envs
from badger_envs.scoring import normalised_score
from tests.badger_envs.toy_family import TOY

GAME = "Badger/GuessingGame-v0"


def zeros(observation: dict[str, np.ndarray]) -> np.ndarray:
    return np.zeros(3, np.float32)


def test_a_function_plays_the_test_split_seed_by_seed() -> None:
    found = badger_envs.evaluate(zeros, GAME, 30, seed=4)
    env, outcomes = gym.make(GAME, split="test"), []
    for seed in range(4, 34):
        env.reset(seed=seed)
        done = False
        while not done:
            *_, done, _, info = env.step(zeros({}))
        outcomes.append(info["error"])
    np.testing.assert_array_equal(found.outcomes, outcomes)
    assert found.outcome == np.mean(outcomes)
    assert found.score == normalised_score(GAME, found.outcome)
    assert found.standard_error == pytest.approx(np.std(outcomes, ddof=1) / 30**0.5)
    assert found.success == 0


class Counter:
    """A policy whose action is the number of its steps since `reset`."""

    def __init__(self) -> None:
        self.resets, self.steps = 0, 0

    def reset(self) -> None:
        self.resets, self.steps = self.resets + 1, 0

    def act(self, observation: Any) -> int:
        self.steps += 1
        return (self.steps - 1) % 3


class BatchedCounter:
    """The same as a recurrent model of Stable-Baselines3 is asked."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ):
        assert deterministic
        count = len(observation["flags"])
        state = np.zeros(count, np.int64) if state is None else state
        state = np.where(episode_start, 0, state)
        np.testing.assert_array_equal(state == 0, observation["flags"][:, 0] == 1)
        return state % 3, state + 1


def test_policies_with_memory_are_told_where_trials_start() -> None:
    badger_envs.register("Tests/Counted-v0", TOY)
    try:
        policy = Counter()
        one = badger_envs.evaluate(policy, "Tests/Counted-v0", 40)
        assert policy.resets == 40
        assert one.success > 0.5
        assert one.score is None, "an id without constants"
    finally:
        del gym.registry["Tests/Counted-v0"]
    id = "Badger/Bandit-k5-n10-v0"
    one, other = badger_envs.evaluate(Counter(), id, 40), badger_envs.evaluate(BatchedCounter(), id, 40)
    np.testing.assert_array_equal(one.outcomes, other.outcomes)


def test_models_that_take_masks_get_them() -> None:
    class Masked:
        def predict(
            self, observation: Any, state: Any = None, action_masks: Any = None, **others: Any
        ) -> Any:
            np.testing.assert_array_equal(action_masks, observation["output_mask"] != 0)
            return action_masks.argmax(1), None

    assert badger_envs.evaluate(Masked(), "Badger/Bandit-sizes-v0", 10).outcomes.shape == (10,)


def test_a_variant_of_an_id_is_scored_as_the_id() -> None:
    flat = badger_envs.evaluate(lambda row: np.zeros(3), "Badger/GuessingGame-flat-v0", 5)
    assert flat.score == badger_envs.evaluate(zeros, GAME, 5).score
    assert badger_envs.evaluate(lambda row: row[:3], GAME, 5, observation="rl2").score is not None
    assert badger_envs.evaluate(zeros, GAME, 5, horizon=3).score is None


def test_models_of_stable_baselines_are_taken() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    model = sb3.PPO("MlpPolicy", "Badger/XOR-2-flat-v0", n_steps=64, seed=0, device="cpu")
    one = badger_envs.evaluate(model, "Badger/XOR-2-flat-v0", 20)
    other = badger_envs.evaluate(
        lambda row: model.predict(row, deterministic=True)[0], "Badger/XOR-2-flat-v0", 20
    )
    np.testing.assert_array_equal(one.outcomes, other.outcomes)


@pytest.mark.parametrize(("model", "trials", "error"), [(3, 5, TypeError), (zeros, 0, ValueError)])
def test_what_cannot_be_is_refused(model: Any, trials: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        badger_envs.evaluate(model, GAME, trials)
