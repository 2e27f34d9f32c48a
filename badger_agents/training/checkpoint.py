"""Checkpoints: the whole state of an outer loop in one safetensors file, written atomically.

A checkpoint holds weights, optimiser, estimator state, counters, outer seed and the recipe itself; the
keys of all draws follow from seed and step. It carries no pickle.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.atomic_files import part_of, write_atomically, write_together
from badger_agents.class_loading import PROJECT_ONLY, Trust, with_code_files
from badger_agents.recipe.loading import Recipe, RecipeError, check_recipe
from badger_agents.training.curriculum import Place
from badger_envs.family import ActionKind

FORMAT = "badger-checkpoint-1"
"""Key of the one metadata entry: safetensors writes several in any order, and equal runs give equal files."""


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; the message says why and what would do."""


class Checkpoint(NamedTuple):
    """The state of an outer loop.

    Attributes:
        recipe: what is being trained, and how.
        seed: the outer seed.
        step: outer steps done.
        skipped: outer steps whose update was skipped because loss or gradient was not finite.
        place: where in the recipe's curriculum it is.
        weights: the agent's parameters and buffers by name.
        optimiser: the optimiser's tensors by name.
        estimator: the estimator's tensors by name.
    """

    recipe: Recipe
    seed: int
    step: int
    skipped: int
    place: Place
    weights: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    estimator: dict[str, Tensor]

    def agent(self, *, action_kind: ActionKind | None = None, **changes: Any) -> LearnedAgent:
        """The agent with these weights, in evaluation mode.

        Args:
            action_kind: of the families that it will meet, if they are of another kind than in training.
            changes: settings to change (`experts`, ...).

        Raises:
            CheckpointError: the weights do not fit.
        """
        agent = self.recipe.make_agent(self.seed, action_kind=action_kind, **changes)
        assert isinstance(agent, LearnedAgent)  # only agents with weights are ever saved
        try:
            agent.load_state_dict(self.weights)
        except RuntimeError as error:
            raise CheckpointError(f"the weights do not fit the recipe's agent: {error}") from error
        return agent.eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint: the file is replaced whole or not at all, also when killed."""
    write_atomically(path, _packed(path, checkpoint))


def save_checkpoints(checkpoints: Mapping[Path, Checkpoint]) -> None:
    """Write checkpoints of runs that go side by side; after a kill `settle` makes them all old or all new."""
    write_together({path: _packed(path, checkpoint) for path, checkpoint in checkpoints.items()})


def settle(paths: Iterable[Path]) -> None:
    """End what a killed `save_checkpoints` began to put in place.

    It puts nothing in place before all is written. So if one file is newer than the others, what is left
    to be put in place of those is whole.
    """
    steps = {path: _read(path).step if path.is_file() else 0 for path in paths}
    newest = max(steps.values(), default=0)
    for path, step in steps.items():
        part = part_of(path)
        if step < newest and part.is_file():
            try:
                waiting = _read(part).step
            except CheckpointError:
                continue  # an older kill's, cut short
            if waiting == newest:
                part.replace(path)


def _packed(path: Path, checkpoint: Checkpoint) -> bytes:
    """The file's bytes."""
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().contiguous().clone()  # tied weights must not share memory
        for group in ("weights", "optimiser", "estimator")
        for name, tensor in getattr(checkpoint, group).items()
    }
    facts = {
        "recipe": portable_recipe(checkpoint.recipe, path.parent),
        "seed": checkpoint.seed,
        "step": checkpoint.step,
        "skipped": checkpoint.skipped,
        "place": list(checkpoint.place),
    }
    return save(tensors, {FORMAT: json.dumps(facts)})


def weights_only(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without what only further training needs: a third of its size."""
    return checkpoint._replace(optimiser={}, estimator={})


def load_checkpoint(
    path: Path, device: str | torch.device = "cpu", trust: Trust = PROJECT_ONLY
) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: the file.
        device: where its tensors go.
        trust: whose code its recipe may name, beside the project's. For a run folder that the user named that
            is `Trust(folders=(folder,))`: the run's own copy of a policy.

    Raises:
        CheckpointError: no file, not safetensors (corrupt, truncated), or another program's.
    """
    stored = _read(path, device)
    try:
        recipe = check_recipe(stored.tables, str(path), trust)
    except RecipeError as error:
        raise CheckpointError(f"the recipe in this checkpoint cannot be used: {error}") from error
    stages = len(recipe.training.stages) if recipe.training is not None else 0
    if not 0 <= stored.place.stage < max(stages, 1):
        raise CheckpointError(f"{path} is at stage {stored.place.stage} of {max(stages, 1)}: it is damaged")
    return Checkpoint(recipe, stored.seed, stored.step, stored.skipped, stored.place, **stored.groups)


class _Stored(NamedTuple):
    """What a file says, before anything that its recipe names is loaded."""

    tables: dict[str, Any]
    seed: int
    step: int
    skipped: int
    place: Place
    groups: dict[str, dict[str, Tensor]]


def _read(path: Path, device: str | torch.device = "cpu") -> _Stored:
    """What a checkpoint says; its recipe is not checked, and no code of it runs. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}; `badger train` writes one into its run folder")
    groups: dict[str, dict[str, Tensor]] = {"weights": {}, "optimiser": {}, "estimator": {}}
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            metadata = file.metadata() or {}
            if FORMAT not in metadata:
                raise CheckpointError(
                    f"{path} is a safetensors file but no Badger checkpoint (it lacks {FORMAT!r});"
                    " give a run folder of `badger train`"
                )
            for key in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                group, _, name = key.partition("/")
                groups[group][name] = file.get_tensor(key)
        facts = json.loads(metadata[FORMAT])
        tables = with_code_files(facts["recipe"], lambda file: path.parent / file)
        seed, step, skipped = (int(facts[name]) for name in ("seed", "step", "skipped"))
        return _Stored(tables, seed, step, skipped, _place(*facts["place"]), groups)
    except CheckpointError:
        raise
    except (
        SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        AttributeError,
        OSError,
        RecursionError,
    ) as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({error}): corrupt, truncated or another program's;"
            " use another, or train again"
        ) from error


def _place(*parts: Any) -> Place:
    """From JSON, which has no tuples."""
    place = Place(*parts)
    return place._replace(losses=tuple(place.losses), former_losses=tuple(place.former_losses))


def portable_recipe(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The recipe's tables as a checkpoint in `folder` keeps them.

    Paths of files with a user's code are relative to the folder where they lie in it, so that a run
    folder can be moved, and absolute elsewhere.
    """

    def place(file: Path) -> Path:
        file = file.resolve()
        return file.relative_to(folder.resolve()) if file.is_relative_to(folder.resolve()) else file

    return with_code_files(json.loads(recipe.to_json()), place)


def weights_sha256(weights: Mapping[str, Tensor | np.ndarray]) -> str:
    """Hash of weights, however they are stored: names and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        array = value.cpu().numpy() if isinstance(value, Tensor) else value
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
