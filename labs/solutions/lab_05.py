"""Lab 5: favourites, one-to-one assignment, writing through the membrane, errors by size."""

from typing import Any

import torch
from torch import Tensor, nn

from badger_agents import evaluate
from badger_envs.families.guessing_game import GuessingGame


def favourites(slots: Tensor, experts: Tensor) -> Tensor:
    """[B, N, K], [B, E, K] -> [B, N]."""
    return (slots @ experts.mT).argmax(dim=-1)


def one_to_one(slots: Tensor, experts: Tensor) -> Tensor:
    """A slot that an expert has counts for more than any likeness: [B, N, K], [B, E, K] -> [B, N]."""
    likeness = slots @ experts.mT  # [B, N, E], in [-1, 1]
    load = torch.zeros_like(likeness[:, 0])  # [B, E]
    owners = []
    for slot in range(slots.shape[1]):
        owner = (likeness[:, slot] - 4 * load).argmax(dim=-1)  # [B]
        load = load + nn.functional.one_hot(owner, experts.shape[1])
        owners.append(owner)
    return torch.stack(owners, dim=-1)


def write(outputs: Tensor, owner: Tensor, writing: Tensor) -> Tensor:
    """[B, N], [B, N], [B, E] -> [B, N]."""
    return (outputs + writing.gather(1, owner)).clamp(-1, 1)


def error_by_size(agent: Any, sizes: tuple[int, ...], trials: int) -> dict[int, float]:
    """The mean outcome on the test split, size by size."""
    return {size: evaluate(agent, GuessingGame(dims=size, split="test"), trials).mean for size in sizes}


SOLUTIONS: dict[str, Any] = {"5.1": favourites, "5.2": one_to_one, "5.3": write, "5.4": error_by_size}
