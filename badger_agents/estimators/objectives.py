"""Objectives of the outer loop: how the per-step losses of trials become one number to minimise."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Objective = Callable[[Float[Tensor, "T B"]], Float[Tensor, ""]]
"""A weighted mean over steps and a plain one over trials, linear in the losses."""


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


@cache
def step_weights(objective: Objective, horizon: int) -> tuple[float, ...]:
    """What the loss of each step counts in an objective; of all steps together 1.

    An objective is linear, so that these are its gradient: it is defined once, as the function it is, and
    whoever goes through a trial in parts sums parts.
    """
    with torch.enable_grad():
        loss = torch.ones(horizon, 1, dtype=torch.float64, device="cpu", requires_grad=True)  # (T, 1)
        (weights,) = torch.autograd.grad(objective(loss), loss)
    return tuple(weights[:, 0].tolist())


class Penalty(NamedTuple):
    """A term that training adds to an objective.

    Attributes:
        setting: the recipe's name for its weight.
        weight: its factor.
        reads: what it is of, by the name under which the agent records it.
        rule: from that, [T, B, ...], to one number: a mean over steps and trials.
    """

    setting: str
    weight: float
    reads: str
    rule: Callable[[Tensor], Tensor]


def collapse(messages: Float[Tensor, "T B E M"]) -> Float[Tensor, ""]:
    """How alike experts' messages are: 0 if every number in them spreads by 1 or more, 1 if all say the same.

    The variance term of VICReg (Bardes et al. 2022, equation 1) over experts: mean of max(0, 1 - standard
    deviation). Added to an objective, it keeps experts that share one policy from collapsing into one.
    """
    spread = (messages.var(dim=2, correction=0) + 1e-6).sqrt()  # (T, B, M)
    return torch.relu(1 - spread).mean()
