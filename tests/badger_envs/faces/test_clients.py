"""What client libraries ask of the Gymnasium and vector faces, and found missing once."""

import importlib
import json
import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeAwareObservation

import badger_envs
from badger_envs import wrappers
from badger_envs.faces.gymnasium_env import FamilyEnv
from badger_envs.faces.noise import TrialNoise
from badger_envs.faces.vector_env import FamilyVectorEnv
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from tests.badger_envs.toy_family import Toy

GAME, BANDIT = "Badger/GuessingGame-v0", "Badger/Bandit-sizes-v0"
IDS = [entry.id for entry in badger_envs.TABLE]
WRAPPED = {"flat": "FlattenSlots", "rl2": "RL2Observation"}


def same(one: Any, other: Any) -> None:
    assert data_equivalence(one, other, exact=True), f"{one}\n\n{other}"


class TestFlatObservations:
    """`observation="flat"` and `"rl2"`: the wrappers' numbers, without a wrapper."""

    @pytest.mark.parametrize("id", [GAME, BANDIT, "Badger/XOR-table-v0", "Badger/VariableIO-v0"])
    @pytest.mark.parametrize("observation", WRAPPED)
    def test_one_environment_shows_what_the_wrapper_shows(self, id: str, observation: str) -> None:
        ours = gym.make(id, observation=observation)
        theirs = getattr(wrappers, WRAPPED[observation])(gym.make(id))
        assert ours.observation_space == theirs.observation_space
        assert ours.unwrapped.parts == theirs.parts
        ours.action_space.seed(0)
        same(ours.reset(seed=1), theirs.reset(seed=1))
        for _ in range(250):
            action = ours.action_space.sample()
            one, other = ours.step(action), theirs.step(action)
            same(one, other)
            if one[2]:
                same(ours.reset(), theirs.reset())

    @pytest.mark.parametrize("family", [Toy(), Bandit(arms=(2, 3), horizon=4), GuessingGame(horizon=5)])
    @pytest.mark.parametrize("observation", WRAPPED)
    @pytest.mark.parametrize("mode", [mode.name for mode in AutoresetMode])
    def test_many_show_what_the_vector_wrapper_shows(self, family: Any, observation: str, mode: str) -> None:
        ours = FamilyVectorEnv(4, family, autoreset_mode=mode, observation=observation)
        plain = FamilyVectorEnv(4, family, autoreset_mode=mode)
        theirs = getattr(wrappers.vector, WRAPPED[observation])(plain)
        singles = [lambda: FamilyEnv(family, observation=observation)] * 4
        sync = SyncVectorEnv(singles, autoreset_mode=AutoresetMode[mode])
        assert ours.observation_space == theirs.observation_space == sync.observation_space
        ours.action_space.seed(0)
        first = ours.reset(seed=1)
        for other in (theirs, sync):
            same(first, other.reset(seed=1))
        for time in range(40):
            actions = ours.action_space.sample()
            step = ours.step(actions)
            for other in (theirs, sync):
                same(step, other.step(actions))
            mask = (np.arange(4) == 1) & (time == 7) | step[2] & (mode == "DISABLED")
            if mask.any():
                returned = ours.reset(options={"reset_mask": mask.copy()})
                for other in (theirs, sync):
                    same(returned, other.reset(options={"reset_mask": mask.copy()}))

    def test_every_id_has_flat_and_rl2_variants(self) -> None:
        for id in IDS:
            for observation in WRAPPED:
                name = badger_envs.registry.variant(id, observation)
                env, envs = gym.make(name), gym.make_vec(name, num_envs=2)
                assert env.observation_space == envs.single_observation_space
                assert isinstance(env.observation_space, gym.spaces.Box)
                assert env.reset(seed=3)[0].tobytes() == envs.reset(seed=3)[0][0].tobytes()
                assert badger_envs.family_of(name) == badger_envs.family_of(id)
        assert badger_envs.registry.variant("Badger/XOR-2-v0", "rl2") == "Badger/XOR-2-rl2-v0"

    @pytest.mark.filterwarnings(
        "ignore:.*infinity. This is probably too"
    )  # of the reward, which has no bound
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("id", [GAME, BANDIT, "Badger/HotCold-gradient-d10-v0"])
    def test_checkers_are_content_and_spaces_can_be_sampled(self, id: str, dtype: str) -> None:
        for observation in WRAPPED:
            env = gym.make(id, observation=observation, dtype=dtype)
            check_env(env.unwrapped, skip_render_check=True)
            envs = gym.make_vec(id, num_envs=3, observation=observation, dtype=dtype)
            wrapped = getattr(wrappers, WRAPPED[observation])(gym.make(id, dtype=dtype))
            for space in (env.observation_space, envs.observation_space, wrapped.observation_space):
                sample = space.sample()
                assert np.isfinite(sample).all()
                assert sample.dtype == dtype

    def test_what_stands_before_is_the_action_as_it_was_clipped(self) -> None:
        sent = np.float32([3, -0.5, -9])
        for env in (gym.make(GAME, observation="rl2"), wrappers.RL2Observation(gym.make(GAME))):
            env.reset(seed=0)
            seen, *_ = env.step(sent)
            assert seen[:3].tolist() == [1, -0.5, -1]
            assert env.observation_space.contains(seen)
        envs = wrappers.vector.RL2Observation(gym.make_vec(GAME, num_envs=2))
        envs.reset(seed=0)
        assert envs.step(np.stack([sent, sent]))[0][1, :3].tolist() == [1, -0.5, -1]

    def test_another_word_is_refused(self) -> None:
        for make in (gym.make, lambda id, **kwargs: gym.make_vec(id, num_envs=2, **kwargs)):
            with pytest.raises(ValueError, match="observation is 'box'; it must be one of dict, flat, rl2"):
                make(GAME, observation="box")


class TestActionMasks:
    """sb3-contrib asks `action_masks()`, Gymnasium's `Discrete.sample` takes int8."""

    def test_masks_are_the_slots_in_use_on_both_faces(self) -> None:
        env, envs = gym.make(BANDIT), gym.make_vec(BANDIT, num_envs=5)
        observations, infos = envs.reset(seed=0)
        masks = envs.action_masks()
        assert (masks.dtype, masks.shape) == (np.bool_, observations["output_mask"].shape)
        assert not masks.all()
        for seed in range(5):
            observation, info = env.reset(seed=seed)
            for mask in (
                env.get_wrapper_attr("action_masks")(),
                masks[seed],
                envs.call("action_masks")[seed],
            ):
                np.testing.assert_array_equal(mask, observation["output_mask"] != 0)
            assert info["action_mask"].dtype == infos["action_mask"].dtype == np.int8
            assert mask[env.action_space.sample(info["action_mask"])]

    def test_values_have_no_masks(self) -> None:
        for env in (gym.make(GAME).unwrapped, gym.make_vec(GAME, num_envs=2)):
            assert not hasattr(env, "action_masks")
            with pytest.raises(AttributeError, match="object has no attribute 'action_masks'"):
                _ = env.action_masks

    def test_maskable_ppo_trains(self) -> None:
        contrib = pytest.importorskip("sb3_contrib")
        from sb3_contrib.common.maskable.utils import is_masking_supported
        from stable_baselines3.common.env_util import make_vec_env

        envs = make_vec_env("Badger/Bandit-sizes-flat-v0", n_envs=2)
        assert is_masking_supported(envs)
        model = contrib.MaskablePPO("MlpPolicy", envs, n_steps=32, n_epochs=1, seed=0, device="cpu").learn(
            128
        )
        found = badger_envs.evaluate(model, "Badger/Bandit-sizes-flat-v0", 5)
        assert found.outcomes.shape == (5,)


class TestInfos:
    """Values are NumPy's, of dtypes and shapes that never change."""

    @pytest.mark.parametrize("id", sorted({type(badger_envs.family_of(id)): id for id in IDS}.values()))
    def test_dtypes_are_those_of_the_manual_on_all_faces(self, id: str) -> None:
        env = gym.make(id)
        family = env.unwrapped.family
        sync = gym.make_vec(id, num_envs=2, vectorization_mode="sync")
        for envs in (gym.make_vec(id, num_envs=2), sync):
            _, infos = envs.reset(seed=0)
            _, info = env.reset(seed=0)
            for key, value in info.items():
                assert infos[key].dtype == value.dtype, key
                assert infos[key].shape == (2, *value.shape)
            assert info[family.outcome].dtype == np.float64
            assert info["is_success"].dtype == info["unused_slot"].dtype == np.bool_
            assert not any(isinstance(value, bool | int) or type(value) is float for value in info.values())
        manual = " ".join((type(family).__doc__ or "").split())
        for key in family.info(*_start(family)):
            dtype = {"is_success": "bool"}.get(key, "float64")
            assert f'`info["{key}"]` ({dtype})' in manual, f"{key} is not in the manual with its dtype"


def _start(family: Any) -> tuple[Any, Any]:
    task = family.sample_task(np.zeros((1, 4), np.int64))
    return task, family.initial_state(task)


class TestWordsThatOthersRead:
    """Messages by which other libraries decide what to do."""

    @pytest.mark.parametrize("id", [GAME, "Badger/Bandit-flat-v0"])
    def test_an_unknown_keyword_is_python_s_own_words_and_what_would_do(self, id: str) -> None:
        makers = [gym.make, lambda id, **kwargs: gym.make_vec(id, num_envs=2, **kwargs)]
        makers.append(lambda id, **kwargs: badger_envs.make_batched(id, 2, **kwargs))
        for make in makers:
            with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'frameskip'.*horizon"):
                make(id, frameskip=4)
        with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'frameskip'.*horizon"):
            FamilyEnv(GuessingGame(), frameskip=4)

    def test_rendering_before_reset_says_what_to_do(self) -> None:
        bare = gym.make(GAME, render_mode="rgb_array", disable_env_checker=True).unwrapped
        for env in (bare, gym.make_vec(GAME, num_envs=2, render_mode="rgb_array")):
            with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
                env.render()
        with pytest.raises(ResetNeeded):
            gym.make(GAME, render_mode="rgb_array").render()

    def test_the_horizon_is_the_longest_episode(self) -> None:
        env = gym.make(GAME, horizon=50)
        assert env.spec.max_episode_steps == env.get_wrapper_attr("max_episode_steps") == 50
        env.reset(seed=0)
        ends = [env.step(np.zeros(3))[2:4] for _ in range(50)]
        assert ends == [(False, False)] * 49 + [(True, False)]
        aware = TimeAwareObservation(gym.make(GAME))
        seen, _ = aware.reset(seed=0)
        assert aware.observation_space.contains(seen)
        assert gym.make_vec(GAME, num_envs=2).max_episode_steps == 20
        assert gym.make_vec(GAME, num_envs=2, max_episode_steps=4).max_episode_steps == 4
        limited = gym.make(GAME, max_episode_steps=4)
        assert limited.spec.max_episode_steps == 4

    def test_the_spec_written_as_json_has_no_limit_that_is_the_horizon(self) -> None:
        env = gym.make(GAME)
        assert json.loads(env.spec.to_json())["max_episode_steps"] is None
        again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()), horizon=30)
        again.reset(seed=0)
        assert [again.step(np.zeros(3))[2:4] for _ in range(30)][-1] == (True, False)
        pickle.loads(pickle.dumps(env.spec))

    def test_reloading_registers_nothing_twice(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            importlib.reload(badger_envs)
        with pytest.warns(UserWarning, match="Overriding environment"):
            badger_envs.register("Badger/XOR-v0", "badger_envs.families.xor:XOR", bits=7)
        del gym.registry["Badger/XOR-v0"]
        importlib.reload(badger_envs)
        assert badger_envs.family_of("Badger/XOR-v0").bits == 3


class TestVectorAttributes:
    """`call`, `get_attr` and `set_attr` as Gymnasium's Sync and Async have them."""

    def test_attributes_are_as_many_as_environments(self) -> None:
        envs, sync = gym.make_vec(GAME, num_envs=3), gym.make_vec(GAME, num_envs=3, vectorization_mode="sync")
        assert envs.get_attr("family") == sync.get_attr("family") == (GuessingGame(),) * 3
        assert envs.call("max_episode_steps") == sync.call("max_episode_steps") == (20,) * 3
        for each in (envs, sync):
            each.set_attr("note", "all")
            assert each.get_attr("note") == ("all",) * 3
            each.set_attr("note", [1, 1, 1])
            assert each.get_attr("note") == (1, 1, 1)
        with pytest.raises(ValueError, match="3 equal ones, or one"):
            envs.set_attr("note", [1, 2, 3])
        with pytest.raises(AttributeError):
            envs.get_attr("nothing")
        with pytest.raises(ValueError, match="use step"):
            envs.call("step", None)

    def test_pictures_are_of_each(self) -> None:
        envs = gym.make_vec(GAME, num_envs=2, render_mode="ansi")
        envs.reset(seed=0)
        assert envs.call("render") == envs.render()

    def test_numbers_of_numpy_are_taken(self) -> None:
        assert gym.make_vec(GAME, num_envs=np.int64(4), max_episode_steps=np.int32(5)).num_envs == 4
        assert badger_envs.make_batched(GAME, np.int64(2)).batch_size == 2
        assert gym.make(GAME, shuffle_slots=np.True_).unwrapped.family.shuffle_slots is True


class TestLongTrials:
    """What is drawn ahead is bounded by numbers; and sums do not drift."""

    def test_the_next_trial_of_a_long_one_is_drawn_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn: list[int] = []
        uniform = badger_envs.keyed_random.uniform

        def counted(keys: Any, name: str, count: int, *others: Any, **more: Any) -> Any:
            drawn.append(len(keys) * count)
            return uniform(keys, name, count, *others, **more)

        monkeypatch.setattr(badger_envs.keyed_random, "uniform", counted)
        env = gym.make("Badger/Bandit-restless-v0", horizon=1_000_000)
        env.reset(seed=0)
        env.reset()
        env.step(3)
        envs = gym.make_vec("Badger/Bandit-restless-v0", num_envs=3, horizon=1_000_000)
        envs.reset(seed=0)
        torch = badger_envs.make_batched("Badger/Bandit-restless-v0", 3, horizon=1_000_000)
        torch.reset(seed=0)
        assert max(drawn) < 2**24
        assert sum(drawn[:4]) < 200_000

    def test_segments_are_the_whole(self) -> None:
        family = Bandit(kind="restless", arms=2, horizon=50)
        keys = badger_envs.keyed_random.trial_keys(range(4), 0, "train")
        whole = family.noise(keys, 50)
        for limit in (1, 40, 100, 10_000):
            together, apart = TrialNoise(family, keys, limit), TrialNoise(family, keys, limit)
            for time in range(50):
                np.testing.assert_array_equal(together.together(time), whole[:, time])
                times = np.clip(time - np.array([0, 3, 11, 40]), 0, None)
                np.testing.assert_array_equal(apart.apart(times), whole[np.arange(4), times])
        apart.replace(np.array([2]), keys[:1])
        np.testing.assert_array_equal(apart.apart(np.zeros(4, int)), whole[[0, 1, 0, 3], 0])

    @pytest.mark.parametrize("face", ["single", "vector", "torch"])
    def test_trials_longer_than_a_segment_play_as_their_keys_say(
        self, face: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in ("gymnasium_env", "vector_env", "batched"):
            monkeypatch.setattr(f"badger_envs.faces.{module}._NUMBERS", 30)
        family = Bandit(kind="restless", arms=3, horizon=40)
        keys = badger_envs.keyed_random.trial_keys([6], 1, "train")
        task = family.sample_task(keys)
        state, noise = family.initial_state(task), family.noise(keys, 40)
        for time in range(40):
            state = family.step(task, state, np.array([time % 3]), noise[:, time]).state
        expected = family.info(task, state)["total_reward"][0]
        if face == "single":
            env: Any = FamilyEnv(family)
            env.reset(seed=6)
            env.reset()
            for time in range(40):
                info = env.step(time % 3)[-1]
            assert info["total_reward"] == expected
        elif face == "vector":
            env = FamilyVectorEnv(3, family, autoreset_mode="SAME_STEP")
            env.reset(seed=4)
            env.step(np.zeros(3, int))
            env.reset(options={"reset_mask": np.array([False, False, True])})  # now at another time
            for time in range(40):
                infos = env.step(np.full(3, time % 3))[-1]
                if time == 38:
                    assert infos["_final_info"].tolist() == [True, True, False]
            assert infos["final_info"]["total_reward"][2] == expected
        else:
            torch = pytest.importorskip("torch")
            env = badger_envs.faces.batched.BatchedEnv(family, 2)
            env.reset(seed=5)
            env.reset()
            for time in range(40):
                step = env.step(torch.full((2,), time % 3))
            assert float(step.info["total_reward"][1]) == expected

    def test_sums_of_many_small_numbers_are_right(self) -> None:
        """In float32 the total would stop at 2**24, and the regret be off by 1e-4 after 100,000 pulls."""
        family = Bandit(arms=2, horizon=10**9)
        task, state = _start(family)
        gap = float(task.best[0] - task.mean[0].min())
        worst = task.mean.argmin(1)
        state = state._replace(total=state.total + 2**24, regret=state.regret + 1000 * gap)
        noise = np.zeros((1, 1), np.float32)
        for _ in range(2000):
            state = family.step(task, state, worst, noise).state
        info = family.info(task, state)
        assert info["total_reward"][0] == 2**24 + 2000
        assert info["regret"][0] == pytest.approx(3000 * gap, rel=1e-12)
