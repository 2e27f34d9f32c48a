"""States of agents, part by part: functions on nested tuples of tensors."""

from collections.abc import Callable
from typing import Any

from torch import Tensor


def by_parts(function: Callable[..., Tensor], state: Any, *others: Any) -> Any:
    """A function of states of one kind, tensor by tensor; a state of the same kind.

    Args:
        function: takes as many tensors as there are states.
        state: a tensor, or nested tuples of tensors; where all states have a tensor, the function is used.
        others: further states of the same shape of tuples. Where one has a tensor and another none (a key
            that is not sent yet), and where there is no tensor at all, the last one's part is taken.
    """
    states = (state, *others)
    if all(isinstance(each, Tensor) for each in states):
        return function(*states)
    if all(isinstance(each, tuple) for each in states):
        parts = [by_parts(function, *each) for each in zip(*states, strict=True)]
        return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)
    return states[-1]


def map(function: Callable[..., Any], *trees: Any) -> Any:
    """A function of the tensors of trees of one shape; a tree of the same shape.

    Args:
        function: takes as many tensors as there are trees.
        trees: at least one; a tensor, or nested tuples of tensors (other things are left as the first has
            them).
    """
    first = trees[0]
    if isinstance(first, Tensor):
        return function(*trees)
    if isinstance(first, tuple):
        parts = [map(function, *each) for each in zip(*trees, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    return first
