"""Keeping gradients through long trials in bounds: one wild trial must not drown the others."""

from typing import Any, TypeVar

import torch
from torch import Tensor

from badger_agents import tree

State = TypeVar("State")


class _Limit(torch.autograd.Function):
    """Identity, whose gradient is shortened, row by row."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, longest: float) -> Tensor:
        ctx.longest = longest
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        rows = gradient.reshape(len(gradient), -1)  # (B, N)
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)  # (B, 1)
        shorter = rows * (ctx.longest / length.clamp(min=ctx.longest))  # (B, N)
        return shorter.view_as(gradient), None


def limit_gradients(state: State, longest: float) -> State:
    """The same state, through which no trial's gradient flows back longer than `longest`.

    A trial is a feedback loop: experts read what they wrote. In a few trials of a batch gradients
    explode on their way back, and clipping the mean over the batch keeps their direction alone.
    Shortening them per trial and step (of each tensor of the state apart) leaves the others' say. The
    bias is that of any clipping.

    Args:
        state: a tensor [B, ...], or nested tuples of such.
        longest: norm of a row's gradient above which it is shortened to that.
    """

    def limited(part: Tensor) -> Tensor:
        return _Limit.apply(part, longest) if part.requires_grad and part.dim() > 0 else part

    made: State = tree.map(limited, state)
    return made


def cut_gradients(state: State) -> State:
    """The same state, through which no gradient flows back.

    Args:
        state: a tensor, or nested tuples of such.
    """
    cut: State = tree.map(Tensor.detach, state)
    return cut
