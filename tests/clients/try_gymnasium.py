"""Gymnasium's own tests of its environments (`tests/envs`, not in its wheel), on all ids and two of its own.

Each check below is a test of that folder, with its name. A failure counts if CartPole-v1, or Pendulum-v1 for
Box actions, does not have it. The last checks are of wrappers and of vector environments.
"""

import pickle
import sys
import warnings
from collections.abc import Callable

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.utils.env_match import check_environments_match

import badger_envs

gym.register_envs(badger_envs)
OWN = ("CartPole-v1", "Pendulum-v1")
IDS = [id for id in gym.registry if id.startswith("Badger/")]
EXPECTED = (
    "A Box observation space minimum value is -infinity. This is probably too low.",
    "A Box observation space maximum value is infinity. This is probably too high.",
    "For Box action spaces, we recommend using a symmetric and normalized space",
)


def bare(id: str) -> gym.Env:
    """The environment as Gymnasium's tests take it: no wrapper."""
    return gym.spec(id).make(disable_env_checker=True).unwrapped


def test_all_env_api(id: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(gym.spec(id).make().unwrapped, skip_render_check=True)
    said = [str(w.message) for w in caught if not any(text in str(w.message) for text in EXPECTED)]
    assert not said, said


def test_all_env_passive_env_checker(id: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        env = gym.make(id)
        env.reset()
        env.step(env.action_space.sample())
        env.close()
    assert not caught, [str(w.message) for w in caught]


def test_env_determinism_rollout(id: str) -> None:
    one, two = (gym.spec(id).make(disable_env_checker=True) for _ in range(2))
    assert data_equivalence(one.reset(seed=0)[0], two.reset(seed=0)[0], exact=True)
    one.action_space.seed(0)
    for _ in range(50):
        action = one.action_space.sample()
        first, second = one.step(action), two.step(action)
        assert data_equivalence(first[0], second[0], exact=True)
        assert one.observation_space.contains(first[0])
        assert first[1:4] == second[1:4], (first[1:4], second[1:4])
        assert data_equivalence(first[4], second[4], exact=True)
        if first[2] or first[3]:
            one.reset(seed=0)
            two.reset(seed=0)


def test_pickle_env(id: str) -> None:
    env = bare(id)
    action = env.action_space.sample()
    reset, step = env.reset(seed=123), env.step(action)
    copy = pickle.loads(pickle.dumps(env))
    assert data_equivalence(reset, copy.reset(seed=123))
    assert data_equivalence(step, copy.step(action))


def test_discrete_actions_out_of_bound(id: str) -> None:
    env = bare(id)
    if isinstance(env.action_space, spaces.Discrete):
        env.reset()
        try:
            env.step(env.action_space.start + env.action_space.n)
        except Exception:
            return
        raise AssertionError("an action outside of the space is taken")


def test_box_actions_out_of_bound(id: str) -> None:
    """Its steps are those of the original: past the end of a trial too, where ours warn and stand still.

    Observations are compared by `==` as there; two dicts of arrays, which have none, by `data_equivalence`.
    """
    env, other = bare(id), gym.make(id, disable_env_checker=True)
    space = env.action_space
    if not isinstance(space, spaces.Box):
        return
    env.reset(seed=42)
    other.reset(seed=42)
    for i in range(len(space.low)):
        for bound, bounded, far in (
            (space.high, space.bounded_above, 100),
            (space.low, space.bounded_below, -100),
        ):
            if bounded[i]:
                action = bound.copy()
                action[i] += np.asarray(far, space.dtype)
                assert action[i] != bound[i]
                one, two = env.step(bound)[0], other.step(action)[0]
                same = data_equivalence(one, two) if isinstance(one, dict) else np.all(one == two)
                assert same, i
    env.close()
    other.close()


def test_rendering(id: str) -> None:
    for mode in gym.make(id).metadata["render_modes"]:
        if mode != "human":
            env = gym.make(id, render_mode=mode)
            env.reset(seed=0)
            env.step(env.action_space.sample())
            picture = env.render()
            assert picture is not None, mode
            assert mode != "rgb_array" or (picture.dtype == np.uint8 and picture.ndim == 3)
            env.close()


def test_spec_to_json(id: str) -> None:
    spec = gym.make(id).spec
    again = gym.make(gym.envs.registration.EnvSpec.from_json(spec.to_json()))
    check_environments_match(again, gym.make(id), num_steps=20, skip_render=True)


def test_wrappers(id: str) -> None:
    env = gym.wrappers.RecordEpisodeStatistics(gym.make(id))
    if isinstance(env.observation_space, spaces.Dict):
        env = gym.wrappers.FlattenObservation(env)
    env = gym.wrappers.TimeAwareObservation(env)
    observation, _ = env.reset(seed=0)
    ended = cut = False
    while not (ended or cut):
        assert env.observation_space.contains(observation)
        observation, _, ended, cut, info = env.step(env.action_space.sample())
    assert info["episode"]["l"] > 0


def test_vector(id: str) -> None:
    for mode in ("sync", "vector_entry_point"):
        if mode == "vector_entry_point" and gym.spec(id).vector_entry_point is None:
            continue
        envs = gym.make_vec(id, num_envs=3, vectorization_mode=mode)
        observations, _ = envs.reset(seed=0)
        envs.action_space.seed(0)
        for _ in range(8):
            assert envs.observation_space.contains(observations), mode
            observations, *_ = envs.step(envs.action_space.sample())
        envs.close()


CHECKS: list[Callable[[str], None]] = [
    test_all_env_api,
    test_all_env_passive_env_checker,
    test_env_determinism_rollout,
    test_pickle_env,
    test_discrete_actions_out_of_bound,
    test_box_actions_out_of_bound,
    test_rendering,
    test_spec_to_json,
    test_wrappers,
    test_vector,
]


def failure(check: Callable[[str], None], id: str) -> str:
    """What a check says of an id; empty if it passes."""
    try:
        check(id)
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


failed = 0
for check in CHECKS:
    theirs = {id: failure(check, id) for id in OWN}
    ours = {id: message for id in IDS if (message := failure(check, id))}
    for id, message in ours.items():
        print(f"{check.__name__} {id}: {message}")
    print(check.__name__, f"{len(IDS) - len(ours)} of {len(IDS)} ids pass; its own:", theirs, flush=True)
    failed += len(ours) if not all(theirs.values()) else 0
print(f"ERROR: {failed} failures that CartPole or Pendulum does not have" if failed else "ok")
sys.exit(failed > 0)
