"""Pretrained policies: the weights that come with the suite, by name."""

from pathlib import Path

import torch

from badger_agents.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint

FOLDER = Path(__file__).parent / "pretrained"
"""Where they lie: NAME.safetensors, its card NAME.md and the rows behind the card, NAME.csv."""


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
