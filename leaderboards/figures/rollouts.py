"""Figures 6 and 9: ten rollouts, output by output, with what the experts say and the error they hear."""

from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from leaderboards.figures.style import COLOURS, STYLE

OUTPUT, TARGET, MESSAGE, ERROR = COLOURS[4], COLOURS[1], COLOURS[0], COLOURS[2]
"""The paper's colours, of those that the colour-blind can tell apart: orange, red, blue, green."""

SHOWN = 4
"""Outputs that are drawn at the most."""


class Lived(NamedTuple):
    """Ten rollouts of one agent, and its error over many more.

    Attributes:
        outputs: [T, B, O], after each step; nan in slots not in use.
        solution: [T, B, O], the targets.
        error: [T, B], after each step.
        message: [T, B, E], one number per message (`one_number`); None where expert i is not output i's.
        share: part of the messages' variance that this number has; 0 without messages.
        mean: [T], mean error over `trials` test tasks.
        trials: how many.
        end: mean error at the last step over these tasks.
        ci95: its 95 % interval over tasks.
    """

    outputs: np.ndarray
    solution: np.ndarray
    error: np.ndarray
    message: np.ndarray | None
    share: float
    mean: np.ndarray
    trials: int
    end: float
    ci95: tuple[float, float]


def one_number(messages: np.ndarray) -> tuple[np.ndarray, float]:
    """The first principal component of messages [T, B, E, M], scaled to [-1, 1], and its share of variance.

    Returns:
        [T, B, E], with the sign that makes its largest entry positive; and the share, 0 if no message
        ever changes.
    """
    sent = messages.reshape(-1, messages.shape[-1]).astype(np.float64)  # (T*B*E, M)
    flat = sent - sent.mean(axis=0)  # (T*B*E, M)
    values, vectors = np.linalg.eigh(flat.T @ flat)  # (M,), (M, M), ascending
    total = float(values.sum())
    if not total > 1e-12 * float((sent**2).sum()):  # but for rounding
        return np.zeros(messages.shape[:-1]), 0.0
    number = (flat @ vectors[:, -1]).reshape(messages.shape[:-1])  # (T, B, E)
    largest = number.flat[np.abs(number).argmax()]
    return number / largest, float(values[-1]) / total


def draw_rollouts(lived: Lived, title: str, judged: tuple[int, int]) -> Figure:
    """One column per task; a row per output, and the error below.

    Args:
        lived: what to draw.
        title: over the picture.
        judged: steps that training judged, from and to; shaded unless they are all.
    """
    steps = np.arange(1, len(lived.outputs) + 1)
    tasks, slots = lived.outputs.shape[1], min(lived.outputs.shape[2], SHOWN)
    positive = lived.error[lived.error > 0]
    floor = max(1e-4, float(positive.min(initial=1.0)) / 2)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(13, 1.45 * (slots + 1) + 1.6), layout="constrained")
        figure.suptitle(title)
        axes = figure.subplots(slots + 1, tasks, sharex=True, sharey="row", squeeze=False)
        for task in range(tasks):
            for slot in range(slots):
                axis = axes[slot, task]
                axis.plot(steps, lived.solution[:, task, slot], color=TARGET, linewidth=1.3)
                if lived.message is not None:
                    axis.plot(
                        steps, lived.message[:, task, slot], color=MESSAGE, linestyle="--", linewidth=0.9
                    )
                axis.plot(steps, lived.outputs[:, task, slot], color=OUTPUT, linewidth=1.7)
                axis.set_ylim(-1.1, 1.1)
            below = axes[slots, task]
            below.plot(steps, lived.mean, color="0.6", linewidth=1)
            below.plot(steps, np.maximum(lived.error[:, task], floor), color=ERROR, linewidth=1.5)
            below.set_yscale("log")
            below.set_ylim(floor, 12)
            below.set_xlabel("inner-loop step", fontsize=7.5)
            said = f"at the end:\n{lived.error[-1, task]:.4f}"
            below.text(0.06, 0.07, said, transform=below.transAxes, fontsize=7)
            axes[0, task].set_title(f"task {task + 1}", fontsize=8)
            for axis in axes[:, task]:
                if judged != (1, len(steps)):
                    axis.axvspan(judged[0] - 0.5, judged[1] + 0.5, color="0.87", linewidth=0, zorder=0)
                axis.set_xlim(0.5, len(steps) + 0.5)
                axis.set_xticks(_three(len(steps)))
                axis.tick_params(labelsize=7)
        for slot in range(slots):
            whose = f"expert {slot}\n" if lived.message is not None else ""
            of_more = f" of {lived.outputs.shape[2]}" if lived.outputs.shape[2] > slots else ""
            axes[slot, 0].set_ylabel(f"{whose}output {slot + 1}{of_more}", fontsize=8)
        axes[slots, 0].set_ylabel("error", fontsize=8)
        figure.legend(handles=_legend(lived), loc="outside lower center", ncols=5, fontsize=8)
    return figure


def _three(steps: int) -> list[int]:
    """Ticks of a narrow panel: first step, middle, last."""
    return sorted({1, (steps + 1) // 2, steps})


def _legend(lived: Lived) -> list[Line2D]:
    """What the lines are."""
    lines = [
        Line2D([], [], color=OUTPUT, linewidth=1.7, label="output"),
        Line2D([], [], color=TARGET, linewidth=1.3, label="target"),
        Line2D([], [], color=ERROR, linewidth=1.5, label="error, 3 x mean squared distance"),
        Line2D([], [], color="0.6", linewidth=1, label=f"its mean over {lived.trials:,} test tasks"),
    ]
    if lived.message is not None:
        label = f"message: first principal component, scaled ({lived.share:.0%} of variance)"
        lines.append(Line2D([], [], color=MESSAGE, linestyle="--", linewidth=0.9, label=label))
    return lines
