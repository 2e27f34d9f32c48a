"""Error against the number of experts, one policy throughout."""

import matplotlib
from matplotlib.figure import Figure

from leaderboards.figures.seeds import draw_seeds, said_of_seeds
from leaderboards.figures.style import COLOURS, STYLE, log_counts, log_errors
from leaderboards.sweeps import Sweep


def draw_experts(sweep: Sweep, trained: tuple[int, int]) -> Figure:
    """Error over the number of experts, both logarithmic; the numbers met in training are shaded.

    Args:
        sweep: over "experts", at the size `sweep.settings["d"]`.
        trained: numbers of experts met in training, from and to.
    """
    d = sweep.settings["d"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 5.2), layout="constrained")
        axis = figure.subplots()
        met = str(trained[0]) if trained[0] == trained[1] else f"{trained[0]} to {trained[1]}"
        axis.axvspan(trained[0] / 1.06, trained[1] * 1.06, color=COLOURS[4], alpha=0.22, linewidth=0,
                     label=f"experts in training: {met}")  # fmt: skip
        axis.axvline(d, color="0.35", linewidth=1, linestyle=":", label=f"as many experts as outputs: {d}")
        if d > 1:
            axis.axhline(1 - 1 / d, color="0.35", linewidth=1.2, linestyle="--",
                         label=f"one number everywhere: {1 - 1 / d:.3f}")  # fmt: skip
        draw_seeds(axis, sweep, COLOURS[0], f"{sweep.agent}: {said_of_seeds(sweep)}")
        log_counts(axis, sweep.places)
        log_errors(axis)
        low, high = axis.get_ylim()
        axis.set_ylim(max(low, 1e-4), max(high, 1.3))
        axis.set(
            xlabel="experts of the one policy",
            ylabel=f"error at step {sweep.settings['horizon']}, 3 x mean squared distance",
        )
        one = len(sweep.seeds) == 1
        axis.set_title(
            f"Guess {d} numbers with any number of experts\n({sweep.trials:,} test tasks, the same for"
            f" every number{'; band: 95 % over tasks' if one else ''})"
        )
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure
