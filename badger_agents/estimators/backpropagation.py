"""Gradients by backpropagation: through the whole trial, or through windows of it."""

from collections.abc import Iterator

import torch
from pydantic import Field
from torch.utils.checkpoint import checkpoint

from badger_agents.agent import LearnedAgent, Settings
from badger_agents.estimators.base import GradientEstimator, Memory, Update
from badger_agents.estimators.trials import Trials
from badger_agents.gradients import cut_gradients


class BackpropagationSettings(Settings):
    """Settings of backpropagation.

    Attributes:
        keep_every: keep of a trial only where it is after every so many steps, and live through the steps
            between once more on the way back (activation checkpointing): less memory, more time. About
            the root of the horizon needs the least memory. None: keep all.
    """

    keep_every: int | None = Field(default=None, ge=1)


class Backpropagation(GradientEstimator):
    """The exact gradient of the objective, through the whole trial; memory grows with its length."""

    Settings = BackpropagationSettings
    stackable = True
    shares = "trials"
    settings: BackpropagationSettings

    def updates(self, agent: LearnedAgent, trials: Trials, state: Memory) -> Iterator[Update]:
        """One update; parameters without influence on the loss get zeros."""
        kept, life = self.settings.keep_every, trials.begin(agent)
        if kept is None:
            losses, _ = trials.unroll(agent, life, trials.horizon)  # (G,)
        else:
            losses = torch.zeros((), device=trials.keys.device)
            while life.step < trials.horizon:
                steps = min(kept, trials.horizon - life.step)
                costs, life = checkpoint(trials.unroll, agent, life, steps, use_reentrant=False)
                losses = losses + costs  # (G,)
        yield Update(losses.detach(), _gradients(losses, agent), state)


class TruncatedSettings(Settings):
    """Settings of truncated backpropagation.

    Attributes:
        window: steps through which gradients flow; the first window of an outer step has a random part of
            them.
    """

    window: int = Field(default=5, ge=1)


class TruncatedBackpropagation(GradientEstimator):
    """Backpropagation through windows of a trial, an update after each; memory grows with the window.

    It is biased: what a step does to later windows is not in its gradient. The windows' losses are their
    parts of the objective, so that with weights that stayed as they are their gradients would sum to the
    objective's, cut between windows. Windows in which nothing counts are lived through without an update.
    """

    Settings = TruncatedSettings
    shares = "trials"
    settings: TruncatedSettings

    def updates(self, agent: LearnedAgent, trials: Trials, state: Memory) -> Iterator[Update]:
        """One update per window in which something counts."""
        life = trials.begin(agent)
        total = torch.zeros((), device=trials.keys.device)
        for steps in trials.windows(self.settings.window):
            if not trials.judged(life.step, steps):
                _, life = trials.score(agent, life, steps)
            else:
                losses, life = trials.unroll(agent, life, steps)  # (G,)
                total = total + losses.detach()  # (G,)
                yield Update(total, _gradients(losses, agent), state)
            life = cut_gradients(life)  # what begins a window is a number, made by weights of before


def _gradients(losses: torch.Tensor, agent: LearnedAgent) -> tuple[torch.Tensor, ...]:
    """Of each group's loss in its own weights: no group's loss depends on another's."""
    return torch.autograd.grad(losses.sum(), tuple(agent.parameters()), materialize_grads=True)
