"""Runs on disk: finding an agent by the name that a user types, and naming run folders."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.checkpoint import CheckpointError, load_checkpoint
from badger_agents.outer_loop import CHECKPOINT
from badger_agents.recipe import Recipe, load_recipe, recipe_files


class Run(NamedTuple):
    """An agent ready to be evaluated: its name, recipe, the agent, outer seed (None without weights)."""

    name: str
    recipe: Recipe
    agent: Agent
    seed: int | None

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(p.numel() for p in self.agent.parameters()) if isinstance(self.agent, LearnedAgent) else 0


def open_run(target: str, device: str = "cpu", **changes: Any) -> Run:
    """The agent that `target` names.

    Args:
        target: a run folder of `badger train`, a checkpoint file, or a recipe whose agent has no weights.
        device: a torch device.
        changes: settings of the agent to change (experts, topology, ...).

    Raises:
        CheckpointError, RecipeError: there is none, or it cannot be read.
    """
    path = Path(target)
    if (target in recipe_files() and not (path / CHECKPOINT).is_file()) or path.suffix == ".toml":
        recipe = load_recipe(target)
        agent = recipe.make_agent(**changes)
        if isinstance(agent, LearnedAgent):
            raise CheckpointError(f"recipe {target!r} has to be trained first: badger train {target}")
        return Run(recipe.name, recipe, agent, None)
    if not path.exists():
        raise CheckpointError(f"no run {target!r}; give a run folder of `badger train`, or a checkpoint file")
    checkpoint = load_checkpoint(path / CHECKPOINT if path.is_dir() else path)
    agent = checkpoint.agent(**changes).to(device).eval()
    return Run(checkpoint.recipe.name, checkpoint.recipe, agent, checkpoint.seed)


def family_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings of a family from --env words; ValueError for those that the command sets itself."""
    settings = parse_settings(pairs, "--env")
    for key in ("id", "split"):
        if key in settings:
            raise ValueError(f"--env {key}=...: the {key} is not changed that way")
    return settings


def parse_settings(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """Settings from "key=value" words; values are written as in TOML (3, [1, 8], true, "all" or all).

    Raises:
        ValueError: a word is no such pair.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"{option} {pair!r}: write key=value, for example {option} dims=5")
        try:
            settings[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            settings[key] = value  # a bare word is a string
    return settings
