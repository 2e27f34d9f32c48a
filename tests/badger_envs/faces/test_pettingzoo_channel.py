"""The channel of the PettingZoo faces: what is heard when; and the example that trains through it."""

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from badger_envs import keyed_random
from badger_envs.faces.pettingzoo import FamilyParallelEnv, parallel_env
from badger_envs.faces.pettingzoo.channel import Channel, ChannelSettings
from badger_envs.topology import adjacency
from tests.badger_envs.experts import GAME, acts, part, play


class TestChannel:
    """What is sent, and what is heard when."""

    @pytest.mark.parametrize("delay", [0, 1, 4])
    def test_a_message_arrives_after_the_delay(self, delay: int) -> None:
        env = parallel_env(GAME, dims=2, message_size=1, channel={"delay": delay})
        observations, _ = env.reset(seed=0)
        for time in range(20):
            sent = (time - delay) / 20 if time > delay else 0.0
            np.testing.assert_allclose(part(env, observations, "inbox")[:, 0], [-sent, sent])
            observations, *_ = env.step(acts(env, 0, [(time + 1) / 20, -(time + 1) / 20]))
        observations, _ = env.reset()
        assert not part(env, observations, "inbox").any(), "messages of the last trial are gone"
        observations, *_ = env.step(acts(env, 0, 0))
        assert not part(env, observations, "inbox").any()

    def test_the_channel_s_words_are_those_of_the_agents(self) -> None:
        """`vocabulary`, `bits`, `noise`, `dropout`, `delay`: the same names and the same neutral values."""
        channel = pytest.importorskip("badger_agents.badger.channel.channel")
        theirs = channel.ChannelSettings.model_fields
        ours = {field.name: field.default for field in dataclasses.fields(ChannelSettings)}
        assert ours == {name: theirs[name].default for name in ours}

    def test_ring_hears_its_neighbours(self) -> None:
        env = parallel_env(GAME, dims=5, message_size=1, topology="ring")
        env.reset(seed=0)
        sent = np.array([0.1, 0.2, 0.4, 0.8, -0.6])
        observations, *_ = env.step(acts(env, 0, sent))
        expected = (np.roll(sent, 1) + np.roll(sent, -1)) / 2
        np.testing.assert_allclose(part(env, observations, "inbox")[:, 0], expected, atol=1e-6)

    @pytest.mark.parametrize("topology", ["grid", "layered", "random:degree=2", "small-world:seed=1"])
    def test_every_topology_of_agents_is_one_of_experts(self, topology: str) -> None:
        sent = np.linspace(-0.5, 0.5, 5)
        env = parallel_env(GAME, dims=5, message_size=1, topology=topology, inbox="each")
        env.reset(seed=0)
        observations, *_ = env.step(acts(env, 0, sent))
        heard = part(env, observations, "inbox").reshape(5, 5)
        np.testing.assert_allclose(heard, adjacency(topology, 5) * sent, atol=1e-6)

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
        env = parallel_env(GAME, topology="none", channel={"noise": 1.0})
        for step in play(env, 0):
            assert not part(env, step[0], "inbox").any()

    def test_self_hears_only_itself(self) -> None:
        env = parallel_env(GAME, topology="self", message_size=1)
        env.reset(seed=0)
        observations, *_ = env.step(acts(env, 0, [0.1, 0.2, 0.3]))
        np.testing.assert_allclose(part(env, observations, "inbox")[:, 0], [0.1, 0.2, 0.3])

    def test_symbols_are_heard_as_one_hot_and_ties_go_to_the_lowest(self) -> None:
        env = parallel_env(GAME, dims=2, channel={"vocabulary": 3})
        env.reset(seed=0)
        observations, *_ = env.step(acts(env, 0, np.array([[-0.5, -0.4, -0.9], [0.7, 0.2, 0.7]])))
        np.testing.assert_array_equal(part(env, observations, "inbox"), [[1, 0, 0], [0, 1, 0]])

    def test_a_message_may_be_several_symbols(self) -> None:
        env = parallel_env(GAME, dims=2, channel={"vocabulary": 2}, message_size=6)
        env.reset(seed=0)
        sent = np.array([[0.1, 0.2, 0.3, 0.2, 0.0, 0.1], [-1, -0.9, 0, 0, 1, 0.5]])
        observations, *_ = env.step(acts(env, 0, sent))
        heard = part(env, observations, "inbox")
        np.testing.assert_array_equal(heard, [[0, 1, 1, 0, 1, 0], [0, 1, 1, 0, 0, 1]])

    @pytest.mark.parametrize(("bits", "levels"), [(1, [-1, 1]), (2, [-1, -1 / 3, 1 / 3, 1])])
    def test_bits_are_the_nearest_of_their_levels(self, bits: int, levels: list[float]) -> None:
        env = parallel_env(GAME, dims=2, channel={"bits": bits}, message_size=50)
        env.reset(seed=0)
        sent = np.random.default_rng(0).uniform(-1, 1, (2, 50))
        observations, *_ = env.step(acts(env, 0, sent))
        nearest = np.abs(sent[::-1, :, None] - levels).argmin(-1)
        np.testing.assert_allclose(part(env, observations, "inbox"), np.array(levels)[nearest], atol=1e-6)

    def test_no_messages(self) -> None:
        env = parallel_env(GAME, message_size=0, channel={"noise": 0.1, "dropout": 0.1})
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
        heard = self.heard(20, channel={"dropout": 0.3}, message_size=3)[..., ~np.eye(3, dtype=bool), :]
        assert np.isin(heard, (0, 0.5)).all()
        lost = (heard == 0).all(-1)
        assert (lost == (heard == 0).any(-1)).all()
        n = lost.size  # 20 * 20 * 6
        assert abs(lost.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / n)
        together = np.corrcoef(lost.reshape(-1, 6).T) - np.eye(6)
        assert np.abs(together).max() < 5 / np.sqrt(n / 6), "edges are lost one by one"

    def test_dropout_of_one_loses_all_and_of_a_mean_leaves_the_rest(self) -> None:
        assert not self.heard(1, channel={"dropout": 1.0}).any()
        env = parallel_env(GAME, channel={"dropout": 0.5}, message_size=1)
        seen = np.concatenate([part(env, step[0], "inbox") for step in self.constant(env)[1:]])
        np.testing.assert_array_equal(np.unique(seen), [0, 0.5])

    def constant(self, env: FamilyParallelEnv) -> list[Any]:
        out: list[Any] = [env.reset(seed=0)]
        while env.agents:
            out.append(env.step(acts(env, 0, 0.5)))
        return out

    def test_noise_has_its_spread_and_all_listeners_hear_the_same(self) -> None:
        heard = self.heard(20, channel={"noise": 0.2}, message_size=2)
        off = ~np.eye(3, dtype=bool)
        assert not heard[..., ~off, :].any()
        for sender in range(3):
            one, other = (listener for listener in range(3) if listener != sender)
            np.testing.assert_array_equal(heard[:, :, one, sender], heard[:, :, other, sender])
        noise = np.stack([heard[:, :, (s + 1) % 3, s] for s in range(3)], axis=2).reshape(400, -1) - 0.5
        assert abs(noise.mean()) < 4 * 0.2 / np.sqrt(noise.size)
        assert abs(noise.std() / 0.2 - 1) < 4 / np.sqrt(2 * noise.size)
        correlation = np.corrcoef(noise.T) - np.eye(noise.shape[1])
        assert np.abs(correlation).max() < 5 / np.sqrt(400), "senders and numbers have noise of their own"
        assert np.abs(np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]) < 4 / np.sqrt(noise.size)

    def test_noise_is_paired_between_settings(self) -> None:
        plain = self.heard(2, channel={"noise": 0.2})
        ring = self.heard(2, channel={"noise": 0.2}, topology=[[0, 1, 0], [0, 0, 0], [1, 0, 0]])
        edges = ring != 0
        assert edges.any()
        np.testing.assert_array_equal(ring[edges], plain[edges])
        late = self.heard(2, channel={"noise": 0.2, "delay": 2})
        np.testing.assert_array_equal(late[:, 2:], plain[:, :-2])
        lossy = self.heard(2, channel={"noise": 0.2, "dropout": 0.4})
        np.testing.assert_array_equal(lossy[lossy != 0], plain[lossy != 0])

    def test_noise_is_a_function_of_the_key_and_the_step(self) -> None:
        keys = keyed_random.trial_keys([3], 5, "test")
        channel = Channel(
            3, ChannelSettings(noise=0.5), message_size=5, inbox="each", topology=np.ones((3, 3))
        )
        for _ in range(2):
            channel.reset(keys)
            for time in range(60):
                heard = channel.send(np.zeros((3, 5), np.float32))
                expected = 0.5 * keyed_random.normal(keys, "channel noise", 15, 15 * time)
                np.testing.assert_array_equal(heard, np.tile(expected, (3, 1)))

    def test_no_inbox_leaves_its_bounds_however_large_the_noise(self) -> None:
        for settings in (
            {"channel": {"noise": 3.0}},
            {"channel": {"noise": 3.0, "vocabulary": 2}, "inbox": "each"},
        ):
            env = parallel_env(GAME, dims=6, **settings)
            for seed in range(5):
                for step in play(env, seed):
                    assert all(env.observation_space(agent).contains(seen) for agent, seen in step[0].items())
                    assert env.state_space.contains(env.state())


class TestWithoutAChannel:
    """What experts see of the task where no message tells them more."""

    @pytest.mark.parametrize("id", [GAME, "Badger/Bandit-v0", "Badger/HotCold-v0"])
    def test_a_constant_input_tells_no_expert_from_the_others(self, id: str) -> None:
        env = parallel_env(id, topology="none")
        observations, _ = env.reset(seed=0)
        vectors = list(observations.values())
        assert len(vectors) > 1
        assert all(np.array_equal(vector, vectors[0]) for vector in vectors)
        np.testing.assert_array_equal(part(env, observations, "inputs")[:, 0], 1)
        np.testing.assert_array_equal(part(env, observations, "input_mask")[:, 0], 1)

    def test_a_single_input_that_says_something_is_for_its_owner(self) -> None:
        settings = {"inputs": 1, "outputs": 3, "kind": "identity"}
        env = parallel_env("Badger/VariableIO-v0", **settings)
        observations, _ = env.reset(seed=0)
        np.testing.assert_array_equal(part(env, observations, "input_mask")[:, 0], [1, 0, 0])
        assert part(env, observations, "inputs")[0, 0] != 0
        assert not part(env, observations, "inputs")[1:].any()


class TestSharedPolicyExample:
    """`examples/shared_policy_pettingzoo.py`."""

    @pytest.fixture
    def example(self) -> dict[str, Any]:
        pytest.importorskip("stable_baselines3")
        return runpy.run_path(str(Path(__file__).parents[3] / "examples" / "shared_policy_pettingzoo.py"))

    def test_rows_are_experts_and_the_next_trial_starts_by_itself(self, example: dict[str, Any]) -> None:
        envs = [parallel_env("Badger/XOR-2-v0", horizon=2) for _ in range(3)]
        rows = example["ExpertsAsRows"](envs, 10)
        seen = rows.reset()
        twins = [parallel_env("Badger/XOR-2-v0", horizon=2) for _ in range(3)]
        expected = [twin.reset(seed=10 + i)[0] for i, twin in enumerate(twins)]
        np.testing.assert_array_equal(seen, [each[agent] for each in expected for agent in each])
        actions = np.random.default_rng(0).uniform(-1, 1, (2, 6, 5)).astype(np.float32)
        for time in range(2):
            seen, rewards, dones, infos = rows.step(actions[time])
            steps = [
                t.step({a: actions[time, 2 * i + j] for j, a in enumerate(t.agents)})
                for i, t in enumerate(twins)
            ]
            np.testing.assert_array_equal(rewards, [r for step in steps for r in step[1].values()])
            assert dones.all() == dones.any() == (time == 1)
        last = [vector for step in steps for vector in step[0].values()]
        np.testing.assert_array_equal([info["terminal_observation"] for info in infos], last)
        following = [vector for twin in twins for vector in twin.reset()[0].values()]
        np.testing.assert_array_equal(seen, following)

    def test_it_trains(self, example: dict[str, Any]) -> None:
        model = example["train"]("all", seed=0, steps=64)
        mean, error = example["accuracy"](model, "all", trials=10)
        assert 0 <= mean <= 1
        assert error >= 0

    @pytest.mark.slow
    def test_talking_helps(self, example: dict[str, Any]) -> None:
        means = {
            name: example["accuracy"](example["train"](name, 0, 150_000), name)[0] for name in ("all", "none")
        }
        assert means["all"] > 0.95
        assert abs(means["none"] - 0.5) < 0.05
