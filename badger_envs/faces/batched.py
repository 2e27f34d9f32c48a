"""The torch face: many trials at once, on any device, differentiable, without host synchronisation."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from badger_envs import keyed_random
from badger_envs.faces.vector_arguments import checked_seeds
from badger_envs.family import Family, Observation, check_integer

_NUMBERS = 16_777_216
"""Numbers of noise in memory, all trials together; of longer trials it is drawn by segments of steps."""


class Step(NamedTuple):
    """observation; reward, loss: [B]; terminated: bool [B]; info: dict of [B]."""

    observation: Observation
    reward: Tensor
    loss: Tensor
    terminated: Tensor
    info: dict[str, Tensor]


class BatchedEnv:
    """B trials of one family, side by side, all starting and ending together.

    Shapes and dtypes of actions are checked, values are not: a check would stall the device.

    Args:
        family: the family.
        batch_size: B, at least 1.
        device: a torch device.

    Example:
        >>> env = badger_envs.make_batched("Badger/GuessingGame-v0", batch_size=4)
        >>> observation = env.reset(seed=0)
        >>> step = env.step(torch.zeros(4, 3))
        >>> step.loss.shape
        torch.Size([4])
    """

    def __init__(self, family: Family, batch_size: int, device: str | torch.device = "cpu") -> None:
        self.family = family
        self.batch_size = check_integer("batch_size", batch_size, low=1)
        self.device = torch.device(device)
        self.task: Any = None
        self.state: Any = None
        self._seeds: Tensor | None = None  # int64 [B], read as 64 bits
        self._trial = 0
        self._keys: Tensor  # int64 [B, 4], of the present trials
        self._noise: Tensor | None = None  # [B, steps, noise_size], of a segment of the trials
        self._steps = min(family.horizon, max(1, _NUMBERS // max(1, self.batch_size * family.noise_size)))
        self._time = 0

    def reset(self, seed: int | list[int] | None = None, keys: Tensor | None = None) -> Observation:
        """Start B new trials: the next ones of the rows seeded before (random at first), if nothing is said.

        Args:
            seed: row i plays what `gym.make` seeded with seed + i plays (or with seed[i]).
            keys: int64 [B, 4], keys of the trials themselves, as from `keyed_random.outer_keys`.

        Returns:
            The first observation.
        """
        if keys is None:
            keys = self._next_keys(seed)
        elif seed is not None:
            raise ValueError("reset takes a seed or keys, not both")
        elif not isinstance(keys, Tensor):
            raise TypeError(f"keys are a {type(keys).__name__}; they must be a torch tensor")
        elif tuple(keys.shape) != (self.batch_size, 4) or keys.dtype != torch.int64:
            wanted = f"they must be int64 ({self.batch_size}, 4)"
            raise ValueError(f"keys are {keys.dtype} {tuple(keys.shape)}; {wanted}")
        self._keys = keys = keys.to(self.device)
        self.task = self.family.sample_task(keys)
        self.state = self.family.initial_state(self.task)
        self._noise = self.family.noise(keys, self._steps)
        self._time = 0
        return self.family.observe(self.task, self.state)

    def step(self, action: Tensor) -> Step:
        """Step all trials.

        Args:
            action: [B, O] floating point (continuous, binary) or int64 [B] (categorical).

        Raises:
            RuntimeError: before `reset`, or after the last step of the trials.
            ValueError, TypeError: wrong shape, dtype or device.
        """
        if self._noise is None or self._time == self.family.horizon:
            raise RuntimeError("the trials have ended or not begun; call reset() first")
        self._check(action)
        at = self._time % self._steps
        if self._time and not at:
            self._noise = self.family.noise(self._keys, self._steps, self._time)
        transition = self.family.step(self.task, self.state, action, self._noise[:, at])
        self.state = transition.state
        self._time += 1
        return Step(
            self.family.observe(self.task, self.state),
            transition.reward,
            transition.loss,
            transition.terminated,
            self.family.info(self.task, self.state),
        )

    def _next_keys(self, seed: int | list[int] | None) -> Tensor:
        if seed is None and self._seeds is not None:
            self._trial += 1
        else:
            seeds = checked_seeds(int(torch.randint(2**62, ())) if seed is None else seed, self.batch_size)
            assert seeds is not None
            if not seeds.given.all():
                raise ValueError("a seed is None; give a number for every trial, or one number")
            self._seeds, self._trial = torch.from_numpy(seeds.value.view(np.int64)).to(self.device), 0
        return keyed_random.trial_keys(self._seeds, self._trial, self.family.split)

    def _check(self, action: Tensor) -> None:
        if not isinstance(action, Tensor):
            raise TypeError(f"action is a {type(action).__name__}; it must be a torch tensor")
        if action.device.type != self.device.type:
            raise ValueError(f"action is on {action.device}; it must be on {self.device}")
        if self.family.action_kind == "categorical":
            shape: tuple[int, ...] = (self.batch_size,)
            wanted, right = "int64", action.dtype == torch.int64
        else:
            shape = (self.batch_size, self.family.slots.outputs)
            wanted, right = self.family.dtype, action.dtype == getattr(torch, self.family.dtype)
        if not right:
            raise TypeError(f"action is {action.dtype}; it must be {wanted}")
        if tuple(action.shape) != shape:
            raise ValueError(f"action has shape {tuple(action.shape)}; it must be {shape}")
