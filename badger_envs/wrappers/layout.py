"""How observations of several parts lie in one flat Box."""

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space, spaces

Parts = dict[str, slice]
"""Where each part of a flat observation stands: `observation[parts["feedback"]]`."""


class Layout(NamedTuple):
    """A flat observation space: the Box, where its parts stand, and names of the arrays laid flat."""

    space: spaces.Box
    parts: Parts
    names: tuple[str, ...]


def flat_layout(space: Space[Any]) -> Layout:
    """The one Box of a Dict of Boxes, or of a Box, all in their order.

    Raises:
        TypeError: the space is neither.
    """
    named = space.spaces if isinstance(space, spaces.Dict) else {"observation": space}
    boxes = {name: box for name, box in named.items() if isinstance(box, spaces.Box)}
    if len(boxes) < len(named):
        raise TypeError(f"the observation space is {space}; it must be a Box, or a Dict of Boxes and no more")
    ends = np.cumsum([0, *(math.prod(box.shape) for box in boxes.values())]).tolist()
    parts = {name: slice(*ends[i : i + 2]) for i, name in enumerate(boxes)}
    low, high = (
        np.concatenate([getattr(box, end).reshape(-1) for box in boxes.values()]) for end in ("low", "high")
    )
    return Layout(spaces.Box(low, high, dtype=low.dtype.type), parts, tuple(boxes))


def rl2_layout(observation: Space[Any], action: Space[Any]) -> Layout:
    """The Box of RL²: previous action, previous reward, trial start, observation (a flat layout).

    Discrete actions are one-hot. Rewards have no bounds but those of the dtype.

    Raises:
        TypeError: the observation space has no flat layout, or the action space is neither Box nor Discrete.
    """
    flat = flat_layout(observation)
    dtype = np.result_type(flat.space.low, np.float32)  # observations may be integers, rewards are not
    if isinstance(action, spaces.Discrete):
        lows, highs = np.zeros(int(action.n)), np.ones(int(action.n))
    elif isinstance(action, spaces.Box):
        lows, highs = np.minimum(action.low.reshape(-1), 0), np.maximum(action.high.reshape(-1), 0)
    else:
        raise TypeError(f"the action space is {action}; it must be a Box or Discrete")
    most = np.finfo(dtype.name).max
    low = np.concatenate([lows, [-most, 0], flat.space.low]).astype(dtype)
    high = np.concatenate([highs, [most, 1], flat.space.high]).astype(dtype)
    size = len(lows)
    parts = {"action": slice(0, size), "reward": slice(size, size + 1), "start": slice(size + 1, size + 2)}
    moved = {name: slice(part.start + size + 2, part.stop + size + 2) for name, part in flat.parts.items()}
    return Layout(spaces.Box(low, high, dtype=dtype.type), moved | parts, flat.names)


def flat_rows(observations: Any, names: tuple[str, ...], count: int) -> np.ndarray:
    """Observations of N environments, an array or a dict of them, as fresh rows [N, numbers].

    Args:
        observations: arrays with N rows.
        names: keys of the dict, in the order of the layout.
        count: N.
    """
    arrays = [observations[name] for name in names] if isinstance(observations, dict) else [observations]
    return np.concatenate([np.asarray(array).reshape(count, -1) for array in arrays], axis=1)


def action_rows(action: Any, space: Space[Any], dtype: np.dtype) -> np.ndarray:
    """Actions of N environments as rows [N, A]; Discrete ones one-hot.

    Args:
        action: N actions of the space.
        space: of one action, Box or Discrete.
        dtype: of the result.
    """
    array = np.asarray(action)
    if isinstance(space, spaces.Discrete):
        return (array[:, None] - space.start == np.arange(int(space.n))).astype(dtype)
    return array.reshape(len(array), -1).astype(dtype)
