"""Tuned settings: what a grid search found best on the validation split, kept as data, cell by cell."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

from badger_agents.atomic_files import write_atomically
from badger_envs.families.bandit import Bandit
from badger_envs.families.variable_io import VariableIO
from badger_envs.family import Family
from badger_envs.registry import TABLE, family_of

TUNED = "tuned"
"""What a setting is called that is to be looked up."""

DEFAULT_ARMS = 10
"""Arms of a Bernoulli bandit that does not say how many."""

FOLDER = Path(__file__).parent / "tuned"
"""Where the files lie, one a subject; `badger tune` writes them."""


class Tuned(NamedTuple):
    """The result of one search.

    Attributes:
        cell: for what: see `cell_of`.
        algorithm: name of the class.
        setting: name of its setting.
        value: the best.
        outcomes: mean outcome on the validation split of every value tried, in the order of the grid.
        trials: behind each of them.
        seed: which tasks.
    """

    cell: str
    algorithm: str
    setting: str
    value: float
    outcomes: tuple[tuple[float, float], ...]
    trials: int
    seed: int


def cell_of(family: Family) -> str | None:
    """What settings are tuned for, whatever the split; None if the family is no such cell.

    A Bernoulli bandit with one number of arms is "n=<pulls> k=<arms>"; variable IO as an id describes it is
    that id.
    """
    if isinstance(family, Bandit):
        arms = DEFAULT_ARMS if family.arms is None else family.arms
        fixed = type(arms) is int and family.test_arms in (None, arms) and family.kind == "bernoulli"
        return f"n={family.horizon} k={arms}" if fixed else None
    if isinstance(family, VariableIO):
        plain = dataclasses.replace(family, split="train")
        ids = (entry.id for entry in TABLE if "VariableIO" in entry.id)
        return next((id for id in ids if family_of(id) == plain), None)
    return None


def tuned_setting(algorithm: str, setting: str, family: Family) -> float:
    """What was found best for an algorithm in a family's cell.

    Raises:
        ValueError: nothing was, or the family is no cell.
    """
    cell = cell_of(family)
    for found in all_tuned():
        if (found.cell, found.algorithm, found.setting) == (cell, algorithm, setting):
            return float(found.value)
    known = ", ".join(dict.fromkeys(found.cell for found in all_tuned() if found.algorithm == algorithm))
    where = f"cell {cell!r}" if cell is not None else f"this {type(family).__name__}, which is no cell"
    raise ValueError(
        f"{setting} of {algorithm} is {TUNED!r}, and none has been tuned for {where};"
        f" give a number, or one of the cells tuned: {known or 'none'}"
    )


@functools.cache
def all_tuned() -> tuple[Tuned, ...]:
    """All that is known, of all files."""
    return tuple(row for file in sorted(FOLDER.glob("*.json")) for row in read(file))


def read(file: Path) -> list[Tuned]:
    """The rows of a file of `write`."""
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return [Tuned(**{**row, "outcomes": tuple(map(tuple, row["outcomes"]))}) for row in rows]


def write(file: Path, rows: list[Tuned]) -> None:
    """Write rows as JSON, one a line."""
    lines = ",\n".join(json.dumps(row._asdict(), allow_nan=False) for row in rows)
    write_atomically(file, f"[\n{lines}\n]\n".encode())
    all_tuned.cache_clear()
