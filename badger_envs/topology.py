"""Topologies: who can hear whom, as adjacency matrices (NumPy; users on torch convert them)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from badger_envs.family import check_integer

Topology = str | Sequence[Sequence[int]] | np.ndarray
"""A name in `BUILDERS`, or a matrix [E, E] of 0 and 1."""


def everyone(experts: int) -> np.ndarray:
    """Everyone hears every other expert, not itself."""
    return ~np.eye(experts, dtype=bool)


def nobody(experts: int) -> np.ndarray:
    """Nobody hears anything."""
    return np.zeros((experts, experts), dtype=bool)


def oneself(experts: int) -> np.ndarray:
    """Everyone hears only itself: the same computation as a channel, and no information."""
    return np.eye(experts, dtype=bool)


def ring(experts: int) -> np.ndarray:
    """Everyone hears its two neighbours on a circle (one neighbour with 2 experts, none with 1)."""
    following = np.roll(np.eye(experts, dtype=bool), 1, axis=1)  # i hears i + 1
    return (following | following.T) & everyone(experts)


BUILDERS: dict[str, Callable[[int], np.ndarray]] = {
    "all": everyone,
    "none": nobody,
    "self": oneself,
    "ring": ring,
}
"""Named topologies: functions from the number of experts E to bool [E, E]."""


def adjacency(topology: Topology, experts: int) -> np.ndarray:
    """The adjacency matrix of a topology.

    Args:
        topology: a name in `BUILDERS`, or a matrix [E, E] (array or nested sequence) of 0 and 1 or of
            booleans.
        experts: E, at least 1.

    Returns:
        bool [E, E], a fresh array; entry [i, j] says that i hears j.

    Raises:
        ValueError: an unknown name; a matrix of another shape or with other values than 0 and 1.
        TypeError: `experts` is no integer.
    """
    check_integer("experts", experts, low=1)
    if isinstance(topology, str):
        if topology not in BUILDERS:
            known = ", ".join(BUILDERS)
            raise ValueError(f"topology is {topology!r}; it must be one of {known}, or a matrix")
        return BUILDERS[topology](experts)
    return _checked(topology, experts)


def _checked(matrix: Any, experts: int) -> np.ndarray:
    wanted = f"it must be a matrix of 0 and 1, shape ({experts}, {experts})"
    try:
        array = np.asarray(matrix)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"topology is no matrix ({error}); {wanted}") from error
    if array.shape != (experts, experts):
        raise ValueError(f"topology has shape {array.shape}; {wanted}")
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise ValueError(f"topology holds other values than 0 and 1; {wanted}")
    return array.astype(bool)
