"""What a vector environment returns, taken apart: arrays, rows, infos with their masks."""

import itertools
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space, spaces

from badger_envs.testing.subject import leaves


class Returned(NamedTuple):
    """What `VectorEnv.step` returns."""

    observation: Any
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    infos: dict[str, Any]


def values_of(value: Any) -> list[np.ndarray]:
    """All arrays and numbers in a structure, as arrays; arrays of objects are looked into."""
    found = []
    for item in leaves(value).values():
        if isinstance(item, np.ndarray) and item.dtype == object:
            found += [array for part in item.reshape(-1) for array in values_of(part)]
        else:
            found.append(item if isinstance(item, np.ndarray) else np.asarray(item))
    return found


def unshared(arrays: list[np.ndarray]) -> bool:
    """Whether no two of the arrays share memory."""
    filled = [array for array in arrays if array.size]
    bounds = sorted((*np.lib.array_utils.byte_bounds(array), i) for i, array in enumerate(filled))
    furthest = 0
    for start, end, _ in bounds:
        if start < furthest:  # some reach into others: look closely, slices can interleave
            return not any(np.shares_memory(a, b) for a, b in itertools.combinations(filled, 2))
        furthest = max(furthest, end)
    return True


def slices(space: Space, batched: Any, count: int) -> list[Any]:
    """Observations of the single environments in a batched one."""
    if isinstance(space, spaces.Dict):
        parts = {name: slices(one, batched[name], count) for name, one in space.items()}
        return [{name: part[i] for name, part in parts.items()} for i in range(count)]
    return [batched[i] for i in range(count)]


def row_of(space: Space, actions: Any, i: int) -> Any:
    """The action of environment i, as `gym.make` takes it."""
    if isinstance(space, spaces.Discrete):
        return int(actions[i])
    return slices(space, actions, i + 1)[i]


def check_infos(infos: dict[str, Any], count: int) -> str | None:
    """What is wrong with vector infos, or None: each key needs N rows, and a boolean mask "_key" [N]."""
    for key, value in infos.items():
        if key.startswith("_"):
            if key[1:] not in infos:
                return f"infos have a mask {key!r} without {key[1:]!r}"
            continue
        mask = infos.get(f"_{key}")
        if not (isinstance(mask, np.ndarray) and mask.shape == (count,) and mask.dtype == bool):
            return f"infos have {key!r}, but '_{key}' is {mask!r}, no boolean array [{count}]"
        if isinstance(value, dict):
            problem = check_infos(value, count)
            if problem is not None:
                return problem
        elif not (isinstance(value, np.ndarray) and value.shape[:1] == (count,)):
            return f"infos have {key!r}, which is {value!r}, no array [{count}, ...]"
    return None
