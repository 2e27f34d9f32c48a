"""The vector face does what `SyncVectorEnv` of the single face does, step by step."""

import copy
import itertools
import json
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from badger_envs.faces.gymnasium_env import FamilyEnv
from badger_envs.faces.vector_env import FamilyVectorEnv
from tests.badger_envs.sharing import share_memory
from tests.badger_envs.toy_family import TOY

GAME = "Badger/GuessingGame-v0"
GAME_CLASS = "badger_envs.families.guessing_game:GuessingGame"
VARIANTS: list[dict[str, Any]] = [
    {"family": GAME_CLASS},
    {"family": GAME_CLASS, "dims": (1, 4), "shuffle_slots": True},
    {"family": TOY},
]
MODES = list(AutoresetMode)
N = 5


def pair(mode: AutoresetMode, limit: int | None, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Gymnasium's vectorised single face, and ours."""

    def single() -> gym.Env:
        env = FamilyEnv(**settings)
        return env if limit is None else TimeLimit(env, limit)

    sync = SyncVectorEnv([single] * N, autoreset_mode=mode)
    return sync, FamilyVectorEnv(N, autoreset_mode=mode, max_episode_steps=limit, **settings)


def same(one: Any, other: Any) -> None:
    assert data_equivalence(one, other, exact=True), f"{one}\n\n{other}"


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("limit", [None, 4, 20])
@pytest.mark.parametrize("mode", MODES)
def test_parity_with_sync(mode: AutoresetMode, limit: int | None, settings: dict[str, Any]) -> None:
    sync, ours = pair(mode, limit, settings)
    sync.action_space.seed(1)
    draw = np.random.default_rng(0)
    same(sync.reset(seed=3), ours.reset(seed=3))
    for time in range(70):
        if time in (6, 13, 14, 30):  # some go on, some start anew, some of those with a seed
            mask = draw.random(N) < 0.4
            mask[time % N] = True
            seed = [None, 5, 5, None, 9] if time == 14 else None
            options = [{"reset_mask": mask.copy(), "limits": np.zeros(N)} for _ in range(2)]
            same(sync.reset(seed=seed, options=options[0]), ours.reset(seed=seed, options=options[1]))
            assert "reset_mask" in options[1]  # the user's dict is the user's
        if time == 40:
            same(sync.reset(), ours.reset())
        if time == 50:
            same(sync.reset(seed=[8, None, 8, 2, None]), ours.reset(seed=[8, None, 8, 2, None]))
        actions = sync.action_space.sample()
        one, other = sync.step(actions), ours.step(actions)
        same(one, other)
        done = one[2] | one[3]
        if mode is AutoresetMode.DISABLED and done.any():
            same(sync.reset(options={"reset_mask": done.copy()}), ours.reset(options={"reset_mask": done}))
    assert ours.single_observation_space == sync.single_observation_space
    assert ours.observation_space == sync.observation_space
    assert ours.action_space == sync.action_space


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("num_envs", [1, 7, 64])
def test_seeding_does_not_depend_on_the_number(num_envs: int, settings: dict[str, Any]) -> None:
    """Sub-environment i seeded with s is the single environment seeded with s + i."""
    vector = FamilyVectorEnv(num_envs, autoreset_mode="SAME_STEP", **settings)
    i = num_envs - 1
    single = FamilyEnv(**settings)
    single.action_space.seed(0)
    vector.action_space.seed(0)
    observations, _ = vector.reset(seed=100)
    observation, _ = single.reset(seed=100 + i)
    for _ in range(45):
        same({name: array[i] for name, array in observations.items()}, observation)
        actions = vector.action_space.sample()
        actions[i] = single.action_space.sample()
        observations, rewards, terminated, _, _ = vector.step(actions)
        observation, reward, done, _, _ = single.step(actions[i])
        assert (rewards[i], terminated[i]) == (reward, done)
        if done:
            observation, _ = single.reset()


def test_make_vec_uses_the_native_class() -> None:
    env = gym.make_vec(GAME, num_envs=3, dims=[1, 2], autoreset_mode="SAME_STEP", max_episode_steps=7)
    assert isinstance(env, FamilyVectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert FamilyVectorEnv.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert env.spec is not None
    json.loads(env.spec.to_json())
    again = gym.make_vec(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    same(env.reset(seed=1), again.reset(seed=1))
    assert again.num_envs == 3


def test_sync_and_async_vectorisation_agree_with_it() -> None:
    ours = gym.make_vec(GAME, num_envs=2)
    others = [
        gym.make_vec(GAME, num_envs=2, vectorization_mode="sync"),
        gym.make_vec(GAME, num_envs=2, vectorization_mode="async", vector_kwargs={"context": "spawn"}),
    ]
    actions = np.full((2, 3), 0.5, np.float32)
    expected = [ours.reset(seed=4), *[ours.step(actions) for _ in range(22)]]
    for other in others:
        same([other.reset(seed=4), *[other.step(actions) for _ in range(22)]], expected)
        other.close()


def test_gymnasiums_statistics_wrapper_works() -> None:
    env = RecordEpisodeStatistics(gym.make_vec(GAME, num_envs=3))
    env.reset(seed=0)
    total = np.zeros(3)
    for _ in range(20):
        _, rewards, terminated, _, infos = env.step(np.zeros((3, 3), np.float32))
        total += rewards
    assert terminated.all()
    np.testing.assert_allclose(infos["episode"]["r"], total)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("settings", VARIANTS)
def test_what_is_returned_belongs_to_the_user(mode: AutoresetMode, settings: dict[str, Any]) -> None:
    def arrays(tree: Any) -> list[np.ndarray]:
        if isinstance(tree, dict):
            return [array for value in tree.values() for array in arrays(value)]
        if isinstance(tree, tuple):
            return [array for value in tree for array in arrays(value)]
        if tree is None:
            return []
        return [a for item in tree for a in arrays(item)] if tree.dtype == object else [tree]

    runs = []
    for spoil in (False, True):
        env = FamilyVectorEnv(4, autoreset_mode=mode, **settings)
        env.action_space.seed(2)
        returned: list[Any] = [env.reset(seed=1)]
        kept = [copy.deepcopy(returned[0])]
        ended = np.zeros(4, bool)
        for _ in range(30):
            if spoil:
                for array in arrays(returned[-1]):
                    array[...] = 1
            if mode is AutoresetMode.DISABLED and ended.any():
                returned.append(env.reset(options={"reset_mask": ended}))
                ended = np.zeros(4, bool)
            else:
                actions = env.action_space.sample()
                returned.append(env.step(actions))
                ended = returned[-1][2].copy()
                actions[...] = 0
            kept.append(copy.deepcopy(returned[-1]))
        runs.append(kept)
        for one, other in itertools.pairwise(returned):
            assert not share_memory(one[0], other[0])
            assert not share_memory(one[-1], other[-1])
    same(runs[0], runs[1])


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_like_the_original(clone: Any) -> None:
    env = FamilyVectorEnv(3, TOY)
    env.reset(seed=0)
    env.step(np.array([0, 1, 2]))
    twin = clone(env)
    for _ in range(20):
        actions = env.action_space.sample()
        same(env.step(actions), twin.step(actions))


def test_unseeded_environments_differ_among_themselves_and_between() -> None:
    one, other = (FamilyVectorEnv(4, GAME_CLASS).reset()[1]["error"] for _ in range(2))
    assert len({*one, *other}) == 8


def test_stepping_needs_running_trials() -> None:
    env = FamilyVectorEnv(3, GAME_CLASS, autoreset_mode="Disabled", horizon=2)
    actions = np.zeros((3, 3), np.float32)
    with pytest.raises(ResetNeeded, match=r"reset\(\)"):
        env.step(actions)
    with pytest.raises(ResetNeeded, match="for all first"):
        env.reset(options={"reset_mask": np.array([True, False, False])})
    env.reset(seed=0)
    env.step(actions)
    env.reset(options={"reset_mask": np.array([True, False, False])})
    env.step(actions)
    with pytest.raises(ResetNeeded, match=r"\[1, 2\] have ended.*reset_mask"):
        env.step(actions)
    env.reset(options={"reset_mask": np.array([False, True, True])})
    env.step(actions)


@pytest.mark.parametrize(
    ("settings", "actions", "error", "message"),
    [
        ({"family": GAME_CLASS}, [[0.0] * 3, [0.0, np.nan, 0.0]], ValueError, r"actions\[1, 1\] is nan"),
        ({"family": GAME_CLASS}, np.full((2, 3), -np.inf), ValueError, r"actions\[0, 0\] is -inf"),
        ({"family": GAME_CLASS}, np.zeros(3), ValueError, r"shape \(3,\).*\(2, 3\)"),
        ({"family": GAME_CLASS}, np.zeros((2, 3), bool), TypeError, "bool"),
        ({"family": TOY}, [0, 3], ValueError, r"actions\[1\] is 3"),
        ({"family": TOY}, [0.0, 1.0], TypeError, "float64"),
        ({"family": TOY}, 1, ValueError, r"shape \(\)"),
    ],
)
def test_bad_actions_are_one_clear_error_and_change_nothing(
    settings: dict[str, Any], actions: Any, error: type[Exception], message: str
) -> None:
    env, control = FamilyVectorEnv(2, **settings), FamilyVectorEnv(2, **settings)
    good = env.action_space.sample()
    same(env.reset(seed=0), control.reset(seed=0))
    with pytest.raises(error, match=message):
        env.step(actions)
    same(env.step(good), control.step(good))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seed": [1, 2]}, ValueError, "2 seeds for 3"),
        ({"seed": [1, 2, -1]}, ValueError, "a seed is -1"),
        ({"seed": 2**64 - 2}, ValueError, f"a seed is {2**64}"),
        ({"seed": True}, TypeError, "seed is True"),
        ({"seed": [1, 2, 0.5]}, TypeError, "0.5"),
        ({"seed": "one"}, TypeError, "one"),
        ({"options": {"reset_mask": np.ones(3)}}, TypeError, "float64"),
        ({"options": {"reset_mask": np.ones(2, bool)}}, ValueError, r"\(2,\)"),
        ({"options": {"reset_mask": np.zeros(3, bool)}}, ValueError, "False everywhere"),
    ],
)
def test_bad_resets_are_one_clear_error(arguments: Any, error: type[Exception], message: str) -> None:
    env = FamilyVectorEnv(3, GAME_CLASS)
    env.reset(seed=0)
    with pytest.raises(error, match=message):
        env.reset(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_envs": 0}, ValueError, "num_envs is 0"),
        ({"autoreset_mode": "LATER"}, ValueError, "LATER.*NEXT_STEP, SAME_STEP, DISABLED"),
        ({"max_episode_steps": 0}, ValueError, "max_episode_steps is 0"),
        ({"render_mode": "human"}, ValueError, "human.*ansi, rgb_array"),
    ],
)
def test_bad_arguments_are_one_clear_error(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        FamilyVectorEnv(**{"num_envs": 2, "family": GAME_CLASS, **arguments})


def test_rendering_gives_a_picture_per_sub_environment() -> None:
    for mode in ("ansi", "rgb_array"):
        vector, single = FamilyVectorEnv(3, GAME_CLASS, mode), FamilyEnv(GAME_CLASS, mode)
        with pytest.raises(ResetNeeded):
            vector.render()
        vector.reset(seed=0)
        single.reset(seed=2)
        vector.step(np.full((3, 3), 0.5))
        single.step(np.full(3, 0.5))
        pictures = vector.render()
        assert pictures is not None
        assert len(pictures) == 3
        np.testing.assert_array_equal(pictures[2], single.render())
