"""Objectives of the outer loop: how the per-step losses of trials become one number to minimise."""

from collections.abc import Callable

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
