"""Gradient estimators: what they yield."""

import pytest
import torch
from torch import Tensor, nn

from badger_agents.agent import LearnedAgent
from badger_agents.estimators import ESTIMATORS, Backpropagation
from badger_agents.inner_loop import rollout
from tests.badger_agents.small import keys, random_agent, small_family


class Two(LearnedAgent):
    """An agent with one weight in use and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Parameter(torch.tensor([2.0, -3.0]))
        self.unused = nn.Parameter(torch.ones(2, 3))


def squares(agent: LearnedAgent) -> Tensor:
    return (agent.used**2).sum()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_unused_parameters_get_zeros(name: str) -> None:
    estimator = ESTIMATORS[name]()
    (update,) = estimator.updates(agent := Two(), squares, estimator.initial_state(agent))
    assert float(update.loss) == 13
    assert not update.loss.requires_grad
    used, unused = update.gradients
    assert used.tolist() == [4.0, -6.0]
    assert torch.equal(unused, torch.zeros(2, 3))


def test_backpropagation_changes_nothing_and_is_the_gradient_of_the_loss() -> None:
    family = small_family()
    agent = random_agent(family)

    def loss_of(living: LearnedAgent) -> Tensor:
        return rollout(living, family, keys(3)).loss.mean()

    before = [weight.clone() for weight in agent.parameters()]
    (update,) = Backpropagation().updates(agent, loss_of, {})
    assert all(weight.grad is None for weight in agent.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, agent.parameters(), strict=True))
    loss_of(agent).backward()
    for weight, gradient in zip(agent.parameters(), update.gradients, strict=True):
        torch.testing.assert_close(gradient, weight.grad)
