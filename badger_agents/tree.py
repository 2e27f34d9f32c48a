"""States of agents are nested tuples of tensors; functions of them, tensor by tensor."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


def map(function: Callable[..., Any], *trees: Any) -> Any:
    """A function of the tensors of trees of one shape; a tree of the same shape.

    Args:
        function: takes as many tensors as there are trees.
        trees: at least one; a tensor, or nested tuples of tensors (other things are left as the first has
            them).
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
