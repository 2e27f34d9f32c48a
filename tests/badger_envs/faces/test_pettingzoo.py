"""The PettingZoo faces: PettingZoo's own tests on every id, trials, names."""

import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pettingzoo
import pytest

import badger_envs
import badger_envs.faces.pettingzoo as faces
from badger_envs.faces.gymnasium_env import FamilyEnv
from badger_envs.faces.pettingzoo import EnvModule, FamilyParallelEnv, module_name, parallel_env
from badger_envs.families.guessing_game import GuessingGame
from tests.badger_envs.experts import GAME, acts, part, play, same, sampled
from tests.badger_envs.ids import FAMILIES, QUICK_AND_SLOW
from tests.badger_envs.toy_family import TOY, Toy

with warnings.catch_warnings():  # its example environments are imported in a way that it deprecates
    warnings.filterwarnings("ignore", "The old environment creation API", DeprecationWarning)
    from pettingzoo.test import (
        api_test,
        max_cycles_test,
        parallel_api_test,
        parallel_seed_test,
        render_test,
        seed_test,
    )
    from pettingzoo.test.state_test import state_test

CATEGORICAL = [id for id in FAMILIES if badger_envs.family_of(id).action_kind == "categorical"]


@pytest.fixture(params=QUICK_AND_SLOW)
def module(request: pytest.FixtureRequest) -> EnvModule:
    return getattr(faces, module_name(request.param))


@pytest.fixture(params=FAMILIES)
def one_per_family(request: pytest.FixtureRequest) -> EnvModule:
    return getattr(faces, module_name(request.param))


class TestPettingZooTests:
    """PettingZoo's own tests, on every registered id."""

    def test_parallel_api(self, module: EnvModule) -> None:
        parallel_api_test(module.parallel_env(), num_cycles=50)

    def test_parallel_seed(self, module: EnvModule) -> None:
        parallel_seed_test(module.parallel_env)

    def test_api(self, module: EnvModule) -> None:
        api_test(module.env(), num_cycles=50)

    def test_seed(self, module: EnvModule) -> None:
        seed_test(module.env)

    def test_max_cycles(self, module: EnvModule) -> None:
        max_cycles_test(module)

    def test_render(self, module: EnvModule) -> None:
        render_test(module.env)

    def test_state(self, module: EnvModule) -> None:
        state_test(module.env(), module.parallel_env())


@pytest.mark.parametrize(
    "settings",
    [
        {"channel": {"vocabulary": 3}, "topology": "ring", "inbox": "each"},
        {"message_size": 0},
        {"message_size": 2, "channel": {"noise": 0.5, "dropout": 0.5, "delay": 2}},
        {"experts": 5, "feedback_to": "one", "topology": "self"},
        {"dims": 1},
        {"dims": (1, 3), "shuffle_slots": True, "dtype": "float64"},
    ],
    ids=str,
)
def test_settings_pass_pettingzoos_tests(settings: dict[str, Any]) -> None:
    parallel_api_test(parallel_env(GAME, **settings), num_cycles=50)
    api_test(faces.env(GAME, **settings), num_cycles=50)
    parallel_seed_test(lambda: parallel_env(GAME, **settings))
    state_test(faces.env(GAME, **settings), parallel_env(GAME, **settings))


class TestTrials:
    """The same trials as on the Gymnasium face."""

    def test_the_same_trial_as_gymnasium(self, module: EnvModule) -> None:
        ours = module.parallel_env(topology="ring", channel={"noise": 0.3})
        self.compare(ours, gym.make(module.id))

    def test_a_family_with_every_part_and_trials_that_end_early(self) -> None:
        self.compare(parallel_env(Toy()), FamilyEnv(TOY))
        api_test(faces.env(Toy()), num_cycles=50)
        parallel_api_test(parallel_env(Toy()), num_cycles=50)

    def compare(self, ours: FamilyParallelEnv, theirs: gym.Env[dict[str, np.ndarray], Any]) -> None:
        """Play the same writings on both, for two trials, and compare all that is seen."""
        slots = ours.family.slots
        rng = np.random.default_rng(1)
        for seed in (5, None):  # the seeded trial, and the next one
            observations, infos = ours.reset(seed=seed)
            expected, info = theirs.reset(seed=seed)
            while ours.agents:
                assert [*expected, "inbox"] == [*ours.observation_slices]
                for name, vector in expected.items():
                    seen = part(ours, observations, name)
                    if name in ("feedback", "flags"):
                        assert (seen == vector).all()
                        continue
                    count = slots.inputs if "input" in name else slots.outputs
                    if "input" in name and (vector == 1).all() and ours.family.bounds.inputs == (0, 1):
                        assert (seen == 1).all()  # the constant input, which all see
                        continue
                    np.testing.assert_array_equal(seen[:count], vector.reshape(count, -1))
                    assert not seen[count:].any()
                info.pop("action_mask", None)
                assert all(infos[agent] == info for agent in ours.agents)
                writing = rng.uniform(-1, 1, len(ours.agents)).astype(ours.family.dtype)
                message = rng.uniform(-1, 1, (len(ours.agents), 4))
                observations, rewards, ended, _, infos = ours.step(acts(ours, writing, message))
                chosen = writing[: slots.outputs]
                action = chosen.argmax() if ours.family.action_kind == "categorical" else chosen
                expected, reward, terminated, _, info = theirs.step(action)
                assert set(rewards.values()) == {reward}
                assert set(ended.values()) == {terminated}

    def test_the_seed_fixes_every_step_and_every_trial(self, one_per_family: EnvModule) -> None:
        settings = {"channel": {"noise": 0.5, "dropout": 0.5}}
        one, two = one_per_family.parallel_env(**settings), one_per_family.parallel_env(**settings)
        first = play(one, 3)
        two.reset(seed=99)
        two.step(acts(two, 0.5, 0.5))  # what was before does not matter
        assert same(first, play(two, 3))
        following = play(one, None)
        assert same(following, play(two, None))
        assert not same(first, following)
        assert same(first, play(one, 3))
        assert not same(first, play(one, 4))

    def test_the_channel_changes_nothing_in_the_task(self) -> None:
        plain = play(parallel_env(GAME), 0)
        for settings in (
            {"topology": "none"},
            {"channel": {"noise": 1.0, "dropout": 0.5}},
            {"message_size": 0},
            {"channel": {"vocabulary": 5}, "inbox": "each"},
        ):
            other = play(parallel_env(GAME, **settings), 0)
            assert [step[1] for step in other[1:]] == [step[1] for step in plain[1:]]

    def test_max_cycles_truncates_and_the_end_of_a_trial_terminates(self) -> None:
        for limit, steps, truncated in ((3, 3, True), (20, 20, False), (30, 20, False)):
            out = play(parallel_env(GAME, max_cycles=limit), 0)
            assert len(out) == 1 + steps
            assert set(out[-1][3].values()) == {truncated}
            assert set(out[-1][2].values()) == {not truncated}
            assert not any(step[2]["expert_0"] or step[3]["expert_0"] for step in out[1:-1])

    @pytest.mark.parametrize("id", CATEGORICAL)
    @pytest.mark.parametrize(
        ("scores", "choice"), [((0.1, 0.9, 0.9), 1), ((0, 0, 0), 0), ((-1, -0.5, -0.2), 2)]
    )
    def test_a_score_is_a_choice_and_ties_go_to_the_lowest(
        self, id: str, scores: tuple[float, ...], choice: int
    ) -> None:
        env = parallel_env(id)
        env.reset(seed=0)
        writing = np.full(env.num_agents, float(min(scores)))
        writing[:3] = scores
        observations, *_ = env.step(acts(env, writing))
        np.testing.assert_array_equal(
            part(env, observations, "outputs")[:, 0], np.arange(env.num_agents) == choice
        )

    def test_slots_belong_to_experts(self) -> None:
        env = parallel_env(GAME, experts=5)
        observations, _ = env.reset(seed=0)
        np.testing.assert_array_equal(part(env, observations, "output_mask")[:, 0], [1, 1, 1, 0, 0])
        writing = np.array([0.1, -0.2, 0.3, 0.4, -0.5], np.float32)
        observations, rewards, *_ = env.step(acts(env, writing))
        np.testing.assert_array_equal(part(env, observations, "outputs")[:, 0], [*writing[:3], 0, 0])
        env.reset(seed=0)
        assert env.step(acts(env, [*writing[:3], 1, 1]))[1] == rewards

    def test_slots_of_experts_not_in_use(self) -> None:
        env = parallel_env(GAME, dims=(1, 3))
        counts = set()
        for seed in range(10):
            observations, _ = env.reset(seed=seed)
            mask = part(env, observations, "output_mask")[:, 0]
            observations, *_, infos = env.step(acts(env, 0.5))
            np.testing.assert_array_equal(part(env, observations, "outputs")[:, 0], 0.5 * mask)
            assert infos["expert_0"]["unused_slot"] == (0 in mask)
            counts.add(mask.sum())
        assert len(counts) > 1

    def test_feedback_to_one(self) -> None:
        env, all_hear = parallel_env(GAME, feedback_to="one"), parallel_env(GAME)
        for left, right in zip(play(env, 0), play(all_hear, 0), strict=True):
            heard, expected = part(env, left[0], "feedback"), part(all_hear, right[0], "feedback")
            assert (expected == expected[0]).all()
            assert expected[0] > 0
            assert heard[0] == expected[0]
            assert not heard[1:].any()

    def test_state_is_what_all_see_and_hear(self) -> None:
        env = parallel_env(GAME, feedback_to="one", message_size=2)
        env.reset(seed=0)
        observations, *_ = env.step(acts(env, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]))
        state = env.state()
        np.testing.assert_array_equal(state[-6:], part(env, observations, "inbox").reshape(-1))
        for name in ("outputs", "feedback"):
            values = (
                part(env, observations, name)[:1] if name == "feedback" else part(env, observations, name)
            )
            assert np.isin(values, state).all()


class TestModules:
    """Names, registries, pickles."""

    def test_names(self) -> None:
        names = {
            "Badger/GuessingGame-v0": "guessing_game_v0",
            "Badger/GuessingGame-d3-v0": "guessing_game_d3_v0",
            "Badger/XOR-4-v0": "xor_4_v0",
            "Badger/VariableIO-v0": "variable_io_v0",
            "pack:Toys/HotCold-v12": "hot_cold_v12",
        }
        assert {id: module_name(id) for id in names} == names

    def test_every_id_is_in_pettingzoos_registry(self, module: EnvModule) -> None:
        env = pettingzoo.make("parallel", module.id, max_cycles=2, topology="ring")
        assert isinstance(env.unwrapped, FamilyParallelEnv)
        assert same(play(env, 0), play(module.parallel_env(max_cycles=2, topology="ring"), 0))
        assert str(pettingzoo.make("aec", module.id)) == module_name(module.id)
        assert isinstance(pettingzoo.spec("parallel", module.id).entry_point, str)

    def test_importing_twice_registers_once(self) -> None:
        faces.register(GAME)  # PettingZoo warns of an id registered twice, and warnings are errors

    def test_pickling_in_mid_trial(self, one_per_family: EnvModule) -> None:
        env = one_per_family.parallel_env(channel={"noise": 0.1, "delay": 1})
        env.reset(seed=0)
        env.step(sampled(env))
        copy = pickle.loads(pickle.dumps(env))
        actions = sampled(env)
        assert same(env.step(actions), copy.step(actions))
        constructor = pickle.loads(pickle.dumps(one_per_family.parallel_env))
        assert same(constructor().reset(seed=0), one_per_family.parallel_env().reset(seed=0))

    def test_a_family_of_someone_else(self) -> None:
        badger_envs.register("Toys/OtherGame-v3", "badger_envs.families.guessing_game:GuessingGame", dims=2)
        try:
            env = faces.other_game_v3.parallel_env(horizon=4)
            assert env.possible_agents == ["expert_0", "expert_1"]
            assert env.family.horizon == 4
            assert same(play(env, 0), play(parallel_env(GuessingGame(dims=2, horizon=4)), 0))
            assert "other_game_v3" in dir(faces)
        finally:
            del gym.registry["Toys/OtherGame-v3"]

    def test_nothing_returned_shares_memory(self) -> None:
        env = parallel_env(GAME, dims=2)
        vectors = [seen for step in play(env, 0) for seen in step[0].values()]
        states = [env.state(), env.state()]
        kept = [vector.copy() for vector in vectors]
        for vector in (*vectors, *states):
            vector[:] = 9
        assert same([seen for step in play(env, 0) for seen in step[0].values()], kept)
        assert not any(np.shares_memory(a, b) for i, a in enumerate(vectors) for b in vectors[:i])

    def test_spaces_are_the_same_objects_and_alike_for_all(self, one_per_family: EnvModule) -> None:
        env = one_per_family.parallel_env()
        first = env.possible_agents[0]
        for agent in env.possible_agents:
            assert env.observation_space(agent) is env.observation_space(agent)
            assert env.action_space(agent) is env.action_space(agent)
            assert env.observation_space(agent) == env.observation_space(first)
            assert env.action_space(agent) == env.action_space(first)
        ends = [piece.stop for piece in env.observation_slices.values()]
        assert [piece.start for piece in env.observation_slices.values()] == [0, *ends[:-1]]
        assert ends[-1] == env.observation_space(first).shape[0]
