"""Kinds of tasks within one family: which are trained on, which held out, and the draw of one per task."""

import functools
from typing import Any, ClassVar

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


class OfKinds:
    """A family whose settings `kind` and `test_kind` name kinds of tasks, after the pattern of `Sizes`.

    A single kind is the same in all splits, unless others are given for the test. A mixture without test
    kinds of its own holds out all the others.
    """

    known_kinds: ClassVar[tuple[str, ...]]
    kind: Kinds
    test_kind: Kinds | None
    split: str

    @functools.cached_property
    def _kinds_of_splits(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Kinds in training and in the test split.

        Raises:
            ValueError: as `check_kinds`; training and test overlap; or none is left to hold out.
            TypeError: as `check_kinds`.
        """
        trained = check_kinds("kind", self.kind, self.known_kinds)
        if self.test_kind is not None:
            tested = check_kinds("test_kind", self.test_kind, self.known_kinds)
            common = sorted(set(trained) & set(tested))
            if common and len(trained) > 1:
                raise ValueError(f"test_kind and kind share {common[0]!r}; held-out kinds must differ")
            return trained, tested
        if len(trained) == 1:
            return trained, trained
        tested = tuple(kind for kind in self.known_kinds if kind not in trained)
        if not tested:
            raise ValueError("kind names every kind, so that the test split has none; leave at least one out")
        return trained, tested

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that the tasks of this split are drawn from."""
        return self._kinds_of_splits[self.split == "test"]


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
