"""Wrappers of one environment: all in one Box, what RL² needs besides, or without padding."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from badger_envs.faces.actions import check_indices, check_values
from badger_envs.faces.layout import Parts, action_rows, flat_layout, flat_rows, rl2_layout
from badger_envs.faces.spaces import slot_shapes
from badger_envs.family import Family

_Env = gym.Env[Any, Any]


class FlattenSlots(gym.ObservationWrapper[np.ndarray, Any, Any], RecordConstructorArgs):
    """Lays the observation's arrays side by side in one Box, as a plain MLP wants it.

    The same numbers in the same order as `gymnasium.wrappers.FlattenObservation`, with names for the
    parts. For a vector environment take `gymnasium.wrappers.vector.FlattenObservation` on it, or
    `badger_envs.wrappers.vector.FlattenSlots`.

    Args:
        env: an environment whose observations are a Box, or a Dict of Boxes.

    Attributes:
        parts: where each array stands: `observation[env.parts["feedback"]]`.

    Raises:
        TypeError: another observation space.
    """

    parts: Parts

    def __init__(self, env: _Env) -> None:
        RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        self.observation_space, self.parts, self._names = flat_layout(env.observation_space)

    def observation(self, observation: Any) -> np.ndarray:
        """The arrays of an observation in one row."""
        return flat_rows(observation, self._names, 1)[0]


class RL2Observation(gym.Wrapper[np.ndarray, Any, Any, Any], RecordConstructorArgs):
    """Observations as RL² reads them: previous action, previous reward, trial start, observation, in one Box.

    A Discrete action is one-hot. At the start of a trial, which is Gymnasium's episode, action and reward
    are 0 and the start is 1; later the start is 0. For a vector environment:
    `badger_envs.wrappers.vector.RL2Observation`. A reward can tell more than a family's feedback does
    (hot/cold, variable IO): compare such agents with others that see it.

    Args:
        env: an environment with Box or Discrete actions whose observations are a Box, or a Dict of Boxes.

    Attributes:
        parts: where each part stands, "action", "reward", "start" and then the observation's.

    Raises:
        TypeError: another observation or action space.

    References:
        Duan et al. 2016, "RL2: Fast Reinforcement Learning via Slow Reinforcement Learning".
    """

    parts: Parts

    def __init__(self, env: _Env) -> None:
        RecordConstructorArgs.__init__(self)
        gym.Wrapper.__init__(self, env)
        self.observation_space, self.parts, self._names = rl2_layout(env.observation_space, env.action_space)
        self._dtype = self.observation_space.dtype
        self._nothing = np.zeros(self.parts["action"].stop)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a trial, with no previous action and reward."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._joined(self._nothing, 0, 1, observation), info

    def step(self, action: Any) -> tuple[np.ndarray, Any, bool, bool, dict[str, Any]]:
        """One step; the action and the reward that it brought stand in the observation after it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        taken = action_rows(np.asarray(action)[None], self.env.action_space, self._dtype)[0]
        return self._joined(taken, reward, 0, observation), reward, terminated, truncated, info

    def _joined(self, action: np.ndarray, reward: Any, start: int, observation: Any) -> np.ndarray:
        row = flat_rows(observation, self._names, 1)[0]
        return np.concatenate([action, [reward, start], row]).astype(self._dtype)


class RaggedObservation(gym.ObservationWrapper[dict[str, np.ndarray], Any, Any], RecordConstructorArgs):
    """Observations without padding: of the slots, those in use only, and so no masks.

    With n input slots and m output slots in use in the present trial: "inputs" [n, F], "outputs" [m, 1],
    "feedback" [G], "output_feedback" [m, P] and "flags" [3], for sets, graphs and attention. The space of
    what has a row per slot is a stacked `Sequence` of Boxes, any number of rows long. Arrays whose width
    is 0 are left out. Few libraries take such observations; those that do not want the masks.

    Actions are as before, over all output slots; `padded` makes one from values of the m in use.
    Observations of several sizes do not stack: make vector environments by
    `gym.make_vec(id, num_envs=N, vectorization_mode="sync", wrappers=[RaggedObservation])`, whose
    observations have a tuple of N arrays in place of each array that has a row per slot.

    Args:
        env: `gym.make` of a family, its observations not yet changed.

    Raises:
        TypeError: another environment, or observations changed by another wrapper.
    """

    def __init__(self, env: _Env) -> None:
        RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        family = getattr(env.unwrapped, "family", None)
        if not isinstance(family, Family) or env.observation_space != env.unwrapped.observation_space:
            raise TypeError(f"RaggedObservation wraps an environment of a family, before others; not {env}")
        self._family = family
        self._shapes = slot_shapes(family)
        whole = env.observation_space
        assert isinstance(whole, spaces.Dict)
        ragged: dict[str, spaces.Space[Any]] = {}
        for name, box in whole.items():
            assert isinstance(box, spaces.Box)
            if name.endswith("_mask"):
                continue
            if name not in _MASKS:
                ragged[name] = box
                continue
            rows = self._shapes[name][0]
            low, high = box.low.reshape(rows, -1).min(0), box.high.reshape(rows, -1).max(0)
            ragged[name] = spaces.Sequence(spaces.Box(low, high, dtype=low.dtype.type), stack=True)
        self._names = tuple(ragged)
        self.observation_space: spaces.Space[Any] = spaces.Dict(ragged)
        self._used = np.zeros(0, np.int64)

    def observation(self, observation: Any) -> dict[str, np.ndarray]:
        """The observation's rows of the slots in use."""
        self._used = np.flatnonzero(observation["output_mask"])
        ragged = {}
        for name in self._names:
            array = observation[name]
            if name in _MASKS:
                array = array.reshape(self._shapes[name][0], -1)[observation[_MASKS[name]] != 0]
            ragged[name] = array
        return ragged

    def padded(self, action: Any) -> Any:
        """The environment's action from one over the m output slots in use.

        Args:
            action: [m] floats in [-1, 1], or an integer below m for categorical actions.

        Returns:
            [O] floats with 0 in slots not in use, or the index of the slot.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
            ValueError, TypeError: no such action.
        """
        if not len(self._used):
            raise gym.error.ResetNeeded("no trial has begun; call reset() first")
        if self._family.action_kind == "categorical":
            return int(self._used[check_indices(action, (), len(self._used))])
        values = np.zeros(self._family.slots.outputs, self._family.dtype)
        values[self._used] = check_values(action, (len(self._used),), self._family.dtype)
        return values


_MASKS = {"inputs": "input_mask", "outputs": "output_mask", "output_feedback": "output_mask"}
"""Arrays with a row per slot, and the mask of those in use."""
