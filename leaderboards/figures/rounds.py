"""Accuracy against rounds of communication: a line per topology, a panel per number of bits."""

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from leaderboards.figures.seeds import draw_seeds, said_of_counts
from leaderboards.figures.style import COLOURS, STYLE
from leaderboards.sweeps import Sweep

MARKERS = "os^Dv<>"


def draw_rounds(panels: Sequence[Sequence[Sweep]], trained: tuple[int, int]) -> Figure:
    """Panels one below the other; handcrafted policies dashed, in the colour of their topology.

    Args:
        panels: over "rounds", with "policy" ("learned" or "handcrafted"), "topology", "experts" and "bits" in
            `settings`; of each panel the same bits.
        trained: rounds met in training, from and to.
    """
    looks: dict[str, int] = {}
    learned = [line for line in panels[0] if line.settings["policy"] == "learned"]
    counts = sorted({len(line.seeds) for line in learned})
    band = "; band: 95 % over tasks" if counts == [1] else ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 1.6 + 2.3 * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, lines in zip(axes, panels, strict=True):
            axis.axhline(0.5, color="0.35", linewidth=1, linestyle=":", label="a guess: 0.5")
            for line in lines:
                topology = line.settings["topology"]
                look = looks.setdefault(topology, len(looks))
                colour = COLOURS[look % len(COLOURS)]
                if line.settings["policy"] == "learned":
                    draw_seeds(axis, line, colour, f"{topology}, learned", marker=MARKERS[look % 7])
                else:
                    own = ", as many experts as bits" if topology == "ring" else ""
                    axis.plot(
                        line.places, line.median, color=colour, linewidth=1.6,
                        linestyle=(4 if topology == "ring" else 0, (4, 4)),  # where they meet, both show
                        label=f"{topology}, handcrafted parity{own}", zorder=3,
                    )  # fmt: skip
            axis.set(ylim=(0.44, 1.03), ylabel="accuracy", xlim=(0.7, lines[0].places[-1] + 0.3))
            axis.set_title(f"parity of {lines[0].settings['bits']} bits", loc="left", fontsize=9)
            axis.xaxis.set_major_locator(MultipleLocator(1))
        axes[-1].set_xlabel(
            f"rounds of communication in the one step (in training {trained[0]} to {trained[1]})"
        )
        figure.suptitle(
            f"How many rounds does parity take? {learned[0].settings['experts']} experts\n"
            f"{said_of_counts(counts)}; {learned[0].trials:,} test tasks, the same for all{band}"
        )
        handles, labels = axes[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    return figure
