"""Figures "rounds" and "halting": how long experts must talk for parity."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from torch import Tensor

from badger_agents.badger.settings import BadgerSettings
from badger_agents.evaluation import interval
from badger_agents.recipe.loading import Recipe
from badger_envs.families.xor import XOR
from leaderboards.plots.learning import said_of_counts
from leaderboards.plots.style import COLOURS, STYLE
from leaderboards.results import Record, markdown, record
from paper.measuring import over_seeds, sweep
from paper.seeds import Sweep, draw_seeds
from paper.subjects import (
    Asked,
    Drawn,
    Subject,
    find_settings,
    find_subjects,
    met_in_training,
    one_asked,
)

HANDCRAFTED = "xor-handcrafted"
"""Recipe of the handcrafted parity; `RING` is the policy to put in where experts stand on a ring."""

RING = "badger_agents.badger.policies.handcrafted:RingParityPolicy"


def rounds(asked: Asked) -> Drawn:
    """Accuracy in XOR against rounds of communication, for each topology and number of bits."""
    settings = find_settings(asked.runs, ("channel.topology",), asked.device)
    recipe, trials = settings[0][0].recipe, asked.trials or 10_000
    trained = met_in_training(recipe, "agent", "rounds")
    experts = one_asked(asked.experts, met_in_training(recipe, "agent", "experts")[1], "--experts")
    panels: list[list[Sweep]] = []
    for number in _numbers_of_bits(asked, recipe):
        family, places = parity(recipe, number), tuple(range(1, trained[1] + 1))
        lines = [
            _against_rounds(group, family, places, asked, "learned", {"experts": experts})
            for group in settings
        ]
        crafted = find_subjects((HANDCRAFTED,), "", asked.device)
        for topology, changes in (
            ("all", {"experts": max(experts, number)}),
            ("ring", {"experts": number, "channel": {"topology": "ring"}, "policy": {"kind": RING}}),
        ):
            if topology in {line.settings["topology"] for line in lines}:
                lines.append(_against_rounds(crafted, family, places, asked, "handcrafted", changes))
        panels.append(lines)
    found = [line for lines in panels for line in lines]
    summary = [row for line in found for row in line.middle()]
    each = [row for line in found if len(line.seeds) > 1 for row in line.records()]
    seeds = said_of_counts([len(group) for group in settings], "median")
    width = max(float(np.ptp(line.ci95, axis=-1).max()) / 2 for line in found if line.ci95 is not None)
    return Drawn(
        draw_rounds(panels, trained),
        [*each, *summary],
        summary,
        f"Accuracy of {experts} experts in one step of XOR against rounds of communication R",
        f"learned: R = {trained[0]} to {trained[1]} in training, {seeds}; handcrafted:"
        " no weights, on the ring as many experts as bits; all on the same"
        f" {trials} tasks, 95 % intervals over them at most +-{width:.3f}",
        markdown(
            ["bits", "topology", "policy", *(f"R = {place}" for place in found[0].places)],
            [
                [*(line.settings[key] for key in ("bits", "topology", "policy")), *map(float, line.median)]
                for line in found
            ],
        ),
    )


def _against_rounds(
    group: list[Subject],
    family: XOR,
    places: tuple[int, ...],
    asked: Asked,
    policy: str,
    agent: dict[str, Any],
) -> Sweep:
    """Accuracy of outer seeds of one policy over rounds, with some settings of the agent changed."""
    topology = agent.get("channel", {}).get("topology", topology_of(group[0].recipe))
    told = {"policy": policy, "topology": topology, "experts": agent["experts"], "bits": family.bits}
    found, _ = sweep(
        group, "rounds", places, lambda _, number: (family, {**agent, "rounds": number}),
        trials=asked.trials or 10_000, seed=asked.seed, device=asked.device,
        what=f"{policy}, {topology}, {family.bits} bits", settings=told,
    )  # fmt: skip
    return found._replace(name="accuracy")


def halting(asked: Asked) -> Drawn:
    """Rounds used and accuracy in XOR against the number of bits, where experts vote on when to stop.

    Sizes are paired by task: the same key gives the same initial states of the experts and the same first
    bits, so that a trial with 6 bits is compared with the one with 2 that differs in the other 4 alone.
    Forced to use all rounds, the same weights would be another function (states are means over rounds by
    the chance of stopping): what halting costs is bounded by what accuracy lacks to 1.
    """
    subjects = [subject for group in find_settings(asked.runs, (), asked.device) for subject in group]
    recipe, trials = subjects[0].recipe, asked.trials or 10_000
    experts = one_asked(asked.experts, met_in_training(recipe, "agent", "experts")[1], "--experts")
    places = _numbers_of_bits(asked, recipe)
    families = {number: parity(recipe, number) for number in places}
    if not getattr(getattr(subjects[0].make(), "policy", None), "halts", False):
        raise ValueError(f"experts of {recipe.name} cast no votes on when to stop (policy.halts)")
    accuracy, found = sweep(
        subjects, "bits", places, lambda _, number: (families[number], {"experts": experts}),
        trials=trials, seed=asked.seed, device=asked.device, what="halting", settings={"experts": experts},
    )  # fmt: skip
    talks = [[result.rounds for result in row if result.rounds is not None] for row in found]
    right = [[result.outcomes for result in row] for row in found]
    accuracy = accuracy._replace(name="accuracy")
    used = accuracy._replace(
        name="rounds_per_step",
        mean=np.array([[float(each.mean()) for each in row] for row in talks]),
        ci95=np.array([[interval(each) for each in row] for row in talks]),
    )
    differences = [
        row
        for each, rows in ((used, talks), (accuracy, right))
        for row in _differences(each, rows)
        if len(places) > 1
    ]
    several = len(subjects) > 1
    records = [
        row for each in (used, accuracy) for row in (*each.records(), *(each.middle() if several else []))
    ]
    most = met_in_training(recipe, "agent", "rounds")[1]
    hard, easy = places[-1], places[0]
    said = said_of_counts([len(subjects)], "")
    title = f"Rounds of communication used in XOR of {easy} to {hard} bits, at most {most}"
    note = (
        f"{said}; intervals: 95 % over {trials} tasks, differences paired over them"
        f" ({hard} bits minus {easy}); halting costs no more of accuracy than the worst lacks to 1,"
        f" {1 - float(accuracy.mean.min()):.4f}"
    )
    words = {
        each.name: [_in_words(differences, each.name, seed) for seed in used.seeds]
        for each in (used, accuracy)
    }
    return Drawn(
        draw_halting(used, accuracy, most, [said for said in words[used.name] if said]),
        [*records, *differences],
        [*used.middle(), *accuracy.middle(), *differences],
        title,
        note,
        markdown(
            ["outer seed", "", *(f"{number} bits" for number in places), f"{hard} bits minus {easy}"],
            [
                [seed, each.name, *map(float, each.mean[s]), words[each.name][s]]
                for s, seed in enumerate(used.seeds)
                for each in (used, accuracy)
            ],
        ),
    )


def parity(recipe: Recipe, number: int) -> XOR:
    """The recipe's XOR in the test split, with a fixed number of bits.

    Raises:
        ValueError: the recipe is for another family, or it refuses that number.
    """
    family = recipe.family()
    if not isinstance(family, XOR):
        raise ValueError(f"{recipe.name} was trained on {recipe.env.id}; this figure is of XOR")
    return dataclasses.replace(family, bits=number, test_bits=None, capacity=None, split="test")


def topology_of(recipe: Recipe) -> str:
    """Who hears whom in a recipe's agent, as it is written there."""
    settings = getattr(recipe.make_agent(), "settings", None)
    return str(settings.channel.topology) if isinstance(settings, BadgerSettings) else "none"


def _numbers_of_bits(asked: Asked, recipe: Recipe) -> tuple[int, ...]:
    """Those asked for, or all met in training."""
    low, high = met_in_training(recipe, "env", "bits")
    return tuple(sorted(set(asked.dims))) or tuple(range(low, high + 1))


def _differences(over: Sweep, rows: Sequence[Sequence[Tensor]]) -> list[Record]:
    """Of each seed, and their mean: at the most bits minus at the fewest, paired over tasks.

    Args:
        over: what was measured, over "bits".
        rows: of each seed at each place, [N].
    """
    name = f"{over.name}_difference"
    held = {"agent": over.agent, **over.settings, "bits": over.places[-1], "against_bits": over.places[0]}
    paired = [row[-1] - row[0] for row in rows]  # (N,) each
    means = [float(each.mean()) for each in paired]
    found = [
        record(name, mean, n=over.trials, ci95=interval(each), **held, outer_seed=seed)
        for mean, each, seed in zip(means, paired, over.seeds, strict=True)
    ]
    if len(means) > 1:
        mean, ci95 = over_seeds(np.array(means))
        found.append(record(f"mean_{name}", mean, n=over.trials, ci95=ci95, **held, outer_seeds=len(means)))
    return found


def _in_words(differences: Sequence[Record], name: str, seed: int | None) -> str:
    """The paired difference of an outer seed with its interval; "" where there is none."""
    for row in differences:
        if row["name"] == f"{name}_difference" and row["outer_seed"] == seed:
            return f"{row['value']:+.3f} [{row['ci95'][0]:.3f}, {row['ci95'][1]:.3f}]"
    return ""


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


def draw_halting(used: Sweep, accuracy: Sweep, most: int, differences: Sequence[str]) -> Figure:
    """Above: rounds used; below: accuracy; each over the number of bits.

    Args:
        used: rounds per step, over "bits".
        accuracy: for the same.
        most: rounds that a step may have.
        differences: of each outer seed, in words: rounds at the most bits minus at the fewest.
    """
    band = "; band: 95 % over tasks" if len(used.seeds) == 1 else ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 6.4), layout="constrained")
        figure.suptitle(
            f"How long do {used.settings['experts']} experts talk? {said_of_counts([len(used.seeds)])}\n"
            f"{used.trials:,} test tasks, the same for all{band}"
        )
        above, below = figure.subplots(2, 1, sharex=True)
        above.axhline(most, color="0.35", linewidth=1.2, linestyle="--", label=f"at most: {most}")
        draw_seeds(above, used, COLOURS[0], used.agent)
        above.set_title(_title(used, differences), loc="left", fontsize=9)
        above.set(ylabel="rounds used in the step", ylim=(0, most + 0.5))
        below.axhline(0.5, color="0.35", linewidth=1, linestyle=":", label="a guess: 0.5")
        below.axhline(0.99, color="0.35", linewidth=1.2, linestyle="--", label="0.99")
        draw_seeds(below, accuracy, COLOURS[0], used.agent)
        below.set(ylabel="accuracy", ylim=(0.44, 1.03), xlabel="bits whose parity is asked for")
        below.xaxis.set_major_locator(MultipleLocator(1))
        for axis in (above, below):
            axis.legend(fontsize=8)
    return figure


def _title(used: Sweep, differences: Sequence[str]) -> str:
    """The paired differences, three in a line; of many seeds the range in which their means lie."""
    if not differences:
        return ""
    start = f"{used.places[-1]} bits minus {used.places[0]}, paired over tasks (95 %)"
    if len(differences) > 3:
        gains = used.mean[:, -1] - used.mean[:, 0]
        return f"{start}: {gains.min():+.2f} to {gains.max():+.2f} in {len(gains)} outer seeds"
    return f"{start}, each outer seed:\n{', '.join(differences)}"
