"""The PettingZoo faces: PettingZoo's own tests on every id, the trials, the channel, errors."""

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pettingzoo
import pytest

import badger_envs
import badger_envs.pettingzoo as faces
from badger_envs.guessing_game import GuessingGame
from badger_envs.pettingzoo import EnvModule, FamilyParallelEnv, module_name, parallel_env

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

IDS = [entry.id for entry in badger_envs.TABLE]
GAME = "Badger/GuessingGame-v0"


@pytest.fixture(params=IDS)
def module(request: pytest.FixtureRequest) -> EnvModule:
    return getattr(faces, module_name(request.param))


def acts(env: FamilyParallelEnv, writing: Any = 0.0, message: Any = 0.0) -> dict[str, np.ndarray]:
    """Actions of all experts: writing, a number or [E]; message, a number or [E] or [E, M]."""
    actions = np.zeros((env.num_agents, 1 + env.action_slices["message"].stop - 1), np.float32)
    actions[:, 0] = writing
    message = np.asarray(message, np.float32)
    actions[:, 1:] = message[:, None] if message.ndim == 1 else message
    return dict(zip(env.agents, actions, strict=True))


def part(env: FamilyParallelEnv, observations: dict[str, np.ndarray], name: str) -> np.ndarray:
    """One part of the observations of all experts, [E, numbers]."""
    return np.stack([observations[agent][env.observation_slices[name]] for agent in env.possible_agents])


def sampled(env: FamilyParallelEnv) -> dict[str, np.ndarray]:
    return {agent: env.action_space(agent).sample() for agent in env.agents}


def play(env: FamilyParallelEnv, seed: int | None, draw: Callable[[], float] = lambda: 0.0) -> list[Any]:
    """A whole trial of actions drawn afresh: everything that it returned."""
    rng = np.random.default_rng(7)
    out: list[Any] = [env.reset(seed=seed)]
    while env.agents:
        writings = rng.uniform(-1, 1, env.num_agents)
        out.append(env.step(acts(env, writings, rng.uniform(-1, 1, env.num_agents))))
    return out


def same(left: Any, right: Any) -> bool:
    return gym.utils.env_checker.data_equivalence(left, right, exact=True)


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
        {"symbols": 3, "topology": "ring", "inbox": "each"},
        {"message_size": 0},
        {"message_size": 2, "message_noise": 0.5, "message_dropout": 0.5, "message_delay": 3},
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
        ours, theirs = module.parallel_env(topology="ring", message_noise=0.3), gym.make(module.id)
        outputs = ours.family.slots.outputs
        rng = np.random.default_rng(1)
        for seed in (5, None):  # the seeded trial, and the next one
            observations, infos = ours.reset(seed=seed)
            expected, info = theirs.reset(seed=seed)
            while ours.agents:
                for name, vector in expected.items():
                    rows = vector.reshape(
                        {"feedback": 1, "flags": 1}.get(
                            name, ours.family.slots.inputs if "input" in name else outputs
                        ),
                        -1,
                    )
                    seen = part(ours, observations, name)
                    np.testing.assert_array_equal(seen[: len(rows)] if len(rows) > 1 else seen[:1], rows)
                info.pop("action_mask", None)
                assert all(infos[agent] == info for agent in ours.agents)
                writing = rng.uniform(-1, 1, len(ours.agents)).astype(ours.family.dtype)
                message = rng.uniform(-1, 1, (len(ours.agents), 4))
                observations, rewards, ended, _, infos = ours.step(acts(ours, writing, message))
                chosen = writing[:outputs]
                action = chosen.argmax() if ours.family.action_kind == "categorical" else chosen
                expected, reward, terminated, _, info = theirs.step(action)
                assert set(rewards.values()) == {reward}
                assert set(ended.values()) == {terminated}

    def test_the_seed_fixes_every_step_and_every_trial(self, module: EnvModule) -> None:
        settings = {"message_noise": 0.5, "message_dropout": 0.5}
        one, two = module.parallel_env(**settings), module.parallel_env(**settings)
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
            {"message_noise": 1.0, "message_dropout": 0.5},
            {"message_size": 0},
            {"symbols": 5, "inbox": "each"},
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

    def test_a_score_is_a_choice_and_ties_go_to_the_lowest(self) -> None:
        ids = [id for id in IDS if badger_envs.family_of(id).action_kind == "categorical"]
        for id in ids:
            env = parallel_env(id)
            for scores, choice in (([0.1, 0.9, 0.9], 1), ([0.0, 0.0, 0.0], 0), ([-1, -0.5, -0.2], 2)):
                env.reset(seed=0)
                writing = np.full(env.num_agents, min(scores))
                writing[:3] = scores
                observations, *_ = env.step(acts(env, writing))
                assert part(env, observations, "outputs")[:, 0].argmax() == choice

    def test_slots_belong_to_experts(self) -> None:
        env = parallel_env(GAME, experts=5)
        observations, _ = env.reset(seed=0)
        np.testing.assert_array_equal(part(env, observations, "inputs")[:, 0], [1, 0, 0, 0, 0])
        np.testing.assert_array_equal(part(env, observations, "input_mask")[:, 0], [1, 0, 0, 0, 0])
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


class TestChannel:
    """What is sent, and what is heard when."""

    @pytest.mark.parametrize("delay", [1, 2, 5])
    def test_a_message_arrives_after_the_delay(self, delay: int) -> None:
        env = parallel_env(GAME, dims=2, message_size=1, message_delay=delay)
        observations, _ = env.reset(seed=0)
        for time in range(20):
            sent = 0.0 if time < delay else (time - delay + 1) / 20
            np.testing.assert_allclose(part(env, observations, "inbox")[:, 0], [-sent, sent])
            observations, *_ = env.step(acts(env, 0, [(time + 1) / 20, -(time + 1) / 20]))
        observations, _ = env.reset()
        assert not part(env, observations, "inbox").any(), "messages of the last trial are gone"
        observations, *_ = env.step(acts(env, 0, 0))
        assert not part(env, observations, "inbox").any()

    def test_ring_hears_its_neighbours(self) -> None:
        env = parallel_env(GAME, dims=5, message_size=1, topology="ring")
        env.reset(seed=0)
        sent = np.array([0.1, 0.2, 0.4, 0.8, -0.6])
        observations, *_ = env.step(acts(env, 0, sent))
        expected = (np.roll(sent, 1) + np.roll(sent, -1)) / 2
        np.testing.assert_allclose(part(env, observations, "inbox")[:, 0], expected, atol=1e-6)

    def test_a_matrix_says_who_hears_whom(self) -> None:
        edges = [[0, 0, 1], [0, 0, 0], [1, 1, 1]]
        sent = np.array([[0.1, -0.1], [0.2, -0.2], [0.4, -0.4]])
        env = parallel_env(GAME, message_size=2, topology=edges, inbox="each")
        env.reset(seed=0)
        observations, *_ = env.step(acts(env, 0, sent))
        heard = part(env, observations, "inbox").reshape(3, 3, 2)
        np.testing.assert_allclose(heard, np.array(edges)[:, :, None] * sent, atol=1e-6)
        env = parallel_env(GAME, message_size=2, topology=edges)
        env.reset(seed=0)
        observations, *_ = env.step(acts(env, 0, sent))
        np.testing.assert_allclose(
            part(env, observations, "inbox"), [sent[2], [0, 0], sent.mean(0)], atol=1e-6
        )

    def test_without_neighbours_the_inbox_is_zeros(self) -> None:
        env = parallel_env(GAME, topology="none", message_noise=1.0)
        for step in play(env, 0):
            assert not part(env, step[0], "inbox").any()

    def test_self_hears_only_itself(self) -> None:
        env = parallel_env(GAME, topology="self", message_size=1)
        env.reset(seed=0)
        observations, *_ = env.step(acts(env, 0, [0.1, 0.2, 0.3]))
        np.testing.assert_allclose(part(env, observations, "inbox")[:, 0], [0.1, 0.2, 0.3])

    def test_symbols_are_heard_as_one_hot_and_ties_go_to_the_lowest(self) -> None:
        env = parallel_env(GAME, dims=2, symbols=3)
        env.reset(seed=0)
        observations, *_ = env.step(acts(env, 0, np.array([[-0.5, -0.4, -0.9], [0.7, 0.2, 0.7]])))
        np.testing.assert_array_equal(part(env, observations, "inbox"), [[1, 0, 0], [0, 1, 0]])

    def test_no_messages(self) -> None:
        env = parallel_env(GAME, message_size=0)
        assert env.action_space("expert_0").shape == (1,)
        out = play(env, 0)
        assert part(env, out[-1][0], "inbox").shape == (3, 0)

    def heard(self, seeds: int, **settings: Any) -> np.ndarray:
        """Everything heard of the constant message 0.5: [trials, steps, E, E, M]."""
        env = parallel_env(GAME, inbox="each", **settings)
        rows = []
        for seed in range(seeds):
            env.reset(seed=seed)
            while env.agents:
                rows.append(part(env, env.step(acts(env, 0, 0.5))[0], "inbox"))
        experts = len(env.possible_agents)
        return np.reshape(rows, (seeds, 20, experts, experts, -1))

    def test_dropout_loses_messages_whole_at_its_rate(self) -> None:
        heard = self.heard(20, message_dropout=0.3, message_size=3)[..., ~np.eye(3, dtype=bool), :]
        assert np.isin(heard, (0, 0.5)).all()
        lost = (heard == 0).all(-1)
        assert (lost == (heard == 0).any(-1)).all()
        n = lost.size  # 20 * 20 * 6
        assert abs(lost.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / n)
        assert 0.05 < lost.all(-1).mean() * 1000 < 10, "edges are lost one by one: 0.3 ** 6 of the time all"

    def test_dropout_of_one_loses_all_and_of_a_mean_leaves_the_rest(self) -> None:
        assert not self.heard(1, message_dropout=1.0).any()
        env = parallel_env(GAME, message_dropout=0.5, message_size=1)
        seen = np.concatenate([part(env, step[0], "inbox") for step in self.constant(env)[1:]])
        np.testing.assert_array_equal(np.unique(seen), [0, 0.5])

    def constant(self, env: FamilyParallelEnv) -> list[Any]:
        out: list[Any] = [env.reset(seed=0)]
        while env.agents:
            out.append(env.step(acts(env, 0, 0.5)))
        return out

    def test_noise_has_its_spread_and_is_drawn_afresh_for_each_edge_and_number(self) -> None:
        off = ~np.eye(3, dtype=bool)
        heard = self.heard(20, message_noise=0.2, message_size=2)
        assert not heard[..., ~off, :].any()
        noise = (heard[..., off, :] - 0.5).reshape(400, -1)  # [steps, edges * M]
        assert abs(noise.mean()) < 4 * 0.2 / np.sqrt(noise.size)
        assert abs(noise.std() / 0.2 - 1) < 4 / np.sqrt(2 * noise.size)
        correlation = np.corrcoef(noise.T) - np.eye(noise.shape[1])
        assert np.abs(correlation).max() < 5 / np.sqrt(400)
        assert np.abs(np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]) < 4 / np.sqrt(noise.size)

    def test_noise_is_paired_between_settings(self) -> None:
        plain = self.heard(2, message_noise=0.2)
        ring = self.heard(2, message_noise=0.2, topology=[[0, 1, 0], [0, 0, 0], [1, 0, 0]])
        edges = ring != 0
        assert edges.any()
        np.testing.assert_array_equal(ring[edges], plain[edges])
        late = self.heard(2, message_noise=0.2, message_delay=3)
        np.testing.assert_array_equal(late[:, 2:], plain[:, :-2])
        lossy = self.heard(2, message_noise=0.2, message_dropout=0.4)
        np.testing.assert_array_equal(lossy[lossy != 0], plain[lossy != 0])

    def test_no_inbox_leaves_its_bounds_however_large_the_noise(self) -> None:
        for settings in ({"message_noise": 3.0}, {"message_noise": 3.0, "symbols": 2, "inbox": "each"}):
            env = parallel_env(GAME, dims=6, **settings)
            for seed in range(5):
                for step in play(env, seed):
                    assert all(env.observation_space(agent).contains(seen) for agent, seen in step[0].items())
                    assert env.state_space.contains(env.state())


class TestErrors:
    """Bad input: one clear error, and nothing changed."""

    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            ({"topology": "tours"}, ValueError, "all, none, self, ring"),
            ({"topology": [[0, 1], [1, 0]]}, ValueError, r"shape \(3, 3\)"),
            ({"message_size": -1}, ValueError, "message_size"),
            ({"message_size": 1.5}, TypeError, "message_size"),
            ({"message_size": 2, "symbols": 2}, ValueError, "both"),
            ({"symbols": 1}, ValueError, "symbols"),
            ({"message_noise": -0.1}, ValueError, "message_noise"),
            ({"message_noise": float("nan")}, ValueError, "message_noise"),
            ({"message_noise": float("inf")}, ValueError, "message_noise"),
            ({"message_noise": "much"}, TypeError, "message_noise"),
            ({"message_dropout": 1.1}, ValueError, "from 0 to 1"),
            ({"message_delay": 0}, ValueError, "message_delay"),
            ({"inbox": "sum"}, ValueError, "'mean' or 'each'"),
            ({"feedback_to": "two"}, ValueError, "'all' or 'one'"),
            ({"experts": 2}, ValueError, "experts is 2; it must be at least 3"),
            ({"max_cycles": 0}, ValueError, "max_cycles"),
            ({"render_mode": "oil"}, ValueError, "render_mode"),
            ({"dims": 0}, ValueError, "dims"),
            ({"colour": 1}, TypeError, "colour"),
        ],
    )
    def test_settings(self, settings: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            parallel_env(GAME, **settings)

    @pytest.mark.parametrize(
        ("bad", "error", "message"),
        [
            (np.full(5, np.nan, np.float32), ValueError, "expert_1.*finite"),
            (np.full(5, np.inf, np.float32), ValueError, "expert_1.*finite"),
            (np.full(5, 1.01, np.float32), ValueError, "expert_1.*1.01"),
            (np.zeros(4, np.float32), ValueError, r"expert_1.*shape \(4,\)"),
            (np.zeros(5, np.int64), TypeError, "expert_1.*int64"),
            (None, TypeError, "expert_1"),
            ("up", TypeError, "expert_1"),
        ],
    )
    def test_an_action_outside_the_space(self, bad: Any, error: type[Exception], message: str) -> None:
        env, untouched = parallel_env(GAME, message_noise=0.1), parallel_env(GAME, message_noise=0.1)
        env.reset(seed=0)
        untouched.reset(seed=0)
        with pytest.raises(error, match=message):
            env.step({**acts(env), "expert_1": bad})
        assert same(env.step(acts(env, 0.5, 0.5)), untouched.step(acts(untouched, 0.5, 0.5)))
        aec, other = faces.env(GAME), faces.env(GAME)
        for each in (aec, other):
            each.reset(seed=0)
            each.step(np.zeros(5, np.float32))
        with pytest.raises(error, match=message):
            aec.step(bad)
        for each in (aec, other):
            assert each.agent_selection == "expert_1"
            each.step(np.ones(5, np.float32))
            each.step(np.ones(5, np.float32))
        assert same(aec.last(), other.last())

    def test_agents_that_are_missing_or_unknown(self) -> None:
        env = parallel_env(GAME)
        env.reset(seed=0)
        actions = acts(env)
        with pytest.raises(ValueError, match="name 'expert_3'.*expert_0, expert_1, expert_2"):
            env.step({**actions, "expert_3": actions["expert_0"]})
        with pytest.raises(ValueError, match="lack 'expert_1'"):
            env.step({"expert_0": actions["expert_0"], "expert_2": actions["expert_2"]})
        with pytest.raises(TypeError, match="dict"):
            env.step(list(actions.values()))  # type: ignore[arg-type]
        env.step(actions)

    def test_no_step_before_reset_or_after_the_end(self) -> None:
        env = parallel_env(GAME, max_cycles=2)
        actions = dict.fromkeys(env.possible_agents, np.zeros(5, np.float32))
        with pytest.raises(gym.error.ResetNeeded):
            env.step(actions)
        with pytest.raises(gym.error.ResetNeeded):
            env.state()
        env.reset(seed=0)
        env.step(actions)
        env.step(actions)
        assert env.agents == []
        with pytest.raises(gym.error.ResetNeeded):
            env.step(actions)

    def test_no_step_before_reset_or_after_the_end_of_agents_in_turn(self) -> None:
        env = faces.env(GAME, max_cycles=1)
        with pytest.raises(AssertionError, match="reset"):  # PettingZoo's own
            env.step(np.zeros(5, np.float32))
        env.reset(seed=0)
        for _ in range(3):
            env.step(np.zeros(5, np.float32))
        with pytest.raises(ValueError, match="expert_0 has ended"):
            env.step(np.zeros(5, np.float32))
        for _ in range(3):
            env.step(None)
        for each in (env, env.env):
            with pytest.raises(gym.error.ResetNeeded):
                each.step(None)

    def test_an_unknown_id_or_name(self) -> None:
        with pytest.raises(gym.error.Error):
            parallel_env("Badger/GessingGame-v0")
        with pytest.raises(AttributeError, match="guessing_game_v0"):
            _ = faces.gessing_game_v0


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

    def test_pickling_in_mid_trial(self, module: EnvModule) -> None:
        env = module.parallel_env(message_noise=0.1, message_delay=2)
        env.reset(seed=0)
        env.step(sampled(env))
        copy = pickle.loads(pickle.dumps(env))
        actions = sampled(env)
        assert same(env.step(actions), copy.step(actions))
        constructor = pickle.loads(pickle.dumps(module.parallel_env))
        assert same(constructor().reset(seed=0), module.parallel_env().reset(seed=0))

    def test_a_family_of_someone_else(self) -> None:
        badger_envs.register("Toys/OtherGame-v3", "badger_envs.guessing_game:GuessingGame", dims=2)
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

    def test_spaces_are_the_same_objects_and_alike_for_all(self, module: EnvModule) -> None:
        env = module.parallel_env()
        first = env.possible_agents[0]
        for agent in env.possible_agents:
            assert env.observation_space(agent) is env.observation_space(agent)
            assert env.action_space(agent) is env.action_space(agent)
            assert env.observation_space(agent) == env.observation_space(first)
            assert env.action_space(agent) == env.action_space(first)
        ends = [piece.stop for piece in env.observation_slices.values()]
        assert [piece.start for piece in env.observation_slices.values()] == [0, *ends[:-1]]
        assert ends[-1] == env.observation_space(first).shape[0]
