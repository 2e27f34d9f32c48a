"""The averaging policy: what it remembers, that it can be learned with; controls of learning on bandits."""

import dataclasses
from typing import Any

import pytest
import torch

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.policies.averaging import AveragingPolicy
from badger_agents.estimators import make_estimator
from badger_agents.estimators.objectives import as_soon_as_possible
from badger_agents.estimators.trials import Trials
from badger_agents.evaluation import evaluate
from badger_agents.whitebox.controls import Forgetful, WithheldFeedback
from badger_envs.families.bandit import Bandit
from badger_envs.family import Family, Observation
from tests.badger_agents.small import badger_settings, keys, one_round, updates_of


def policy(**settings: Any) -> AveragingPolicy:
    torch.manual_seed(0)
    return AveragingPolicy(3, **{"heads": 4, "hidden_size": 8, "message_size": 2, **settings})


def test_the_order_of_what_was_read_is_forgotten_and_nothing_else() -> None:
    made = policy()
    readings = torch.randn(5, 2, 6, 3)  # (T, B, E, R)
    ends = []
    for order in ([0, 1, 2, 3, 4], [3, 0, 4, 2, 1], [3, 0, 4, 2, 2]):
        state = made.initial_state(torch.randn(2, 6, 1))
        for time in order:
            state, _, _ = one_round(made, state, torch.zeros(2, 6, 2), readings[time])
        ends.append(state)
    torch.testing.assert_close(ends[0], ends[1])
    assert not torch.allclose(ends[0], ends[2])


def test_it_counts_what_is_worth_it() -> None:
    made = policy(heads=1)
    with torch.no_grad():
        made.remember.weight.zero_()
        made.remember.bias.zero_()
        made.remember.weight[0, 2], made.remember.bias[0] = 40.0, -20.0  # only readings that begin with 1
        made.remember.weight[1, 3] = 1.0  # their second number
    state = made.initial_state(torch.zeros(1, 1, 1))
    for first, second in ((1.0, 5.0), (0.0, 100.0), (1.0, 7.0)):
        reading = torch.tensor([[[first, second, 0.0]]])
        state, _, writing = one_round(made, state, torch.zeros(1, 1, 2), reading)
        assert writing.item() == 0  # it starts by writing nothing
    torch.testing.assert_close(state, torch.tensor([[[2.0, 12.0]]]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Silent(Bandit):
    """A bandit that never tells what a pull paid."""

    def observe(self, task: Any, state: Any) -> Observation:
        seen = super().observe(task, state)
        return seen._replace(feedback=seen.feedback * 0)


def learned(family: Family, steps: int) -> BadgerAgent:
    torch.manual_seed(0)
    settings = {"heads": 4, "hidden_size": 16, "message_size": 2, "key_size": 2}
    agent = BadgerAgent(
        family,
        badger_settings(
            experts=3,
            topology="none",
            feedback_to="chosen",
            policy={"kind": "badger_agents.badger.policies.averaging:AveragingPolicy", **settings},
        ),
    )
    estimator = make_estimator("policy_gradient", {"expected_reward": True, "entropy": 0.02})
    memory = None
    optimiser = torch.optim.Adam(agent.parameters(), lr=1e-2)
    for step in range(steps):
        trials = Trials(family, keys(64, 0, step), as_soon_as_possible)
        (update,) = updates_of(estimator, agent, trials, memory)
        memory = update.memory
        for name, weight in agent.named_parameters():
            weight.grad = update.gradients[name]
        optimiser.step()
    return agent


@pytest.fixture(scope="module")
def bandit() -> Bandit:
    return Bandit(arms=3, horizon=12)


@pytest.fixture(scope="module")
def trained(bandit: Bandit) -> BadgerAgent:
    return learned(bandit, 80)


@pytest.mark.slow
def test_it_learns_to_earn_and_without_feedback_or_memory_it_does_not(
    bandit: Bandit, trained: BadgerAgent
) -> None:
    chance, rows = 6.0, 4_000  # half of 12 pulls
    test = dataclasses.replace(bandit, split="test")
    earned = evaluate(trained, test, rows)
    assert earned.ci95[0] > chance + 1.2
    low, high = evaluate(WithheldFeedback(trained), test, rows).ci95
    assert low - 0.05 < chance < high + 0.05
    assert evaluate(Forgetful(trained), test, rows).ci95[1] < earned.ci95[0]


@pytest.mark.slow
def test_trained_without_feedback_it_stays_at_chance() -> None:
    family = Silent(arms=3, horizon=12)
    low, high = evaluate(learned(family, 20), dataclasses.replace(family, split="test"), 4_000).ci95
    assert low - 0.05 < 6.0 < high + 0.05
