"""Gradients by backpropagation: through the whole trial."""

from collections.abc import Iterator

import torch

from badger_agents.agent import LearnedAgent, Settings
from badger_agents.estimators.base import GradientEstimator, Memory, Update
from badger_agents.trials import Trials


class BackpropagationSettings(Settings):
    """It has none."""


class Backpropagation(GradientEstimator):
    """The exact gradient of the objective, through the whole trial."""

    Settings = BackpropagationSettings
    stackable = True

    def updates(self, agent: LearnedAgent, trials: Trials, state: Memory) -> Iterator[Update]:
        """One update; parameters without influence on the loss get zeros."""
        losses, _ = trials.unroll(agent, trials.begin(agent), trials.horizon)  # (G,)
        gradients = torch.autograd.grad(losses.sum(), tuple(agent.parameters()), materialize_grads=True)
        yield Update(losses.detach(), gradients, state)
