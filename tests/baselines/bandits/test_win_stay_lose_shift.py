"""Memoryless references: win-stay, lose-shift on bandits; triangulation that remembers in its outputs."""

import dataclasses

import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from baselines.bandits.classical import RandomArm
from baselines.bandits.win_stay_lose_shift import WinStayLoseShift
from baselines.optimisers.triangulation import MemorylessTriangulation, Triangulation
from tests.badger_agents.small import keys


def test_it_stays_after_a_reward_and_else_takes_the_next_arm_in_use() -> None:
    family = Bandit(arms=4, capacity=9, horizon=30, shuffle_slots=True)
    lived = rollout(WinStayLoseShift(), family, keys(50), record=True)
    actions, mask = lived.trace["action"], family.sample_task(keys(50)).mask
    for row in range(50):
        used = mask[row].nonzero().flatten().tolist()
        expected = used[0]
        for time in range(30):
            assert actions[time, row] == expected
            if lived.reward[time, row] == 0:
                expected = used[(used.index(expected) + 1) % 4]


@pytest.mark.parametrize(("arms", "known"), [(5, 68), (50, 78)])
def test_it_earns_more_than_chance(arms: int, known: float) -> None:
    family = Bandit(arms=arms, split="test")
    found = evaluate(WinStayLoseShift(), family, 1_000)
    assert found.mean == pytest.approx(known, abs=1.5)
    assert found.ci95[0] > evaluate(RandomArm(), family, 1_000).ci95[1] + 10


def test_of_two_arms_it_stays_at_each_as_long_as_it_pays() -> None:
    family = Bandit(arms=2, horizon=2_000)
    lived = rollout(WinStayLoseShift(), family, keys(20), record=True)
    stay = 1 / (1 - family.sample_task(keys(20)).mean.clamp(max=0.98))
    share = (lived.trace["action"][200:] == 1).double().mean(dim=0)
    torch.testing.assert_close(share, (stay[:, 1] / stay.sum(dim=1)).double(), atol=0.12, rtol=0)


@pytest.mark.parametrize(("low", "high"), [(1, 3), (10, 10), (19, 19)])
def test_it_solves_the_guessing_game_with_no_memory_but_its_outputs(low: int, high: int) -> None:
    family = GuessingGame(dims=(low, high), test_dims=20, capacity=20, shuffle_slots=True)
    for dtype, error in (("float32", 1e-6), ("float64", 1e-20)):
        exact = dataclasses.replace(family, dtype=dtype)
        assert evaluate(MemorylessTriangulation(), exact, 300).outcomes.max() < error


def test_with_too_few_steps_it_finds_as_many_numbers_as_triangulation_does() -> None:
    family = GuessingGame(dims=8, horizon=5, split="test")
    agents = (MemorylessTriangulation(), Triangulation())
    ours, other = (evaluate(agent, family, 300).outcomes for agent in agents)
    torch.testing.assert_close(ours, other, atol=1e-5, rtol=0)


def test_other_families_are_refused() -> None:
    with pytest.raises(ValueError, match="Bandit is none"):
        MemorylessTriangulation().initial_state(Bandit(), keys(1))
    for family in (GuessingGame(), Bandit(kind="gaussian")):
        with pytest.raises(ValueError, match="arms that pay 0 or 1"):
            WinStayLoseShift().initial_state(family, keys(1))
