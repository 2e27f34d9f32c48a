"""Lab 8: causal influence, mutual information and its null, roles, skills cloning, a diagnosis."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


def causal_effect(
    listener: Callable[[np.ndarray], np.ndarray], messages: np.ndarray, donors: np.ndarray
) -> float:
    """Mean squared change of the writing."""
    return float(((listener(messages[donors]) - listener(messages)) ** 2).mean())


def excess(
    information: Callable[[np.ndarray, np.ndarray], float],
    said: np.ndarray,
    done: np.ndarray,
    permutations: np.ndarray,
) -> tuple[float, float]:
    """Whole trials change places."""
    null = [information(said, done[:, order]) for order in permutations]
    return information(said, done), float(np.mean(null))


def roles(writing: np.ndarray) -> np.ndarray:
    """Places in the order of largest writings: [T, B, E] -> [B, E]."""
    when = np.abs(writing).argmax(axis=0)  # [B, E]
    return when.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")


def clone(states: Tensor, order: Tensor) -> Tensor:
    """states[b, order[b, e]] at [b, e]: [B, E, H]."""
    return states[torch.arange(len(states))[:, None], order]


def diagnose(influences: np.ndarray, changes: np.ndarray) -> tuple[str, int]:
    """A row, a column, or a state at rest."""
    tiny = 1e-3 * influences.max()
    deaf, mute = (influences <= tiny).all(axis=1), (influences <= tiny).all(axis=0)
    frozen = changes <= 1e-3 * changes.max()
    for fault, found in (("frozen", frozen), ("deaf", deaf), ("mute", mute)):
        if found.any():
            return fault, int(found.argmax())
    return "none", -1


SOLUTIONS: dict[str, Any] = {
    "8.1": causal_effect,
    "8.2": excess,
    "8.3": roles,
    "8.4": clone,
    "8.5": diagnose,
}
