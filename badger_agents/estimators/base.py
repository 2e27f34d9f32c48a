"""What a gradient estimator is: from weights and an outer step's trials to updates (contract 5)."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import BaseModel
from torch import Tensor

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.estimators.trials import Trials
from badger_envs.family import ActionKind

Weights = dict[str, Tensor]
"""Trained parameters by name; where there are several groups of trials, a stack of each, [G, ...]."""

Memory = dict[str, Tensor]
"""What an estimator remembers from outer step to outer step: tensors by name, as a checkpoint keeps them.

Where there are several groups of trials, a stack of each, [G, ...].
"""


class Update(NamedTuple):
    """One update of the weights.

    Attributes:
        loss: [G], each group's objective as far as it is known by now; the outer step's last is logged.
        gradients: of the weights, by name.
        memory: the estimator's after it.
    """

    loss: Float[Tensor, "G"]
    gradients: dict[str, Tensor]
    memory: Memory


Updates = Generator[Update, Weights, None]
"""Updates one by one: each is answered by the weights after it."""


class GradientEstimator(ABC):
    """One outer step's updates: one for backpropagation, several for methods with windows or epochs.

    Args:
        settings: of the class's own `Settings`, [training.estimator_settings] of a recipe.

    Attributes:
        Settings: class of the settings.
        through_actions: whether gradients must flow through the agent's actions.
        draws: kinds of action through which none need flow all the same.
        reads: names of what the agent must record.
        stackable: whether it works for several groups of trials at once, each as it would alone: it
            draws nothing under the outer step's key or from torch's generator.
        shares: how several processes work on an outer step: each is given its "trials", and updates are
            averaged, which is right where an update is a mean over trials; or all are given all trials,
            and the estimator shares them out by `Trials.process_group` and exchanges "scores"; None: they
            cannot.
    """

    Settings: ClassVar[type[BaseModel]]
    through_actions: ClassVar[bool] = True
    draws: ClassVar[tuple[ActionKind, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    stackable: bool = False
    shares: ClassVar[Literal["trials", "scores"] | None] = None

    def __init__(self, settings: BaseModel) -> None:
        self.settings = settings

    def initial_memory(self, weights: Weights) -> Memory:
        """Memory before the first outer step: nothing, unless it needs some."""
        return {}

    @abstractmethod
    def updates(self, agent: LearnedAgent, weights: Weights, trials: Trials, memory: Memory) -> Updates:
        """Yield at least one update; each is answered by the weights that the caller made of it.

        Args:
            agent: the code of the agent, called with weights (see `badger_agents.functional`).
            weights: at the start of the outer step.
            trials: of the outer step.
            memory: after the outer step before.
        """

    def rollout_form(self, agent: LearnedAgent, weights: Weights) -> Agent:
        """The agent in the form in which it acts in rollouts, for any even number of trials.

        A recipe tries it out, so that what does not work shows before training.
        """
        return agent

    def check(self, batch_size: int) -> None:
        """ValueError if it cannot work with so many trials per outer step."""
        return


def leaves(weights: Weights) -> Weights:
    """The same weights, each asking for a gradient."""
    return {name: weight.detach().requires_grad_() for name, weight in weights.items()}


def gradients_of(loss: Float[Tensor, ""], weights: Weights) -> dict[str, Tensor]:
    """Of a loss in weights, by name; zeros for weights without influence on it."""
    found = torch.autograd.grad(loss, tuple(weights.values()), materialize_grads=True)
    return dict(zip(weights, found, strict=True))


def one_memory(memories: Sequence[Memory]) -> Memory:
    """What the estimators of several groups remember, as one memory; a single group's is as it was."""
    if len(memories) == 1:
        return memories[0]
    return {name: torch.stack([each[name] for each in memories]) for name in memories[0]}


def memories_apart(memory: Memory, groups: int) -> list[Memory]:
    """What the estimator of each group remembers: the reverse of `one_memory`."""
    if groups == 1:
        return [memory]
    return [{name: part[group] for name, part in memory.items()} for group in range(groups)]
