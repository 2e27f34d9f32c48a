"""Hidden maps from inputs to outputs: how they are drawn, and the examples that they give."""

from typing import NamedTuple

from array_api_compat import array_namespace, device

from badger_envs import random
from badger_envs.kinds import draw_kind
from badger_envs.placing import draw_places, spread
from badger_envs.random import Array

KINDS = ("identity", "permutation", "affine", "sparse_linear", "lookup")


class Task(NamedTuple):
    """B maps. Each is inputs -> matrix @ inputs + offset, or a lookup of prototypes.

    Attributes:
        matrix: [B, O, I], 0 for a lookup and in unused slots.
        offset: [B, O], likewise.
        lookup: [B], 1 for a lookup, else 0.
        prototypes: [B, O, I], of the classes, 0 for other kinds; [B, 0, 0] if there is none.
        classes: int64 [B, O], class of an output slot; [B, 0] if there is none.
        width: [B], scale of the random part of the inputs.
        scale: [B], error = scale * squared error: 1 over the variance of the right outputs.
        input_mask: [B, I].
        output_mask: [B, O].
        input_place: int64 [B, I], which input a slot shows; [B, 0] if slot i shows input i.
        first: [B, noise_size], noise of the first inputs.
    """

    matrix: Array
    offset: Array
    lookup: Array
    prototypes: Array
    classes: Array
    width: Array
    scale: Array
    input_mask: Array
    output_mask: Array
    input_place: Array
    first: Array


def draw(
    keys: Array,
    kinds: tuple[str, ...],
    *,
    inputs: tuple[int, int],
    outputs: tuple[int, int],
    capacities: tuple[int, int],
    shuffle: bool,
    nonzero: int,
    blur: float,
    first: Array,
    dtype: str,
) -> Task:
    """Draw maps: what is drawn depends on keys, kinds and sizes, not on capacities and shuffling.

    Args:
        keys: int64 [B, 4].
        kinds: kinds to draw from, each equally likely.
        inputs: (lowest, highest) number of inputs, each equally likely.
        outputs: the same of outputs.
        capacities: numbers of input slots and of output slots.
        shuffle: place inputs, and outputs, into slots at random.
        nonzero: inputs that an output of a "sparse_linear" map depends on.
        blur: share of noise in the inputs of a "lookup".
        first: [B, noise_size], noise of the first inputs.
        dtype: "float32" or "float64".
    """
    xp = array_namespace(keys)
    kind = draw_kind(keys, kinds, dtype)
    sizes = random.uniform(keys, "sizes", 2, dtype=dtype)  # [B, 2]
    input_count, input_mask = _in_use(sizes[:, :1], inputs)  # int64 [B, 1], [B, I]
    output_count, output_mask = _in_use(sizes[:, 1:], outputs)
    matrix = output_mask[:, :, None] * input_mask[:, None, :] * 0  # [B, O, I], of the highest sizes
    offset = output_mask * 0
    for name in kinds:
        if name == "lookup":
            continue
        if name in ("affine", "sparse_linear"):
            weights, shift = _linear(keys, name, input_mask, output_mask, nonzero)
            offset = offset + kind[name][:, None] * shift
        else:
            weights = _copies(keys, name, input_mask, input_count, output_mask)
        matrix = matrix + kind[name][:, None, None] * weights
    matrix = matrix * output_mask[:, :, None] * input_mask[:, None, :]
    offset = offset * output_mask
    variance = (
        xp.sum(xp.sum(matrix**2, axis=-1), axis=-1) / 3
    )  # of all outputs together, inputs being uniform
    width, lookup, prototypes, classes = xp.ones_like(variance), variance * 0, matrix[:, :0, :0], keys[:, :0]
    input_place = draw_places(keys, "input slots", capacities[0], shuffle)
    output_place = draw_places(keys, "output slots", capacities[1], shuffle)
    if "lookup" in kinds:
        lookup = kind["lookup"]
        prototypes = _signed(keys, "prototypes", matrix.shape[1] * matrix.shape[2], matrix)
        prototypes = xp.reshape(prototypes, matrix.shape) * (1 - blur) * input_mask[:, None, :]
        prototypes = _to_slots(prototypes * lookup[:, None, None], input_place, output_place, capacities)
        classes = output_place if shuffle else _index(keys, capacities[1]) + 0 * keys[:, :1]
        count = xp.astype(output_count[:, 0], variance.dtype)
        variance = xp.where(lookup == 1, 4 * (count - 1) / count, variance)
        width = 1 + lookup * (blur - 1)
    return Task(
        matrix=_to_slots(matrix, input_place, output_place, capacities),
        offset=spread(offset, output_place, capacities[1]),
        lookup=lookup,
        prototypes=prototypes,
        classes=classes,
        width=width,
        scale=1 / variance,
        input_mask=spread(input_mask, input_place, capacities[0]),
        output_mask=spread(output_mask, output_place, capacities[1]),
        input_place=input_place,
        first=first,
    )


def present(task: Task, time: Array, noise: Array, support: int) -> tuple[Array, Array]:
    """An example: inputs [B, I] and the right output [B, O] for them.

    Args:
        task: the maps.
        time: int64 [B], steps done before it is shown.
        noise: [B, noise_size], uniforms in [0, 1).
        support: steps in which the classes of a lookup take turns; later they are drawn.
    """
    xp = array_namespace(noise)
    lookups = task.prototypes.shape[1] > 0
    numbers = noise[:, :-1] if lookups else noise
    capacity = task.input_mask.shape[1]
    inputs = spread(2 * numbers - 1, task.input_place, capacity) * task.input_mask * task.width[:, None]
    if not lookups:
        return inputs, xp.matmul(task.matrix, inputs[:, :, None])[:, :, 0] + task.offset
    count = xp.vecdot(task.output_mask, task.output_mask)  # [B]
    drawn = xp.astype(xp.floor(noise[:, -1] * count), xp.int64)  # rounding never reaches the count
    chosen = xp.where(time < support, time % xp.astype(count, xp.int64), drawn)
    here = xp.astype(task.classes == chosen[:, None], noise.dtype)  # [B, O], one of them 1
    inputs = inputs + xp.matmul(here[:, None, :], task.prototypes)[:, 0, :]
    right = xp.matmul(task.matrix, inputs[:, :, None])[:, :, 0] + task.offset
    return inputs, right + task.lookup[:, None] * task.output_mask * (2 * here - 1)


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


def _in_use(drawn: Array, limits: tuple[int, int]) -> tuple[Array, Array]:
    """Number of those in use, int64 [B, 1], from uniforms [B, 1], and their mask, [B, highest]."""
    xp = array_namespace(drawn)
    low, high = limits
    count = low + xp.astype(xp.floor(drawn * (high - low + 1)), xp.int64)  # rounding never reaches the top
    return count, xp.astype(_index(drawn, high) < count, drawn.dtype)


def _index(like: Array, count: int) -> Array:
    """Numbers of `count` columns, int64 [1, count], where `like` is."""
    return array_namespace(like).arange(count, device=device(like))[None, :]


def _to_slots(matrix: Array, input_place: Array, output_place: Array, capacities: tuple[int, int]) -> Array:
    """[B, outputs, inputs] -> [B, O, I], in slots."""
    xp = array_namespace(matrix)
    spread_inputs = spread(matrix, input_place, capacities[0])  # [B, outputs, I]
    both = spread(xp.matrix_transpose(spread_inputs), output_place, capacities[1])  # [B, I, O]
    return xp.matrix_transpose(both)


def _copies(keys: Array, name: str, input_mask: Array, input_count: Array, output_mask: Array) -> Array:
    """Matrix [B, outputs, inputs]: output j copies input j mod I, or a permutation of that."""
    xp = array_namespace(input_mask)
    source = _index(keys, output_mask.shape[1]) % input_count  # [B, outputs]
    if name == "permutation":
        order = random.words(keys, "permutation", input_mask.shape[1])
        order = xp.argsort(order + xp.astype(input_mask == 0, xp.int64) * 2**40, axis=-1)  # used ones first
        source = xp.take_along_axis(order, source, axis=-1)
    return xp.astype(source[:, :, None] == _index(keys, input_mask.shape[1])[:, None, :], input_mask.dtype)


def _linear(
    keys: Array, name: str, input_mask: Array, output_mask: Array, nonzero: int
) -> tuple[Array, Array]:
    """Matrix [B, outputs, inputs] and offset [B, outputs] whose absolute values sum to 1 for every output."""
    xp = array_namespace(input_mask)
    shape = (keys.shape[0], output_mask.shape[1], input_mask.shape[1])
    affine = name == "affine"
    count = shape[1] * shape[2]
    drawn = _signed(keys, name, count + shape[1] * affine, input_mask)
    weights = xp.reshape(drawn[:, :count], shape)
    sign = 1 - 2 * xp.astype(weights < 0, weights.dtype)
    weights = sign * (0.5 + 0.5 * xp.abs(weights)) * input_mask[:, None, :]
    if affine:
        shift = drawn[:, count:]
    else:
        shift = output_mask * 0
        order = xp.reshape(random.words(keys, "nonzero", count), shape)
        order = order + xp.astype(input_mask == 0, xp.int64)[:, None, :] * 2**40  # used ones first
        rank = xp.argsort(xp.argsort(order, axis=-1), axis=-1)
        weights = weights * xp.astype(rank < nonzero, weights.dtype)
    norm = xp.sum(xp.abs(weights), axis=-1) + xp.abs(shift)
    return weights / norm[:, :, None], shift / norm


def _signed(keys: Array, name: str, count: int, like: Array) -> Array:
    """Uniforms in [-1, 1), [B, count], of the dtype of `like`."""
    dtype = "float64" if like.dtype == array_namespace(like).float64 else "float32"
    return 2 * random.uniform(keys, name, count, dtype=dtype) - 1
