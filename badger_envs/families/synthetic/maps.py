"""Hidden maps of several kinds, from N numbers to M numbers in [-1, 1]: draws, values, slopes."""

import math
from typing import NamedTuple

from badger_envs import keyed_random
from badger_envs.families.task_kinds import draw_kind
from badger_envs.family import namespace, positions
from badger_envs.keyed_random import Array

KINDS = ("linear", "sparse", "threshold", "network", "tree", "lookup")

UNITS, SPLITS = 8, 3  # units of a network, prototypes of a lookup, leaves of a tree; the tree's questions
NONZERO = 2  # numbers that an output of a sparse map depends on
STEEP = 3.0  # largest weight of a network's inputs

STEEPEST = UNITS * STEEP
"""No derivative of a map is larger."""


class Maps(NamedTuple):
    """B maps. What the kinds of a mixture do not need is empty.

    Attributes:
        kind: [B, K], 1 at each map's kind, in the order of the mixture.
        weights: [B, M, N], of a linear, sparse or threshold map; absolute values of a row sum to 1 at most.
        offset: [B, M], likewise.
        inner: [B, UNITS, N], into the units of a network; prototypes of a lookup; what a tree asks for.
        bias: [B, UNITS].
        leaves: [B, M, UNITS], out of the units.
    """

    kind: Array
    weights: Array
    offset: Array
    inner: Array
    bias: Array
    leaves: Array


def draw(keys: Array, kinds: tuple[str, ...], used: Array, outputs: int) -> Maps:
    """Draw maps of `outputs` numbers, each of one of the kinds, all equally likely.

    Args:
        keys: int64 [B, 4].
        kinds: to draw from.
        used: [B, N], 1 for the numbers that count.
        outputs: M.
    """
    xp, (batch, width) = namespace(keys), used.shape
    dtype = str(used.dtype).rpartition(".")[2]  # of either backend
    kind = draw_kind(keyed_random.uniform(keys, "kind", 1, dtype=dtype)[:, 0], kinds)
    count = xp.sum(used, axis=-1)[:, None, None]  # [B, 1, 1]

    def drawn(name: str, *shape: int) -> Array:
        """Uniforms in [-1, 1), [B, *shape]."""
        numbers = keyed_random.uniform(keys, name, math.prod(shape), dtype=dtype)
        return xp.reshape(2 * numbers - 1, (batch, *shape))

    weights, offset = drawn("weights", outputs, width) * used[:, None, :], drawn("offset", outputs) / 2
    if "sparse" in kinds:
        few = xp.astype(
            _rank(drawn("few", outputs, width) + 2 * (1 - used)[:, None, :]) < NONZERO, used.dtype
        )
        weights = weights * xp.where(kind["sparse"][:, None, None] == 1, few, xp.ones_like(few))
    norm = xp.sum(xp.abs(weights), axis=-1) + xp.abs(offset)  # [B, M]
    units = UNITS if {"network", "tree", "lookup"} & set(kinds) else 0
    inner = drawn("inner", units, width) * used[:, None, :]
    bias = drawn("bias", units)
    if "tree" in kinds:
        asked = xp.astype(_rank(inner - 4 * used[:, None, :]) == 0, used.dtype)  # one number in use each
        inner = xp.where(kind["tree"][:, None, None] == 1, asked / 2, inner)
        bias = xp.where(kind["tree"][:, None] == 1, bias / 4, bias)
    if "network" in kinds:
        inner = inner * (1 + kind["network"][:, None, None] * (STEEP / count**0.5 - 1))
    return Maps(
        kind=xp.stack([kind[name] for name in kinds], axis=-1),
        weights=weights / norm[:, :, None],
        offset=offset / norm,
        inner=inner,
        bias=bias,
        leaves=drawn("leaves", outputs, units),
    )


def values(maps: Maps, kinds: tuple[str, ...], points: Array) -> Array:
    """What maps, drawn from `kinds`, make of P points each, [B, P, N]: [B, P, M], in [-1, 1]."""
    xp = namespace(points)
    direct = _apply(maps.weights, points) + maps.offset[:, None]  # [B, P, M]
    total = 0 * direct
    for place, name in enumerate(kinds):
        if name in ("linear", "sparse"):
            value = direct
        elif name == "threshold":
            value = xp.sign(direct)
        elif name == "network":
            value = xp.tanh(_apply(maps.leaves, xp.tanh(_asked(maps, points))))
        else:
            value = _apply(maps.leaves, _leaf(name, _asked(maps, points)))
        total = total + maps.kind[:, place, None, None] * value
    return total


def pulled(maps: Maps, kinds: tuple[str, ...], points: Array, pull: Array) -> Array:
    """The gradient [B, P, N] of sum(pull * values) in points; that of maps that are flat in steps is 0."""
    xp = namespace(points)
    total = 0 * points
    for place, name in enumerate(kinds):
        if name in ("linear", "sparse"):
            slope = xp.matmul(pull, maps.weights)
        elif name == "network":
            active = xp.tanh(_asked(maps, points))  # [B, P, H]
            outer = pull * (1 - xp.tanh(_apply(maps.leaves, active)) ** 2)  # [B, P, M]
            slope = xp.matmul(xp.matmul(outer, maps.leaves) * (1 - active**2), maps.inner)
        else:
            continue
        total = total + maps.kind[:, place, None, None] * slope
    return total


def _asked(maps: Maps, points: Array) -> Array:
    """What the units take in, [B, P, H]."""
    return _apply(maps.inner, points) + maps.bias[:, None]


def _leaf(name: str, asked: Array) -> Array:
    """Which leaf: one 1 among UNITS zeros, [B, P, UNITS], from what the units take in."""
    xp = namespace(asked)
    if name == "lookup":
        chosen = xp.argmax(asked, axis=-1)  # [B, P]
    else:
        chosen = sum(xp.astype(asked[..., k] > 0, xp.int64) << k for k in range(SPLITS))
    return xp.astype(chosen[..., None] == positions(asked, UNITS), asked.dtype)


def _rank(numbers: Array) -> Array:
    """The place of each number among those of its row, from the lowest, 0, on."""
    xp = namespace(numbers)
    return xp.argsort(xp.argsort(numbers, axis=-1, stable=True), axis=-1, stable=True)


def _apply(matrix: Array, points: Array) -> Array:
    """[B, M, N] applied to points [B, P, N]: [B, P, M]."""
    xp = namespace(points)
    return xp.matmul(points, xp.matrix_transpose(matrix))
