"""Figure 8: what the experts say to each other, and who listens to whom, in a few tasks."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leaderboards.figures.style import COLOURS, STYLE
from leaderboards.figures.trace import attention_among, draw_outputs

SHOWN = 4
"""Experts that are drawn at the most."""


def draw_communication(trace: dict[str, np.ndarray], title: str) -> Figure:
    """One column per task; rows: outputs, each expert's messages, each expert's attention.

    Args:
        trace: arrays [T, B, ...] from `rollout(record=True)` of an agent whose experts talk.
        title: over the picture.
    """
    messages, attention = trace["messages"], attention_among(trace, SHOWN)
    length, tasks, experts = messages.shape[:3]
    shown = min(experts, SHOWN)
    limit = float(np.abs(messages[:, :, :shown]).max()) or 1.0
    steps = np.arange(1, length + 1)
    with matplotlib.rc_context(STYLE):
        heights = [1.25, *[1.0] * shown, *[0.8] * shown]
        figure = Figure(figsize=(11, 1.15 * sum(heights) + 1.4), layout="constrained")
        figure.suptitle(title)
        axes = figure.subplots(1 + 2 * shown, tasks, sharex=True, squeeze=False, height_ratios=heights)
        for task in range(tasks):
            draw_outputs(axes[0, task], trace["outputs"][:, task], trace.get("solution"), task)
            axes[0, task].set_title(f"task {task + 1}", fontsize=9)
            for expert in range(shown):
                heat = axes[1 + expert, task]
                image = heat.imshow(
                    messages[:, task, expert].T, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit,
                    extent=(0.5, length + 0.5, messages.shape[3] + 0.5, 0.5), interpolation="nearest",
                )  # fmt: skip
                heat.grid(False)
                listens = axes[1 + shown + expert, task]
                for speaker in range(shown):
                    if speaker != expert and attention[:, :, expert, speaker].any():
                        listens.plot(
                            steps, attention[:, task, expert, speaker], color=COLOURS[speaker % len(COLOURS)],
                            linewidth=1.5, label=f"to expert {speaker}",
                        )  # fmt: skip
                listens.set_ylim(-0.05, 1.05)
            for axis in axes[:, task]:
                axis.set_xlim(0.5, length + 0.5)
                axis.tick_params(labelsize=7)
                axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes[-1, task].set_xlabel("inner-loop step")
            for axis in axes[:, task][1:] if task else ():
                axis.tick_params(labelleft=False)
        axes[0, 0].set_ylabel("outputs,\ntargets dashed", fontsize=8)
        for expert in range(shown):
            axes[1 + expert, 0].set_ylabel(f"expert {expert}\nsays", fontsize=8)
            axes[1 + shown + expert, 0].set_ylabel(f"expert {expert}\nlistens", fontsize=8)
        bar = figure.colorbar(image, ax=list(axes[1 : 1 + shown, -1]), pad=0.01, aspect=30)
        bar.set_label("value of each of the\nmessage's numbers (rows)", fontsize=8)
        lines = {
            name: handle
            for axis in axes[1 + shown :, 0]
            for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        if lines:
            names = sorted(lines)
            figure.legend(
                [lines[name] for name in names], names, loc="outside lower center",
                ncols=shown, fontsize=8, title="attention that an expert gives", title_fontsize=8,
            )  # fmt: skip
    return figure
