"""`badger plot`: learning curves of runs."""

from pathlib import Path
from typing import Annotated, Any

import tyro

from leaderboards.plots.learning import (
    Over,
    by_recipe,
    draw_learning,
    median,
    read_curve,
    said_of_counts,
    smooth,
)
from leaderboards.plots.style import check_ending, save_figure
from leaderboards.results import record, show
from leaderboards.runs import make_folder


def plot(
    runs: Annotated[tuple[str, ...], tyro.conf.Positional],
    *,
    over: Over = "steps",
    smoothing: int = 10,
    trust: tuple[str, ...] = (),
    out: Path = Path("plot.png"),
    json: bool = False,
) -> None:
    """Draw the learning curves of runs, finished or not: training loss, and validation where there was one.

    Outer seeds of one recipe are thin lines of one colour under their median; several recipes are
    compared. It is marked where stages of a curriculum begin. What is printed is the loss at the end.

    Args:
        runs: Run folders of `badger train`.
        over: What is on the horizontal axis: outer steps, or seconds of training.
        smoothing: Rows of the log of which each loss is a running mean; 1 for the losses as they are.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        out: Picture to write (png, svg or pdf).
        json: Print the result as one JSON object.
    """
    if smoothing < 1:
        raise ValueError(f"--smoothing is {smoothing}; it must be at least 1")
    if not runs:
        raise ValueError("there is nothing to draw; give run folders of `badger train`")
    check_ending(out)
    groups = by_recipe([read_curve(run, trust) for run in runs])
    figure = draw_learning(groups, over, smoothing)
    make_folder(out.parent)
    save_figure(figure, out)
    results = []
    for name, group in groups.items():
        for curve in group:
            facts: dict[str, Any] = {"outer_steps": int(curve.steps[-1]), "seconds": float(curve.seconds[-1])}
            loss = float(smooth(curve.loss, smoothing)[-1])
            facts |= {"stage": int(curve.stage[-1]) + 1, "skipped": curve.skipped}
            results.append(record("loss", loss, agent=name, outer_seed=curve.seed, **facts))
        if len(group) > 1:
            middle = median(group, smoothing)
            facts = {"outer_steps": int(middle.steps[-1]), "seconds": float(middle.seconds[-1])}
            results.append(record("median_loss", float(middle.loss[-1]), agent=name, **facts))
    said = said_of_counts([len(group) for group in groups.values()], "")
    note = f"losses: means of the last {smoothing} rows of the log; {said}"
    if json:
        results.append(record("picture", str(out)))
        show(results, as_json=True, title="Learning curves", note=note)
    else:
        show(results, as_json=False, title="Learning curves", note=f"{note}. picture: {out}")
