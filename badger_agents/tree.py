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
    first = trees[0]
    if isinstance(first, Tensor):
        return function(*trees)
    if isinstance(first, tuple):
        parts = [map(function, *each) for each in zip(*trees, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if isinstance(first, dict):
        return {name: map(function, *(each[name] for each in trees)) for name in first}
    return first


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

    def shorter(gradient: Tensor) -> Tensor:
        rows = gradient.reshape(len(gradient), -1)  # (B, N)
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)  # (B, 1)
        return (rows * (longest / length.clamp(min=longest))).view_as(gradient)

    def limited(part: Tensor) -> Tensor:
        if not part.requires_grad or part.dim() == 0 or part.numel() == 0:
            return part
        alias = part.view_as(part)  # others who hold the tensor keep their gradients as they are
        alias.register_hook(shorter)  # in half the time of an autograd.Function
        return alias

    made: T = map(limited, state)
    return made


def cut_gradients(state: T) -> T:
    """The same state, through which no gradient flows back.

    Args:
        state: a tensor, or nested tuples of such.
    """
    cut: T = map(Tensor.detach, state)
    return cut
