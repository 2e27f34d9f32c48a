"""States of agents are nested tuples of tensors; functions of them, tensor by tensor."""

from collections.abc import Callable
from typing import Any

from torch import Tensor


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
