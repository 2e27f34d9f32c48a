"""Rollouts, task by task: what an agent writes, what its experts say, who is heard, and its loss."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from badger_agents.whitebox.metrics import first_component, unusual
from leaderboards.plots.style import COLOURS, STYLE

EXPERTS = 20
"""Experts that are drawn at the most."""


def draw_trace(
    trace: dict[str, np.ndarray],
    title: str,
    *,
    tasks: int = 10,
    loss: np.ndarray | None = None,
    mean: np.ndarray | None = None,
    counted: tuple[int, int] | None = None,
) -> Figure:
    """A picture of rollouts and nothing else; see `draw_rollouts`.

    Args:
        trace: arrays [T, B, ...] from `rollout(record=True)`.
        title: over the picture.
        tasks: how many are drawn at the most.
        loss: [T, B].
        mean: [T], of the loss over many tasks.
        counted: first and last step that count in the loss of training.
    """
    rows = 1 + _talk_rows(trace) + (loss is not None)
    columns = min(tasks, trace["outputs"].shape[1])
    with matplotlib.rc_context(STYLE):
        size = (max(7.0, min(14.0, 1.3 + 3.2 * columns)), 1.2 + 1.7 * rows)
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(title)
        draw_rollouts(figure, trace, tasks=tasks, loss=loss, mean=mean, counted=counted)
    return figure


def draw_rollouts(
    figure: Figure | SubFigure,
    trace: dict[str, np.ndarray],
    *,
    tasks: int,
    loss: np.ndarray | None = None,
    mean: np.ndarray | None = None,
    counted: tuple[int, int] | None = None,
    names: str = "task {}",
) -> None:
    """A column per task over the steps of a trial; rows for what there is in the trace.

    Outputs are lines over their targets, dashed in the same colour. Of messages [T, B, E, M] the main
    direction is drawn, less what is usual at the step; of attention [T, B, E, E], or [T, B, E, c] with
    senders, how much each expert gets, as a mean over listeners.

    Args:
        figure: where to draw.
        trace: arrays [T, B, ...]: outputs, and where there are solution, messages and attention.
        tasks: how many of the first tasks are drawn at the most.
        loss: [T, B], in a row of its own.
        mean: [T], of the loss over many tasks, in grey.
        counted: first and last step that count in the loss of training, shaded.
        names: title of a column, with its number.
    """
    length, trials = trace["outputs"].shape[:2]
    tasks = min(tasks, trials)
    talk = _talk_rows(trace)
    heights = [1.3, *[1.0] * talk, *([1.0] if loss is not None else [])]
    axes = figure.subplots(
        len(heights), tasks, sharex=True, sharey="row", squeeze=False, height_ratios=heights
    )
    steps = (0.5, length + 0.5)
    for task in range(tasks):
        draw_outputs(axes[0, task], trace["outputs"][:, task], trace.get("solution"), task)
        axes[0, task].set_title(names.format(task + 1), fontsize=8)
        axes[-1, task].set_xlabel("inner-loop step", fontsize=8)
    chosen = is_choice(trace["outputs"])
    axes[0, 0].set_ylabel("slot chosen,\nright dashed" if chosen else "outputs,\ntargets dashed")
    if talk:
        _draw_talk(figure, axes[1 : 1 + talk], trace, steps)
    if loss is not None:
        _draw_loss(axes[-1], loss, mean)
    for axis in axes.flat:
        if counted not in (None, (1, length)):
            axis.axvspan(counted[0] - 0.5, counted[1] + 0.5, color="0.87", linewidth=0, zorder=0)
        axis.set_xlim(*steps)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.tick_params(labelsize=7)


def draw_outputs(axis: Axes, outputs: np.ndarray, solution: np.ndarray | None, number: int) -> None:
    """Outputs [T, O] of one trial as lines, their targets dashed in the same colour.

    Args:
        axis: where to draw.
        outputs: [T, O].
        solution: [T, B, O], of which column `number` belongs to this trial, or None.
        number: the trial's number in the batch.
    """
    steps = np.arange(1, len(outputs) + 1)
    right = None if solution is None else solution[:, number]  # [T, O]
    if is_choice(outputs):
        axis.plot(steps, outputs.argmax(-1), "o", color=COLOURS[0], markersize=2.5)
        if right is not None:
            axis.plot(steps, right.argmax(-1), color=COLOURS[1], linestyle="--", linewidth=1.2)
        axis.set_ylim(-0.5, outputs.shape[1] - 0.5)
        return
    for slot in range(outputs.shape[1]):
        colour = COLOURS[slot % len(COLOURS)]
        axis.plot(steps, outputs[:, slot], color=colour, linewidth=1.4)
        if right is not None:
            axis.plot(steps, right[:, slot], color=colour, linestyle="--", linewidth=0.9)
    axis.set_ylim(-1.08, 1.08)


def is_choice(outputs: np.ndarray) -> bool:
    """Whether outputs [..., O] are choices of one slot each: one is 1, the others 0."""
    return outputs.shape[-1] > 1 and bool(np.isin(outputs, (0, 1)).all() and (outputs.sum(-1) == 1).all())


def attention_among(trace: dict[str, np.ndarray], experts: int) -> np.ndarray:
    """Attention among the first experts as matrices [T, B, experts, experts], also where it is over lists."""
    attention = trace["attention"][:, :, :experts]
    if "senders" not in trace:
        return attention[..., :experts]
    senders = trace["senders"][:, :, :experts]  # [T, B, experts, c]
    first = range(min(experts, attention.shape[2]))
    return np.stack([np.where(senders == sender, attention, 0).sum(-1) for sender in first], axis=-1)


def draw_heat(
    axis: Axes, values: np.ndarray, steps: tuple[float, float], colours: str, low: float, high: float
) -> AxesImage:
    """Rows of experts over columns of steps."""
    image = axis.imshow(
        values, aspect="auto", cmap=colours, vmin=low, vmax=high, interpolation="nearest",
        extent=(*steps, len(values) - 0.5, -0.5),
    )  # fmt: skip
    axis.grid(False)
    axis.yaxis.set_major_locator(MaxNLocator(min(10, len(values)), integer=True))
    return image


def _talk_rows(trace: dict[str, np.ndarray]) -> int:
    """Rows about talk: what is said, and how much of it is heard, if anything is."""
    return ("messages" in trace) + ("messages" in trace and bool(trace["attention"].any()))


def _draw_talk(
    figure: Figure | SubFigure, axes: np.ndarray, trace: dict[str, np.ndarray], steps: tuple[float, float]
) -> None:
    """What each expert says; and in a second row, if there is one, how much it is heard."""
    tasks, shown = axes.shape[1], min(trace["messages"].shape[2], EXPERTS)
    said, share = first_component(unusual(trace["messages"]))  # [T, B, E, 1]
    limit = float(np.abs(said[:, :tasks, :shown]).max()) or 1.0
    for task in range(tasks):
        image = draw_heat(axes[0, task], said[:, task, :shown, 0].T, steps, "RdBu_r", -limit, limit)
    axes[0, 0].set_ylabel("says: expert")
    bar = figure.colorbar(image, ax=list(axes[0]), pad=0.01, aspect=12)
    bar.set_label(f"message less the step's\nmean, main direction ({share[0]:.0%})", fontsize=7)
    if len(axes) == 1:
        return
    got = attention_among(trace, EXPERTS)[:, :tasks].mean(2)  # [T, tasks, E], mean over listeners
    for task in range(tasks):
        image = draw_heat(axes[1, task], got[:, task].T, steps, "viridis", 0, float(got.max()) or 1.0)
    axes[1, 0].set_ylabel("is heard: expert")
    bar = figure.colorbar(image, ax=list(axes[1]), pad=0.01, aspect=12)
    bar.set_label("attention got (mean)", fontsize=7)


def _draw_loss(axes: np.ndarray, loss: np.ndarray, mean: np.ndarray | None) -> None:
    """A row: the loss of each task on a logarithmic axis, over its mean over many tasks."""
    positive = loss[loss > 0]
    floor = max(1e-4, float(positive.min(initial=1.0)) / 2)
    steps = np.arange(1, len(loss) + 1)
    for task, axis in enumerate(axes):
        if mean is not None:
            axis.plot(steps, mean, color="0.6", linewidth=1)
        axis.plot(steps, np.maximum(loss[:, task], floor), color="black", linewidth=1.5)
        axis.set_yscale("log")
        axis.set_ylim(bottom=floor)
        said = f"at the end:\n{loss[-1, task]:.4f}"
        axis.text(0.06, 0.07, said, transform=axis.transAxes, fontsize=7)
    axes[0].set_ylabel("loss" if mean is None else "loss (grey: mean\nover test tasks)")
