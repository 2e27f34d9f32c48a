"""Checks of what users hand to the vector face: seeds, reset masks and autoreset modes."""

from typing import Any, NamedTuple

import numpy as np
from gymnasium.vector import AutoresetMode

from badger_envs.keyed_random import seed_array


class Seeds(NamedTuple):
    """Seeds of N trials, uint64 [N], and for which of them there is one, bool [N]."""

    value: np.ndarray
    given: np.ndarray


def checked_seeds(seed: Any, count: int) -> Seeds | None:
    """A seed per trial: None for none at all, s + i from a number s, or those of a list.

    Args:
        seed: None, an integer, or a list, tuple or NumPy array of integers; a list may hold None.
        count: N.

    Raises:
        ValueError: a seed is below 0 or above 2**64 - 1, or there are more or fewer than N.
        TypeError: a seed is neither an integer nor None.
    """
    if seed is None:
        return None
    if isinstance(seed, list | tuple) or (isinstance(seed, np.ndarray) and seed.ndim == 1):
        if len(seed) != count:
            raise ValueError(f"{len(seed)} seeds for {count} trials; give one each, or one number")
        if not isinstance(seed, np.ndarray) and None in seed:
            given = np.array([one is not None for one in seed])
            return Seeds(seed_array([0 if one is None else one for one in seed]), given)
        return Seeds(seed_array(seed), np.ones(count, np.bool_))
    try:
        first = seed_array([seed, seed + count - 1])[0]
    except TypeError as error:
        wanted = "it must be an integer, a list of integers (or None), or None"
        raise TypeError(f"seed is {seed!r}; {wanted}") from error
    return Seeds(first + np.arange(count, dtype=np.uint64), np.ones(count, np.bool_))


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
