"""Checks of what users hand to the vector face: seeds, reset masks and autoreset modes."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode


def checked_seeds(seed: Any, num_envs: int) -> list[int | None]:
    """A seed per sub-environment: None for all, s + i from a number s, or a list as it is.

    Raises:
        ValueError: a negative seed, or a list of another length than `num_envs`.
        TypeError: a seed that is neither an integer nor None.
    """
    if seed is None:
        return [None] * num_envs
    number = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    seeds = [int(seed) + i for i in range(num_envs)] if number else seed
    if not isinstance(seeds, list | tuple) and not (isinstance(seeds, np.ndarray) and seeds.ndim == 1):
        raise TypeError(f"seed is {seed!r}; it must be an integer, a list of integers (or None), or None")
    if len(seeds) != num_envs:
        raise ValueError(f"{len(seeds)} seeds for {num_envs} trials; give one each, or one number")
    for one in seeds:
        if one is not None and (isinstance(one, bool) or not isinstance(one, int | np.integer)):
            raise TypeError(f"a seed is {one!r}; seeds must be integers, or None")
        if one is not None and one < 0:
            raise ValueError(f"a seed is {one}; seeds must be at least 0")
    return [None if one is None else int(one) for one in seeds]


def checked_reset_mask(options: dict[str, Any] | None, num_envs: int) -> np.ndarray | None:
    """A copy of `options["reset_mask"]`, bool [num_envs]; None if there is none.

    Raises:
        TypeError: it does not hold booleans.
        ValueError: a wrong shape, or no True in it.
    """
    if options is not None and not isinstance(options, dict):
        raise TypeError(f"options is {options!r}; it must be a dict, or None")
    if not options or options.get("reset_mask") is None:
        return None
    mask = np.array(options["reset_mask"])
    if mask.dtype != np.bool_:
        raise TypeError(f"reset_mask holds {mask.dtype}; it must be a bool array of shape ({num_envs},)")
    if mask.shape != (num_envs,):
        raise ValueError(f"reset_mask has shape {mask.shape}; it must have shape ({num_envs},)")
    if not mask.any():
        raise ValueError("reset_mask is False everywhere; at least one sub-environment must be reset")
    return mask


def checked_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """An `AutoresetMode` from itself, its name ("NEXT_STEP") or its value ("NextStep").

    Raises:
        ValueError: it is none of them.
    """
    for member in AutoresetMode:
        if mode in (member, member.name, member.value):
            return member
    names = ", ".join(member.name for member in AutoresetMode)
    raise ValueError(f"autoreset_mode is {mode!r}; it must be one of {names}")
