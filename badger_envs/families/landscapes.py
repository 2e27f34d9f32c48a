"""Test functions with a known minimum, 0 at a random place: how they are drawn, values, gradients, bounds.

Every kind is scaled so that its mean over points and optima, both uniform in [-1, 1]^d, is 1: kinds mix.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from array_api_compat import device

from badger_envs import keyed_random
from badger_envs.families.task_kinds import draw_kind
from badger_envs.family import Sizes, namespace
from badger_envs.keyed_random import Array

CONDITION = 1000.0  # largest condition number of an ellipsoid
WIDTH = 5.12  # Rastrigin's customary domain [-5.12, 5.12] laid on [-1, 1]
HIDDEN, READOUTS, SPREAD = (
    16,
    4,
    2.0,
)  # of the network: tanh units, outputs, standard deviation before a tanh

# Means over z = point - optimum, both uniform in [-1, 1]; exact but for the last.
_SQUARE = 2 / 3  # of z ** 2, and of |z|
_VALLEY = 100 * (5 * _SQUARE + 16 / 15)  # of a term of Rosenbrock's sum; 16 / 15 is the mean of z ** 4
_WAVES = 10 * (1 - (math.sin(2 * math.pi * WIDTH) / (2 * math.pi * WIDTH)) ** 2) + WIDTH**2 * _SQUARE
# The network's sum of squares, simulated with 400,000 tasks or more: 3.70, 4.04, 4.13, 4.16, 4.21, 4.23, 4.23
# at d = 1, 2, 3, 4, 8, 16, 64. One constant serves all.
_NETWORK = 4.2


class Functions(NamedTuple):
    """B functions, each of one kind, over points whose coordinates stand in slots.

    Attributes:
        optimum: [B, O], where the value is 0; 0 in unused slots.
        mask: [B, O], 1 in used slots.
        order: int64 [B, O], which coordinate a slot holds; [B, 0] if slot i holds coordinate i.
        slot: int64 [B, O], the inverse: the slot of a coordinate; [B, 0] likewise.
        weight: [B, K], scale of a function's own kind, 0 for the others.
        matrix: [B, D, O], ellipsoid: value = sum((matrix @ z) ** 2); [B, 0, 1] if there is none.
        chained: [B, O], Rosenbrock: 1 for coordinates, in order, that have a successor; [B, 0] if none is.
        inner: [B, HIDDEN, O], network: weights into its tanh units; [B, 0, 1] if there is none.
        centre: [B, HIDDEN], network: what its tanh units take in at the optimum; [B, 0] if there is none.
        readout: [B, READOUTS, HIDDEN], network: weights of its outputs; [B, 0, 1] if there is none.
    """

    optimum: Array
    mask: Array
    order: Array
    slot: Array
    weight: Array
    matrix: Array
    chained: Array
    inner: Array
    centre: Array
    readout: Array


def draw(keys: Array, kinds: tuple[str, ...], sizes: Sizes, dtype: str) -> Functions:
    """Draw functions: what is drawn depends on keys, kinds and dims, not on capacity and shuffling.

    Args:
        keys: int64 [B, 4].
        kinds: kinds to draw from, each equally likely.
        sizes: numbers of coordinates d, and the slots O that they stand in.
        dtype: "float32" or "float64".
    """
    xp, (low, high) = namespace(keys), sizes.limits
    drawn = keyed_random.uniform(keys, "kind and optimum", 1 + high, dtype=dtype)  # in one call: calls cost
    kind, optimum = draw_kind(drawn[:, 0], kinds), 2 * drawn[:, 1:] - 1  # [B], [B, D]
    used, count = xp.ones_like(optimum), xp.ones_like(optimum[:, 0]) * high
    if low < high:
        count = xp.astype(sizes.count(keys)[:, 0], used.dtype)
        used = xp.astype(xp.cumulative_sum(used, axis=-1) <= count[:, None], used.dtype)
    order = sizes.order(keys)
    matrix = inner = readout = optimum[:, :0, None]  # [B, 0, 1]
    chained = centre = optimum[:, :0]
    scales = {
        "sphere": 1 / (_SQUARE * count),
        "ellipsoid": xp.ones_like(count),
        "absolute": 1 / (_SQUARE * count),
        "rosenbrock": 1 / (_VALLEY * (count - 1) + _SQUARE * count),
        "rastrigin": 1 / (_WAVES * count),
        "network": xp.ones_like(count) / _NETWORK,
    }
    if "ellipsoid" in kinds:
        matrix = sizes.spread(_ellipsoid(keys, used, count, dtype), order)
    if "rosenbrock" in kinds:
        chained = sizes.spread(used[:, 1:], keys[:, :0])
    if "network" in kinds:
        wide = 3 * SPREAD / xp.sqrt(count)[:, None, None]  # uniform weights of inputs with variance 1/3
        entries = xp.reshape(
            2 * keyed_random.uniform(keys, "network", HIDDEN * high, dtype=dtype) - 1, (-1, HIDDEN, high)
        )
        entries = entries * wide * used[:, None, :]
        bias = SPREAD * (2 * keyed_random.uniform(keys, "network bias", HIDDEN, dtype=dtype) - 1)
        readout = 2 * keyed_random.uniform(keys, "network readout", READOUTS * HIDDEN, dtype=dtype) - 1
        readout = xp.reshape(readout, (-1, READOUTS, HIDDEN)) * math.sqrt(3 / HIDDEN)
        inner, centre = sizes.spread(entries, order), _apply(entries, optimum * used) + bias
    return Functions(
        optimum=sizes.spread(optimum * used, order),
        mask=sizes.spread(used, order),
        order=order,
        slot=xp.argsort(order, axis=-1),
        weight=xp.stack([kind[name] * scales[name] for name in kinds], axis=-1),
        matrix=matrix,
        chained=chained,
        inner=inner,
        centre=centre,
        readout=readout,
    )


def values(functions: Functions, kinds: tuple[str, ...], points: Array) -> Array:
    """Values [B] of B functions, drawn from `kinds`, at points [B, O]; 0 at the optimum, nowhere below."""
    z = (points - functions.optimum) * functions.mask  # [B, O]
    total = _KINDS[kinds[0]].value(functions, z) * functions.weight[:, 0]
    for i, kind in enumerate(kinds[1:], start=1):
        total = total + _KINDS[kind].value(functions, z) * functions.weight[:, i]
    return total


def gradients(functions: Functions, kinds: tuple[str, ...], points: Array) -> Array:
    """Gradients [B, O] of `values` in the points; 0 in unused slots, and for "absolute" at its kinks."""
    z = (points - functions.optimum) * functions.mask  # [B, O]
    total = _KINDS[kinds[0]].gradient(functions, z) * functions.weight[:, :1]
    for i, kind in enumerate(kinds[1:], start=1):
        total = total + _KINDS[kind].gradient(functions, z) * functions.weight[:, i : i + 1]
    return total * functions.mask


def value_bound(kinds: Iterable[str], dims: Iterable[int]) -> float:
    """A number that no value passes while points and optima lie in [-1, 1], |z| <= 2."""
    return max(1.01 * _KINDS[kind].value_bound(d) for kind in kinds for d in dims)


def gradient_bound(kinds: Iterable[str], dims: Iterable[int]) -> float:
    """A number that no component of a gradient passes while points and optima lie in [-1, 1]."""
    return max(1.01 * _KINDS[kind].gradient_bound(d) for kind in kinds for d in dims)


def _ellipsoid(keys: Array, used: Array, count: Array, dtype: str) -> Array:
    """Square roots of Hessians, [B, D, D]: diagonal times a random rotation of the used coordinates.

    The squared diagonal runs from 1 to the condition number, itself log-uniform in [1, CONDITION], evenly
    on a log scale. The rotation is Haar-distributed up to signs: Householder reflections, each exactly
    orthogonal, that turn normal vectors of dimension d, d - 1, ..., 2 onto an axis (Stewart 1980).
    """
    xp = namespace(keys)
    high = used.shape[1]
    index = xp.cumulative_sum(xp.ones_like(used), axis=-1) - 1  # [B, D]
    exponent = index / xp.where(count > 1, count - 1, xp.ones_like(count))[:, None]
    condition = CONDITION ** keyed_random.uniform(keys, "condition", 1, dtype=dtype)  # [B, 1]
    curvature = condition**exponent * used
    vectors = keyed_random.normal(keys, "rotation", (high - 1) * high, dtype=dtype)
    vectors = xp.reshape(vectors, (keys.shape[0], high - 1, high))
    rotation = xp.eye(high, dtype=used.dtype, device=device(used)) + 0 * used[:, :, None]  # [B, D, D]
    for k in range(high - 1):  # a reflection of the coordinates from k on, as a change of these rows
        v = vectors[:, k, k:] * used[:, k:]  # [B, D - k], 0 where k is unused
        length = xp.sqrt(xp.vecdot(v, v))
        ahead = length * (1 - 2 * xp.astype(v[:, 0] < 0, v.dtype))  # away from v: nothing cancels
        v = v + ahead[:, None] * xp.astype(index[:, k:] == k, v.dtype)
        square = xp.vecdot(v, v)
        scaled = v * (2 / xp.where(square > 0, square, xp.ones_like(square)))[:, None]
        turned = rotation[:, k:, :] - scaled[:, :, None] * xp.matmul(v[:, None, :], rotation[:, k:, :])
        rotation = xp.concat([rotation[:, :k, :], turned], axis=1)
    scale = xp.sqrt(curvature / (_SQUARE * xp.sum(curvature, axis=-1)[:, None]))
    return scale[:, :, None] * rotation


def _apply(matrix: Array, vector: Array) -> Array:
    """[B, N, M] times [B, M] -> [B, N]."""
    return namespace(matrix).matmul(matrix, vector[:, :, None])[:, :, 0]


def _transposed(matrix: Array, vector: Array) -> Array:
    """Transposed [B, N, M] times [B, N] -> [B, M]."""
    return namespace(matrix).matmul(vector[:, None, :], matrix)[:, 0, :]


def _sphere(f: Functions, z: Array) -> Array:
    return namespace(z).vecdot(z, z)


def _sphere_gradient(f: Functions, z: Array) -> Array:
    return 2 * z


def _ellipsoid_value(f: Functions, z: Array) -> Array:
    return _sphere(f, _apply(f.matrix, z))


def _ellipsoid_gradient(f: Functions, z: Array) -> Array:
    return 2 * _transposed(f.matrix, _apply(f.matrix, z))


def _absolute(f: Functions, z: Array) -> Array:
    xp = namespace(z)
    return xp.vecdot(xp.abs(z), f.mask)


def _absolute_gradient(f: Functions, z: Array) -> Array:
    return namespace(z).sign(z)


def _chain(f: Functions, z: Array) -> tuple[Array, Array, Array]:
    """Steps z in the order of coordinates, misses of successors, both [B, O]; and their slope [O, O]."""
    xp = namespace(z)
    if f.slot.shape[1]:
        z = xp.take_along_axis(z, f.slot, axis=-1)
    eyes = [xp.eye(z.shape[1], k=k, dtype=z.dtype, device=device(z)) for k in (-1, 0)]
    slope = eyes[0] - 2 * eyes[1]  # z @ slope = successor - 2 z: faster than to shift
    return z, (xp.matmul(z, slope) - z**2) * f.chained, slope


def _rosenbrock(f: Functions, z: Array) -> Array:
    _, miss, _ = _chain(f, z)
    return 100 * _sphere(f, miss) + _sphere(f, z)


def _rosenbrock_gradient(f: Functions, z: Array) -> Array:
    xp = namespace(z)
    ordered, miss, step = _chain(f, z)
    slope = 200 * (xp.matmul(miss, xp.matrix_transpose(step)) - 2 * miss * ordered)  # [B, O]
    if f.order.shape[1]:
        slope = xp.take_along_axis(slope, f.order, axis=-1)
    return slope + 2 * z


def _rastrigin(f: Functions, z: Array) -> Array:
    xp = namespace(z)
    return xp.vecdot(10 * (1 - xp.cos(2 * math.pi * WIDTH * z)) + (WIDTH * z) ** 2, f.mask)


def _rastrigin_gradient(f: Functions, z: Array) -> Array:
    xp = namespace(z)
    return 20 * math.pi * WIDTH * xp.sin(2 * math.pi * WIDTH * z) + 2 * WIDTH**2 * z


def _network(f: Functions, z: Array) -> Array:
    xp = namespace(z)
    change = xp.tanh(_apply(f.inner, z) + f.centre) - xp.tanh(f.centre)
    return _sphere(f, _apply(f.readout, change))


def _network_gradient(f: Functions, z: Array) -> Array:
    xp = namespace(z)
    active = xp.tanh(_apply(f.inner, z) + f.centre)
    miss = _apply(f.readout, active - xp.tanh(f.centre))
    return 2 * _transposed(f.inner, _transposed(f.readout, miss) * (1 - active**2))


class _Kind(NamedTuple):
    """What a kind is: value and gradient before scaling; bounds after it, at a dimension d."""

    value: Callable[[Functions, Array], Array]
    gradient: Callable[[Functions, Array], Array]
    value_bound: Callable[[int], float]
    gradient_bound: Callable[[int], float]


# With |z| <= 2 in every coordinate |z' - 2 z - z ** 2| <= 10, and no output of a network changes by more than
_CHANGE = 2 * HIDDEN * math.sqrt(3 / HIDDEN)
_KINDS = {
    "sphere": _Kind(_sphere, _sphere_gradient, lambda d: 4 / _SQUARE, lambda d: 4 / (_SQUARE * d)),
    "ellipsoid": _Kind(
        _ellipsoid_value,
        _ellipsoid_gradient,
        lambda d: 4 * d / _SQUARE,
        lambda d: 4 * math.sqrt(d) / _SQUARE,
    ),
    "absolute": _Kind(_absolute, _absolute_gradient, lambda d: 2 / _SQUARE, lambda d: 1 / (_SQUARE * d)),
    "rosenbrock": _Kind(
        _rosenbrock,
        _rosenbrock_gradient,
        lambda d: (10_000 * (d - 1) + 4 * d) / (_VALLEY * (d - 1) + _SQUARE * d),
        lambda d: (14_000 * (d > 1) + 4) / (_VALLEY * (d - 1) + _SQUARE * d),
    ),
    "rastrigin": _Kind(
        _rastrigin,
        _rastrigin_gradient,
        lambda d: (20 + 4 * WIDTH**2) / _WAVES,
        lambda d: (20 * math.pi * WIDTH + 4 * WIDTH**2) / (_WAVES * d),
    ),
    "network": _Kind(
        _network,
        _network_gradient,
        lambda d: READOUTS * _CHANGE**2 / _NETWORK,
        lambda d: (
            2 * HIDDEN * (3 * SPREAD / math.sqrt(d)) * READOUTS * math.sqrt(3 / HIDDEN) * _CHANGE / _NETWORK
        ),
    ),
}
KINDS = tuple(_KINDS)
