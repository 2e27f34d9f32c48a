"""Gradient estimators of the outer loop: from a policy and its trials to updates (contract 5)."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from badger_agents.agent import LearnedAgent

LossOf = Callable[[LearnedAgent], Tensor]
"""Lives through this outer step's trials with the given agent and returns the objective, a scalar."""


class Update(NamedTuple):
    """loss: scalar; gradients: one per parameter, in order; state: the estimator's after it, by name."""

    loss: Tensor
    gradients: tuple[Tensor, ...]
    state: dict[str, Tensor]


class GradientEstimator(Protocol):
    """One outer step's updates: one for backpropagation, several for methods with epochs."""

    def initial_state(self, agent: LearnedAgent) -> dict[str, Tensor]:
        """State before the first outer step: tensors by name, as a checkpoint keeps them."""
        ...

    def updates(self, agent: LearnedAgent, loss_of: LossOf, state: dict[str, Tensor]) -> Iterator[Update]:
        """Yield updates; the caller applies each to the agent before it asks for the next."""
        ...


class Backpropagation:
    """The exact gradient of the objective, through the whole trial."""

    def initial_state(self, agent: LearnedAgent) -> dict[str, Tensor]:
        """It remembers nothing."""
        return {}

    def updates(self, agent: LearnedAgent, loss_of: LossOf, state: dict[str, Tensor]) -> Iterator[Update]:
        """One update; parameters without influence on the loss get zeros."""
        loss = loss_of(agent)
        gradients = torch.autograd.grad(loss, tuple(agent.parameters()), materialize_grads=True)
        yield Update(loss.detach(), gradients, state)


ESTIMATORS: dict[str, Callable[[], GradientEstimator]] = {"backpropagation": Backpropagation}
"""Estimators by the name that a recipe uses."""
