"""Gradients by backpropagation: through the whole trial, or through windows of it."""

import torch
from pydantic import Field
from torch.utils.checkpoint import checkpoint

from badger_agents.agent import LearnedAgent, Settings
from badger_agents.estimators.base import (
    GradientEstimator,
    Memory,
    Update,
    Updates,
    Weights,
    gradients_of,
    leaves,
)
from badger_agents.estimators.trials import Trials
from badger_agents.functional import FunctionalAgent
from badger_agents.tree import cut_gradients


class BackpropagationSettings(Settings):
    """Settings of backpropagation.

    Attributes:
        keep_every: keep of a trial only where it is after every so many steps, and go through the steps
            between once more on the way back (activation checkpointing): less memory, more time. About
            the root of the horizon needs the least memory. None: keep all.
        last_steps: let gradients flow through the last so many steps of a trial alone, from where they begin.
            Earlier steps run without gradients: what counts of them in the objective is logged, not
            minimised. After the progressive loss of Bansal et al. 2022 ("End-to-end Algorithm Synthesis with
            Recurrent Networks"), with horizons that are drawn. None: through all.
    """

    keep_every: int | None = Field(default=None, ge=1)
    last_steps: int | None = Field(default=None, ge=1)


class Backpropagation(GradientEstimator):
    """The exact gradient of the objective, through the whole trial; memory grows with its length."""

    Settings = BackpropagationSettings
    stackable = True
    shares = "trials"
    settings: BackpropagationSettings

    def updates(self, agent: LearnedAgent, weights: Weights, trials: Trials, memory: Memory) -> Updates:
        """One update; weights without influence on the loss get zeros."""
        weights = leaves(weights)
        acting = FunctionalAgent(agent, weights, trials.stack)
        kept, last = self.settings.keep_every, self.settings.last_steps
        carry, loss = acting.run(trials.start), torch.zeros((), device=trials.keys.device)
        if last is not None and last < trials.horizon:
            loss, carry = acting.run(trials.score, carry, trials.horizon - last)  # (G,)
            carry = cut_gradients(carry)
        if kept is None:
            part, _ = acting.run(trials.loss, carry, trials.horizon - carry.step)  # (G,)
            loss = loss + part  # (G,)
        else:
            while carry.step < trials.horizon:
                steps = min(kept, trials.horizon - carry.step)
                part, carry = checkpoint(acting.run, trials.loss, carry, steps, use_reentrant=False)
                loss = loss + part  # (G,)
        # no group's loss depends on another's weights, so that the sum has each group's own gradients
        yield Update(loss.detach(), gradients_of(loss.sum(), weights), memory)


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
    objective's, cut between windows. Windows in which nothing counts bring no update.
    """

    Settings = TruncatedSettings
    shares = "trials"
    settings: TruncatedSettings

    def updates(self, agent: LearnedAgent, weights: Weights, trials: Trials, memory: Memory) -> Updates:
        """One update per window in which something counts."""
        weights = leaves(weights)
        acting = FunctionalAgent(agent, weights, trials.stack)
        carry, total = acting.run(trials.start), torch.zeros((), device=trials.keys.device)
        for steps in trials.windows(self.settings.window):
            if not trials.counts(carry.step, steps):
                _, carry = acting.run(trials.score, carry, steps)
            else:
                loss, carry = acting.run(trials.loss, carry, steps)  # (G,)
                total = total + loss.detach()  # (G,)
                weights = leaves((yield Update(total, gradients_of(loss.sum(), weights), memory)))
                acting = FunctionalAgent(agent, weights, trials.stack)
            carry = cut_gradients(carry)  # what begins a window is a number, made by weights of before
