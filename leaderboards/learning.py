"""Learning curves: the logs of runs by recipe and outer seed, and what a recipe's seeds have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from badger_agents.training.log import read_log
from badger_agents.training.loop import LOG
from leaderboards.runs import find_source


class Curve(NamedTuple):
    """One run's log, rows without a finite loss left out.

    Attributes:
        recipe: name of its recipe.
        seed: its outer seed.
        outcome: what validation measures, such as "accuracy".
        higher_is_better: whether more of that is better.
        steps: [N], outer steps.
        seconds: [N], training time until then.
        loss: [N], of that outer step's trials.
        stage: [N], stage of the curriculum, counted from 0.
        validation: [N], outcome on the validation split; nan where none was measured.
        skipped: outer steps whose update was skipped.
    """

    recipe: str
    seed: int
    outcome: str
    higher_is_better: bool
    steps: np.ndarray
    seconds: np.ndarray
    loss: np.ndarray
    stage: np.ndarray
    validation: np.ndarray
    skipped: int

    @property
    def starts(self) -> dict[int, int]:
        """Row at which each stage but the first begins."""
        rises = np.flatnonzero(np.diff(self.stage) > 0) + 1
        return {int(self.stage[row]): int(row) for row in rises}


def read_curve(folder: str) -> Curve:
    """The curve of a run folder.

    Raises:
        ValueError: it is none, or nothing has been logged.
    """
    source = find_source(folder)
    if source.checkpoint is None:
        raise ValueError(f"{folder} was not trained; give run folders of `badger train`")
    rows = [row for row in read_log(Path(folder) / LOG) if np.isfinite(row["loss"])]
    if not rows:
        raise ValueError(f"{folder} has no {LOG} with a loss in it; give run folders of `badger train`")

    def column(name: str, missing: float = np.nan) -> np.ndarray:
        return np.array([row.get(name, missing) for row in rows], dtype=float)

    family = source.recipe.family()
    return Curve(
        source.recipe.name,
        source.checkpoint.seed,
        family.outcome,
        family.higher_is_better,
        column("step"),
        column("seconds"),
        column("loss"),
        column("stage", 0),
        column("validation"),
        int(rows[-1]["skipped"]),
    )


def by_recipe(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Outer seeds of one recipe together, rising; recipes in the order given.

    Raises:
        ValueError: an outer seed is given twice.
    """
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        group = groups.setdefault(curve.recipe, [])
        if curve.seed in [known.seed for known in group]:
            raise ValueError(f"outer seed {curve.seed} of {curve.recipe} is given twice")
        group.append(curve)
    return {name: sorted(group, key=lambda curve: curve.seed) for name, group in groups.items()}


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Running mean over the last `window` rows, shorter at the start."""
    total = np.cumsum(np.insert(values, 0, 0.0))
    index = np.arange(1, len(values) + 1)
    first = np.maximum(index - window, 0)
    return (total[index] - total[first]) / (index - first)


def median(group: Sequence[Curve], window: int) -> Curve:
    """Medians over outer seeds at the steps that all of them logged; stages begin at the median's step.

    Args:
        group: outer seeds of one recipe.
        window: rows of the running mean that each loss is first smoothed by.

    Returns:
        The curve; its `seed` is that of the first, and it has no validation.

    Raises:
        ValueError: they have no logged step in common.
    """
    steps = group[0].steps
    for curve in group[1:]:
        steps = np.intersect1d(steps, curve.steps)
    if not len(steps):
        raise ValueError(f"the runs of {group[0].recipe} have no logged step in common")

    def middle(values: Sequence[np.ndarray]) -> Any:
        there = [row[np.isin(curve.steps, steps)] for curve, row in zip(group, values, strict=True)]
        return np.median(there, axis=0)

    return group[0]._replace(
        steps=steps,
        seconds=middle([curve.seconds for curve in group]),
        loss=middle([smooth(curve.loss, window) for curve in group]),
        stage=np.floor(middle([curve.stage for curve in group])),
        validation=np.full(len(steps), np.nan),
    )
