"""Checkpoints: the whole state of an outer loop in one safetensors file, written atomically.

A checkpoint holds weights, optimiser, estimator state, counters, outer seed and the recipe itself; the
keys of all draws follow from seed and step. It carries no pickle.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.files import write_atomically
from badger_agents.recipe import Recipe, RecipeError

FORMAT = "badger-checkpoint-1"


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; the message says why and what would do."""


class Checkpoint(NamedTuple):
    """The state of an outer loop.

    Attributes:
        recipe: what is being trained, and how.
        seed: the outer seed.
        step: outer steps done.
        skipped: outer steps whose update was skipped because loss or gradient was not finite.
        weights: the agent's parameters by name.
        optimiser: the optimiser's tensors by name.
        estimator: the estimator's tensors by name.
    """

    recipe: Recipe
    seed: int
    step: int
    skipped: int
    weights: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    estimator: dict[str, Tensor]

    def agent(self, **changes: Any) -> LearnedAgent:
        """The agent with these weights, with some settings changed (`experts`, `topology`, ...)."""
        agent = self.recipe.make_agent(self.seed, **changes)
        assert isinstance(agent, LearnedAgent)  # only agents with weights are ever saved
        try:
            agent.load_state_dict(self.weights)
        except RuntimeError as error:
            raise CheckpointError(f"the weights do not fit the recipe's agent: {error}") from error
        return agent


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint: the file is replaced whole or not at all, also when killed."""
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().contiguous()
        for group in ("weights", "optimiser", "estimator")
        for name, tensor in getattr(checkpoint, group).items()
    }
    counters = {"seed": checkpoint.seed, "step": checkpoint.step, "skipped": checkpoint.skipped}
    metadata = {"format": FORMAT, "recipe": checkpoint.recipe.to_json(), "counters": json.dumps(counters)}
    write_atomically(path, save(tensors, metadata))


def load_checkpoint(path: Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: no file, not safetensors (corrupt, truncated), or another program's.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}; `badger train` writes one into its run folder")
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "optimiser": {}, "estimator": {}}
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise CheckpointError(
                    f"{path} is a safetensors file but no Badger checkpoint (its format says"
                    f" {metadata.get('format')!r}, not {FORMAT!r}); give a run folder of `badger train`"
                )
            for key in file.keys():  # noqa: SIM118: safe_open is no mapping
                group, _, name = key.partition("/")
                groups[group][name] = file.get_tensor(key)
        recipe = Recipe.from_json(metadata["recipe"])
        counters = json.loads(metadata["counters"])
        return Checkpoint(recipe, counters["seed"], counters["step"], counters["skipped"], **groups)
    except (SafetensorError, KeyError, OSError, json.JSONDecodeError, RecipeError) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint ({error}): corrupt or truncated") from error
