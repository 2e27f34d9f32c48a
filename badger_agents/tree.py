"""States of agents are nested tuples of tensors; functions of them, tensor by tensor; bounds of gradients."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def map(function: Callable[..., Any], *trees: Any) -> Any:
    """A function of the tensors of trees of one shape; a tree of the same shape.

    Args:
        function: takes as many tensors as there are trees.
        trees: at least one; a tensor, or nested tuples and dicts of tensors (other things are left as the
            first has them).
    """
    return map_with_path(lambda path, *parts: function(*parts), "", *trees)


def map_with_path(function: Callable[..., Any], path: str, *trees: Any) -> Any:
    """As `map`; the function is first told the way to each tensor, such as "states/0/1".

    Args:
        function: takes the path and as many tensors as there are trees.
        path: the way to the trees themselves.
        trees: as of `map`.
    """
    first = trees[0]
    if isinstance(first, Tensor):
        return function(path, *trees)
    if isinstance(first, tuple):
        pairs = enumerate(zip(*trees, strict=True))
        parts = [map_with_path(function, f"{path}/{number}", *each) for number, each in pairs]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if isinstance(first, dict):
        return {
            name: map_with_path(function, f"{path}/{name}", *(each[name] for each in trees)) for name in first
        }
    return first


def leaves(tree: Any) -> list[Tensor]:
    """The tensors of a tree, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, tuple) else []


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


def limit_gradients(state: T, longest: float) -> T:
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

    made: T = map(limited, state)
    return made


def cut_gradients(state: T) -> T:
    """The same state, through which no gradient flows back.

    Args:
        state: a tensor, or nested tuples of such.
    """
    cut: T = map(Tensor.detach, state)
    return cut
