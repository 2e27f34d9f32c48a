"""Kinds of tasks within one family: which are trained on, which held out, and the draw of one per task."""

from typing import Any

from badger_envs.family import namespace
from badger_envs.keyed_random import Array

Kinds = str | tuple[str, ...]
"""A kind by name, or several: a mixture, of which each task draws one."""


def check_kinds(name: str, value: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    """A kind setting as a tuple of kinds.

    Args:
        name: the setting's name.
        value: what it was set to: a kind or a tuple of different ones.
        known: the kinds that there are.

    Raises:
        ValueError: no kind, an unknown or a repeated one.
        TypeError: neither a string nor a tuple.
    """
    kinds = (value,) if isinstance(value, str) else value
    if not isinstance(kinds, tuple):
        raise TypeError(f"{name} is {value!r}; it must be one of {', '.join(known)}, or several of them")
    for kind in kinds:
        if kind not in known:
            raise ValueError(f"{name} {kind!r} is unknown; it must be one of {', '.join(known)}")
    if not kinds or len(set(kinds)) < len(kinds):
        raise ValueError(f"{name} is {value!r}; it must name at least one kind, and each once")
    return kinds


def held_out_kinds(
    name: str, known: tuple[str, ...], train: Kinds, test: Kinds | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Kinds in training and in the test split, after the pattern of `badger_envs.Sizes`.

    A single kind is the same in both, unless others are given for the test. A mixture without test kinds
    of its own holds out all the others.

    Raises:
        ValueError: as `check_kinds`; training and test overlap; or none is left to hold out.
        TypeError: as `check_kinds`.
    """
    trained = check_kinds(name, train, known)
    if test is not None:
        tested = check_kinds(f"test_{name}", test, known)
        common = sorted(set(trained) & set(tested))
        if common and len(trained) > 1:
            raise ValueError(f"test_{name} and {name} share {common[0]!r}; held-out kinds must differ")
        return trained, tested
    if len(trained) == 1:
        return trained, trained
    tested = tuple(kind for kind in known if kind not in trained)
    if not tested:
        raise ValueError(f"{name} names every kind, so that the test split has none; leave at least one out")
    return trained, tested


def draw_kind(drawn: Array, kinds: tuple[str, ...]) -> dict[str, Array]:
    """Choose one kind per task, all equally likely.

    Args:
        drawn: [B], uniforms in [0, 1).
        kinds: the kinds to choose from.

    Returns:
        {kind: [B], 1 for the tasks of that kind, else 0}.
    """
    xp = namespace(drawn)
    chosen = xp.floor(drawn * len(kinds))  # rounding never reaches their number
    return {kind: xp.astype(chosen == i, drawn.dtype) for i, kind in enumerate(kinds)}
