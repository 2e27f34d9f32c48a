"""Checks of the actions that users send to the NumPy faces: one clear error, or a clean array."""

from typing import Any

import numpy as np


def check_values(action: Any, shape: tuple[int, ...], dtype: str, name: str = "action") -> np.ndarray:
    """Values clipped to [-1, 1], as a continuous or binary action writes them.

    Args:
        action: an array or nested list of numbers, floats or integers of any width.
        shape: the shape it must have.
        dtype: "float32" or "float64", of the result.
        name: how errors call it.

    Returns:
        A fresh array of that shape and dtype.

    Raises:
        TypeError: not numbers (booleans are not: they hint at an action of another kind).
        ValueError: wrong shape, NaN or infinite.
    """
    array = _fresh(action, shape, "fiu", "numbers, floats in [-1, 1]", name)
    if array.dtype.kind != "f":
        array = np.clip(array, -1, 1)
    elif not np.abs(array).max() <= 1:  # also catches NaN
        finite = np.isfinite(array)
        if not finite.all():
            where = tuple(np.argwhere(~finite)[0].tolist())
            raise ValueError(f"{name}[{_join(where)}] is {array[where]}; it must be finite")
        array = np.clip(array, -1, 1)
    return array if array.dtype == dtype else array.astype(dtype)


def check_indices(action: Any, shape: tuple[int, ...], count: int, name: str = "action") -> np.ndarray:
    """Indices from 0 to count - 1, as a categorical action names them.

    Args:
        action: an integer, or an array or nested list of integers of any width.
        shape: the shape it must have; () for one integer.
        count: number of choices.
        name: how errors call it.

    Returns:
        A fresh int64 array of that shape.

    Raises:
        TypeError: not integers (floats and booleans are not).
        ValueError: wrong shape, or outside the range.
    """
    array = _fresh(action, shape, "iu", f"integers from 0 to {count - 1}", name)
    if not (array.min() >= 0 and array.max() < count):
        where = tuple(np.argwhere((array < 0) | (array >= count))[0].tolist())
        label = f"{name}[{_join(where)}]" if where else name
        raise ValueError(f"{label} is {array[where]}; it must be an integer from 0 to {count - 1}")
    return array.astype(np.int64, copy=False)


def _fresh(action: Any, shape: tuple[int, ...], kinds: str, wanted: str, name: str) -> np.ndarray:
    """A copy of `action` as an array of that shape, if its dtype's kind is one of `kinds`."""
    try:
        array = np.array(action)  # a copy: what the caller does with theirs later is their business
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{name} is no array ({error}); it must hold {wanted}, shape {shape}") from error
    if array.dtype.kind not in kinds:
        raise TypeError(
            f"{name} holds {array.dtype} ({type(action).__name__}); it must hold {wanted}, shape {shape}"
        )
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must have shape {shape} and hold {wanted}")
    return array


def _join(where: tuple[int, ...]) -> str:
    return ", ".join(map(str, where))
