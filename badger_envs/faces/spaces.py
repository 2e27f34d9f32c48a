"""Gymnasium spaces of a family."""

import math
from collections import OrderedDict

import numpy as np
from gymnasium import spaces

from badger_envs.family import Family


def slot_shapes(family: Family) -> dict[str, tuple[int, ...]]:
    """Shapes of the observation's arrays without the batch axis, zero-width ones left out.

    Example: {"inputs": (I, F), "input_mask": (I,), ..., "flags": (3,)}.
    """
    return {name: shape for name, shape in family.slots.shapes._asdict().items() if math.prod(shape)}


def observation_space(family: Family) -> spaces.Dict:
    """One Box per array of `Observation`, in its order, zero-width arrays left out.

    Every Box is one row: [I, F] is flattened to (I * F,), slot after slot, as libraries take an array
    of two axes for a broken picture. Bounds are the family's.
    """
    boxes: OrderedDict[str, spaces.Space] = OrderedDict()
    for name, shape in slot_shapes(family).items():
        low, high = (np.broadcast_to(end, shape).reshape(-1) for end in getattr(family.bounds, name))
        dtype = np.dtype(family.dtype).type
        boxes[name] = spaces.Box(low.astype(dtype), high.astype(dtype), dtype=dtype)
    return spaces.Dict(boxes)


def action_space(family: Family) -> spaces.Box | spaces.Discrete:
    """`Discrete(O)` for categorical actions; `Box(-1, 1, (O,))` for continuous and binary ones."""
    if family.action_kind == "categorical":
        return spaces.Discrete(family.slots.outputs)
    return spaces.Box(-1, 1, (family.slots.outputs,), dtype=np.dtype(family.dtype).type)
