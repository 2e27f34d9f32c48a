"""Learning curves: the logs of runs by recipe and outer seed, and the picture of `badger plot`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from badger_agents.training.log import read_log
from badger_agents.training.run import LOG
from leaderboards.plots.style import COLOURS, STYLE, log_errors
from leaderboards.runs import find_source
from leaderboards.statistics import ENOUGH


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


def read_curve(folder: str, trust: Sequence[str] = ()) -> Curve:
    """The curve of a run folder, whose recipe may name code of trusted files and packages.

    Raises:
        ValueError: it is none, or nothing has been logged.
    """
    source = find_source(folder, trust)
    if source.checkpoint is None:
        raise ValueError(f"{folder} was not trained; give run folders of `badger train`")
    rows = [row for row in read_log(Path(folder) / LOG) if np.isfinite(row.get("loss", np.nan))]
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


Over = Literal["steps", "seconds"]

LABELS: dict[Over, str] = {"steps": "outer step", "seconds": "training time, s"}

NEAR = 0.05
"""Stages that begin closer than this part of the horizontal axis share a label."""

DASHES = ("-", "--", ":", "-.")


def draw_learning(groups: Mapping[str, Sequence[Curve]], over: Over, window: int) -> Figure:
    """Above the training loss, each outer seed thin and their median thick; below validation as dots.

    Bars on thin lines are where a stage of the curriculum begins; on the thick ones it says which. The axis
    of losses is logarithmic unless they are negative or next to 0.

    Args:
        groups: outer seeds by recipe.
        over: what is on the horizontal axis.
        window: rows of the log of which losses are running means.
    """
    curves = [curve for group in groups.values() for curve in group]
    validated = [curve for curve in curves if np.isfinite(curve.validation).any()]
    with matplotlib.rc_context(STYLE):
        tall = 4.6 if validated else 0.0
        figure = Figure(figsize=(7, 4.4 + 0.6 * tall + 0.17 * len(groups)), layout="constrained")
        said = said_of_counts([len(group) for group in groups.values()])
        mean = (
            f"losses are running means of {window} rows of the log" if window > 1 else "each row of the log"
        )
        figure.suptitle(f"Learning curves: {said}\n{mean}", fontsize=10)
        axes = figure.subplots(1 + bool(validated), 1, sharex=True, squeeze=False)[:, 0]
        above, below = axes[0], axes[-1]
        longest = max(float(getattr(curve, over)[-1]) for curve in curves)
        shown = np.concatenate([smooth(curve.loss, window) for curve in curves])
        for number, (name, group) in enumerate(groups.items()):
            colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
            for curve in group if len(group) > 1 else ():
                places, losses = getattr(curve, over), smooth(curve.loss, window)
                above.plot(places, losses, color=colour, linestyle=dash, linewidth=0.7, alpha=0.55)
                rows = list(curve.starts.values())
                above.plot(places[rows], losses[rows], "|", color=colour, markersize=9, alpha=0.8)
            middle = median(group, window)
            count = f"{len(group)} outer seeds" if len(group) > 1 else f"outer seed {group[0].seed}"
            above.plot(getattr(middle, over), middle.loss, color=colour, linestyle=dash, linewidth=2,
                       label=f"{name}: {count}", zorder=4)  # fmt: skip
            _mark_stages(above, middle, getattr(middle, over), longest, colour)
            for curve in group if validated else ():
                below.plot(getattr(curve, over), curve.validation, ".", color=colour, markersize=4, alpha=0.7)
        if shown.min() > 1e-4 * shown.max() > 0:
            log_errors(above)
        above.set_ylabel("training loss")
        if any(curve.starts for curve in curves):
            above.set_title("number: a stage of the curriculum begins; bar: it does in one outer seed",
                            fontsize=8, loc="left")  # fmt: skip
        if validated:
            _finish_validation(below, validated)
        below.set_xlabel(LABELS[over])
        figure.legend(loc="outside lower center", ncols=1, fontsize=8)
    return figure


def said_of_counts(counts: Sequence[int], drawn: str = "median (thin: each)") -> str:
    """How many outer seeds stand behind each of several lines, and whether they are few.

    Args:
        counts: of each line.
        drawn: what is drawn, or told, of several.
    """
    few, many = min(counts), max(counts)
    said = f"{few} outer seed{'s' if few > 1 else ''}" if few == many else f"{few} to {many} outer seeds"
    said += f", {drawn}" if many > 1 and drawn else ""
    return f"{said}{': preliminary' if few < ENOUGH else ''}"


def _mark_stages(axis: Axes, curve: Curve, places: np.ndarray, longest: float, colour: str) -> None:
    """A label on the line where a stage begins, counted from 1; those that would touch share one."""
    shared: list[tuple[int, list[int]]] = []
    for stage, row in curve.starts.items():
        if shared and places[row] - places[shared[-1][0]] < NEAR * longest:
            shared[-1][1].append(stage + 1)
        else:
            shared.append((row, [stage + 1]))
    for row, stages in shared:
        axis.annotate(
            "-".join(map(str, stages[:1] + stages[1:][-1:])), (places[row], curve.loss[row]), zorder=6,
            ha="center", va="center", fontsize=7, color=colour,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": colour},
        )  # fmt: skip


def _finish_validation(axis: Axes, curves: Sequence[Curve]) -> None:
    """Name and scale of the outcome; several outcomes share a linear axis."""
    names = sorted({curve.outcome for curve in curves})
    axis.set_ylabel(f"validation: {', '.join(names)}")
    least = min(float(np.nanmin(curve.validation)) for curve in curves)
    if least > 0 and not any(curve.higher_is_better for curve in curves):
        log_errors(axis)
