"""The picture of one trial on an agent's page: what it wrote, what was right, and what its experts said."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from leaderboards.plots.style import COLOURS
from leaderboards.site.drawing import Picture, canvas, svg
from leaderboards.site.tables import slug
from leaderboards.site.view import View


def trial(view: View, agent: str) -> Picture | None:
    """The first test task as the agent's first outer seed lived it; None if no run has it."""
    run = next((run for run in view.ok(agent) if "trial" in run.facts), None)
    if run is None:
        return None
    kept = run.facts["trial"]
    messages = np.array(kept.get("messages", []), dtype=float)  # [T, E, M]
    experts = messages.shape[1] if len(messages) else 0
    steps = len(kept["choice"] if "choice" in kept else kept["outputs"])
    limit = (float(np.abs(messages).max()) if experts else 0.0) or 1.0
    ratios = [2.2, *([0.75] * experts)]
    height = sum(ratios) + 0.5
    with canvas(height, 1 + experts, sharex=True, height_ratios=ratios) as (figure, axes):
        (_chosen if "choice" in kept else _written)(axes[0], kept)
        for expert, axis in enumerate(axes[1:]):
            said = messages[:, expert].T
            extent = (0.5, steps + 0.5, len(said) - 0.5, -0.5)
            axis.imshow(
                said,
                aspect="auto",
                cmap="RdBu_r",
                vmin=-limit,
                vmax=limit,
                extent=extent,
                interpolation="none",
            )
            axis.grid(False)
            axis.set_ylabel(f"expert {expert + 1}\ncomponent", fontsize=7.5)
            axis.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes[-1].xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes[-1].set_xlim(0.5, steps + 0.5)
        which = "a reference" if run.seed is None else f"n = 1: outer seed {run.seed}"
        axes[-1].set_xlabel(f"inner-loop step of the first test task in {view.board.main} (steps)\n{which}")
        image = svg(figure)
    caption = f"One trial: the first test task of cell {view.board.main}"
    caption += "" if run.seed is None else f", outer seed {run.seed}"
    caption += f", its first {steps} steps. "
    caption += (
        "Dots: the arm that is pulled; dashed: the best arm."
        if "choice" in kept
        else "Lines: what is written; dashed, in the same colour: what is right."
    )
    if experts:
        caption += (
            f" Below, what the first {experts} experts send, whoever hears it: a row for each component of a"
            f" message, from blue, -{limit:.2g}, to red, {limit:.2g}."
        )
    name = f"{view.board.name}-{slug(agent)}-trial"
    return Picture(name, image, f"One trial of {agent}.", caption)


def _written(axis: Axes, kept: dict[str, Any]) -> None:
    """Outputs as lines, and what is right dashed in the same colour."""
    outputs, right = np.array(kept["outputs"]), kept.get("solution")  # [T, O]
    steps = np.arange(1, len(outputs) + 1)
    for slot in range(outputs.shape[1]):
        colour = COLOURS[slot % len(COLOURS)]
        axis.plot(steps, outputs[:, slot], color=colour, linewidth=1.5)
        if right is not None:
            axis.plot(steps, np.array(right)[:, slot], color=colour, linestyle="--", linewidth=1)
    axis.set_ylim(-1.08, 1.08)
    axis.set_ylabel("output, target\n(no unit)", fontsize=8.5)


def _chosen(axis: Axes, kept: dict[str, Any]) -> None:
    """Which arm is pulled, and which is the best."""
    steps = np.arange(1, len(kept["choice"]) + 1)
    axis.plot(steps, np.array(kept["choice"]) + 1, "o", color=COLOURS[0], markersize=4)
    axis.plot(steps, np.array(kept["best"]) + 1, "--", color=COLOURS[1], linewidth=1)
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_ylabel("arm (number)", fontsize=8.5)
