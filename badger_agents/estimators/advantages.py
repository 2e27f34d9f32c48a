"""Advantages: how much more than usual a trial earned from a step on."""

import torch
from jaxtyping import Float
from torch import Tensor


def advantages(
    reward: Float[Tensor, "T B"], value: Float[Tensor, "T B"], discount: float, trace: float
) -> Float[Tensor, "T B"]:
    """Generalised advantage estimates (Schulman et al. 2016, equation 16) of whole trials.

    Args:
        reward: of each step.
        value: what was thought to come from each step on; after the last, nothing comes. Where it is 0 and
            `trace` is 1, the result is the discounted return.
        discount: gamma.
        trace: lambda.
    """
    later = torch.cat([value[1:], torch.zeros_like(value[:1])])  # (T, B)
    surprise = reward + discount * later - value  # (T, B)
    total, backwards = torch.zeros_like(surprise[0]), []
    for step in reversed(surprise.unbind()):
        total = step + discount * trace * total  # (B,)
        backwards.append(total)
    return torch.stack(backwards[::-1])  # (T, B)


def centred_and_scaled(
    gain: Float[Tensor, "T B"], whole: Float[Tensor, "T B"], groups: int = 1
) -> tuple[Float[Tensor, "T B"], Float[Tensor, "T B"]]:
    """Gains less their mean over the batch, over the spread of whole gains, step by step, and that spread.

    A step's mean needs no network to be known, and scaled steps count alike, though early ones have more of
    the trial before them. Each group of rows is a batch of its own.
    """
    parts, wholes = (part.unflatten(1, (groups, -1)) for part in (gain, whole))  # (T, G, B/G)
    spread = wholes.std(dim=-1, keepdim=True, correction=0) + 1e-3  # (T, G, 1), never 0
    scaled = (parts - parts.mean(dim=-1, keepdim=True)) / spread  # (T, G, B/G)
    return scaled.flatten(1), spread.expand_as(parts).flatten(1)
