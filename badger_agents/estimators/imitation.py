"""Learning choices from what would have been right: backpropagation where no gradient passes an action."""

import torch
from jaxtyping import Float
from torch import Tensor

from badger_agents import tree
from badger_agents.agent import Agent, LearnedAgent, Settings
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
from badger_agents.rollout import ENVIRONMENT_STATES, OBSERVATIONS


class ImitationSettings(Settings):
    """It has no settings."""


class Imitation(GradientEstimator):
    """Backpropagation through whole trials; of choices, the loss is how unlikely the right one was.

    Where actions are categorical the loss of a step is the cross-entropy between the family's `solution` and
    the probabilities of the draw, over that of choosing at random: 1 for who knows nothing, 0 for who is sure
    and right. An agent so learns how likely each choice is to be the best by what it has seen, and who draws
    by that explores as Thompson sampling does (Lee et al. 2023, "Supervised Pretraining Can Learn In-Context
    Reinforcement Learning"). Other actions are learned as by `backpropagation`. So one estimator serves
    families of all kinds of actions.
    """

    Settings = ImitationSettings
    stackable = True
    shares = "trials"
    draws = ("categorical",)

    def updates(self, agent: LearnedAgent, weights: Weights, trials: Trials, memory: Memory) -> Updates:
        """One update."""
        weights = leaves(weights)
        loss = FunctionalAgent(agent, weights, trials.stack).run(imitation_loss, trials)  # (G,)
        yield Update(loss.detach(), gradients_of(loss.sum(), weights), memory)


def imitation_loss(agent: Agent, trials: Trials) -> Float[Tensor, "G"]:
    """The objective of trials, of choices by how unlikely the right ones were.

    Raises:
        ValueError: it is not known what the right choices are.
    """
    if trials.family.action_kind != "categorical":
        return trials.loss(agent, None, trials.horizon)[0]
    names = ("logits", OBSERVATIONS, ENVIRONMENT_STATES)
    segment, _ = trials.segment(agent, trials.start(agent), trials.horizon, names)
    states, logits = segment.trace[ENVIRONMENT_STATES], segment.trace["logits"]  # each (T, B, ...)
    family, task = trials.family, trials.batch.task
    right = []
    for step in range(trials.horizon):
        solution = family.solution(task, tree.map(lambda part, step=step: part[step], states))
        if solution is None:
            raise ValueError(f"{type(family).__name__} has no solution to imitate; use policy_gradient")
        right.append(solution)  # (B, O)
    used = segment.trace[OBSERVATIONS].output_mask  # (T, B, O)
    return trials.loss_of(segment._replace(loss=surprise(logits, torch.stack(right), used)), 0)


def surprise(
    logits: Float[Tensor, "T B O"], right: Float[Tensor, "T B O"], used: Float[Tensor, "T B O"]
) -> Float[Tensor, "T B"]:
    """Cross-entropy of the right choices, which ties share, over that of a draw from all in use."""
    share = right / right.sum(dim=-1, keepdim=True)  # (T, B, O)
    missed = -(share * logits.log_softmax(dim=-1)).sum(dim=-1)  # (T, B)
    return missed / used.sum(dim=-1).clamp(min=2).log()  # (T, B)
