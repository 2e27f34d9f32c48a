"""The picture of `badger trace`: outputs against targets, messages and attention (figures 6, 8 and 9)."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from leaderboards.figures.style import COLOURS, STYLE

TALKING = 6
"""Experts whose messages are drawn at the most."""


def draw_trace(trace: dict[str, np.ndarray], title: str) -> Figure:
    """Ten trials side by side, and below them what the experts of the first one said.

    Args:
        trace: arrays [T, B, ...] from `rollout(record=True)`: outputs and solution, and where the agent
            has them messages [T, B, E, M] and attention [T, B, E, E], or [T, B, E, c] with senders.
        title: over the picture.
    """
    talks = "messages" in trace
    trials = min(10, trace["outputs"].shape[1])
    columns = 5
    rows = -(-trials // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 2.4 * rows + (3.2 if talks else 0.6)), layout="constrained")
        figure.suptitle(title)
        halves = (
            figure.subfigures(2, 1, squeeze=False, height_ratios=(2.2 * rows, 2.8))[:, 0]
            if talks
            else [figure]
        )
        axes = halves[0].subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for number, axis in enumerate(axes.flat):
            if number >= trials:
                axis.set_visible(False)
                continue
            draw_outputs(axis, trace["outputs"][:, number], trace.get("solution"), number)
            axis.set_title(f"task {number + 1}", fontsize=8)
        for axis in axes[-1]:
            axis.set_xlabel("inner-loop step")
        for axis in axes[:, 0]:
            axis.set_ylabel("output, target")
        if talks:
            draw_messages(halves[1], trace["messages"][:, 0], attention_among(trace, TALKING)[:, 0])
    return figure


def draw_outputs(axis: Axes, outputs: np.ndarray, solution: np.ndarray | None, number: int) -> None:
    """Outputs [T, O] of one trial as lines, their targets dashed in the same colour.

    Args:
        axis: where to draw.
        outputs: [T, O].
        solution: [T, B, O], of which column `number` belongs to this trial, or None.
        number: the trial's number in the batch.
    """
    steps = np.arange(1, len(outputs) + 1)
    for slot in range(outputs.shape[1]):
        colour = COLOURS[slot % len(COLOURS)]
        axis.plot(steps, outputs[:, slot], color=colour, linewidth=1.4)
        if solution is not None:
            axis.plot(steps, solution[:, number, slot], color=colour, linestyle="--", linewidth=0.9)
    axis.set_ylim(-1.08, 1.08)
    axis.set_xlim(1, len(outputs))
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def attention_among(trace: dict[str, np.ndarray], experts: int) -> np.ndarray:
    """Attention among the first experts as matrices [T, B, experts, experts], also where it is over lists."""
    attention = trace["attention"][:, :, :experts]
    if "senders" not in trace:
        return attention[..., :experts]
    senders = trace["senders"][:, :, :experts]  # [T, B, experts, c]
    first = range(min(experts, attention.shape[2]))
    return np.stack([np.where(senders == sender, attention, 0).sum(-1) for sender in first], axis=-1)


def draw_messages(figure: Figure | SubFigure, messages: np.ndarray, attention: np.ndarray) -> None:
    """Messages [T, E, M] as one heat map per expert, and how attention [T, E, E] moves over the trial.

    Of more experts than `TALKING`, attention among the first is enough.
    """
    shown = min(messages.shape[1], TALKING)
    axes = figure.subplots(1, shown + 1, squeeze=False)[0]
    figure.suptitle("task 1: what each expert sends (colour: value), and who hears whom", fontsize=9)
    limit = float(np.abs(messages[:, :shown]).max()) or 1.0
    for expert in range(shown):
        axis = axes[expert]
        image = axis.imshow(
            messages[:, expert].T, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit,
            extent=(0.5, len(messages) + 0.5, messages.shape[2] - 0.5, -0.5),
        )  # fmt: skip
        axis.grid(False)
        axis.set_title(f"expert {expert}", fontsize=8)
        axis.set_xlabel("inner-loop step")
        axis.set_ylabel("component of message" if expert == 0 else "")
    figure.colorbar(image, ax=axes[:shown], shrink=0.8, pad=0.01)
    axis, steps = axes[-1], np.arange(1, len(attention) + 1)
    for hearer in range(shown):
        for speaker in range(shown):
            if hearer != speaker and attention[:, hearer, speaker].any():
                axis.plot(
                    steps, attention[:, hearer, speaker],
                    color=COLOURS[hearer % len(COLOURS)], linestyle=("-", "--", ":", "-.")[speaker % 4],
                    label=f"{hearer} hears {speaker}",
                )  # fmt: skip
    axis.set_ylim(-0.02, 1.02)
    axis.set_xlabel("inner-loop step")
    axis.set_title("attention", fontsize=8)
    if axis.lines and shown <= 3:
        axis.legend(fontsize=6, ncols=2)
