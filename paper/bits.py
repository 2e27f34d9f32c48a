"""Figure "bits": how well experts do who may say little."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from badger_agents.badger.agent import BadgerAgent
from badger_agents.recipe.loading import Recipe
from badger_agents.whitebox import bits_per_step
from badger_envs.family import Family
from leaderboards.plots.learning import said_of_counts
from leaderboards.plots.style import COLOURS, STYLE, log_errors
from leaderboards.results import markdown, record, text
from paper.measuring import over_seeds, sweep
from paper.seeds import Sweep
from paper.subjects import Asked, Drawn, find_settings, find_subjects, game, met_in_training, one_asked

SOLVED = 0.1
"""The guessing game is solved where the error is at most this."""


def bits(asked: Asked) -> Drawn:
    """Error in the guessing game against bits per step, of runs that differ in their channel alone."""
    if asked.experts:
        raise ValueError("--experts: figure bits is of agents as they were trained")
    free = ("channel", "policy.message_size", "policy.key_size")
    settings = find_settings(asked.runs, free, asked.device)
    recipe, trials = settings[0][0].recipe, asked.trials or 10_000
    dims = one_asked(asked.dims, met_in_training(recipe, "env", "dims")[1], "--dims")
    family = game(recipe, dims)

    def conditions(recipe: Recipe, d: int) -> tuple[Family, dict[str, Any]]:
        return game(recipe, d), {}

    common: dict[str, Any] = {"trials": trials, "seed": asked.seed, "device": asked.device}
    sweeps = []
    for group in settings:
        agent = group[0].make()
        if not isinstance(agent, BadgerAgent):
            raise ValueError(f"{group[0].name} is no agent of experts that talk (BadgerAgent)")
        told: dict[str, Any] = {"bits_per_step": bits_per_step(agent, family), "horizon": family.horizon}
        sweeps.append(
            sweep(group, "d", (dims,), conditions, **common, what=group[0].name, settings=told)[0]
        )  # fmt: skip
    sweeps.sort(key=lambda found: found.settings["bits_per_step"])
    plain = find_subjects(("guessing-triangulation",), "", asked.device)
    bound, _ = sweep(
        plain, "d", (dims,), lambda recipe, d: (game(recipe, d, horizon=family.horizon), {}), **common,
        what=plain[0].name, settings={"horizon": family.horizon},
    )  # fmt: skip
    means = []
    for found in sweeps:
        mean, ci95 = over_seeds(found.mean[:, 0])
        held = {"agent": found.agent, "outer_seeds": len(found.seeds), **found.settings, "d": dims}
        ends = ci95 if len(found.seeds) > 1 else None
        means.append(record("mean_error", mean, n=trials, ci95=ends, **held))
    plateau = record("bound", 1 - 1 / dims, agent="all outputs alike", d=dims)
    seeds = said_of_counts([len(group) for group in settings], "")
    enough = [row["bits_per_step"] for row in means if row["value"] <= SOLVED]
    said = f"fewest with a mean error of at most {SOLVED}: {f'{min(enough):g}' if enough else 'none'}"
    return Drawn(
        draw_bits(
            sweeps, [row.get("ci95") for row in means], plateau["value"], float(bound.mean[0, 0]), SOLVED
        ),
        [*(row for found in sweeps for row in found.records()), *means, *bound.records(), plateau],
        means,
        f"Error at d = {dims} against bits per step",
        f"{said}; {seeds}; intervals of means: 95 % over outer seeds (Student's t), of"
        f" each seed: 95 % over {trials} tasks",
        markdown(
            ["bits per step", "error", "95 % over outer seeds", "each outer seed"],
            [
                [
                    f"{row['bits_per_step']:g}",
                    row["value"],
                    row.get("ci95", ""),
                    ", ".join(map(text, found.mean[:, 0].tolist())),
                ]
                for row, found in zip(means, sweeps, strict=True)
            ],
        ),
    )


FLOOR = 1e-3
"""Errors below this stand on the lower edge."""


def draw_bits(
    sweeps: Sequence[Sweep],
    intervals: Sequence[Sequence[float] | None],
    plateau: float,
    triangulation: float,
    solved: float,
) -> Figure:
    """Error over bits per step, both logarithmic, the latter linear from 0 to 1.

    Args:
        sweeps: of one place each, with "bits_per_step" and "horizon" in `settings`; bits rise.
        intervals: of the mean over outer seeds of each; None of one seed.
        plateau: error of outputs that are all alike.
        triangulation: error of the plain algorithm.
        solved: error at which the game counts as solved.
    """
    bits = np.array([found.settings["bits_per_step"] for found in sweeps])
    means = np.array([found.mean.mean() for found in sweeps])
    first, d = sweeps[0], sweeps[0].places[0]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 6.2), layout="constrained")
        axis = figure.subplots()
        axis.axhline(plateau, color="0.35", linewidth=1.2, linestyle="--",
                     label=f"all outputs alike, or all deaf but one: 1 - 1/d = {plateau:.3f}")  # fmt: skip
        axis.axhline(solved, color="0.35", linewidth=1.2, linestyle=":", label=f"solved: {solved:g}")
        axis.axhline(max(triangulation, FLOOR), color=COLOURS[3], linewidth=2.5, clip_on=False,
                     label=f"triangulation, the plain algorithm: {triangulation:.1g}"
                     f"{' (on the edge)' if triangulation < FLOOR else ''}")  # fmt: skip
        said = said_of_counts([len(found.seeds) for found in sweeps], "")
        for number, (place, found) in enumerate(zip(bits, sweeps, strict=True)):
            values = np.maximum(found.mean[:, 0], FLOOR)
            axis.plot(np.full(len(values), place), values, "o", color=COLOURS[0], alpha=0.55, markersize=5,
                      linewidth=0, label=None if number else "each outer seed", zorder=4)  # fmt: skip
        known = [(place, *ends) for place, ends in zip(bits, intervals, strict=True) if ends is not None]
        places, low, high = np.maximum(np.array(known).reshape(-1, 3), (0, FLOOR, FLOOR)).T
        axis.vlines(places, low, high, color=COLOURS[1], linewidth=1.5, zorder=3,
                    label="95 % interval of that mean (Student's t)" if known else "")  # fmt: skip
        axis.plot(bits, np.maximum(means, FLOOR), color=COLOURS[1], marker="_", markersize=13, linewidth=1.3,
                  markeredgewidth=2.2, label="mean over outer seeds", zorder=5)  # fmt: skip
        axis.set_xscale("symlog", base=2, linthresh=1, linscale=1)
        axis.xaxis.set_major_locator(FixedLocator(sorted(set(bits.tolist()))))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_xlim(-0.3, max(2.0, 1.25 * float(bits.max())))
        log_errors(axis)
        axis.set_ylim(FLOOR, max(1.3, *(1.1 * float(found.mean.max()) for found in sweeps)))
        axis.set(
            xlabel="bits that an expert can tell the others in a step",
            ylabel=f"error at step {first.settings['horizon']}, 3 x mean squared distance",
        )
        axis.set_title(
            f"Guess {d} numbers by few bits\n{said}; {first.trials:,} test tasks, the same for all"
        )
        figure.legend(loc="outside lower center", ncols=1, fontsize=8)
    return figure
