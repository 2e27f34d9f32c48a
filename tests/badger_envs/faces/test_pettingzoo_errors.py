"""Bad input to the PettingZoo faces: one clear error, and nothing changed."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import badger_envs.faces.pettingzoo as faces
from badger_envs.faces.pettingzoo import parallel_env
from badger_envs.families.guessing_game import GuessingGame
from tests.badger_envs.experts import GAME, acts, same


class TestErrors:
    """Bad input: one clear error, and nothing changed."""

    @pytest.mark.parametrize(
        ("settings", "error", "message"),
        [
            ({"topology": "tours"}, ValueError, "all, none, self, ring"),
            ({"topology": [[0, 1], [1, 0]]}, ValueError, r"shape \(3, 3\)"),
            ({"topology": "random:seed=trial"}, ValueError, "drawn anew in each trial"),
            ({"topology": "top-k"}, ValueError, "experts choose whom to hear"),
            ({"message_size": -1}, ValueError, "message_size"),
            ({"message_size": 1.5}, TypeError, "message_size"),
            ({"message_size": 3, "channel": {"vocabulary": 2}}, ValueError, "multiple of the vocabulary"),
            ({"channel": {"vocabulary": 1}}, ValueError, "vocabulary of 1 symbol"),
            ({"channel": {"vocabulary": 2, "bits": 1}}, ValueError, "exclude each other"),
            ({"channel": {"bits": 17}}, ValueError, "from 0 to 16"),
            ({"channel": {"noise": -0.1}}, ValueError, "noise"),
            ({"channel": {"noise": float("nan")}}, ValueError, "noise"),
            ({"channel": {"noise": float("inf")}}, ValueError, "noise"),
            ({"channel": {"noise": "much"}}, TypeError, "noise"),
            ({"channel": {"dropout": 1.1}}, ValueError, r"dropout is 1.1; it must lie in \[0, 1\]"),
            ({"channel": {"delay": -1}}, ValueError, "delay"),
            ({"channel": {"echo": 1}}, TypeError, "channel has no setting 'echo', but vocabulary"),
            ({"channel": 0.5}, TypeError, "channel is 0.5"),
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
            (np.zeros(4, np.float32), ValueError, r"expert_1.*shape \(4,\)"),
            (np.zeros(5, bool), TypeError, "expert_1.*bool"),
            (None, TypeError, "expert_1"),
            ("up", TypeError, "expert_1"),
        ],
    )
    def test_an_action_outside_the_space(self, bad: Any, error: type[Exception], message: str) -> None:
        env, untouched = (
            parallel_env(GAME, channel={"noise": 0.1}),
            parallel_env(GAME, channel={"noise": 0.1}),
        )
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
        with pytest.raises(ValueError, match=r"name 'expert_3'.*expert_0, expert_1, expert_2"):
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
        for each in (env, env.env):
            with pytest.raises(gym.error.ResetNeeded, match="call reset"):
                each.step(np.zeros(5, np.float32))
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

    @pytest.mark.parametrize("bad", [3, None, GuessingGame])
    @pytest.mark.parametrize("make", [faces.parallel_env, faces.raw_env, faces.env])
    def test_what_is_neither_an_id_nor_a_family(self, make: Any, bad: Any) -> None:
        with pytest.raises(TypeError, match=r"^family is .*; it must be a registered id or a .*Family$"):
            make(bad)

    def test_an_unknown_id_or_name(self) -> None:
        with pytest.raises(gym.error.Error):
            parallel_env("Badger/GessingGame-v0")
        with pytest.raises(AttributeError, match="guessing_game_v0"):
            _ = faces.gessing_game_v0

    def test_an_environment_of_someone_else_with_a_keyword_family(self) -> None:
        gym.register(
            "Toys/Folks-v0", "gymnasium.envs.classic_control:CartPoleEnv", kwargs={"family": "Smith"}
        )
        try:
            assert "folks_v0" not in dir(faces)
            with pytest.raises(AttributeError, match="no 'folks_v0'"):
                _ = faces.folks_v0
        finally:
            del gym.registry["Toys/Folks-v0"]
