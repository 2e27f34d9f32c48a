"""Objectives of the outer loop: how the per-step losses of trials become one number to minimise."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Objective = Callable[[Float[Tensor, "T B"]], Float[Tensor, ""]]


def last_step(loss: Float[Tensor, "T B"]) -> Float[Tensor, ""]:
    """Be right at the end; the way there is free (the paper's figure 6)."""
    return loss[-1].mean()


def second_half(loss: Float[Tensor, "T B"]) -> Float[Tensor, ""]:
    """Be right in the second half of the trial: explore first, then stay."""
    return loss[len(loss) // 2 :].mean()


def as_soon_as_possible(loss: Float[Tensor, "T B"]) -> Float[Tensor, ""]:
    """Be right at every step, so as early as can be (the paper's figure 9)."""
    return loss.mean()


OBJECTIVES: dict[str, Objective] = {
    "last_step": last_step,
    "second_half": second_half,
    "as_soon_as_possible": as_soon_as_possible,
}
"""Objectives by the name that a recipe uses."""


def collapse(messages: Float[Tensor, "T B E M"]) -> Float[Tensor, ""]:
    """How alike experts' messages are: 0 if every number in them spreads by 1 or more, 1 if all say the same.

    The variance term of VICReg (Bardes et al. 2022, equation 1) over experts: mean of max(0, 1 - standard
    deviation). Added to an objective, it keeps experts that share one policy from collapsing into one.
    """
    spread = (messages.var(dim=2, correction=0) + 1e-6).sqrt()  # (T, B, M)
    return torch.relu(1 - spread).mean()
