"""Gradient estimators: what they yield."""

import torch
from torch import nn

from badger_agents.estimators import make_estimator
from badger_agents.inner_loop import rollout
from badger_agents.objectives import as_soon_as_possible
from badger_agents.trials import Trials
from tests.badger_agents.small import keys, random_agent, small_family


def test_backpropagation_changes_nothing_and_is_the_gradient_of_the_loss() -> None:
    family = small_family()
    agent = random_agent(family)
    agent.unused = nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
    before = [weight.clone() for weight in agent.parameters()]
    estimator = make_estimator("backpropagation", {})
    trials = Trials(family, keys(3), as_soon_as_possible)
    (update,) = estimator.updates(agent, trials, estimator.initial_state(agent))
    assert all(weight.grad is None for weight in agent.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, agent.parameters(), strict=True))
    assert not update.loss.requires_grad
    loss = rollout(agent, family, keys(3)).loss.mean()
    assert torch.equal(update.loss, loss.detach()[None])
    loss.backward()
    for (name, weight), gradient in zip(agent.named_parameters(), update.gradients, strict=True):
        torch.testing.assert_close(gradient, torch.zeros_like(weight) if name == "unused" else weight.grad)
