"""Trained agents by name: the weights that come with the suite, a run folder, or a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from badger_agents.acting import EnvPolicy, family_of_env
from badger_agents.agent import Agent, LearnedAgent
from badger_agents.class_loading import PROJECT_ONLY, Trust
from badger_agents.recipe.loading import Recipe, load_recipe, recipe_files
from badger_agents.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from badger_agents.training.run import CHECKPOINT
from badger_envs.family import Family

FOLDER = Path(__file__).parent / "pretrained"
"""Where they lie: NAME.safetensors, its card NAME.md and the rows behind the card, NAME.csv."""


@dataclass(frozen=True)
class TrainedAgent:
    """An agent that is ready to act, in evaluation mode, with the recipe that it was trained by.

    Attributes:
        recipe: what it was trained on and how, or the algorithm's own.
        agent: the agent.
        checkpoint: its weights; None for an algorithm without any.
        device: where it computes.
        changes: settings of the agent that are not the recipe's.
    """

    recipe: Recipe
    agent: Agent
    checkpoint: Checkpoint | None = None
    device: str = "cpu"
    changes: Mapping[str, Any] = field(default_factory=dict)

    def family(self, **changes: Any) -> Family:
        """The family that it was trained on, with some settings changed (see `Recipe.family`)."""
        return self.recipe.family(**changes)

    def with_settings(self, **changes: Any) -> "TrainedAgent":
        """The same weights with some settings of the agent changed (`experts`, `action_kind`, ...).

        What was changed before stays so.

        Raises:
            CheckpointError: the weights do not fit, or an algorithm without weights gets some.
        """
        return _made(self.recipe, self.checkpoint, self.device, {**self.changes, **changes})

    def policy(self, env: Any) -> EnvPolicy:
        """This agent as a policy in an environment: `reset()`, `act(observation)`.

        Args:
            env: a Gymnasium, vector or PettingZoo parallel environment of this suite.

        Raises:
            TypeError: the environment is none of this suite.
            CheckpointError: the weights do not fit the kind of its actions.
        """
        kind = family_of_env(env).action_kind
        fits = not isinstance(self.agent, LearnedAgent) or self.agent.action_kind == kind
        made = self if fits else self.with_settings(action_kind=kind)
        return EnvPolicy(made.agent, env, self.device)


def load(name_or_path: str | Path, *, device: str = "cpu", trust: Trust = PROJECT_ONLY) -> TrainedAgent:
    """A trained agent.

    Args:
        name_or_path: a name of `pretrained_names()`; a run folder of `badger train`, or a checkpoint file; or
            the name or file of a recipe whose agent has no weights.
        device: a torch device.
        trust: whose code its recipe may name, beside the project's. Of a run folder, its own copies of a
            user's code are trusted: who names it means them.

    Raises:
        CheckpointError, RecipeError: there is none, it cannot be read, or it has to be trained first.
    """
    name, path = str(name_or_path), Path(name_or_path)
    if path.is_dir() and (path / CHECKPOINT).is_file():
        last = load_checkpoint(path / CHECKPOINT, device, trust | Trust(folders=(path,)))
        return _made(last.recipe, last, device, {})
    if name in pretrained_names():
        last = load_pretrained(name, device)
        return _made(last.recipe, last, device, {})
    if name in recipe_files() or path.suffix == ".toml":
        recipe = load_recipe(name, trust)
        if _has_weights(recipe.make_agent()):
            raise CheckpointError(f"recipe {name!r} has to be trained first: badger train {name}")
        return _made(recipe, None, device, {})
    if not path.exists():
        raise CheckpointError(
            f"no trained agent {name!r}; give a run folder, a checkpoint file, or one of:"
            f" {', '.join(pretrained_names())}"
        )
    last = load_checkpoint(path / CHECKPOINT if path.is_dir() else path, device, trust)
    return _made(last.recipe, last, device, {})


def pretrained_names() -> list[str]:
    """Names of the policies that come with the suite, in alphabetical order."""
    return sorted(file.stem for file in FOLDER.glob("*.safetensors"))


def load_pretrained(name: str, device: str | torch.device = "cpu") -> Checkpoint:
    """A policy that comes with the suite: a checkpoint whose optimiser and estimator are empty.

    Args:
        name: one of `pretrained_names()`.
        device: where its tensors go.

    Raises:
        CheckpointError: there is none of that name.
    """
    known = pretrained_names()
    if name not in known:
        there = f"there are: {', '.join(known)}" if known else "none has been published yet"
        raise CheckpointError(f"no pretrained policy {name!r}; {there}")
    return load_checkpoint(FOLDER / f"{name}.safetensors", device)


def _made(
    recipe: Recipe, checkpoint: Checkpoint | None, device: str, changes: dict[str, Any]
) -> TrainedAgent:
    """The agent in evaluation mode on a device.

    Raises:
        CheckpointError: the weights do not fit, or there are none where some are needed.
    """
    agent = recipe.make_agent(**changes) if checkpoint is None else checkpoint.agent(**changes)
    if checkpoint is None and _has_weights(agent):
        raise CheckpointError(
            f"{recipe.name} with {', '.join(changes)} changed has weights; it has to be trained"
        )
    ready = agent.to(device).eval() if isinstance(agent, LearnedAgent) else agent
    return TrainedAgent(recipe, ready, checkpoint, device, changes)


def _has_weights(agent: Agent) -> bool:
    return isinstance(agent, LearnedAgent) and any(True for _ in agent.parameters())
