"""Lab 4: the attention channel, who hears whom, messages of another trial, the claim gate."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, edges: Tensor) -> Tensor:
    """Softmax over the speakers that a listener can hear: [B, E, K], [B, E, K], [B, E, M] -> [B, E, M]."""
    scores = query @ key.mT / math.sqrt(key.shape[-1])  # [B, listener, speaker]
    scores = scores.masked_fill(~edges, -1e9)  # finite, so that a row of them is no NaN
    weights = torch.softmax(scores, dim=-1) * edges.any(dim=-1, keepdim=True)
    return weights @ value


def edges_of(kind: str, experts: int) -> Tensor:
    """Row: listener, column: speaker; [E, E]."""
    own = torch.eye(experts, dtype=torch.bool)
    return {"others": ~own, "nobody": torch.zeros_like(own), "itself": own}[kind]


def from_another_trial(sent: Tensor) -> Tensor:
    """[B, E, M]: trial b gets what trial b - 1 sent."""
    return sent.roll(1, dims=0)


def interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % limits of the mean of differences [S], by a bootstrap over outer seeds."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (10_000, len(differences))).mean(axis=-1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def communication_helps(agent: np.ndarray, rivals: dict[str, np.ndarray]) -> bool:
    """All lower limits are above 0, and there are ten outer seeds."""
    return len(agent) >= 10 and all(interval(rival - agent)[0] > 0 for rival in rivals.values())


SOLUTIONS: dict[str, Any] = {
    "4.1": attend,
    "4.2": edges_of,
    "4.3": from_another_trial,
    "4.4": communication_helps,
}
