"""The table of Duan et al. 2016 (RL2) again: each classical algorithm in each cell, beside the published."""

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from badger_agents.evaluation import evaluate
from badger_envs.families.bandit import Bandit
from baselines.tuned_settings import TUNED, all_tuned, cell_of, tuned_setting
from baselines.tuning import ALGORITHMS, chunk_of

ANCHORS = Path(__file__).parent / "anchors" / "rl2_bandits.csv"
"""Published totals: one row a cell, one column an algorithm."""

PUBLISHED_TASKS = 1_000
"""Test tasks behind each published number."""

ERRORS, SHARE = 3.0, 0.01
"""A difference is explained by chance within so many standard errors, and small within this share."""


class Anchor(NamedTuple):
    """A published number: pulls, arms, the algorithm's name in `ALGORITHMS`, mean total reward."""

    pulls: int
    arms: int
    algorithm: str
    value: float


class Compared(NamedTuple):
    """Ours beside the published number.

    Attributes:
        pulls: n.
        arms: k.
        algorithm: name in `ALGORITHMS`.
        setting: the tuned setting's name; "" if it has none.
        tuned: its value; not a number if there is none.
        ours: mean total reward.
        ours_error: its standard error over tasks.
        published: the published mean; not a number if there is none.
        tasks: behind ours.
    """

    pulls: int
    arms: int
    algorithm: str
    setting: str
    tuned: float
    ours: float
    ours_error: float
    published: float
    tasks: int

    @property
    def difference(self) -> float:
        """Ours less the published one."""
        return self.ours - self.published

    @property
    def error(self) -> float:
        """Standard error of the difference, if the published tasks vary as ours do; they are others."""
        return self.ours_error * (1 + self.tasks / PUBLISHED_TASKS) ** 0.5

    @property
    def agrees(self) -> bool | None:
        """Whether they are within `ERRORS` standard errors or `SHARE`; None without a published one."""
        if math.isnan(self.published):
            return None
        return abs(self.difference) <= max(ERRORS * self.error, SHARE * self.published)


def anchors() -> list[Anchor]:
    """The published numbers of the algorithms that are here, row by row."""
    lines = [line for line in ANCHORS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = []
    for row in csv.DictReader(lines):
        for name in ALGORITHMS:
            if row.get(name):
                found.append(Anchor(int(row["n"]), int(row["k"]), name, float(row[name])))
    return found


def cells() -> list[tuple[int, int]]:
    """The published cells: pulls and arms."""
    return list(dict.fromkeys((anchor.pulls, anchor.arms) for anchor in anchors()))


def is_tuned(pulls: int, arms: int, algorithm: str) -> bool:
    """Whether the algorithm has no setting, or one that has been tuned for this cell."""
    make, setting, _ = ALGORITHMS[algorithm]
    if setting is None:
        return True
    cell = cell_of(Bandit(horizon=pulls, arms=arms))
    return any(
        (found.cell, found.algorithm) == (cell, getattr(make, "__name__", "")) for found in all_tuned()
    )


def compare(
    cells: Sequence[tuple[int, int]], algorithms: Sequence[str], tasks: int, seed: int = 0
) -> Iterator[Compared]:
    """Measure algorithms, with their tuned settings, on the same test tasks of each cell, those tuned for it.

    Args:
        cells: pulls and arms of each.
        algorithms: names in `ALGORITHMS`.
        tasks: fresh tasks of the test split, at least 2.
        seed: which.

    Yields:
        One result after another.
    """
    published = {anchor[:3]: anchor.value for anchor in anchors()}
    for pulls, arms in cells:
        family = Bandit(horizon=pulls, arms=arms, split="test")
        for name in (name for name in algorithms if is_tuned(pulls, arms, name)):
            make, setting, _ = ALGORITHMS[name]
            value = math.nan
            agent = make()
            if setting is not None:
                value = tuned_setting(getattr(make, "__name__", name), setting, family)
                agent = make(**{setting: TUNED})
            found = evaluate(agent, family, tasks, seed=seed, chunk=chunk_of(agent, family))
            error = float(found.outcomes.std()) / tasks**0.5
            anchor = published.get((pulls, arms, name), math.nan)
            yield Compared(pulls, arms, name, setting or "", value, found.mean, error, anchor, tasks)
