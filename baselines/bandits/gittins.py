"""The Gittins index of Bernoulli arms: what to pull if later rewards count less, by dynamic programming."""

import dataclasses
import functools
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.atomic_files import write_atomically
from badger_envs.family import Family
from baselines.bandits.classical import BernoulliAlgorithm, Counts, check_setting
from baselines.bandits.posteriors import pair_number, pairs
from baselines.tuned_settings import all_tuned

FILE = Path(__file__).parent.parent / "tuned" / "gittins.npz"
"""Indices for the tuned discounts, ready to use: `python -m baselines.bandits.gittins`."""

SCALE = 2**16 - 1
"""Indices in the file are whole numbers of 1 / SCALE."""

GRID = 500
"""Known arms with which an arm is compared, between 0 and 1."""

MOST = 0.9999
"""The largest discount: beyond, `AHEAD` pulls are too few to look ahead."""

AHEAD = 1_000
"""The most pulls that are looked ahead."""


@dataclasses.dataclass(frozen=True)
class Gittins(BernoulliAlgorithm):
    """The arm of the highest Gittins index: the best one can do if rewards are discounted and never end.

    For rewards that are 0 or 1. A trial does end, and counts all rewards alike: so the discount stands for
    the length, and is tuned.

    Attributes:
        discount: what a reward is worth if it comes a pull later, in [0, 1); 0 is greedy; or "tuned".
    """

    discount: float | Literal["tuned"] = "tuned"
    tunes: ClassVar[str | None] = "discount"

    def __post_init__(self) -> None:
        """Check the setting."""
        check_setting("discount", self.discount, 0, MOST)

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """Indices."""
        return seen.table[0][pair_number(seen.pulls, seen.reward)]  # (B, O)

    def table(self, family: Family, setting: float) -> Float[Tensor, "pairs"]:
        """Indices of all that an arm can have paid in a trial."""
        return _table(family.horizon, setting)


def gittins_indices(pulls: int, discount: float, *, grid: int = GRID, ahead: int | None = None) -> np.ndarray:
    """Gittins indices of a Bernoulli arm with a Beta(1, 1) prior, for all it can have paid.

    By calibration (Gittins, Glazebrook, Weber 2011, "Multi-armed bandit allocation indices", section 8.4):
    the index is the pay of a known arm at which one may as well go over to it for good. For every pay of a
    grid, backward induction gives what the arm and the known one are worth together; the index is where
    going over pays, interpolated between two points of the grid. Beyond `ahead` pulls the arm is taken to
    be known. The error is below 0.0002 up to a discount of 0.99 and below 0.001 at 0.999 (compared with the
    published table and with finer grids and longer looks ahead: `tests/baselines/test_bandits.py`).

    Args:
        pulls: the most pulls that are asked for.
        discount: what a reward is worth if it comes a pull later, in [0, 1); 0 gives posterior means.
        grid: number of intervals between them.
        ahead: pulls looked ahead after the last of `pulls`; if not given, until a ten-thousandth of all
            worth is left, `AHEAD` at most.

    Returns:
        float64 [pairs], by `baselines.bandits.posteriors.pair_number`.

    Raises:
        ValueError: a number is outside its range.
    """
    if not 0 <= discount < 1 or pulls < 0 or grid < 2:
        raise ValueError(
            f"pulls is {pulls}, discount {discount}, grid {grid}; pulls must be at least 0, the discount"
            " in [0, 1), the grid at least 2"
        )
    if ahead is None:
        ahead = 0 if discount == 0 else min(AHEAD, math.ceil(math.log(1e-4) / math.log(discount)))
    known = np.linspace(0, 1, grid + 1)  # [L], pay of a known arm
    indices = np.empty(pairs(pulls))
    # All values are less the known arm's, and times 1 - discount: going over is worth 0.
    success = np.arange(pulls + ahead + 1) + 1
    mean = success / (pulls + ahead + 2)  # [m + 1]
    worth = np.maximum(mean[:, None] - known, 0)  # [m + 1, L]
    for done in range(pulls + ahead - 1, -1, -1):
        mean = ((np.arange(done + 1) + 1) / (done + 2))[:, None]  # [m + 1, 1]
        later = mean * worth[1:] + (1 - mean) * worth[:-1]  # [m + 1, L]
        stay = (1 - discount) * (mean - known) + discount * later
        if done <= pulls:
            indices[pairs(done - 1) : pairs(done)] = _crossing(stay, known)
        worth = np.maximum(stay, 0, out=stay)
    if ahead == 0:
        indices[pairs(pulls - 1) :] = success / (pulls + 2)
    return indices


def _crossing(stay: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where rows of falling numbers [R, L] reach 0, for `known` [L]."""
    below = np.argmax(stay <= 0, axis=1)  # the first; at known = 1 it always is
    rows = np.arange(len(stay))
    left = np.maximum(below - 1, 0)
    high, low = stay[rows, left], stay[rows, below]
    share = np.divide(high, high - low, out=np.zeros_like(high), where=high > low)
    return known[left] + share * (known[below] - known[left])


@functools.lru_cache(maxsize=32)
def _table(horizon: int, discount: float) -> Float[Tensor, "pairs"]:
    """Indices for all that can have happened in a trial: of the file if it has them, else computed."""
    known = stored().get(discount)
    wanted = pairs(horizon)
    if known is not None and len(known) >= wanted:
        return torch.from_numpy(known[:wanted] / SCALE)
    return torch.from_numpy(gittins_indices(horizon, discount))


@functools.cache
def stored() -> dict[float, np.ndarray]:
    """What the file holds: by discount, uint16 [pairs], indices times `SCALE`."""
    if not FILE.is_file():
        return {}
    with np.load(FILE) as file:
        return {float(name): file[name] for name in file.files}


def store(tables: Iterable[tuple[float, int]]) -> None:
    """Compute indices and write the file.

    Args:
        tables: discounts, and for each the most pulls.
    """
    made = {}
    for discount, pulls in tables:
        indices = gittins_indices(pulls, discount)
        made[repr(discount)] = np.rint(indices * SCALE).astype(np.uint16)
    text = io.BytesIO()
    np.savez_compressed(text, **made)  # type: ignore[arg-type]
    write_atomically(FILE, text.getvalue())
    stored.cache_clear()
    _table.cache_clear()


def tuned_tables() -> list[tuple[float, int]]:
    """Tuned discounts, and for each the pulls of its longest cell."""
    most: dict[float, int] = {}
    for found in all_tuned():
        if found.algorithm == Gittins.__name__:
            pulls = int(found.cell.partition("n=")[2].split()[0])
            most[found.value] = max(pulls, most.get(found.value, 0))
    return sorted(most.items())


if __name__ == "__main__":
    store(tuned_tables())
