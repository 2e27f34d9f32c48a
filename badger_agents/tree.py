"""States of agents, part by part: functions on nested tuples of tensors."""

from collections.abc import Callable, Iterator
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


def leaves(tree: Any) -> list[Tensor]:
    """The tensors of a tree of tuples and dicts, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple) else ()
    return [leaf for part in parts for leaf in leaves(part)]


def rebuilt(tree: Any, parts: Iterator[Tensor]) -> Any:
    """A tree of the same shape with other tensors, in the order of `leaves`."""
    if isinstance(tree, Tensor):
        return next(parts)
    if isinstance(tree, dict):
        return {name: rebuilt(part, parts) for name, part in tree.items()}
    if isinstance(tree, tuple):
        made = [rebuilt(part, parts) for part in tree]
        return type(tree)(*made) if hasattr(tree, "_fields") else tuple(made)
    return tree
