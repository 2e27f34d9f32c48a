"""Checks that a family's functions are pure, the same on every backend, and keep rows apart."""

import dataclasses
import random as python_random
from collections.abc import Callable
from typing import Any

import numpy as np

from badger_envs.testing.subject import (
    Target,
    leaves,
    legal_actions,
    like,
    name_of,
    play,
    require,
    require_close,
    require_equal,
    require_identical,
    resolve,
    seeded_keys,
    to_numpy,
    to_torch,
    torch_devices,
)


def check_purity(target: Target, batch: int = 5) -> None:
    """Functions leave their arguments as they are, repeat themselves, and use no global generator.

    On NumPy arguments are write-protected, on torch compared bit by bit.

    Args:
        target: a registered id, or a family.
        batch: trials at once.

    Raises:
        AssertionError: a function changes an argument, gives another result the second time, or touches
            the global generators of random, numpy or torch.
    """
    family, name = resolve(target), name_of(target)
    keys = seeded_keys(family, range(batch))
    actions = legal_actions(family, keys, min(3, family.horizon))
    before = _global_generators()
    for backend in (keys, to_torch(keys)):
        calls = _Calls(f"{name} on {'NumPy' if backend is keys else 'torch'}")
        task = calls(family.sample_task, backend)
        state = calls(family.initial_state, task)
        noise = calls(family.noise, backend, len(actions))
        for time, action in enumerate(actions):
            calls(family.observe, task, state)
            calls(family.info, task, state)
            state = calls(family.step, task, state, like(action, backend), noise[:, time]).state
        calls(family.solution, task, family.initial_state(task))
    require_identical(before, _global_generators(), f"{name}: states of global random generators")


class _Calls:
    """Calls functions twice with guarded arguments."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        what = f"{self.name}: {getattr(function, '__name__', function)}"
        copies = _copied(arguments)
        for array in leaves(arguments).values():
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        try:
            first, second = function(*arguments), function(*arguments)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise AssertionError(f"{what} writes into its arguments") from error
        require_identical(copies, _copied(arguments), f"{what} changes its arguments")
        require_identical(_copied(first), _copied(second), f"{what} gives another result the second time")
        return first


def _copied(value: Any) -> dict[str, Any]:
    return {
        name: np.array(item if isinstance(item, int) else to_numpy(item))
        for name, item in leaves(value).items()
    }


def _global_generators() -> dict[str, np.ndarray]:
    import torch

    version, words, gauss = python_random.getstate()
    _, key, place, has_gauss, cached = np.random.get_state()
    return {
        "random": np.array([version, *words, hash(gauss)]),
        "numpy.random": np.array([*np.asarray(key).tolist(), place, has_gauss, hash(cached)]),
        "torch": torch.get_rng_state().numpy(),
    }


def check_backends(target: Target, batch: int = 64) -> None:
    """NumPy and torch play the same trials, in float32 and in float64, on the CPU and a GPU if any.

    Args:
        target: a registered id, or a family.
        batch: trials at once.

    Raises:
        AssertionError: trajectories differ by more than the tolerances; integers of a task differ; or
            torch gives other dtypes than NumPy.
    """
    name = name_of(target)
    for dtype in ("float32", "float64"):
        family = dataclasses.replace(resolve(target), dtype=dtype)
        keys = seeded_keys(family, range(batch))
        actions = legal_actions(family, keys, family.horizon)
        expected, task = play(family, keys, actions), leaves(family.sample_task(keys))
        for device in torch_devices():
            what = f"{name}: torch on {device}, {dtype}"
            there = to_torch(keys, device)
            for part, tensor in leaves(family.sample_task(there)).items():
                array = to_numpy(tensor)
                right = tensor.device.type == device and array.dtype == task[part].dtype
                require(right, f"{what}: task {part} is {array.dtype} on {tensor.device}")
                require_close(task[part], array, f"{what}: task {part}")
            found = play(family, there, actions)
            wrong = [part for part in expected if found[part].dtype != expected[part].dtype]
            require(not wrong, f"{what}: {wrong} are not of NumPy's dtype")
            require_equal(expected, found, what)


def check_rows(target: Target, batch: int = 6) -> None:
    """No information passes between rows of a batch.

    A row plays the same trial alone, in a batch and in another place of it; and what one row does, be
    it nonsense, leaves the others the same bit by bit.

    Args:
        target: a registered id, or a family.
        batch: trials at once, at least 2.

    Raises:
        AssertionError: rows influence each other.
    """
    family, name = resolve(target), name_of(target)
    keys = seeded_keys(family, range(batch))
    actions = legal_actions(family, keys, family.horizon)
    expected = play(family, keys, actions)
    turned = play(family, keys[::-1], actions[:, ::-1])
    require_equal(expected, {k: v[:, ::-1] for k, v in turned.items()}, f"{name}: rows in another order")
    alone = [play(family, keys[i : i + 1], actions[:, i : i + 1]) for i in range(batch)]
    together = {part: np.concatenate([one[part] for one in alone], axis=1) for part in expected}
    require_equal(expected, together, f"{name}: rows alone")
    other = actions.copy()
    other[:, 0] = (other[:, 0] + 1) % family.slots.outputs if actions.dtype.kind == "i" else np.nan
    with np.errstate(invalid="ignore"):
        disturbed = play(family, keys, other)
    others = slice(1, None)
    for part in expected:
        what = f"{name}: {part} of rows other than the first, whose actions were replaced,"
        require_identical(expected[part][:, others], disturbed[part][:, others], what)
