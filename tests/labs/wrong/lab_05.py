"""Lab 5: plausible wrong answers, and words that the checker's message must have."""

from typing import Any

import torch
from torch import Tensor

from badger_agents import evaluate
from badger_envs.families.guessing_game import GuessingGame
from labs.solutions.lab_05 import favourites


def taken_once(slots: Tensor, experts: Tensor) -> Tensor:
    """Strikes experts out for good, and so has none left when there are more slots."""
    likeness = slots @ experts.mT
    owners = []
    for slot in range(slots.shape[1]):
        owner = likeness[:, slot].argmax(dim=-1)
        likeness[torch.arange(len(slots)), :, owner] = -9.0
        owners.append(owner)
    return torch.stack(owners, dim=-1)


WRONG: dict[str, list[tuple[Any, str]]] = {
    "5.1": [
        (lambda slots, experts: (slots @ experts.mT).argmax(dim=1), "over slots"),
        (lambda slots, experts: slots @ experts.mT, "dot products"),
    ],
    "5.2": [
        (favourites, "no longer free"),
        (taken_once, "*fewest*"),
        (lambda slots, experts: torch.arange(slots.shape[1]).expand(slots.shape[:2]), "hardwired"),
    ],
    "5.3": [
        (lambda outputs, owner, writing: (outputs + writing[:, :3]).clamp(-1, 1), "of expert i"),
        (lambda outputs, owner, writing: outputs + writing.gather(1, owner), "not clamped"),
        (lambda outputs, owner, writing: writing.gather(1, owner), "replaces"),
    ],
    "5.4": [
        (
            lambda agent, sizes, trials: {
                size: evaluate(agent, GuessingGame(dims=size), trials).mean for size in sizes
            },
            "tasks of training",
        ),
        (
            lambda agent, sizes, trials: {
                size: float(evaluate(agent, GuessingGame(dims=size, split="test"), trials).loss.mean())
                for size in sizes
            },
            "all steps",
        ),
    ],
}
