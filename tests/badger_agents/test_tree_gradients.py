"""Limiting gradients per trial: values untouched, long rows shortened, short ones as they are."""

from typing import NamedTuple

import torch
from torch import Tensor

from badger_agents.rollout import rollout
from badger_agents.tree import limit_gradients
from badger_envs import keyed_random
from tests.badger_agents.small import small_recipe


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
