"""What clients of the PettingZoo faces ask for: spaces as dicts, trials in a row, choices, clipping."""

import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import badger_envs.faces.pettingzoo as faces
from badger_envs.faces.pettingzoo import parallel_env
from badger_envs.families.guessing_game import GuessingGame
from tests.badger_envs.experts import GAME, acts, part, same, sampled

with warnings.catch_warnings():  # its example environments are imported in a way that it deprecates
    warnings.filterwarnings("ignore", "The old environment creation API", DeprecationWarning)
    from pettingzoo.test import api_test, parallel_api_test

XOR, BANDIT = "Badger/XOR-v0", "Badger/Bandit-k5-n10-v0"


def in_turn(env: Any, stop: int | None = None) -> list[Any]:
    """A trial of an AEC environment, or its first `stop` turns: agents with what `last` said."""
    turns = []
    for agent in env.agent_iter():
        if len(turns) == stop:
            break
        observation, reward, terminated, truncated, info = env.last()
        turns.append((agent, observation, reward, terminated, info))
        env.step(None if terminated or truncated else env.action_space(agent).sample() * 0 + 0.5)
    return turns


@pytest.mark.parametrize("make", [faces.env, faces.raw_env])
@pytest.mark.parametrize("stop", [None, 4, 9, 10, 11])  # 3 experts, 3 steps: 9 turns, then 3 of the dead
def test_agents_in_turn_play_trial_after_trial(make: Any, stop: int | None) -> None:
    """Also when a trial is left in its middle, at its end, or while its dead agents take their leave."""
    env, fresh = make(GAME, horizon=3), make(GAME, horizon=3)
    env.reset(seed=0)
    in_turn(env, stop)
    for seed in (5, 6):
        env.reset(seed=seed)
        fresh.reset(seed=seed)
        assert same(in_turn(env), in_turn(fresh))
        assert env.agents == []
    for _ in range(3):
        env.reset()
        assert len(in_turn(env)) == 12
        api_test(env, num_cycles=10)


def test_the_parallel_face_plays_trial_after_trial() -> None:
    env = parallel_env(GAME, horizon=3)
    for seed in (0, None, None, 0):
        env.reset(seed=seed)
        for time in range(3):
            assert len(env.agents) == 3, time
            env.step(sampled(env))
        assert env.agents == []
        assert env.step({}) == ({}, {}, {}, {}, {})
    parallel_api_test(env, num_cycles=10)


@pytest.mark.parametrize("make", [faces.parallel_env, faces.raw_env, faces.env])
def test_spaces_are_dicts_too(make: Any) -> None:
    env = make(GAME)
    assert list(env.observation_spaces) == list(env.action_spaces) == env.possible_agents
    for agent in env.possible_agents:
        assert env.observation_spaces[agent] is env.observation_space(agent)
        assert env.action_spaces[agent] is env.action_space(agent)


def test_actions_beyond_the_box_are_clipped_and_integers_taken() -> None:
    env, twin = parallel_env(GAME), parallel_env(GAME)
    env.reset(seed=0)
    twin.reset(seed=0)
    assert same(env.step(acts(env, [9, -1.5, 0.3], 40)), twin.step(acts(twin, [1, -1, 0.3], 1)))
    whole = {agent: np.array([1, 0, -3, 0, 1]) for agent in env.agents}
    clipped = {agent: np.float32([1, 0, -1, 0, 1]) for agent in env.agents}
    assert same(env.step(whole), twin.step(clipped))


def test_infos_are_of_fixed_dtype_and_nobody_shares_them() -> None:
    env = parallel_env(GAME)
    _, infos = env.reset(seed=0)
    for info in infos.values():
        assert {key: (value.dtype, value.shape) for key, value in info.items()} == {
            "error": (np.float64, ()),
            "is_success": (np.bool_, ()),
            "unused_slot": (np.bool_, ()),
        }
    infos["expert_0"]["unused_slot"][...] = True
    assert not infos["expert_1"]["unused_slot"]


def test_a_family_that_no_import_finds() -> None:
    class Local(GuessingGame):
        pass

    env = parallel_env(Local(dims=2), horizon=4)
    assert (env.family, str(env)) == (Local(dims=2, horizon=4), "local")
    assert same(env.reset(seed=3), parallel_env(GuessingGame(dims=2, horizon=4)).reset(seed=3))


class TestChoices:
    """`actions="discrete"` and `"multi_discrete"`."""

    @pytest.mark.parametrize("id", [XOR, BANDIT, "Badger/XOR-sizes-v0", "Badger/Bandit-sizes-v0"])
    @pytest.mark.filterwarnings("ignore:Action space for each agent probably should be")
    @pytest.mark.parametrize("kind", ["discrete", "multi_discrete"])
    @pytest.mark.parametrize("settings", [{"channel": {"vocabulary": 3}}, {"message_size": 0}], ids=str)
    def test_pettingzoos_tests_pass(self, id: str, kind: str, settings: dict[str, Any]) -> None:
        parallel_api_test(parallel_env(id, actions=kind, **settings), num_cycles=30)
        api_test(faces.env(id, actions=kind, **settings), num_cycles=30)

    @pytest.mark.parametrize(
        ("settings", "size"),
        [
            ({"channel": {"vocabulary": 3}, "message_size": 6}, 18),
            ({"channel": {"bits": 1}, "message_size": 2}, 8),
        ],
    )
    def test_they_are_the_box_s_corners_in_order(self, settings: dict[str, Any], size: int) -> None:
        box = parallel_env(XOR, **settings)
        discrete = parallel_env(XOR, actions="discrete", **settings)
        several = parallel_env(XOR, actions="multi_discrete", **settings)
        assert discrete.action_space("expert_0") == spaces.Discrete(size)
        nvec = several.action_space("expert_0").nvec
        vocabulary = settings["channel"].get("vocabulary")
        for index in range(size):
            choices = np.unravel_index(index, nvec)
            message = (
                np.eye(vocabulary)[list(choices[1:])].ravel() if vocabulary else 2 * np.array(choices[1:]) - 1
            )
            written = np.float32([2 * choices[0] - 1, *message])
            seen = []
            for env, action in ((box, written), (discrete, index), (several, np.array(choices))):
                env.reset(seed=1)
                seen.append(env.step(dict.fromkeys(env.agents, action)))
            seen[1][-1]["expert_0"].pop("action_mask")
            assert same([seen[0][:4]] * 2, [each[:4] for each in seen[1:]])

    def test_a_bandit_pulls_the_first_arm_that_is_bid_for(self) -> None:
        env = parallel_env(BANDIT, actions="discrete", message_size=0)
        env.reset(seed=0)
        bids = dict(zip(env.agents, [0, 0, 1, 0, 1], strict=True))
        observations, *_ = env.step(bids)
        np.testing.assert_array_equal(part(env, observations, "outputs")[:, 0], [0, 0, 1, 0, 0])

    def test_masks_leave_out_bids_of_experts_without_a_slot(self) -> None:
        env = parallel_env("Badger/Bandit-sizes-v0", actions="discrete", channel={"vocabulary": 2})
        observations, infos = env.reset(seed=0)
        used = part(env, observations, "output_mask")[:, 0]
        assert 0 < used.sum() < used.size
        for agent, in_use in zip(env.agents, used, strict=True):
            mask = infos[agent]["action_mask"]
            assert mask.dtype == np.int8
            assert mask.tolist() == [1, 1, in_use, in_use]
            env.action_space(agent).sample(mask)

    @pytest.mark.parametrize(
        ("id", "settings", "message"),
        [
            (GAME, {"actions": "discrete", "message_size": 0}, "GuessingGame is continuous: use 'box'"),
            (XOR, {"actions": "discrete"}, "give the channel a vocabulary or bits, or message_size=0"),
            (XOR, {"actions": "many"}, "one of box, discrete, multi_discrete"),
        ],
    )
    def test_what_cannot_be_is_refused(self, id: str, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            parallel_env(id, **settings)

    @pytest.mark.parametrize(
        ("kind", "bad"), [("discrete", 6), ("multi_discrete", [2, 0]), ("multi_discrete", [0, 3])]
    )
    def test_a_choice_that_there_is_not(self, kind: str, bad: Any) -> None:
        env = parallel_env(XOR, actions=kind, channel={"vocabulary": 3})
        env.reset(seed=0)
        with pytest.raises(ValueError, match="expert_1"):
            env.step({**sampled(env), "expert_1": bad})
