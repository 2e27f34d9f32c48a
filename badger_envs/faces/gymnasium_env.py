"""The Gymnasium face: one trial of a family is one episode of a `gymnasium.Env`."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import error

from badger_envs import keyed_random
from badger_envs.faces.actions import check_indices, check_values
from badger_envs.faces.spaces import action_space, observation_space
from badger_envs.family import Family, Observation, make_family, touches_unused_slot
from badger_envs.rendering import RENDER_FPS, Frame, Window, ansi, check_render_mode, frame_of, rgb_array

_BLOCK = 16
"""Trials drawn at once when none is seeded anew: drawing one costs as much as drawing many."""

_PIECE = 32_768
"""Numbers drawn at once by `draw_noise`: more memory would go back to the system after every draw."""


class FamilyEnv(gym.Env[dict[str, Any], Any]):
    """Plays a family's trials one after the other, as Gymnasium's episodes.

    Observations are dicts of one-row arrays (see `badger_envs.faces.spaces.observation_space`), the reward is
    a float, `terminated` marks the end of a trial, `truncated` is always False. `info` holds the
    family's measurements as Python numbers, "unused_slot" (whether the last action touched an output
    slot that is not in use: legal, without effect) and, for categorical actions, "action_mask" (int8
    [O]); it has the same keys after every `reset` and `step`. What is returned shares no memory with
    anything.

    `reset(seed=s)` fixes all that follows; a later `reset()` goes on to the next trial of that seed.
    Options are ignored.

    Args:
        family: "module:Class" of a `badger_envs.Family`.
        render_mode: None, "ansi" (a line of text), "rgb_array" or "human" (a window; needs pygame).
        settings: settings of the family.

    Raises:
        ValueError, TypeError: an impossible or unknown setting or render mode.
    """

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": RENDER_FPS}  # noqa: RUF012

    def __init__(self, family: str, render_mode: str | None = None, **settings: Any) -> None:
        self.family = make_family(family, settings)
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        space = observation_space(self.family)
        self.observation_space = space
        self.action_space = action_space(self.family)
        self._fields = [(name, Observation._fields.index(name)) for name in space]
        self._outputs = self.family.slots.outputs
        self._categorical = self.family.action_kind == "categorical"
        self._seed = 0  # the last one
        self._trial = 0
        self._first = self._block_size = (
            0  # number of the first trial of the block below, and of trials in it
        )
        self._block: tuple[Any, Any, np.ndarray]  # tasks, initial states, noise
        self._task: Any = None
        self._state: Any = None
        self._asked: Any = None  # the state in which the last action was chosen
        self._noise: np.ndarray  # [1, horizon, noise_size]
        self._observation: Observation
        self._all_in_use = False  # every output slot, all trial long: a trial keeps its output mask
        self._time = 0
        self._running = False
        self._reward: float | None = None
        self._window: Window | None = None

    @property
    def agent_keys(self) -> np.ndarray:
        """Keys under which an agent draws in the present trial, int64 [1, 4] (`keyed_random.agent_keys`).

        An evaluation gives them to agents of `badger_agents`, so that they act here exactly as there.
        """
        keys = keyed_random.trial_keys([self._seed], self._trial, self.family.split)
        return keyed_random.agent_keys(keys)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start a trial.

        Args:
            seed: a number from 0 to 2**64 - 1 that names a new series of trials; None goes on with the last
                series, or at first begins one at random.
            options: ignored.

        Returns:
            The first observation, and info.

        Raises:
            ValueError, TypeError: a seed that is no such number.
        """
        if seed is not None:
            (seed,) = keyed_random.seed_array([seed]).tolist()
        super().reset(seed=seed)
        if seed is not None or not self._block_size:
            self._seed = int(self.np_random.integers(2**63)) if seed is None else seed
            self._trial = 0
            self._draw(1)
        else:
            self._trial += 1
            if self._trial == self._first + self._block_size:
                self._draw(_BLOCK)
        row = self._trial - self._first
        tasks, states, noise = self._block
        self._task, self._state = _row(tasks, row), _row(states, row)
        self._asked = self._state
        self._noise = noise[row : row + 1]
        self._time, self._running, self._reward = 0, True, None
        self._observation = self.family.observe(self._task, self._state)
        self._all_in_use = bool(self._observation.output_mask.all())
        return self._returned(touched=False)

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """One step of the trial.

        Args:
            action: [O] floats in [-1, 1], or an integer below O for categorical actions.

        Returns:
            Observation, reward, terminated, truncated (False), info.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`, or after the end of a trial.
            ValueError, TypeError: the action is not in the action space; the trial is as before.
        """
        if not self._running:
            raise error.ResetNeeded("the trial has ended or none has begun; call reset() first")
        if self._categorical:
            array = check_indices(action, (), self._outputs)[None]
        else:
            array = check_values(action, (self._outputs,), self.family.dtype)[None]
        touched = not self._all_in_use and bool(
            touches_unused_slot(self.family.action_kind, self._observation.output_mask, array)[0]
        )
        transition = self.family.step(self._task, self._state, array, self._noise[:, self._time])
        self._asked, self._state = self._state, transition.state
        self._observation = self.family.observe(self._task, self._state)
        self._time += 1
        self._reward = float(transition.reward[0])
        terminated = bool(transition.terminated[0])
        self._running = not terminated
        observation, info = self._returned(touched)
        return observation, self._reward, terminated, False, info

    def render(self) -> Any:
        """The present step as a line ("ansi"), uint8 [height, width, 3] ("rgb_array"), or None.

        "human" draws by itself at every `reset` and `step`.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
        """
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode; give one to gym.make")
            return None
        if self._task is None:
            raise error.ResetNeeded("there is nothing to render before the first reset()")
        if self.render_mode == "human":
            return None
        return ansi(self._frame()) if self.render_mode == "ansi" else rgb_array(self._frame())

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _draw(self, count: int) -> None:
        """Draw `count` trials from the present one on."""
        trials = self._trial + np.arange(count, dtype=np.int64)
        keys = keyed_random.trial_keys([self._seed] * count, trials, self.family.split)
        tasks = self.family.sample_task(keys)
        self._block = tasks, self.family.initial_state(tasks), draw_noise(self.family, keys)
        self._first, self._block_size = self._trial, count

    def _returned(self, touched: bool) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Observation and info as the user gets them: fresh arrays and Python numbers."""
        if self.render_mode == "human":
            self._window = self._window or Window()
            self._window.show(rgb_array(self._frame()))
        observation = self._observation
        info = {name: value.item() for name, value in self.family.info(self._task, self._state).items()}
        info["unused_slot"] = touched
        if self._categorical:
            info["action_mask"] = observation.output_mask[0].astype(np.int8)
        return {name: observation[i].flatten() for name, i in self._fields}, info

    def _frame(self) -> Frame:
        return frame_of(self.family, self._task, self._asked, self._observation, 0, self._time, self._reward)


def draw_noise(family: Family, keys: np.ndarray) -> np.ndarray:
    """Noise of whole trials, [B, horizon, noise_size], drawn in pieces of rows."""
    batch, size = keys.shape[0], family.horizon * family.noise_size
    noise = np.empty((batch, family.horizon, family.noise_size), family.dtype)
    rows = max(1, _PIECE // max(1, size))
    for i in range(0, batch if size else 0, rows):
        noise[i : i + rows] = family.noise(keys[i : i + rows], family.horizon)
    return noise


def _row(batch: Any, row: int) -> Any:
    """One row of a NamedTuple of arrays [B, ...], as a batch of one."""
    return type(batch)(*[array[row : row + 1] for array in batch])
