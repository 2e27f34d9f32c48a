"""Weights as arguments, and gradients of trees."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.functional import FunctionalAgent
from badger_agents.recipe.loading import Recipe, load_recipe
from badger_agents.rollout import rollout
from badger_agents.tree import limit_gradients
from badger_envs import keyed_random
from tests.badger_agents.small import keys, shake, small_recipe

# Agents with given weights: each acts as it would alone, and gradients reach its own weights only.


KINDS = {
    "hardwired": ("guessing-hardwired", {"identities": "learned"}),
    "attentional": ("guessing-attentional", {"experts": 4}),
    "soft": ("guessing-paper-small", {"experts": 4, "identities": "random"}),
    "absolute": ("xor", {}),
    "lists": ("guessing-attentional", {"experts": 5, "channel": {"topology": "top-k:k=2,candidates=3"}}),
    "per trial": ("guessing-attentional", {"experts": 5, "channel": {"topology": "random:seed=trial"}}),
    "monolith": ("guessing-monolith", {}),
}


def in_double(name: str) -> Recipe:
    recipe = load_recipe(name)
    return recipe.model_copy(update={"env": recipe.env.model_copy(update={"dtype": "float64"})})


@pytest.mark.parametrize("kind", KINDS)
def test_each_acts_as_it_would_alone(kind: str) -> None:
    name, settings = KINDS[kind]
    recipe = in_double(name)
    family = recipe.family(horizon=4)
    agents = [
        agent for seed in range(3) if isinstance(agent := recipe.make_agent(seed, **settings), LearnedAgent)
    ]
    for number, agent in enumerate(agents):
        shake(agent, 0.2 + 0.1 * number)
    stacks = {
        name: torch.stack(
            [dict(agent.named_parameters())[name].detach() for agent in agents]
        ).requires_grad_()
        for name, _ in agents[0].named_parameters()
    }
    names = [keys(5, seed) for seed in range(3)]
    together = rollout(FunctionalAgent(agents[0], stacks, 3), family, torch.cat(names), record=True)
    alone = [rollout(agent, family, own, record=True) for agent, own in zip(agents, names, strict=True)]
    torch.testing.assert_close(together.loss, torch.cat([lived.loss for lived in alone], dim=1))
    for part, values in together.trace.items():
        torch.testing.assert_close(values, torch.cat([lived.trace[part] for lived in alone], dim=1))
    together.loss[:, 5:10].mean().backward()
    alone[1].loss.mean().backward()
    for name, weight in agents[1].named_parameters():
        gradient = stacks[name].grad
        assert gradient is not None
        torch.testing.assert_close(
            gradient[1], torch.zeros_like(weight) if weight.grad is None else weight.grad
        )
        assert not gradient[[0, 2]].any()


def test_weights_that_are_not_stacked_are_shared() -> None:
    recipe = load_recipe("guessing-monolith")
    agent, family = recipe.make_agent(1), recipe.family(horizon=3)
    assert isinstance(agent, LearnedAgent)
    shake(agent)
    bias = agent.get_parameter("write.bias").detach()
    lived = rollout(
        FunctionalAgent(agent, {"write.bias": torch.stack([bias, -bias])}, 2), family, keys(2).repeat(2, 1)
    )
    torch.testing.assert_close(lived.loss[:, :2], rollout(agent, family, keys(2)).loss)
    assert not torch.equal(lived.loss[:, :2], lived.loss[:, 2:])


# Limiting gradients per trial: values untouched, long rows shortened, short ones as they are.


class Pair(NamedTuple):
    left: Tensor
    right: tuple[Tensor, tuple[()]]


def test_values_and_structure_stay() -> None:
    state = Pair(torch.ones(3, 2, requires_grad=True), (torch.zeros(3), ()))
    limited = limit_gradients(state, 0.1)
    assert isinstance(limited, Pair)
    assert torch.equal(limited.left, state.left)
    assert limited.right[0] is state.right[0]  # nothing to limit where no gradient flows
    assert limited.right[1] == ()


def test_only_long_rows_are_shortened() -> None:
    value = torch.zeros(3, 2, 2, requires_grad=True)
    gradient = torch.stack([torch.full((2, 2), 10.0), torch.full((2, 2), 0.01), torch.zeros(2, 2)])
    limit_gradients(value, 1.0).backward(gradient)
    assert value.grad is not None
    torch.testing.assert_close(value.grad[0], torch.full((2, 2), 0.5))
    torch.testing.assert_close(value.grad[1:], gradient[1:])


def test_a_rows_gradient_depends_on_that_row_alone() -> None:
    value = torch.zeros(2, 3, requires_grad=True)
    gradient = torch.tensor([[1e20, 0, 0], [0.1, 0.2, 0.3]])
    limit_gradients(value, 1.0).backward(gradient)
    assert value.grad is not None
    torch.testing.assert_close(value.grad[1], gradient[1])


def test_a_rollout_is_the_same_and_a_wide_limit_changes_no_gradient() -> None:
    recipe = small_recipe()
    agent, family = recipe.make_agent(1), recipe.family()
    for parameter in agent.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(parameter.numel()))
    keys = keyed_random.outer_keys(0, 0, 4, like=torch.zeros(()))
    gradients = {}
    losses = {}
    for limit in (None, 1e6, 1e-3):
        loss = rollout(agent, family, keys, gradient_limit=limit).loss[-1].mean()
        losses[limit] = loss.item()
        gradients[limit] = torch.cat(
            [g.flatten() for g in torch.autograd.grad(loss, list(agent.parameters()))]
        )
    assert losses[None] == losses[1e6] == losses[1e-3]
    torch.testing.assert_close(gradients[None], gradients[1e6])
    assert gradients[1e-3].norm() < gradients[None].norm()
