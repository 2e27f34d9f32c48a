"""Lab 4: plausible wrong answers, and words that the checker's message must have."""

import math
from typing import Any

import torch
from torch import Tensor

from labs.solutions.lab_04 import interval


def scores(query: Tensor, key: Tensor, edges: Tensor) -> Tensor:
    return (query @ key.mT / math.sqrt(key.shape[-1])).masked_fill(~edges, -math.inf)


WRONG: dict[str, list[tuple[Any, str]]] = {
    "4.1": [
        (lambda query, key, value, edges: scores(query, key, edges).softmax(-1) @ value, "NaN"),
        (
            lambda query, key, value, edges: scores(query, key, edges).clamp(min=-1e9).softmax(-2) @ value,
            "over listeners",
        ),
        (
            lambda query, key, value, edges: (query @ key.mT / key.shape[-1] ** 0.5).softmax(-1) @ value,
            "all hear all",
        ),
        (
            lambda query, key, value, edges: (
                ((query @ key.mT / key.shape[-1] ** 0.5).softmax(-1) * edges) @ value
            ),
            "before the softmax",
        ),
        (
            lambda query, key, value, edges: (query @ key.mT).masked_fill(~edges, -1e9).softmax(-1) @ value,
            "root of the width",
        ),
        (
            lambda query, key, value, edges: (
                (query @ key.mT / len(edges) ** 0.5).masked_fill(~edges, -1e9).softmax(-1) @ value
            ),
            "number of experts",
        ),
    ],
    "4.2": [
        (lambda kind, experts: torch.full((experts, experts), kind == "others"), "leave out the diagonal"),
        (lambda kind, experts: torch.eye(experts), "torch.bool"),
    ],
    "4.3": [
        (lambda sent: sent.roll(1, dims=1), "another expert's"),
        (lambda sent: sent.roll(-1, dims=0), "b + 1"),
        (lambda sent: torch.zeros_like(sent), "expert by expert"),
    ],
    "4.4": [
        (lambda agent, rivals: all(rival.mean() > agent.mean() for rival in rivals.values()), "lower limit"),
        (
            lambda agent, rivals: any(interval(rival - agent)[0] > 0 for rival in rivals.values()),
            "lower limit",
        ),
        (
            lambda agent, rivals: all(interval(rival - agent)[0] > 0 for rival in rivals.values()),
            "three outer seeds",
        ),
        (
            lambda agent, rivals: (
                len(agent) > 10 and all(interval(rival - agent)[0] > 0 for rival in rivals.values())
            ),
            "ten are enough",
        ),
        (
            lambda agent, rivals: (
                len(agent) >= 10 and all(interval(agent - rival)[0] > 0 for rival in rivals.values())
            ),
            "rival - agent",
        ),
        (
            lambda agent, rivals: (
                len(agent) >= 10 and all(interval(agent)[1] < interval(rival)[0] for rival in rivals.values())
            ),
            "seed by seed",
        ),
    ],
}
