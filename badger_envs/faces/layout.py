"""How observations of several parts are handed out: as a dict, in one flat Box, or as RL² reads them."""

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import Space, spaces

from badger_envs.faces.spaces import action_space, observation_space
from badger_envs.family import Family, Observation

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

    Discrete actions are one-hot. Rewards have no bounds.

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
    low = np.concatenate([lows, [-np.inf, 0], flat.space.low]).astype(dtype)
    high = np.concatenate([highs, [np.inf, 1], flat.space.high]).astype(dtype)
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
    """Actions of N environments as rows [N, A]; Discrete ones one-hot, those of a Box clipped to it.

    Args:
        action: N actions of the space.
        space: of one action, Box or Discrete.
        dtype: of the result.
    """
    array = np.asarray(action)
    if isinstance(space, spaces.Discrete):
        return (array[:, None] - space.start == np.arange(int(space.n))).astype(dtype)
    if isinstance(space, spaces.Box):
        array = np.clip(array, space.low, space.high)
    return array.reshape(len(array), -1).astype(dtype)


FORMATS = ("dict", "flat", "rl2")
"""What the keyword `observation` of an id may be."""


class ObservationFormat:
    """How a NumPy face hands out a family's observations.

    Args:
        family: the family.
        name: "dict", an array per part; "flat", all in one Box; "rl2", previous action, previous reward and
            trial start besides, as `badger_envs.wrappers.RL2Observation` has them.

    Attributes:
        space: of one observation.
        changes: whether what stands before an observation changes from step to step.
        parts: where each part of a flat observation stands, `observation[parts["feedback"]]`; empty for a
            dict.

    Raises:
        ValueError: another name.
    """

    def __init__(self, family: Family, name: str) -> None:
        if name not in FORMATS:
            raise ValueError(f"observation is {name!r}; it must be one of {', '.join(FORMATS)}")
        whole = observation_space(family)
        self._fields = [(part, Observation._fields.index(part)) for part in whole]
        self._dict, self.changes = name == "dict", name == "rl2"
        self._actions = action_space(family)
        self._dtype = np.dtype(family.dtype)
        self.space: spaces.Dict | spaces.Box = whole
        self.parts: Parts = {}
        if not self._dict:
            layout = rl2_layout(whole, self._actions) if self.changes else flat_layout(whole)
            self.space, self.parts = layout.space, layout.parts

    def start(self, count: int) -> np.ndarray:
        """What stands before the first observations of N trials: [N, A + 2] for RL², else [N, 0].

        Other observations have the same for ever: only those of RL² (`changes`) need `after`.
        """
        before = np.zeros((count, self.parts["start"].stop if self.changes else 0), self._dtype)
        before[:, -1:] = 1
        return before

    def after(self, actions: np.ndarray, rewards: np.ndarray) -> np.ndarray:
        """What stands before observations after a step: actions [N, O] or [N], rewards [N]; as `start`."""
        rows = action_rows(actions, self._actions, self._dtype)
        told = np.stack([rewards, np.zeros_like(rewards)], axis=1).astype(self._dtype)
        return np.concatenate([rows, told], axis=1)

    def one(self, observation: Observation, before: np.ndarray) -> Any:
        """The observation of a batch of one trial, in fresh memory."""
        if self._dict:
            return {name: observation[i].flatten() for name, i in self._fields}
        return np.concatenate([before[0], *[observation[i].reshape(-1) for _, i in self._fields]])

    def many(self, observation: Observation, before: np.ndarray) -> Any:
        """Observations of N trials, in fresh memory: a dict of [N, numbers], or [N, numbers]."""
        arrays = {name: observation[i].reshape(len(before), -1) for name, i in self._fields}
        if self._dict:
            return {name: array.copy() for name, array in arrays.items()}
        return np.concatenate([before, *arrays.values()], axis=1)
