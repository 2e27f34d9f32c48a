"""The Gymnasium face keeps Gymnasium's conventions and plays the family's own trials."""

import copy
import json
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.utils.env_match import check_environments_match

import badger_envs
from badger_envs import keyed_random
from badger_envs.faces.gymnasium_env import FamilyEnv
from tests.badger_envs.sharing import share_memory
from tests.badger_envs.toy_family import TOY

GAME = "Badger/GuessingGame-v0"
GAME_CLASS = "badger_envs.families.guessing_game:GuessingGame"
RANGED: dict[str, Any] = {"family": GAME_CLASS, "dims": (1, 4), "shuffle_slots": True}
VARIANTS: list[dict[str, Any]] = [{"family": GAME_CLASS}, RANGED, {"family": TOY}]


@pytest.fixture(autouse=True, scope="module")
def _registered() -> Any:
    """A registered id for the toy family, for checks that make environments from their spec."""
    badger_envs.register("Tests/Toy-v0", TOY)
    badger_envs.register("Tests/Ranged-v0", GAME_CLASS, dims=[1, 4], shuffle_slots=True)
    yield
    for id in ("Tests/Toy-v0", "Tests/Ranged-v0"):
        del gym.registry[id]


def play(env: gym.Env, steps: int, seed: int = 3) -> list[Any]:
    """Everything that a sampled play returns, with resets in between."""
    env.action_space.seed(seed)
    returned: list[Any] = [env.reset(seed=seed)]
    for _ in range(steps):
        returned.append(env.step(env.action_space.sample()))
        if returned[-1][2] or returned[-1][3]:
            returned.append(env.reset())
    return returned


@pytest.mark.parametrize("id", [GAME, "Tests/Ranged-v0", "Tests/Toy-v0"])
def test_gymnasiums_checkers_are_content(id: str) -> None:
    check_env(gym.make(id).unwrapped)
    check_environments_match(gym.make(id), gym.make(id), num_steps=50)


@pytest.mark.parametrize("id", [GAME, "Tests/Ranged-v0", "Tests/Toy-v0"])
def test_stable_baselines_checker_is_content(id: str) -> None:
    from stable_baselines3.common.env_checker import check_env as sb3_check_env

    sb3_check_env(gym.make(id), warn=True)


def test_stable_baselines_learns() -> None:
    from stable_baselines3 import PPO

    PPO("MultiInputPolicy", GAME, n_steps=128, n_epochs=1, seed=0, device="cpu").learn(256)


def test_make_takes_a_module_and_an_id() -> None:
    assert isinstance(gym.make(f"badger_envs:{GAME}").unwrapped, FamilyEnv)


def test_the_spec_goes_through_json() -> None:
    env = gym.make(GAME, dims=[2, 3], render_mode="ansi")
    assert env.spec is not None
    text = env.spec.to_json()
    json.loads(text)
    again = gym.make(gym.envs.registration.EnvSpec.from_json(text))
    assert again.unwrapped.family == env.unwrapped.family  # type: ignore[attr-defined]
    assert data_equivalence(play(env, 30), play(again, 30), exact=True)


@pytest.mark.parametrize("settings", VARIANTS)
def test_trials_are_the_familys_own(settings: dict[str, Any]) -> None:
    """Tasks, observations, rewards and noise are those of the named keys, over many trials."""
    env = FamilyEnv(**settings)
    family = env.family
    env.action_space.seed(0)
    observation, _ = env.reset(seed=5)
    for trial in range(40):  # across the blocks in which trials are drawn
        key = keyed_random.trial_keys([5], trial, family.split)
        task = family.sample_task(key)
        state = family.initial_state(task)
        done = False
        while not done:
            shown = family.observe(task, state)
            for name, array in observation.items():
                np.testing.assert_array_equal(array, getattr(shown, name).reshape(-1), err_msg=name)
            action = env.action_space.sample()
            batch = np.asarray(action)[None]
            time = int(state.time[0])
            transition = family.step(task, state, batch, family.noise(key, 1, start=time)[:, 0])
            state = transition.state
            observation, reward, done, _, info = env.step(action)
            assert reward == transition.reward[0]
            assert done == transition.terminated[0]
            assert info[family.outcome] == family.info(task, state)[family.outcome][0]
        observation, _ = env.reset()


@pytest.mark.parametrize("settings", VARIANTS)
def test_a_seed_fixes_everything_and_seeds_differ(settings: dict[str, Any]) -> None:
    one, other = FamilyEnv(**settings), FamilyEnv(**settings)
    other.reset()
    other.reset(seed=77)
    assert data_equivalence(play(one, 60), play(other, 60), exact=True)
    assert not data_equivalence(play(one, 60), play(other, 60, seed=4), exact=True)


def test_trials_of_one_seed_differ_and_unseeded_ones_too() -> None:
    env = FamilyEnv(GAME_CLASS)
    errors = {env.reset(seed=1)[1]["error"]} | {env.reset()[1]["error"] for _ in range(40)}
    assert len(errors) == 41
    assert FamilyEnv(GAME_CLASS).reset()[1] != FamilyEnv(GAME_CLASS).reset()[1]


@pytest.mark.parametrize("settings", VARIANTS)
def test_info_keeps_its_keys_shapes_and_types(settings: dict[str, Any]) -> None:
    env = FamilyEnv(**settings)
    infos = [returned[-1] for returned in play(env, 50)]
    kinds = [{key: (type(v), v.dtype, v.shape) for key, v in info.items()} for info in infos]
    assert all(kind == kinds[0] for kind in kinds)
    assert kinds[0]["is_success"] == kinds[0]["unused_slot"] == (np.ndarray, np.dtype(bool), ())
    assert {kind for kind, _, _ in kinds[0].values()} <= {np.int64, np.float64, np.ndarray}


def test_a_categorical_family_shows_its_action_mask() -> None:
    env = FamilyEnv(TOY)
    masks = []
    for seed in range(10):
        observation, info = env.reset(seed=seed)
        assert info["action_mask"].dtype == np.int8
        np.testing.assert_array_equal(info["action_mask"], observation["output_mask"])
        masks.append(int(info["action_mask"].sum()))
    assert set(masks) == {2, 3}


def test_unused_slots_are_legal_flagged_and_without_effect() -> None:
    env = FamilyEnv(**RANGED)
    observation, info = env.reset(seed=0)
    used = observation["output_mask"]
    assert 0 < used.sum() < used.size
    assert not info["unused_slot"]
    assert not env.step(0.5 * used)[-1]["unused_slot"]
    twin = copy.deepcopy(env)
    one, other = env.step(np.ones_like(used)), twin.step(used)
    assert (one[-1].pop("unused_slot"), other[-1].pop("unused_slot")) == (True, False)
    assert data_equivalence(one, other, exact=True)

    toy = FamilyEnv(TOY)
    seed = next(seed for seed in range(20) if toy.reset(seed=seed)[1]["action_mask"][2] == 0)
    toy.reset(seed=seed)
    _, reward, *_, info = toy.step(2)
    assert reward == 0
    assert info["unused_slot"]


@pytest.mark.parametrize("settings", VARIANTS)
def test_what_is_returned_belongs_to_the_user(settings: dict[str, Any]) -> None:
    """Nothing is shared between returns, and overwriting what was returned or sent changes nothing."""
    control, env = FamilyEnv(**settings), FamilyEnv(**settings)
    expected = play(control, 40)
    env.action_space.seed(3)

    def spoil(returned: Any) -> Any:
        kept = copy.deepcopy(returned)
        for array in [*returned[0].values(), *returned[-1].values()]:
            if isinstance(array, np.ndarray):
                array[...] = 99
        return kept

    actual = [spoil(env.reset(seed=3))]
    for _ in range(40):
        action = env.action_space.sample()
        returned = env.step(action)
        if isinstance(action, np.ndarray):
            action[...] = 99
        actual.append(spoil(returned))
        if returned[2]:
            actual.append(spoil(env.reset()))
    assert data_equivalence(actual, expected, exact=True)
    for i, one in enumerate(expected):
        for other in expected[:i]:
            assert not share_memory(one[0], other[0])
            assert not share_memory(one[-1], other[-1])


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_like_the_original(settings: dict[str, Any], clone: Any) -> None:
    env = FamilyEnv(**settings)
    env.action_space.seed(0)
    env.reset(seed=8)
    env.step(env.action_space.sample())
    twin = clone(env)
    for _ in range(50):
        action = env.action_space.sample()
        one, other = env.step(action), twin.step(action)
        assert data_equivalence(one, other, exact=True)
        if one[2]:
            assert data_equivalence(env.reset(), twin.reset(), exact=True)


def test_spaces() -> None:
    env = FamilyEnv(GAME_CLASS, dims=3, capacity=5)
    shapes = {name: space.shape for name, space in env.observation_space.items()}  # type: ignore[attr-defined]
    assert shapes == {
        "inputs": (1,), "input_mask": (1,), "outputs": (5,), "output_mask": (5,),
        "feedback": (1,), "flags": (3,),
    }  # fmt: skip
    assert env.action_space == gym.spaces.Box(-1, 1, (5,), np.float32)
    toy = FamilyEnv(TOY)
    assert toy.action_space == gym.spaces.Discrete(3)
    assert toy.observation_space["inputs"].shape == (6,)  # type: ignore[index]
    assert toy.observation_space["output_feedback"] == gym.spaces.Box(-1, 1, (6,))  # type: ignore[index]
    observation, _ = toy.reset(seed=0)
    np.testing.assert_array_equal(observation["inputs"], [1, 1, 1, -1, -1, -1])  # slot after slot


def test_float64_families_stay_so() -> None:
    env = FamilyEnv(GAME_CLASS, dtype="float64")
    observation, _ = env.reset(seed=0)
    assert {array.dtype for array in observation.values()} == {np.dtype("float64")}
    assert env.action_space.dtype == np.float64
    assert env.step(np.full(3, 0.1, np.float32))[0]["outputs"].dtype == np.float64


def test_the_horizon_terminates_also_after_one_step() -> None:
    env = gym.make(GAME, horizon=1)
    env.reset(seed=0)
    _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
    assert (terminated, truncated) == (True, False)
    assert type(reward) is float
    assert type(terminated) is bool
    assert type(truncated) is bool


def test_a_time_limit_truncates() -> None:
    env = gym.make(GAME, max_episode_steps=4)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]


def test_unknown_options_are_tolerated() -> None:
    env = FamilyEnv(GAME_CLASS)
    assert data_equivalence(env.reset(seed=1), env.reset(seed=1, options={"options": 1}), exact=True)


def test_stepping_needs_a_trial() -> None:
    with pytest.raises(ResetNeeded, match="reset"):
        FamilyEnv(GAME_CLASS, horizon=2).step(np.zeros(3, np.float32))


@pytest.mark.parametrize("observation", ["dict", "flat", "rl2"])
@pytest.mark.parametrize("family", [GAME_CLASS, "badger_envs.families.bandit:Bandit"])
def test_a_step_after_the_end_warns_and_changes_nothing(family: str, observation: str) -> None:
    env = FamilyEnv(family, horizon=2, observation=observation)
    env.action_space.seed(0)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    last, _, terminated, _, info = env.step(env.action_space.sample())
    assert terminated
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"ended.*call reset\(\)"):
            seen, reward, terminated, truncated, again = env.step(env.action_space.sample())
        assert (reward, terminated, truncated) == (0.0, True, False)
        assert data_equivalence((seen, again), (last, info), exact=True)
    with pytest.raises((ValueError, TypeError)):
        env.step(np.full(env.action_space.shape, np.nan))
    env.reset()
    assert not env.step(env.action_space.sample())[2]


BAD: list[tuple[dict[str, Any], Any, type[Exception], str]] = [
    ({"family": GAME_CLASS}, [0.0, np.nan, 0.0], ValueError, r"action\[1\] is nan"),
    ({"family": GAME_CLASS}, [0.0, 0.0, -np.inf], ValueError, r"action\[2\] is -inf"),
    ({"family": GAME_CLASS}, [0.0, 0.0], ValueError, r"shape \(2,\).*\(3,\)"),
    ({"family": GAME_CLASS}, 0.0, ValueError, r"shape \(\).*\(3,\)"),
    ({"family": GAME_CLASS}, [[0.0], [0.0, 0.0]], ValueError, "no array"),
    ({"family": GAME_CLASS}, [False, True, False], TypeError, "bool.*numbers"),
    ({"family": GAME_CLASS}, "left", TypeError, "str.*numbers"),
    ({"family": GAME_CLASS}, None, TypeError, "NoneType"),
    ({"family": GAME_CLASS}, np.zeros(3, np.complex64), TypeError, "complex64"),
    ({"family": TOY}, 3, ValueError, "action is 3.*0 to 2"),
    ({"family": TOY}, -1, ValueError, "action is -1.*0 to 2"),
    ({"family": TOY}, 1.0, TypeError, "float64.*integers"),
    ({"family": TOY}, True, TypeError, "bool.*integers"),
    ({"family": TOY}, [1], ValueError, r"shape \(1,\)"),
]


@pytest.mark.parametrize(("settings", "action", "error", "message"), BAD)
def test_a_bad_action_is_one_clear_error_and_changes_nothing(
    settings: dict[str, Any], action: Any, error: type[Exception], message: str
) -> None:
    env, control = FamilyEnv(**settings), FamilyEnv(**settings)
    good = env.action_space.sample()
    env.reset(seed=0)
    control.reset(seed=0)
    with pytest.raises(error, match=message) as caught:
        env.step(action)
    assert "\n" not in str(caught.value)
    assert data_equivalence(env.step(good), control.step(good), exact=True)


@pytest.mark.parametrize("action", [1, np.int32(1), np.uint8(1), np.array(1), np.array(1, np.int16)])
def test_integers_of_all_widths_are_choices(action: Any) -> None:
    env = FamilyEnv(TOY)
    env.reset(seed=0)
    assert env.step(action)[0]["outputs"].tolist() == [0, 1, 0]


@pytest.mark.filterwarnings("ignore:.*not in the possible render_modes")  # Gymnasium's own, before ours
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"render_mode": "smoke"}, ValueError, "smoke.*ansi"),
        ({"dims": 0}, ValueError, "dims is 0"),
        ({"dims": (3, 2)}, ValueError, "empty range"),
        ({"horizon": 0}, ValueError, "horizon is 0"),
        ({"colour": 1}, TypeError, "colour"),
    ],
)
def test_a_bad_setting_is_one_clear_error(settings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gym.make(GAME, **settings)
    with pytest.raises(error, match=message):
        gym.make_vec(GAME, num_envs=2, **settings)
