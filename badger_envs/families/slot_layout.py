"""Where a task's coordinates stand among the slots: in order from the first, or shuffled per trial."""

from array_api_compat import device

from badger_envs import keyed_random
from badger_envs.family import namespace
from badger_envs.keyed_random import Array


def draw_places(keys: Array, name: str, capacity: int, shuffle: bool) -> Array:
    """Which coordinate each slot holds: int64 [B, capacity], or [B, 0] where slot i holds coordinate i.

    Args:
        keys: int64 [B, 4].
        name: name of the draw.
        capacity: number of slots; slots that hold a coordinate beyond those in use are not in use.
        shuffle: whether the order is random.
    """
    return keyed_random.permutation(keys, name, capacity) if shuffle else keys[:, :0]


def spread(values: Array, place: Array, capacity: int) -> Array:
    """From coordinates to slots along the last axis, with zeros in the slots left over.

    Args:
        values: [B, ..., D], D at most `capacity`.
        place: from `draw_places`.
        capacity: number of slots.

    Returns:
        [B, ..., capacity].
    """
    xp = namespace(values)
    if values.shape[-1] < capacity:
        shape = (*values.shape[:-1], capacity - values.shape[-1])
        values = xp.concat([values, xp.zeros(shape, dtype=values.dtype, device=device(values))], axis=-1)
    if place.shape[1] == 0:
        return values
    index = xp.reshape(place, (place.shape[0], *(1,) * (len(values.shape) - 2), capacity))
    return xp.take_along_axis(values, xp.broadcast_to(index, values.shape), axis=-1)
