"""The vector face: N trials of a family side by side, as a native `gymnasium.vector.VectorEnv`."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import error
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from badger_envs import keyed_random
from badger_envs.faces.actions import check_indices, check_values
from badger_envs.faces.layout import ObservationFormat
from badger_envs.faces.noise import TrialNoise
from badger_envs.faces.spaces import action_space
from badger_envs.faces.vector_arguments import checked_autoreset_mode, checked_reset_mask, checked_seeds
from badger_envs.family import Family, Observation, check_integer, make_family, touches_unused_slot
from badger_envs.rendering import RENDER_FPS, Frame, ansi, check_render_mode, frame_of, rgb_array

Rows = np.ndarray | slice
_ALL = slice(None)

_NUMBERS = 8_388_608
"""Numbers of noise in memory, all trials together; of longer trials it is drawn by segments of steps."""


class FamilyVectorEnv(VectorEnv[Any, Any, np.ndarray]):
    """Steps N trials of one family at once; sub-environment i is `FamilyEnv` with its own seed.

    Seeded with s, sub-environment i plays exactly what `FamilyEnv` seeded with s + i plays, whatever N
    is. Rewards are float64 [N]; infos are arrays of N rows with their "_key" masks, of the dtypes that
    `FamilyEnv` has; and everything else follows `gymnasium.vector.SyncVectorEnv`, in all three autoreset
    modes. What is returned shares no memory with the environment. For categorical actions there is also
    `action_masks()`, bool [N, O].

    Args:
        num_envs: N, at least 1.
        family: "module:Class" of a `badger_envs.Family`, or a family, whose settings `settings` change.
        render_mode: None, "ansi" or "rgb_array": `render` gives a tuple of N of them.
        autoreset_mode: an `AutoresetMode`, its name ("NEXT_STEP", "SAME_STEP", "DISABLED") or its value;
            a name, and not the enum, keeps `spec.to_json` working.
        max_episode_steps: truncate trials after as many steps; None or -1 for no limit.
        observation: "dict", "flat" or "rl2", as in `FamilyEnv`; flat observations are [N, numbers].
        settings: settings of the family.

    Raises:
        ValueError, TypeError: an impossible or unknown argument or setting.
    """

    metadata = {  # noqa: RUF012
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        family: str | Family,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        observation: str = "dict",
        **settings: Any,
    ) -> None:
        self.num_envs = num_envs = check_integer("num_envs", num_envs, low=1)
        if max_episode_steps is not None and max_episode_steps != -1:
            max_episode_steps = check_integer("max_episode_steps", max_episode_steps, low=1)
        self.family = make_family(family, settings)
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.autoreset_mode = checked_autoreset_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self._format = ObservationFormat(self.family, observation)
        self.parts = self._format.parts
        self.single_observation_space = self._format.space
        self.single_action_space = action_space(self.family)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._outputs = self.family.slots.outputs
        self._categorical = self.family.action_kind == "categorical"
        self._limit = None if max_episode_steps in (None, -1) else max_episode_steps
        self.max_episode_steps = min(self._limit or self.family.horizon, self.family.horizon)
        self._seeds: np.ndarray | None = None  # uint64 [N], the last ones
        self._trial = np.full(num_envs, -1, np.int64)  # [N], of each sub-environment since its seed
        self._task: Any = None
        self._state: Any = None
        self._asked: Any = None  # the states in which the last actions were chosen
        self._noise: TrialNoise
        self._time = np.zeros(num_envs, np.int64)  # [N], steps done in the trial
        self._everywhere = np.ones(num_envs, np.bool_)  # copied by every info, which is faster than to make
        self._together = True  # whether all trials are at the same time
        self._observation: Observation
        self._before = self._format.start(num_envs)  # what stands before it, see `ObservationFormat`
        self._all_in_use = False  # every output slot, all trial long: a trial keeps its output mask
        self._done = np.zeros(num_envs, np.bool_)  # [N], ended and not begun anew
        self._any_done = False
        self._reward: np.ndarray | None = None

    @property
    def agent_keys(self) -> np.ndarray:
        """Keys under which agents draw in the present trials, int64 [N, 4]: see `FamilyEnv.agent_keys`.

        Raises:
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if self._seeds is None:
            raise error.ResetNeeded("no trial has begun; call reset() first")
        return keyed_random.agent_keys(keyed_random.trial_keys(self._seeds, self._trial, self.family.split))

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start trials in all sub-environments, or in those of a mask.

        Args:
            seed: s seeds sub-environment i with s + i; a list gives each its own, None in it goes on
                with the trials of the last seed, as None instead of a seed does for all.
            options: "reset_mask", bool [N], names the sub-environments that start a new trial; the
                others stay where they are. Anything else is ignored.

        Returns:
            Observations and infos; infos of sub-environments that were not reset are masked out.

        Raises:
            ValueError, TypeError: a wrong number of seeds, or a wrong mask.
            gymnasium.error.ResetNeeded: a mask before the first reset of all.
        """
        mask = checked_reset_mask(options, self.num_envs)
        seeds = checked_seeds(seed, self.num_envs)
        if mask is not None and self._task is None and not mask.all():
            raise error.ResetNeeded("reset_mask before any trial has begun; call reset() for all first")
        super().reset(seed=None if seeds is None or not seeds.given[0] else int(seeds.value[0]))
        if self._seeds is None:
            first = np.uint64(self.np_random.integers(2**63))
            self._seeds = first + np.arange(self.num_envs, dtype=np.uint64)
        if seeds is not None:
            fresh = seeds.given if mask is None else seeds.given & mask
            self._seeds = np.where(fresh, seeds.value, self._seeds)
            self._trial[fresh] = -1
        self._start(_ALL if mask is None else np.flatnonzero(mask))
        self._done[_ALL if mask is None else mask] = False
        self._any_done = bool(self._done.any())
        self._look(started=True)
        return self._seen(), self._infos(None, mask)

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One step of all trials; finished ones begin anew as the autoreset mode says.

        Args:
            actions: [N, O] numbers, clipped to [-1, 1]; or [N] integers below O for categorical actions.

        Returns:
            Observations, rewards float64 [N], terminations and truncations bool [N], infos.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`; with autoreset disabled, a trial that
                has ended.
            ValueError, TypeError: actions that are not finite, of a wrong shape or dtype, or no indices below
                O; the trials are as before.
        """
        if self._task is None:
            raise error.ResetNeeded("no trial has begun; call reset() first")
        if self._any_done and self.autoreset_mode is AutoresetMode.DISABLED:
            ended = np.flatnonzero(self._done).tolist()
            raise error.ResetNeeded(
                f"trials of sub-environments {ended} have ended; call reset() with a reset_mask"
            )
        array = self._checked(actions)
        begun = self._start_done() if self._any_done else None  # NEXT_STEP: these start instead of stepping
        if begun is not None and begun.all():
            reward = np.zeros(self.num_envs)
            terminated = np.zeros(self.num_envs, np.bool_)
            touched = None
        else:
            reward, terminated, touched = self._advance(array, begun)
        truncated = np.zeros(self.num_envs, np.bool_) if self._limit is None else self._time >= self._limit
        self._done = terminated | truncated
        self._any_done = bool(self._done.any())
        self._reward = None if self.render_mode is None else reward.copy()  # only pictures need it
        self._look(started=begun is not None)
        if not (self._any_done and self.autoreset_mode is AutoresetMode.SAME_STEP):
            infos = self._infos(touched, None)
            return self._seen(), reward, terminated, truncated, infos
        final = self._final(touched)
        untouched = None if touched is None else touched & ~self._done
        self._start_done()
        self._done[:] = False
        self._any_done = False
        self._look(started=True)
        infos = {**final, **self._infos(untouched, None)}
        return self._seen(), reward, terminated, truncated, infos

    def render(self) -> tuple[Any, ...] | None:
        """The present step of every sub-environment: lines, or uint8 [height, width, 3].

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
        """
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode; give one to gym.make_vec")
            return None
        if self._task is None:
            raise error.ResetNeeded("Cannot call render() before reset(): call reset() first")
        draw = ansi if self.render_mode == "ansi" else rgb_array
        return tuple(draw(self._frame(i)) for i in range(self.num_envs))

    @property
    def action_masks(self) -> Callable[[], np.ndarray]:
        """For categorical actions a method that gives bool [N, O], the slots in use; else no attribute."""
        if not self._categorical:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'action_masks'")
        return self._action_masks

    def _action_masks(self) -> np.ndarray:
        if self._task is None:
            raise error.ResetNeeded("no trial has begun; call reset() first")
        return self._observation.output_mask != 0

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """A method of every sub-environment called, or its attribute, as `SyncVectorEnv.call` has it.

        Sub-environments are rows of one thing: "render" and "action_masks" give each row's, anything else
        gives the same N times. `reset`, `step` and `close` are refused: they are for all at once.

        Args:
            name: of a method or attribute of this environment.
            *args: of the method.
            **kwargs: of the method.
        """
        if name in ("reset", "step", "close"):
            raise ValueError(f"call({name!r}) is for single environments; use {name}() for all of them")
        found = getattr(self, name)
        result = found(*args, **kwargs) if callable(found) else found
        if name in ("render", "action_masks"):
            return (None,) * self.num_envs if result is None else tuple(result)
        return (result,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of every sub-environment, as `SyncVectorEnv.get_attr` has it; see `call`."""
        return (getattr(self, name),) * self.num_envs

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of all sub-environments, which share it.

        Args:
            name: of the attribute.
            values: one value, or a list or tuple of N equal ones.

        Raises:
            ValueError: values that are not N, or not equal.
        """
        each = list(values) if isinstance(values, list | tuple) else [values] * self.num_envs
        if len(each) != self.num_envs or any(value != each[0] for value in each):
            raise ValueError(f"values for {name!r} must be {self.num_envs} equal ones, or one: it is shared")
        setattr(self, name, each[0])

    def _start_done(self) -> np.ndarray:
        """Start trials where they have ended; bool [N], where that was."""
        self._start(np.flatnonzero(self._done))
        return self._done

    def _start(self, rows: Rows) -> None:
        """Start the next trials of some rows: task, state, noise and time."""
        if isinstance(rows, np.ndarray) and len(rows) == self.num_envs:
            rows = _ALL
        self._trial[rows] += 1
        keys = keyed_random.trial_keys(self._seeds[rows], self._trial[rows], self.family.split)  # type: ignore[index]
        task = self.family.sample_task(keys)
        state = self.family.initial_state(task)
        self._time[rows] = 0
        if self._format.changes:
            self._before[rows] = self._format.start(len(keys))
        if isinstance(rows, slice):
            self._task, self._state = _by_rows(task), _by_rows(state)
            self._asked, self._together = self._state, True
            self._noise = TrialNoise(self.family, keys, _NUMBERS)
            return
        self._task, self._state = _put(self._task, rows, task), _put(self._state, rows, state)
        self._asked = _put(self._asked, rows, state)
        self._noise.replace(rows, keys)
        self._together = False

    def _advance(self, actions: np.ndarray, begun: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, Any]:
        """Step the family: reward, terminated, touched; rows that have just begun stay at their start."""
        before = self._state
        noise = self._noise.together(int(self._time[0])) if self._together else self._noise.apart(self._time)
        transition = self.family.step(self._task, before, actions, noise)
        self._asked, self._state = before, transition.state
        reward, terminated = transition.reward.astype(np.float64), transition.terminated.copy()
        touched = None
        if not self._all_in_use:
            touched = touches_unused_slot(self.family.action_kind, self._observation.output_mask, actions)
        self._time += 1
        if self._format.changes:
            self._before = self._format.after(actions, transition.reward)
        if begun is not None:
            rows = np.flatnonzero(begun)
            self._state = _put(self._state, rows, type(before)(*[array[rows] for array in before]))
            self._time[rows] = 0
            if self._format.changes:
                self._before[rows] = self._format.start(len(rows))
            reward[rows], terminated[rows] = 0, False
            touched = None if touched is None else touched & ~begun
        return reward, terminated, touched

    def _seen(self) -> Any:
        """The present observations in fresh memory."""
        return self._format.many(self._observation, self._before)

    def _look(self, started: bool) -> None:
        self._observation = self.family.observe(self._task, self._state)
        if started:
            self._all_in_use = bool(self._observation.output_mask.all())

    def _infos(self, touched: np.ndarray | None, mask: np.ndarray | None) -> dict[str, Any]:
        """Fresh infos with their "_key" masks; `touched` None: nowhere; `mask` None: all rows."""
        values = {
            name: value.astype(_WIDE[value.dtype.kind])
            for name, value in self.family.info(self._task, self._state).items()
        }
        values["unused_slot"] = np.zeros(self.num_envs, np.bool_) if touched is None else touched.copy()
        if self._categorical:
            values["action_mask"] = self._observation.output_mask.astype(np.int8)
        infos = {}
        for name, value in values.items():
            if mask is not None:
                value[~mask] = 0
            infos[name] = value
            infos[f"_{name}"] = self._everywhere.copy() if mask is None else mask.copy()
        return infos

    def _final(self, touched: np.ndarray | None) -> dict[str, Any]:
        """Last observations and infos of the trials that have just ended, as Gymnasium hands them out."""
        rows, seen = np.flatnonzero(self._done), self._seen()
        observations = np.full(self.num_envs, None, dtype=object)
        for i in rows.tolist():
            last = {name: array[i] for name, array in seen.items()} if isinstance(seen, dict) else seen[i]
            observations[i] = copy.deepcopy(last)
        return {
            "final_obs": observations,
            "_final_obs": self._done.copy(),
            "final_info": self._infos(touched, self._done),
            "_final_info": self._done.copy(),
        }

    def _frame(self, i: int) -> Frame:
        reward = None if self._reward is None or self._time[i] == 0 else float(self._reward[i])
        return frame_of(
            self.family, self._task, self._asked, self._observation, i, int(self._time[i]), reward
        )

    def _checked(self, actions: Any) -> np.ndarray:
        if self._categorical:
            return check_indices(actions, (self.num_envs,), self._outputs, "actions")
        return check_values(actions, (self.num_envs, self._outputs), self.family.dtype, "actions")


_WIDE = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64}
"""Dtypes of infos by kind: those of Python numbers, as in `SyncVectorEnv`."""


def _by_rows(batch: Any) -> Any:
    """A NamedTuple of arrays in C order: one from a broadcast may lie by columns, and slow every step."""
    return type(batch)(*[np.ascontiguousarray(array) for array in batch])


def _put(batch: Any, rows: np.ndarray, values: Any) -> Any:
    """A NamedTuple of arrays [N, ...] with some rows replaced; the arrays given are left as they are."""
    changed = []
    for array, value in zip(batch, values, strict=True):
        array = array.copy()
        array[rows] = value
        changed.append(array)
    return type(batch)(*changed)
