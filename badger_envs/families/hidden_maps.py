"""Hidden maps from inputs to outputs: how they are drawn, and the examples that they give."""

import math
from typing import NamedTuple

from array_api_compat import device

from badger_envs import keyed_random
from badger_envs.families.task_kinds import draw_kind
from badger_envs.family import Sizes, namespace, positions
from badger_envs.keyed_random import Array

KINDS = ("identity", "permutation", "affine", "sparse_linear", "lookup")


class Task(NamedTuple):
    """B maps. Each is inputs -> matrix @ inputs + offset, or a lookup of prototypes.

    Attributes:
        matrix: [B, O, I], 0 for a lookup and in unused slots; [B, 0, 0] if all are lookups.
        offset: [B, O], likewise.
        lookup: [B], 1 for a lookup, else 0.
        prototypes: [B, classes, I], 0 for other kinds; [B, 0, 0] if there is no lookup.
        classes: int64 [B, O], class of an output slot; [B, 0] if there is no lookup.
        width: [B, I], scale of the random part of the inputs, 0 in unused slots.
        count: [B], outputs in use.
        scale: [B], error = scale * squared error: 1 over the variance of the right outputs.
        input_mask: [B, I].
        output_mask: [B, O].
        input_order: int64 [B, I], which input a slot shows; [B, 0] if slot i shows input i.
        first: [B, noise_size], noise of the first inputs.
    """

    matrix: Array
    offset: Array
    lookup: Array
    prototypes: Array
    classes: Array
    width: Array
    count: Array
    scale: Array
    input_mask: Array
    output_mask: Array
    input_order: Array
    first: Array


def draw(
    keys: Array,
    kinds: tuple[str, ...],
    *,
    inputs: Sizes,
    outputs: Sizes,
    nonzero: int,
    blur: float,
    noise_size: int,
    dtype: str,
) -> Task:
    """Draw maps: what is drawn depends on keys, kinds and sizes, not on capacities and shuffling.

    Args:
        keys: int64 [B, 4].
        kinds: kinds to draw from, each equally likely.
        inputs: numbers of inputs, and the slots I that they stand in.
        outputs: the same of outputs, in slots O.
        nonzero: inputs that an output of a "sparse_linear" map depends on.
        blur: share of noise in the inputs of a "lookup".
        noise_size: uniforms that an example takes.
        dtype: "float32" or "float64".
    """
    xp = namespace(keys)
    shape = (outputs.limits[1], inputs.limits[1])  # of the highest sizes
    numbers = _Numbers(keys, 3 + noise_size + _count(kinds, *shape), dtype)
    kind = draw_kind(numbers.take(), kinds)
    input_count, input_mask = _in_use(numbers.take(1), inputs)  # int64 [B, 1], [B, I]
    output_count, output_mask = _in_use(numbers.take(1), outputs)
    first = numbers.take(noise_size)
    matrix = _copies(numbers, kind, input_mask, input_count, shape[0])  # [B, O, I]
    offset = output_mask * 0
    for name in ("affine", "sparse_linear"):
        if name in kinds:
            weights, shift = _linear(numbers, name, input_mask, shape[0], nonzero)
            matrix = matrix + kind[name][:, None, None] * weights
            offset = offset + kind[name][:, None] * shift
    matrix = matrix * output_mask[:, :, None] * input_mask[:, None, :]
    offset = offset * output_mask
    flat = xp.reshape(matrix, (keys.shape[0], matrix.shape[1] * matrix.shape[2]))
    variance = xp.vecdot(flat, flat) / 3  # of all outputs together, inputs being uniform
    input_order, output_order = inputs.order(keys), outputs.order(keys)
    width, lookup, prototypes, classes = input_mask, variance * 0, matrix[:, :0, :0], keys[:, :0]
    count = xp.astype(output_count[:, 0], variance.dtype)
    if "lookup" in kinds:
        lookup = kind["lookup"]
        prototypes = (2 * numbers.take(*shape) - 1) * (1 - blur) * input_mask[:, None, :]
        prototypes = inputs.spread(prototypes * lookup[:, None, None], input_order)
        classes = outputs.element(output_order) + 0 * keys[:, :1]
        variance = xp.where(lookup == 1, 4 * (count - 1) / count, variance)
        width = input_mask * (1 + lookup[:, None] * (blur - 1))
    if kinds != ("lookup",):
        rows = xp.matrix_transpose(outputs.spread(xp.matrix_transpose(matrix), output_order))
        matrix = inputs.spread(rows, input_order)  # [B, O, I]
    return Task(
        matrix=matrix if kinds != ("lookup",) else matrix[:, :0, :0],
        offset=outputs.spread(offset, output_order),
        lookup=lookup,
        prototypes=prototypes,
        classes=classes,
        width=inputs.spread(width, input_order),
        count=count,
        scale=1 / variance,
        input_mask=inputs.spread(input_mask, input_order),
        output_mask=outputs.spread(output_mask, output_order),
        input_order=input_order,
        first=first,
    )


def present(task: Task, sizes: Sizes, time: Array, noise: Array, support: int) -> tuple[Array, Array]:
    """An example: inputs [B, I] and the right output [B, O] for them.

    Args:
        task: the maps.
        sizes: of the inputs.
        time: int64 [B], steps done before it is shown.
        noise: [B, noise_size], uniforms in [0, 1).
        support: steps in which the classes of a lookup take turns; later they are drawn.
    """
    xp = namespace(noise)
    number = noise.shape[1] - (task.prototypes.shape[1] > 0)  # of inputs
    inputs = sizes.spread(2 * noise[:, :number] - 1, task.input_order) * task.width
    right = task.offset
    if task.prototypes.shape[1]:
        drawn = xp.astype(xp.floor(noise[:, -1] * task.count), xp.int64)  # rounding never reaches the count
        chosen = xp.where(time < support, time % xp.astype(task.count, xp.int64), drawn)  # [B]
        batch, classes, slots = task.prototypes.shape
        row = chosen + xp.arange(batch, device=device(chosen)) * classes
        inputs = inputs + xp.take(xp.reshape(task.prototypes, (-1, slots)), row, axis=0)
        here = xp.astype(task.classes == chosen[:, None], noise.dtype)  # [B, O], one of them 1
        right = right + task.lookup[:, None] * task.output_mask * (2 * here - 1)
    if task.matrix.shape[1]:
        right = right + xp.matmul(task.matrix, inputs[:, :, None])[:, :, 0]
    return inputs, right


def error_bound(kind: str, inputs: int, outputs: int, nonzero: int) -> float:
    """A number that no error passes while answers lie in [-1, 1], at numbers of inputs and outputs."""
    smallest = {  # mean variance of a right output
        "identity": 1 / 3,
        "permutation": 1 / 3,
        "affine": inputs / (inputs + 2) ** 2 / 3,
        "sparse_linear": 1 / (3 * min(nonzero, inputs)),
        "lookup": 4 * (outputs - 1) / outputs**2,
    }[kind]
    return 1.01 * 4 / smallest


def _in_use(drawn: Array, sizes: Sizes) -> tuple[Array, Array]:
    """Number of those in use, int64 [B, 1], from uniforms [B, 1], and their mask, [B, highest]."""
    count = sizes.count_from(drawn)
    return count, namespace(drawn).astype(positions(drawn, sizes.limits[1]) < count, drawn.dtype)


class _Numbers:
    """Uniforms in [0, 1), all drawn in one call (calls cost more than numbers), to be taken in order."""

    def __init__(self, keys: Array, count: int, dtype: str) -> None:
        self._drawn = keyed_random.uniform(keys, "map", count, dtype=dtype)
        self._taken = 0

    def take(self, *shape: int) -> Array:
        """The next ones, [B, *shape]."""
        start, self._taken = self._taken, self._taken + math.prod(shape)
        taken = self._drawn[:, start : self._taken]
        return namespace(taken).reshape(taken, (taken.shape[0], *shape))


def _count(kinds: tuple[str, ...], outputs: int, inputs: int) -> int:
    """How many numbers the maps of these kinds take."""
    entries = outputs * inputs
    each = {
        "permutation": inputs,
        "affine": entries + outputs,
        "sparse_linear": 2 * entries,
        "lookup": entries,
    }
    return sum(each.get(kind, 0) for kind in kinds)


def _copies(
    numbers: _Numbers, kind: dict[str, Array], input_mask: Array, input_count: Array, outputs: int
) -> Array:
    """Matrix [B, outputs, inputs] of identities and permutations, 0 for other kinds."""
    xp = namespace(input_mask)
    none = 0 * input_mask[:, 0]  # [B]
    source = positions(input_mask, outputs) % input_count  # [B, outputs]
    if "permutation" in kind:
        order = numbers.take(input_mask.shape[1]) + (1 - input_mask)  # used ones first
        permuted = xp.take_along_axis(xp.argsort(order, axis=-1, stable=True), source, axis=-1)
        source = xp.where(kind["permutation"][:, None] == 1, permuted, source)
    copies = kind.get("identity", none) + kind.get("permutation", none)  # [B]
    here = source[:, :, None] == positions(input_mask, input_mask.shape[1])[:, None, :]
    return xp.astype(here, input_mask.dtype) * copies[:, None, None]


def _linear(
    numbers: _Numbers, name: str, input_mask: Array, outputs: int, nonzero: int
) -> tuple[Array, Array]:
    """Matrix [B, outputs, inputs] and offset [B, outputs] whose absolute values sum to 1 for every output."""
    xp = namespace(input_mask)
    shape = (outputs, input_mask.shape[1])
    drawn = 2 * numbers.take(*shape) - 1
    sign = 1 - 2 * xp.astype(drawn < 0, drawn.dtype)
    weights = sign * (0.5 + 0.5 * xp.abs(drawn)) * input_mask[:, None, :]
    if name == "affine":
        shift = 2 * numbers.take(outputs) - 1
    else:
        shift = weights[:, :, 0] * 0
        order = numbers.take(*shape) + (1 - input_mask)[:, None, :]  # used ones first
        rank = xp.argsort(xp.argsort(order, axis=-1, stable=True), axis=-1, stable=True)
        weights = weights * xp.astype(rank < nonzero, weights.dtype)
    norm = xp.sum(xp.abs(weights), axis=-1) + xp.abs(shift)
    return weights / norm[:, :, None], shift / norm
