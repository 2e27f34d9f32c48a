"""Wrappers: the numbers are those of the environment, in the promised places, alone and side by side."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode

from badger_envs.wrappers import FlattenSlots, RaggedObservation, RL2Observation, vector

GAME = "Badger/GuessingGame-v0"
BANDIT = "Badger/Bandit-k5-n10-v0"
MAPS = "Badger/VariableIO-v0"
IDS = [GAME, BANDIT, MAPS, "Badger/XOR-table-v0", "Badger/HotCold-gradient-d10-v0"]
WRAPPERS = [FlattenSlots, RL2Observation, RaggedObservation]
MODES = ["NEXT_STEP", "SAME_STEP", "DISABLED"]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("id", IDS)
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes")
@pytest.mark.filterwarnings("ignore:.*infinity. This is probably too")  # of the reward in RL2Observation
def test_gymnasiums_checker_passes(id: str, wrapper: Any) -> None:
    check_env(wrapper(gym.make(id).unwrapped), skip_render_check=True)


@pytest.mark.parametrize("wrapper", [FlattenSlots, RL2Observation])
def test_stable_baselines_learns_on_one_box(wrapper: Any) -> None:
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_checker import check_env as check_for_baselines

    env = wrapper(gym.make(MAPS))
    check_for_baselines(env)
    PPO("MlpPolicy", env, n_steps=64, batch_size=64, n_epochs=1, seed=0, device="cpu").learn(64)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_environment_goes_through_json(wrapper: Any) -> None:
    env = wrapper(gym.make(MAPS))
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again, wrapper)
    assert data_equivalence(env.reset(seed=3), again.reset(seed=3))


@pytest.mark.parametrize("id", IDS)
def test_flat_slots_are_gymnasiums_flat_observation_with_names(id: str) -> None:
    plain, flat = gym.make(id), FlattenSlots(gym.make(id))
    gymnasiums = gym.wrappers.FlattenObservation(gym.make(id))
    assert flat.observation_space == gymnasiums.observation_space
    observations = [env.reset(seed=4)[0] for env in (plain, flat, gymnasiums)]
    plain.action_space.seed(0)
    for _ in range(5):
        named, row, same = observations
        np.testing.assert_array_equal(row, same)
        assert row.dtype == flat.observation_space.dtype
        assert list(flat.parts) == list(named)
        for name, part in flat.parts.items():
            np.testing.assert_array_equal(row[part], named[name])
        action = plain.action_space.sample()
        observations = [env.step(action)[0] for env in (plain, flat, gymnasiums)]


@pytest.mark.parametrize("id", [GAME, BANDIT])
def test_rl2_sees_its_last_action_and_reward_and_where_a_trial_starts(id: str) -> None:
    plain, env = gym.make(id), RL2Observation(gym.make(id))
    parts = env.parts
    plain.action_space.seed(1)
    discrete = id == BANDIT
    for trial in range(2):
        seed = 7 if trial == 0 else None
        named, row = plain.reset(seed=seed)[0], env.reset(seed=seed)[0]
        expected = {"action": np.zeros(plain.action_space.n if discrete else 3), "reward": 0, "start": 1}
        done = False
        while True:
            for name, value in {**expected, **named}.items():
                np.testing.assert_array_equal(row[parts[name]], np.float32(value), err_msg=name)
            assert parts.keys() == {**expected, **named}.keys()
            assert env.observation_space.contains(row)
            if done:
                break
            action = plain.action_space.sample()
            named, reward, done, _, _ = plain.step(action)
            row = env.step(action)[0]
            shown = np.eye(plain.action_space.n)[action] if discrete else action
            expected = {"action": shown, "reward": reward, "start": 0}


def test_rl2_in_float64_keeps_the_precision() -> None:
    env = RL2Observation(gym.make(GAME, dtype="float64"))
    env.reset(seed=0)
    row, reward, *_ = env.step(np.full(3, 1 / 3))
    assert row.dtype == np.float64
    assert row[env.parts["reward"]] == reward
    assert (row[env.parts["action"]] == 1 / 3).all()


def single_rows(wrapper: Any, id: str, seed: int, actions: list[Any]) -> list[np.ndarray]:
    """What one wrapped environment shows, trial after trial, if reset after each end."""
    env = wrapper(gym.make(id))
    rows = [env.reset(seed=seed)[0]]
    for action in actions:
        row, _, done, _, _ = env.step(action)
        rows += [row, env.reset()[0]] if done else [row]
    return rows


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("id", [GAME, BANDIT])
@pytest.mark.parametrize(
    ("single", "several"), [(FlattenSlots, vector.FlattenSlots), (RL2Observation, vector.RL2Observation)]
)
def test_a_vector_environment_shows_what_single_ones_show(
    id: str, mode: str, single: Any, several: Any
) -> None:
    """Over two trials, that are of different lengths and so not in step, with first and last observations."""
    count = 3
    envs = several(gym.make_vec(id, num_envs=count, autoreset_mode=mode))
    assert envs.metadata["autoreset_mode"] is AutoresetMode[mode]
    envs.action_space.seed(0)
    rows, _ = envs.reset(seed=5)
    assert envs.observation_space.contains(rows)
    early = np.array([False, True, False])  # the second's first trial is broken off after two steps
    shown: list[list[np.ndarray]] = [[row] for row in rows]
    taken: list[list[Any]] = [[] for _ in range(count)]
    ended = np.zeros(count, np.bool_)
    for step in range(30):
        if step == 2:
            rows, _ = envs.reset(options={"reset_mask": early})
            shown[1], taken[1] = [rows[1]], []
            assert rows[0].tolist() == shown[0][-1].tolist()
        if mode == "DISABLED" and ended.any():
            rows, _ = envs.reset(options={"reset_mask": ended})
            for i in np.flatnonzero(ended):
                shown[i].append(rows[i])
        actions = envs.action_space.sample()
        was = ended.copy()
        rows, _, ended, _, infos = envs.step(actions)
        assert envs.observation_space.contains(rows)
        for i in range(count):
            if mode == "NEXT_STEP" and was[i]:
                shown[i].append(rows[i])
                continue
            taken[i].append(actions[i])
            if mode == "SAME_STEP" and ended[i]:
                shown[i].append(infos["final_obs"][i])
            shown[i].append(rows[i])
    for i in (0, 2):
        expected = single_rows(single, id, 5 + i, taken[i])
        assert len(expected) > 21
        length = min(len(expected), len(shown[i]))  # the single one is reset after the very last step
        np.testing.assert_array_equal(np.stack(shown[i][:length]), np.stack(expected[:length]))
    trials = np.stack(shown[1])
    if single is RL2Observation:
        assert trials[:, envs.parts["start"]].sum() >= 2
        start = trials[:, envs.parts["start"]][:, 0] == 1
        np.testing.assert_array_equal(start, trials[:, envs.parts["flags"]][:, 0] == 1)
    envs.close()


def test_gymnasiums_own_vector_wrapper_does_the_same() -> None:
    ours = vector.FlattenSlots(gym.make_vec(MAPS, num_envs=3))
    theirs = gym.wrappers.vector.FlattenObservation(gym.make_vec(MAPS, num_envs=3))
    assert ours.observation_space == theirs.observation_space
    np.testing.assert_array_equal(ours.reset(seed=1)[0], theirs.reset(seed=1)[0])


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("shuffle", [False, True])
def test_ragged_observations_are_the_slots_in_use(id: str, shuffle: bool) -> None:
    env = RaggedObservation(gym.make(id, shuffle_slots=shuffle))
    padded = gym.make(id, shuffle_slots=shuffle)
    slots = padded.unwrapped.family.slots  # type: ignore[attr-defined]
    sizes = set()
    for seed in range(8):
        ragged, full = env.reset(seed=seed)[0], padded.reset(seed=seed)[0]
        used_in, used_out = full["input_mask"] == 1, full["output_mask"] == 1
        for _ in range(3):
            assert env.observation_space.contains(ragged)
            assert not any(name.endswith("mask") for name in ragged)
            np.testing.assert_array_equal(ragged["inputs"], full["inputs"].reshape(slots.inputs, -1)[used_in])
            np.testing.assert_array_equal(ragged["outputs"], full["outputs"][used_out, None])
            np.testing.assert_array_equal(ragged["feedback"], full["feedback"])
            np.testing.assert_array_equal(ragged["flags"], full["flags"])
            if slots.output_feedback:
                wide = full["output_feedback"].reshape(slots.outputs, slots.output_feedback)
                np.testing.assert_array_equal(ragged["output_feedback"], wide[used_out])
            sizes.add((len(ragged["inputs"]), len(ragged["outputs"])))
            action = padded.action_space.sample()
            ragged, full = env.step(action)[0], padded.step(action)[0]
    assert len(sizes) > 1 or id != MAPS


def test_ragged_values_are_put_into_the_slots_in_use() -> None:
    env = RaggedObservation(gym.make(MAPS, shuffle_slots=True, capacity=8))
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.padded(np.zeros(2))
    for seed in range(5):
        count = len(env.reset(seed=seed)[0]["outputs"])
        values = np.linspace(0.1, 0.9, count, dtype=np.float32)
        ragged, _, _, _, info = env.step(env.padded(values))
        assert not info["unused_slot"]
        np.testing.assert_array_equal(ragged["outputs"][:, 0], values)
        with pytest.raises(ValueError, match="shape"):
            env.padded(np.zeros(count + 1, np.float32))
    arms = RaggedObservation(gym.make("Badger/Bandit-v0", arms=[2, 4], capacity=9, shuffle_slots=True))
    for seed in range(5):
        count = len(arms.reset(seed=seed)[0]["outputs"])
        for arm in range(count):
            ragged, _, _, _, info = arms.step(arms.padded(arm))
            assert not info["unused_slot"]
            assert ragged["outputs"][:, 0].tolist() == [float(i == arm) for i in range(count)]
        with pytest.raises(ValueError, match=f"from 0 to {count - 1}"):
            arms.padded(count)


def test_ragged_observations_side_by_side() -> None:
    envs = gym.make_vec(MAPS, num_envs=16, vectorization_mode="sync", wrappers=[RaggedObservation])
    observations, _ = envs.reset(seed=0)
    assert len({len(array) for array in observations["outputs"]}) > 1
    assert observations["flags"].shape == (16, 3)
    envs.step(envs.action_space.sample())
    envs.close()


class Strange(gym.Env[Any, Any]):
    """Spaces that no wrapper here knows."""

    def __init__(self, observation: Any, action: Any) -> None:
        self.observation_space, self.action_space = observation, action


@pytest.mark.parametrize(
    ("wrapper", "env", "wanted"),
    [
        (FlattenSlots, Strange(gym.spaces.Text(3), Box(0, 1)), "must be a Box, or a Dict of Boxes"),
        (RL2Observation, Strange(gym.spaces.Discrete(3), Box(0, 1)), "must be a Box, or a Dict of Boxes"),
        (RL2Observation, Strange(Box(0, 1), gym.spaces.MultiBinary(3)), "must be a Box or Discrete"),
        (RaggedObservation, Strange(Box(0, 1), Box(0, 1)), "an environment of a family"),
        (RaggedObservation, FlattenSlots(gym.make(GAME)), "before others"),
    ],
)
def test_other_environments_are_refused_in_one_line(wrapper: Any, env: Any, wanted: str) -> None:
    with pytest.raises(TypeError, match=wanted) as caught:
        wrapper(env)
    assert "\n" not in str(caught.value)


def test_other_environments_are_wrapped_too() -> None:
    env = RL2Observation(gym.make("CartPole-v1"))
    assert list(env.parts) == ["observation", "action", "reward", "start"]
    row, _ = env.reset(seed=0)
    assert row.shape == (2 + 1 + 1 + 4,)
    row = env.step(1)[0]
    assert row[:4].tolist() == [0, 1, 1, 0]
