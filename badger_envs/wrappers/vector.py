"""Wrappers of vector environments: the same numbers as those of one environment, N rows at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from badger_envs.faces.layout import Layout, Parts, action_rows, flat_layout, flat_rows, rl2_layout


class FlattenSlots(VectorWrapper):
    """Lays the arrays of every sub-environment's observation side by side in one row.

    The same numbers in the same order as `gymnasium.wrappers.vector.FlattenObservation`, in the last
    observations of SAME_STEP's infos ("final_obs") too.

    Args:
        env: a vector environment whose observations are a Box, or a Dict of Boxes.

    Attributes:
        parts: where each array stands: `observations[:, envs.parts["feedback"]]`.

    Raises:
        TypeError: another observation space.
    """

    parts: Parts

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        super().__init__(env)
        self._declare(flat_layout(env.single_observation_space))

    def _declare(self, layout: Layout) -> None:
        self.single_observation_space, self.parts, self._names = layout
        self.observation_space = batch_space(layout.space, self.num_envs)
        self._dtype = layout.space.dtype

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start trials; observations are rows."""
        observations, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        return flat_rows(observations, self._names, self.num_envs), infos

    def step(self, actions: Any) -> tuple[np.ndarray, Any, Any, Any, dict[str, Any]]:
        """One step of all trials; observations are rows."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        for i, final in _final(infos):
            infos["final_obs"][i] = flat_rows(final, self._names, 1)[0]
        return flat_rows(observations, self._names, self.num_envs), rewards, terminations, truncations, infos


class RL2Observation(FlattenSlots):
    """Observations as RL² reads them: previous action, previous reward, trial start, observation, in one row.

    Row i is what `badger_envs.wrappers.RL2Observation` shows of sub-environment i, in all autoreset
    modes: the first observation of a trial has no action, no reward, and the start 1, wherever it
    comes; with SAME_STEP, the last one of the trial before is in `infos["final_obs"]`.

    Args:
        env: a vector environment with Box or Discrete actions whose observations are a Box, or a Dict
            of Boxes.

    Attributes:
        parts: where each part stands, "action", "reward", "start" and then the observation's.

    Raises:
        TypeError: another observation or action space.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        VectorWrapper.__init__(self, env)
        self._declare(rl2_layout(env.single_observation_space, env.single_action_space))
        self._mode = env.metadata["autoreset_mode"]
        self._before = np.zeros((self.num_envs, self.parts["start"].stop), self._dtype)  # [N, A + 2]
        self._done = np.zeros(self.num_envs, np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start trials; those that `options["reset_mask"]` leaves out keep their action and reward."""
        rows, infos = super().reset(seed=seed, options=options)
        mask = (options or {}).get("reset_mask")
        self._start(np.ones(self.num_envs, np.bool_) if mask is None else np.asarray(mask))
        return self._joined(rows), infos

    def step(self, actions: Any) -> tuple[np.ndarray, Any, Any, Any, dict[str, Any]]:
        """One step of all trials."""
        rows, rewards, terminations, truncations, infos = super().step(actions)
        taken = action_rows(actions, self.single_action_space, self._dtype)
        stands = np.zeros((self.num_envs, 1), self._dtype)  # not the start of a trial
        self._before = np.concatenate([taken, np.asarray(rewards, self._dtype)[:, None], stands], axis=1)
        for i, final in _final(infos):
            infos["final_obs"][i] = np.concatenate([self._before[i], final])
        done = np.logical_or(terminations, truncations)
        if self._mode is AutoresetMode.SAME_STEP:
            self._start(done)
        elif self._mode is AutoresetMode.NEXT_STEP:
            self._start(self._done)
        self._done = done
        return self._joined(rows), rewards, terminations, truncations, infos

    def _start(self, mask: np.ndarray) -> None:
        """No action and no reward before the observations of some rows, which start a trial."""
        self._before[mask] = 0
        self._before[mask, -1] = 1
        self._done = self._done & ~mask

    def _joined(self, rows: np.ndarray) -> np.ndarray:
        return np.concatenate([self._before, rows], axis=1)


def _final(infos: dict[str, Any]) -> list[tuple[int, Any]]:
    """Last observations of the trials that have ended in this step, with their rows."""
    if "final_obs" not in infos:
        return []
    return [(i, infos["final_obs"][i]) for i in np.flatnonzero(infos["_final_obs"]).tolist()]
