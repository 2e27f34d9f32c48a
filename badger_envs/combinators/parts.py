"""What families made of families share: parts from settings, states side by side, slots of the widest."""

import functools
import math
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
from array_api_compat import device

from badger_envs.family import Bounds, Family, Observation, Slots, chosen_rows, namespace
from badger_envs.keyed_random import Array
from badger_envs.registry import family_of

Part = tuple[tuple[str, Any], ...]
"""A registered id and settings, as pairs: what a dict is turned into, so that a family can be hashed."""

OWN = ("split", "dtype")
"""Settings that a part has from the family that it is a part of."""


def part_of(name: str, value: Any) -> Part:
    """A part's settings as pairs, the id first.

    Raises:
        TypeError: it is no table, or a name in it is no string.
        ValueError: it lacks an id, the id is not registered, or it names a setting of `OWN`.
    """
    wanted = f"{name} must be tables such as {{'id': 'Badger/GuessingGame-v0', 'dims': 3}}"
    try:
        table = dict(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} holds {value!r}; {wanted}") from None
    id = table.pop("id", None)
    if not isinstance(id, str) or not all(isinstance(key, str) for key in table):
        raise TypeError(f"{name} holds {value!r}; {wanted}")
    if id not in gym.registry or "family" not in gym.registry[id].kwargs:
        raise ValueError(f"{name} holds the id {id!r}; it must be a registered id of a family")
    for own in OWN:
        if own in table:
            raise ValueError(f"{name} holds {own!r}; leave it out: all parts have that of the whole")
    return (("id", id), *((key, _hashable(item)) for key, item in table.items()))


def _hashable(value: Any) -> Any:
    """Lists as tuples; tables, of parts of parts, as pairs."""
    if isinstance(value, Mapping):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return tuple(_hashable(item) for item in value) if isinstance(value, list | tuple) else value


def family_of_part(part: Part, **whole: Any) -> Family:
    """The family that a part is, with these settings of the whole."""
    table = dict(part)
    return family_of(table.pop("id"), **{**whole, **table})


@functools.cache
def _tuple_type(name: str, fields: tuple[str, ...]) -> Any:
    """A named tuple of these fields; its instances can be pickled, though no module holds the type."""
    body = {"__slots__": (), "__reduce__": lambda self: (_made, (name, fields, tuple(self)))}
    return type(name, (namedtuple(name, fields),), body)


def _made(name: str, fields: tuple[str, ...], arrays: tuple[Array, ...]) -> Any:
    return _tuple_type(name, fields)(*arrays)


def join(name: str, parts: Sequence[Any], **own: Array) -> Any:
    """Named tuples of parts side by side in one flat named tuple, with fields of its own at the end."""
    fields = [f"{field}_{k}" for k, part in enumerate(parts) for field in getattr(part, "_fields", ())]
    return _tuple_type(name, (*fields, *own))(*(array for part in parts for array in part), *own.values())


def parted(whole: Any, count: int) -> list[Any]:
    """The parts that `join` put together."""
    joint: Any = type(whole)
    return [kind(*whole[first:last]) for kind, first, last in _places(joint, count)]


@functools.cache
def _places(whole: Any, count: int) -> list[tuple[Any, int, int]]:
    """Of each part in a joint type: its own type, its first field, and the one after its last."""
    fields: list[list[str]] = [[] for _ in range(count)]
    for field in whole._fields:
        name, _, number = field.rpartition("_")
        if name and number.isdecimal():
            fields[int(number)].append(name)
    ends = [sum(len(part) for part in fields[:k]) for k in range(count + 1)]
    return [(_tuple_type("Part", tuple(part)), *ends[k : k + 2]) for k, part in enumerate(fields)]


def chosen(condition: Array, one: Any, other: Any) -> Any:
    """Rows of one named tuple where the condition [B] holds, of another elsewhere."""
    return type(one)(*(chosen_rows(condition, *pair) for pair in zip(one, other, strict=True)))


def widest(slots: Sequence[Slots]) -> Slots:
    """Sizes in which all fit."""
    return Slots(*(max(sizes) for sizes in zip(*slots, strict=True)))


def padded(array: Array, shape: Sequence[int]) -> Array:
    """An array [B, ...] with zeros at the end of its axes, up to [B, *shape]."""
    if array.shape[1:] == tuple(shape):
        return array
    xp = namespace(array)
    for axis, size in enumerate(shape, 1):
        missing = size - array.shape[axis]
        if missing:
            more = (*array.shape[:axis], missing, *array.shape[axis + 1 :])
            zeros = xp.zeros(more, dtype=array.dtype, device=device(array))
            array = xp.concat([array, zeros], axis=axis)
    return array


def wide_observation(seen: Observation, slots: Slots) -> Observation:
    """An observation in slots of these sizes."""
    return Observation(*(padded(array, shape) for array, shape in zip(seen, slots.shapes, strict=True)))


def bounds_of_all(parts: Sequence[Family], high: float = 0) -> Bounds:
    """Bounds within which all parts' lie, and the zeros of padding; feedback also up to `high`."""
    ends: dict[str, tuple[float, float]] = {}
    for name in Observation._fields:
        pairs = [getattr(part.bounds, name) for part in parts]
        ends[name] = (min(0, *(pair[0] for pair in pairs)), max(0, *(pair[1] for pair in pairs)))
    ends["feedback"] = (ends["feedback"][0], max(high, ends["feedback"][1]))
    assert not any(math.isnan(end) for pair in ends.values() for end in pair)
    return Bounds(**ends)
