"""Advantages: how much more than usual a trial earned from a step on."""

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST = 1e-3
"""Added to spreads, so that steps at which all trials have the same advantage are not blown up."""


def advantages(
    reward: Float[Tensor, "T B"], value: Float[Tensor, "T B"], discount: float, gae_lambda: float
) -> Float[Tensor, "T B"]:
    """Generalised advantage estimates (Schulman et al. 2016, equation 16) of whole trials.

    Args:
        reward: of each step.
        value: what was thought to come from each step on; after the last, nothing comes. Where it is 0 and
            `gae_lambda` is 1, the result is the discounted return.
        discount: gamma.
        gae_lambda: lambda.
    """
    later = torch.cat([value[1:], torch.zeros_like(value[:1])])  # (T, B)
    td_error = reward + discount * later - value  # (T, B)
    total, backwards = torch.zeros_like(td_error[0]), []
    for step in reversed(td_error.unbind()):
        total = step + discount * gae_lambda * total  # (B,)
        backwards.append(total)
    return torch.stack(backwards[::-1])  # (T, B)


def centred(advantage: Float[Tensor, "T B"], groups: int = 1) -> Float[Tensor, "T B"]:
    """Advantages less their mean over the batch, step by step; each group of rows is a batch of its own."""
    parts = advantage.unflatten(1, (groups, -1))  # (T, G, B/G)
    return (parts - parts.mean(dim=-1, keepdim=True)).flatten(1)  # (T, B)


def spread_of(advantage: Float[Tensor, "T B"], groups: int = 1) -> Float[Tensor, "T B"]:
    """Standard deviation over the batch, step by step, never 0; the same for all rows of a group."""
    parts = advantage.unflatten(1, (groups, -1))  # (T, G, B/G)
    spread = parts.std(dim=-1, keepdim=True, correction=0) + SMALLEST  # (T, G, 1)
    return spread.expand_as(parts).flatten(1)  # (T, B)
