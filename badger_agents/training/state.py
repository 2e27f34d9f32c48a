"""A run's state: all that an outer step starts from and leaves behind, and nothing else."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.estimators import GradientEstimator, Memory
from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import Checkpoint, CheckpointError
from badger_agents.training.curriculum import Place


class TrainState(NamedTuple):
    """The state of one outer seed's run between two outer steps. Nothing in it is changed in place.

    Attributes:
        weights: the trained parameters by name; none requires a gradient.
        optimiser: its tensors by "weight/what".
        estimator: what the gradient estimator remembers, by name.
        place: where in the curriculum the run is.
        step: outer steps done.
        skipped: outer steps whose update was left out, as loss or gradient was not finite.
        failures: how many of them were the last, in a row.
    """

    weights: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    estimator: Memory
    place: Place = Place()
    step: int = 0
    skipped: int = 0
    failures: int = 0


def trained_weights(agent: LearnedAgent) -> dict[str, Tensor]:
    """An agent's parameters by name, without those that ask for no gradient."""
    return {name: part.detach() for name, part in agent.named_parameters() if part.requires_grad}


def fresh_state(agent: LearnedAgent, estimator: GradientEstimator) -> TrainState:
    """The state before the first outer step."""
    weights = trained_weights(agent)
    return TrainState(weights, {}, estimator.initial_memory(weights))


def restored_state(agent: LearnedAgent, last: Checkpoint, folder: Path) -> TrainState:
    """The state that a checkpoint holds; the agent's saved buffers become the checkpoint's.

    Raises:
        CheckpointError: it does not fit the agent.
    """
    try:
        agent.load_state_dict(last.weights)
        weights = trained_weights(agent)
        for name, value in last.optimiser.items():
            if value.dim() and value.shape != weights[name.rpartition("/")[0]].shape:
                raise ValueError(f"{name} has shape {tuple(value.shape)}")
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint in {folder} does not fit its recipe's agent ({' '.join(str(error).split())});"
            " use another --out"
        ) from error
    return TrainState(weights, last.optimiser, last.estimator, last.place, last.step, last.skipped)


def snapshot(recipe: Recipe, seed: int, agent: LearnedAgent, state: TrainState) -> Checkpoint:
    """What a checkpoint keeps of a state; the agent's saved buffers go with the weights."""
    weights = {**agent.state_dict(), **state.weights}
    return Checkpoint(
        recipe, seed, state.step, state.skipped, state.place, weights, state.optimiser, state.estimator
    )


def stacked(states: list[TrainState]) -> dict[str, Tensor]:
    """Weights for rollouts: one state's as they are, of several a stack of each, [N, ...]."""
    if len(states) == 1:
        return states[0].weights
    return {name: torch.stack([each.weights[name] for each in states]) for name in states[0].weights}
