"""What is asked of a hidden map, what is right, and how wrong an answer is: functions of goal and task."""

from typing import NamedTuple

from badger_envs import keyed_random
from badger_envs.families.synthetic import maps
from badger_envs.families.synthetic.maps import Maps
from badger_envs.family import ActionKind, Sizes, namespace
from badger_envs.keyed_random import Array

GOALS: dict[str, ActionKind] = {
    "match": "continuous",
    "optimum": "continuous",
    "choose": "categorical",
    "agree": "binary",
}
"""What may be asked, and how it is answered."""

PROBES = 16
"""Random inputs by which the scale of a task's errors is found."""

LEAST = 0.02
"""Errors are relative to how much a task's answers vary, or to this, if that is less."""


class Asked(NamedTuple):
    """goal: a key of `GOALS`; kinds: those of the maps; outputs: where a map's values stand."""

    goal: str
    kinds: tuple[str, ...]
    outputs: Sizes


class Task(NamedTuple):
    """What a trial hides.

    Attributes:
        kind, weights, offset, inner, bias, leaves: the map that is hidden, a `Maps`. It takes the inputs,
            or of goal "optimum" the outputs as they stand in slots.
        used: [B, N], 1 for numbers that the map takes.
        hidden: [B, N], what it takes where there is no context: constant inputs, or the optimum.
        scale: [B], an error is a squared or a lost value times this.
        first: [B, noise_size], noise of the first inputs.
        mixing: [B, N, N], inputs as they are shown are this times those of the map; [B, 0, 0]: they are.
        told: [B, S], 1 at what is fed back in this task, in the order of the setting.
        marked: [B], 1 where numbers about each output come with a mark that there are any.
        unit: [B], what feedback is multiplied by.
        loudness: [B], standard deviation of the noise on it.
        late: [B, D + 1], 1 at the number of steps by which it is late.
        ear: [B, O], 1 at the one slot where numbers about all outputs are told; all 0 if all hear them.
        column: int64 [B], in which of two columns of feedback they are.
        input_mask: [B, I].
        output_mask: [B, O].
        input_order, feature_order, output_order: int64, which element each slot or column holds; [B, 0] if in
            their order.
    """

    kind: Array
    weights: Array
    offset: Array
    inner: Array
    bias: Array
    leaves: Array
    used: Array
    hidden: Array
    scale: Array
    first: Array
    mixing: Array
    told: Array
    marked: Array
    unit: Array
    loudness: Array
    late: Array
    ear: Array
    column: Array
    input_mask: Array
    output_mask: Array
    input_order: Array
    feature_order: Array
    output_order: Array


def relative(asked: Asked, keys: Array, hidden_map: Maps, used: Array, written: Array) -> Array:
    """What makes an error of 1 of that of writing zeros, or of choosing at random, [B].

    Args:
        asked: of what.
        keys: of the tasks.
        hidden_map: what is hidden; an optimum may be at any of the probes.
        used: [B, N], 1 for numbers that the map takes.
        written: [B, M], 1 for outputs in use.
    """
    xp, width = namespace(keys), used.shape[1]
    if asked.goal == "agree":
        return 0 * used[:, 0] + 2
    points = 2 * keyed_random.uniform(keys, "probes", PROBES * width, dtype=dtype_of(used)) - 1
    points = xp.reshape(points, (-1, PROBES, width)) * used[:, None, :]
    value = maps.values(hidden_map, asked.kinds, points)  # [B, P, M]
    there = written[:, None, :]  # [B, 1, M]
    if asked.goal == "choose":
        mean = xp.sum(value * there, axis=-1) / xp.sum(there, axis=-1)  # [B, P]
        lost = (xp.max(xp.where(there > 0, value, -1.0), axis=-1) - mean) / 2
    elif asked.goal == "optimum":
        lost = xp.mean((value - maps.values(hidden_map, asked.kinds, 0 * points[:, :1])) ** 2, axis=-1)
    else:
        lost = xp.sum(value**2 * there, axis=-1) / xp.sum(there, axis=-1)
    return 1 / xp.clip(xp.mean(lost, axis=-1), LEAST, None)


def right(asked: Asked, task: Task, shown: Array) -> Array:
    """The answer to what is shown [B, N]: [B, O]; of "choose" all values, of "optimum" [B, M], its values."""
    xp = namespace(shown)
    value = maps.values(map_of(task), asked.kinds, shown[:, None, :])[:, 0]  # [B, M]
    if asked.goal == "optimum":
        return value
    if asked.goal == "agree":
        return (2 * xp.astype(value >= 0, value.dtype) - 1) * task.output_mask
    value = asked.outputs.spread(value, task.output_order)  # [B, O]
    return (value if asked.goal == "match" else (value + 1) / 2) * task.output_mask


def error(asked: Asked, task: Task, right: Array, outputs: Array) -> Array:
    """Of what is written, [B]: 0 at best, about 1 for zeros or a choice at random."""
    xp, used = namespace(right), count(task.output_mask)
    if asked.goal == "choose":
        return task.scale * (xp.max(right, axis=-1) - xp.vecdot(outputs, right))
    if asked.goal == "agree":
        return task.scale * xp.vecdot(task.output_mask, xp.astype(outputs * right <= 0, right.dtype)) / used
    if asked.goal == "optimum":
        value = maps.values(map_of(task), asked.kinds, outputs[:, None, :])[:, 0]  # [B, M]
        return task.scale * xp.mean((value - right) ** 2, axis=-1)
    return task.scale * xp.vecdot(task.output_mask, (outputs - right) ** 2) / used


def slope(asked: Asked, task: Task, right: Array, outputs: Array) -> Array:
    """The gradient of the error (of "agree" that of the loss) in each output, [B, O]."""
    if asked.goal != "optimum":
        scale = task.scale if asked.goal == "match" else 0 * task.scale + 1
        return (2 * scale / count(task.output_mask))[:, None] * (outputs - right)
    value = maps.values(map_of(task), asked.kinds, outputs[:, None, :])  # [B, 1, M]
    pull = (2 * task.scale / value.shape[2])[:, None, None] * (value - right[:, None, :])
    return maps.pulled(map_of(task), asked.kinds, outputs[:, None, :], pull)[:, 0]


def answer(asked: Asked, task: Task, right: Array) -> Array:
    """The right answer, [B, O]; of choices 1 at the best, which ties share."""
    if asked.goal == "optimum":
        return task.hidden
    if asked.goal != "choose":
        return right
    xp = namespace(right)
    best = xp.max(right, axis=-1, keepdims=True)
    return xp.astype(right == best, best.dtype) * task.output_mask


def map_of(task: Task) -> Maps:
    """The map that a task hides."""
    return Maps(*task[: len(Maps._fields)])


def dtype_of(array: Array) -> str:
    """The name of an array's dtype."""
    return str(array.dtype).rpartition(".")[2]


def count(mask: Array) -> Array:
    """How many slots are in use, [B]."""
    return namespace(mask).sum(mask, axis=-1)
