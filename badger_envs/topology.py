"""Topologies: who can hear whom, by name or as a matrix (NumPy; users on torch convert them).

A topology is written in the same way in a recipe, on the command line and in Python: a name, and where
it takes arguments, a colon and those that shall not be as usual.

    topology = "grid"
    topology = "random:degree=8,seed=3"
    topology = "top-k:k=2,seed=trial"
    badger evaluate RUN --agent topology=small-world:neighbours=6,rewired=0.2

| name | who hears whom | edges | both ways |
|---|---|---|---|
| `all` | everyone hears every other expert | E**2 | yes |
| `none` | nobody hears anything | 0 | yes |
| `self` | everyone hears only itself: the same computation as a channel, and no information | E | yes |
| `ring` | the two neighbours on a circle | 2 E | yes |
| `chain` | the one before in a row; the first hears nobody | E - 1 | no |
| `grid` | left, right, above, below; near-square, no wrap-around | 4 E | yes |
| `tree` | parent and two children | 2 E | yes |
| `clusters` | sqrt(E) clusters; all within, and one pair between each and the next in a ring | E**1.5 | yes |
| `layered` | thirds (input, hidden, output experts): all of the third before | 2/9 E**2 | no |
| `random` | each other one with the same probability, `degree` of them on average | degree * E | no |
| `small-world` | `neighbours` on a circle, some `rewired` to any expert | neighbours * E | no |
| `top-k` | the `k` best of `candidates` random others: experts choose whom to hear | k * E | no |

`seed` says which draw of the last three it is: a number (the same in every trial) or `trial` (drawn anew in
each trial, from its keys).
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from badger_envs import keyed_random
from badger_envs import neighbours as lists
from badger_envs.family import check_integer
from badger_envs.keyed_random import Array
from badger_envs.neighbours import Neighbours

Topology = str | Sequence[Sequence[int]] | np.ndarray
"""A name as above, or a matrix [E, E] of 0 and 1."""

_APART = 0x41474E54 << 32
"""What is added to a seed, so that its draw shares no stream with any family's."""

TRIAL = "trial"
"""What a seed may be instead of a number: drawn anew in each trial."""


def everyone(experts: int) -> np.ndarray:
    """Everyone hears every other expert, not itself."""
    return ~np.eye(experts, dtype=bool)


def layered(experts: int) -> np.ndarray:
    """Input, hidden and output experts in thirds, in this order; each layer hears all of the one before.

    With one expert there is an input only, with two an input and one that hears it.
    """
    layer = np.arange(experts) * 3 // max(experts, 3)
    return layer[:, None] == layer + 1


MATRICES: dict[str, Callable[[int], np.ndarray]] = {"all": everyone, "layered": layered}
"""Topologies with so many edges that they are matrices: functions from E to bool [E, E]."""

LISTS: dict[str, Callable[[int], Neighbours]] = {
    "none": lists.nobody,
    "self": lists.oneself,
    "ring": lists.ring,
    "chain": lists.chain,
    "grid": lists.grid,
    "tree": lists.tree,
    "clusters": lists.clusters,
}
"""Sparse topologies that nothing is drawn for: functions from E to lists [E, c]."""

DRAWN: dict[str, Callable[..., Neighbours]] = {
    "random": lists.random_edges,
    "small-world": lists.small_world,
    "top-k": lists.candidates,
}
"""Sparse topologies that are drawn: functions from E, keys [B, 4] and arguments to lists [B, E, c]."""

BUILDERS: dict[str, Callable[..., np.ndarray | Neighbours]] = {
    "all": everyone,
    **LISTS,
    "layered": layered,
    **DRAWN,
}
"""All topologies with a name; the first line of a function's docstring says which it is."""


@dataclasses.dataclass(frozen=True)
class Named:
    """A topology with a name, as `parse` reads it.

    Attributes:
        name: one of `BUILDERS`.
        arguments: of the function in `DRAWN`, by name.
        k: how many of their candidates experts hear; None: all that they can.
        seed: which draw; None: nothing is drawn.
    """

    name: str
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    k: int | None = None
    seed: int | str | None = None

    @property
    def per_trial(self) -> bool:
        """Whether it is drawn anew in each trial."""
        return self.seed == TRIAL


@dataclasses.dataclass(frozen=True)
class _Argument:
    """What an argument may be: how it is read, its usual value, which values are right, in words."""

    read: Callable[[str], Any]
    usual: Any
    right: Callable[[Any], bool]
    words: str


def _seed(text: str) -> int | str:
    return TRIAL if text == TRIAL else int(text)


def _which(usual: int | str) -> _Argument:
    words = f"a number from 0 to 2**64 - 1, or {TRIAL}"
    return _Argument(_seed, usual, lambda seed: seed == TRIAL or 0 <= seed < 2**64, words)


ARGUMENTS: dict[str, dict[str, _Argument]] = {
    "random": {
        "degree": _Argument(float, 4, lambda x: 0 < x < math.inf, "a number above 0"),
        "seed": _which(0),
    },
    "small-world": {
        "neighbours": _Argument(int, 4, lambda x: x >= 4 and x % 2 == 0, "an even number, at least 4"),
        "rewired": _Argument(float, 0.1, lambda x: 0 <= x <= 1, "a number from 0 to 1"),
        "seed": _which(0),
    },
    "top-k": {
        "k": _Argument(int, 4, lambda x: x >= 1, "a whole number, at least 1"),
        "candidates": _Argument(int, 16, lambda x: x >= 1, "a whole number, at least 1"),
        "seed": _which(TRIAL),
    },
}
"""Arguments of topologies, by name."""


def parse(topology: Topology) -> Named | None:
    """What a topology's name says; None for a matrix.

    Raises:
        ValueError: an unknown name or argument, or a value that an argument does not take.
    """
    if not isinstance(topology, str):
        return None
    name, colon, text = topology.partition(":")
    if name not in BUILDERS:
        known = ", ".join(BUILDERS)
        raise ValueError(f"topology is {topology!r}; it must be one of {known}, or a matrix")
    known_arguments = ARGUMENTS.get(name, {})
    usual = {key: argument.usual for key, argument in known_arguments.items()}
    example = f"{name}:{','.join(f'{key}={value}' for key, value in usual.items())}" if usual else name
    values = dict(usual)
    for part in text.split(",") if colon else ():
        key, _, value = part.partition("=")
        if key not in known_arguments:
            raise ValueError(
                f"topology is {topology!r}: {part!r} is no argument of {name}; write {example!r}"
            )
        try:
            values[key] = known_arguments[key].read(value)
            right = known_arguments[key].right(values[key])
        except ValueError:
            right = False
        if not right:
            wanted = known_arguments[key].words
            raise ValueError(f"topology is {topology!r}: {key} must be {wanted}, as in {example!r}")
    seed, k = values.pop("seed", None), values.pop("k", None)
    if k is not None:
        values["count"] = values.pop("candidates")
        if k > values["count"]:
            raise ValueError(f"topology is {topology!r}: k must not be above candidates, as in {example!r}")
    return Named(name, values, k, seed)


def adjacency(topology: Topology, experts: int) -> np.ndarray:
    """The adjacency matrix of a topology.

    Args:
        topology: a name, or a matrix [E, E] (array or nested sequence) of 0 and 1 or of booleans.
        experts: E, at least 1.

    Returns:
        bool [E, E], a fresh array; entry [i, j] says that i hears j.

    Raises:
        ValueError: an unknown name or a wrong argument; a topology without one matrix (drawn anew in each
            trial, or `top-k`); a matrix of another shape or with other values than 0 and 1.
        TypeError: `experts` is no integer.
    """
    check_integer("experts", experts, low=1)
    named = parse(topology)
    if named is None:
        return _checked(topology, experts)
    if named.k is not None or named.per_trial:
        what = "experts choose whom to hear" if named.k is not None else "it is drawn anew in each trial"
        raise ValueError(f"topology is {topology!r}: {what}, so that it has no one matrix; take another")
    if named.name in MATRICES:
        return MATRICES[named.name](experts)
    return matrix_of(neighbours(topology, experts))


def neighbours(topology: Topology, experts: int, keys: Array | None = None) -> Neighbours:
    """Whom every expert can hear, as lists; a sparse topology (`is_sparse`) costs no more than its edges.

    Args:
        topology: as for `adjacency`, and those that it refuses: for `top-k` the lists hold the candidates.
        experts: E, at least 1.
        keys: keys of trials, int64 [B, 4]; only topologies that are drawn anew in each of them look at them.

    Returns:
        Lists [E, c] in NumPy, as short as may be; or [B, E, c] on the keys' backend, padded to a length
        that the draw cannot pass.

    Raises:
        ValueError, TypeError: as for `adjacency`; keys are missing where they are needed.
    """
    check_integer("experts", experts, low=1)
    named = parse(topology)
    if named is None or named.name in MATRICES:
        return lists.from_matrix(adjacency(topology, experts))
    if named.name in LISTS:
        return LISTS[named.name](experts)
    if named.per_trial:
        if keys is None:
            raise ValueError(f"topology is {topology!r}: it is drawn anew in each trial; give their keys")
        return DRAWN[named.name](experts, keys, **named.arguments)
    assert isinstance(named.seed, int)
    key = keyed_random.outer_keys(named.seed ^ _APART, 0, 1)
    drawn = DRAWN[named.name](experts, key, **named.arguments)
    return lists.trimmed(Neighbours(drawn.index[0], drawn.mask[0]))


def is_sparse(topology: Topology) -> bool:
    """Whether its edges grow more slowly than E**2, so that lists are made without a matrix."""
    named = parse(topology)
    return named is not None and named.name not in MATRICES


def matrix_of(edges: Neighbours) -> np.ndarray:
    """The adjacency matrix, bool [E, E], of lists [E, c]."""
    matrix = np.zeros((len(edges.index), len(edges.index)), dtype=bool)
    hearer, slot = np.nonzero(edges.mask)
    matrix[hearer, edges.index[hearer, slot]] = True
    return matrix


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
