"""The Gymnasium face: one trial of a family is one episode of a `gymnasium.Env`."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import error
from gymnasium.envs.registration import EnvSpec

from badger_envs import keyed_random
from badger_envs.faces.actions import check_indices, check_values
from badger_envs.faces.layout import ObservationFormat
from badger_envs.faces.noise import TrialNoise
from badger_envs.faces.spaces import action_space
from badger_envs.faces.trial_spec import TrialSpec
from badger_envs.family import Family, Observation, make_family, touches_unused_slot
from badger_envs.rendering import RENDER_FPS, Frame, Window, ansi, check_render_mode, frame_of, rgb_array

_BLOCK = 16
"""Trials drawn at once when none is seeded anew: drawing one costs as much as drawing many."""

_NUMBERS = 65_536
"""Numbers of tasks, states and noise drawn ahead: long trials come one by one, their noise by segments."""


class FamilyEnv(gym.Env[Any, Any]):
    """Plays a family's trials one after the other, as Gymnasium's episodes.

    Observations are dicts of one-row arrays (see `badger_envs.faces.spaces.observation_space`), or as
    `observation` says; the reward is a float, `terminated` marks the end of a trial, `truncated` is always
    False. What is returned shares no memory with anything.

    `info` has the same keys, dtypes and shapes after every `reset` and `step`: the family's measurements,
    float64 or int64 scalars of NumPy, or booleans, which are arrays of shape () (Gymnasium's vector
    environments would make objects of NumPy's boolean scalars); "unused_slot" (bool: whether the last action
    touched an output slot that is not in use: legal, without effect); and, for categorical actions,
    "action_mask" (int8 [O], as `Discrete.sample` takes it). For these there is also `action_masks()` (bool
    [O]), as sb3-contrib's MaskablePPO asks for it.

    `reset(seed=s)` fixes all that follows; a later `reset()` goes on to the next trial of that seed.
    Options are ignored. Finite actions are clipped to the action space.

    Args:
        family: "module:Class" of a `badger_envs.Family`, or a family, whose settings `settings` change.
        render_mode: None, "ansi" (a line of text), "rgb_array" or "human" (a window; needs pygame).
        observation: "dict"; "flat", one Box of all numbers; or "rl2", one Box of previous action, previous
            reward, trial start and all numbers. `parts` names the slices of a Box.
        settings: settings of the family.

    Attributes:
        parts: where each part of a flat observation stands: `observation[env.unwrapped.parts["feedback"]]`.
        max_episode_steps: the horizon; `spec.max_episode_steps` is it too.

    Raises:
        ValueError, TypeError: an impossible or unknown setting or render mode.
    """

    metadata = {"render_modes": ["ansi", "rgb_array", "human"], "render_fps": RENDER_FPS}  # noqa: RUF012

    _spec: EnvSpec | None = None

    def __init__(
        self,
        family: str | Family,
        render_mode: str | None = None,
        observation: str = "dict",
        **settings: Any,
    ) -> None:
        self.family = make_family(family, settings)
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self._format = ObservationFormat(self.family, observation)
        self.observation_space = self._format.space
        self.parts = self._format.parts
        self.action_space = action_space(self.family)
        self.max_episode_steps = self.family.horizon
        self._outputs = self.family.slots.outputs
        self._categorical = self.family.action_kind == "categorical"
        self._seed = 0  # the last one
        self._trial = 0
        self._first = self._block_size = 0  # number of the block's first trial, and of trials in it
        self._block: tuple[Any, Any, TrialNoise]  # tasks, initial states, noise
        self._task: Any = None
        self._state: Any = None
        self._asked: Any = None  # the state in which the last action was chosen
        self._observation: Observation
        self._before = self._format.start(1)  # what stands before it, see `ObservationFormat`
        self._all_in_use = False  # every output slot, all trial long: a trial keeps its output mask
        self._time = 0
        self._running = False
        self._reward: float | None = None
        self._window: Window | None = None

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]
        """The spec that the environment was made from, with the horizon as `max_episode_steps`."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        limited = spec is not None and spec.max_episode_steps is not None
        self._spec = spec if spec is None or limited else TrialSpec.of(spec, self.family.horizon)

    @property
    def action_masks(self) -> Callable[[], np.ndarray]:
        """For categorical actions a method that gives bool [O], the slots in use; else no attribute."""
        if not self._categorical:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'action_masks'")
        return self._action_masks

    def _action_masks(self) -> np.ndarray:
        if self._task is None:
            raise error.ResetNeeded("no trial has begun; call reset() first")
        return self._observation.output_mask[0] != 0

    @property
    def agent_keys(self) -> np.ndarray:
        """Keys under which an agent draws in the present trial, int64 [1, 4] (`keyed_random.agent_keys`).

        An evaluation gives them to agents of `badger_agents`, so that they act here exactly as there.
        """
        keys = keyed_random.trial_keys([self._seed], self._trial, self.family.split)
        return keyed_random.agent_keys(keys)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
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
                each = sum(array[:1].size for part in self._block[:2] for array in part)
                each += self.family.horizon * self.family.noise_size
                self._draw(max(1, min(_BLOCK, _NUMBERS // each)))
        row = self._trial - self._first
        tasks, states, _ = self._block
        self._task, self._state = _row(tasks, row), _row(states, row)
        self._asked = self._state
        if self._format.changes:
            self._before = self._format.start(1)
        self._time, self._running, self._reward = 0, True, None
        self._observation = self.family.observe(self._task, self._state)
        self._all_in_use = bool(self._observation.output_mask.all())
        return self._returned(touched=False)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step of the trial; after its end one that changes nothing, and warns.

        Args:
            action: [O] numbers, clipped to [-1, 1]; or an integer below O for categorical actions.

        Returns:
            Observation, reward, terminated, truncated (False), info. After the end of a trial, as of
            Gymnasium's CartPole: a reward of 0, and the trial as it ended.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
            ValueError, TypeError: the action is not finite, of a wrong shape or dtype, or no index below O;
                the trial is as before.
        """
        if self._task is None:
            raise error.ResetNeeded("no trial has begun; call reset() first")
        if self._categorical:
            array = check_indices(action, (), self._outputs)[None]
        else:
            array = check_values(action, (self._outputs,), self.family.dtype)[None]
        if not self._running:
            gym.logger.warn(
                "the trial has ended: this step changes nothing and its reward is 0; call reset()"
            )
            observation, info = self._returned(touched=False)
            return observation, 0.0, True, False, info
        touched = not self._all_in_use and bool(
            touches_unused_slot(self.family.action_kind, self._observation.output_mask, array)[0]
        )
        row = self._trial - self._first
        noise = self._block[2].together(self._time)[row : row + 1]
        transition = self.family.step(self._task, self._state, array, noise)
        self._asked, self._state = self._state, transition.state
        self._observation = self.family.observe(self._task, self._state)
        self._time += 1
        self._reward = float(transition.reward[0])
        if self._format.changes:
            self._before = self._format.after(array, transition.reward)
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
            raise error.ResetNeeded("Cannot call render() before reset(): call reset() first")
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
        self._block = tasks, self.family.initial_state(tasks), TrialNoise(self.family, keys, _NUMBERS)
        self._first, self._block_size = self._trial, count

    def _returned(self, touched: bool) -> tuple[Any, dict[str, Any]]:
        """Observation and info as the user gets them, in fresh memory."""
        if self.render_mode == "human":
            self._window = self._window or Window()
            self._window.show(rgb_array(self._frame()))
        measured = self.family.info(self._task, self._state)
        info: dict[str, Any] = {name: WIDE[value.dtype.kind](value[0]) for name, value in measured.items()}
        info["unused_slot"] = np.array(touched)
        if self._categorical:
            info["action_mask"] = self._observation.output_mask[0].astype(np.int8)
        return self._format.one(self._observation, self._before), info

    def _frame(self) -> Frame:
        return frame_of(self.family, self._task, self._asked, self._observation, 0, self._time, self._reward)


WIDE: dict[str, Callable[[Any], Any]] = {"b": np.array, "i": np.int64, "u": np.int64, "f": np.float64}
"""What a measurement becomes in `info`, by the kind of its dtype."""


def _row(batch: Any, row: int) -> Any:
    """One row of a NamedTuple of arrays [B, ...], as a batch of one."""
    return type(batch)(*[array[row : row + 1] for array in batch])
