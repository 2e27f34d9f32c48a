"""Measuring and drawing `badger figure bits`, `rounds` and `halting`: how much talking a task takes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from badger_agents.badger import BadgerAgent
from badger_agents.evaluation import interval
from badger_agents.recipe import Recipe
from badger_agents.whitebox import bits_per_step
from badger_envs.family import Family
from badger_envs.xor import XOR
from leaderboards.figures.bits import draw_bits
from leaderboards.figures.halting import draw_halting
from leaderboards.figures.rounds import draw_rounds
from leaderboards.figures.seeds import said_of_counts
from leaderboards.results import Record, markdown, record
from leaderboards.subjects import (
    Asked,
    Drawn,
    Subject,
    find_settings,
    find_subjects,
    game,
    met_in_training,
    one_asked,
)
from leaderboards.sweeps import Sweep, over_seeds, sweep

SOLVED = 0.1
"""The guessing game is solved where the error is at most this."""

HANDCRAFTED = "xor-handcrafted"
"""Recipe of the handcrafted parity; `RING` is the policy to put in where experts stand on a ring."""

RING = "badger_agents.handcrafted:RingParityPolicy"


def bits(asked: Asked) -> Drawn:
    """Error in the guessing game against bits per step, of runs that differ in their channel alone."""
    if asked.experts:
        raise ValueError("--experts: figure bits is of agents as they were trained")
    free = ("topology", "channel", "policy_settings.message_size", "policy_settings.key_size")
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
    enough = [row["bits_per_step"] for row in means if row["value"] <= SOLVED]
    said = f"fewest with a mean error of at most {SOLVED}: {f'{min(enough):g}' if enough else 'none'}"
    return Drawn(
        draw_bits(
            sweeps, [row.get("ci95") for row in means], plateau["value"], float(bound.mean[0, 0]), SOLVED
        ),
        [*(row for found in sweeps for row in found.records()), *means, *bound.records(), plateau],
        means,
        f"Error at d = {dims} against bits per step",
        f"{said}; {_seeds(settings, 'mean')}; intervals of means: 95 % over outer seeds (Student's t), of"
        f" each seed: 95 % over {trials} tasks",
    )


def rounds(asked: Asked) -> Drawn:
    """Accuracy in XOR against rounds of communication, for each topology and number of bits."""
    settings = find_settings(asked.runs, ("topology",), asked.device)
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
            ("ring", {"experts": number, "topology": "ring", "policy": RING}),
        ):
            if topology in {line.settings["topology"] for line in lines}:
                lines.append(_against_rounds(crafted, family, places, asked, "handcrafted", changes))
        panels.append(lines)
    found = [line for lines in panels for line in lines]
    summary = [row for line in found for row in line.middle()]
    each = [row for line in found if len(line.seeds) > 1 for row in line.records()]
    width = max(float(np.ptp(line.ci95, axis=-1).max()) / 2 for line in found if line.ci95 is not None)
    return Drawn(
        draw_rounds(panels, trained),
        [*each, *summary],
        summary,
        f"Accuracy of {experts} experts in one step of XOR against rounds of communication R",
        f"learned: R = {trained[0]} to {trained[1]} in training, {_seeds(settings, 'median')}; handcrafted:"
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
    topology = agent.get("topology", topology_of(group[0].recipe))
    told = {"policy": policy, "topology": topology, "experts": agent["experts"], "bits": family.bits}
    found, _ = sweep(
        group, "rounds", places, lambda _, number: (family, {**agent, "rounds": number}),
        trials=asked.trials or 10_000, seed=asked.seed, device=asked.device,
        what=f"{policy}, {topology}, {family.bits} bits", settings=told,
    )  # fmt: skip
    return found._replace(name="accuracy")


def halting(asked: Asked) -> Drawn:
    """Rounds used and accuracy in XOR against the number of bits, where experts vote on when to stop.

    Sizes are paired by task: the same key gives the same initial states of the experts, the same draws of
    what is dealt to whom, and the same first bits, so that a difference is of the number of bits alone.
    Forced to use all rounds, the same weights would be another function (states are means over rounds by
    the chance of stopping): what halting costs is bounded by what accuracy lacks to 1.
    """
    subjects = [subject for group in find_settings(asked.runs, (), asked.device) for subject in group]
    recipe, trials = subjects[0].recipe, asked.trials or 10_000
    experts = one_asked(asked.experts, met_in_training(recipe, "agent", "experts")[1], "--experts")
    places = _numbers_of_bits(asked, recipe)
    families = {number: parity(recipe, number) for number in places}
    if not getattr(getattr(subjects[0].make(), "policy", None), "halts", False):
        raise ValueError(f"experts of {recipe.name} cast no votes on when to stop (policy_settings.halts)")
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
        for name, rows in (("rounds_difference", talks), ("accuracy_difference", right))
        for row in _differences(name, rows, used)
        if len(places) > 1
    ]
    several = len(subjects) > 1
    records = [
        row for each in (used, accuracy) for row in (*each.records(), *(each.middle() if several else []))
    ]
    most = met_in_training(recipe, "agent", "rounds")[1]
    hard, easy = places[-1], places[0]
    title = f"Rounds of communication used in XOR of {easy} to {hard} bits, at most {most}"
    note = (
        f"{_seeds([subjects], 'median')}; intervals: 95 % over {trials} tasks, differences paired over them"
        f" ({hard} bits minus {easy}); halting costs no more of accuracy than the worst lacks to 1,"
        f" {1 - float(accuracy.mean.min()):.4f}"
    )
    return Drawn(
        draw_halting(used, accuracy, most, _in_words(differences, places)),
        [*records, *differences],
        [*used.middle(), *accuracy.middle(), *differences],
        title,
        note,
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
    return str(getattr(getattr(recipe.make_agent(), "settings", None), "topology", "none"))


def _numbers_of_bits(asked: Asked, recipe: Recipe) -> tuple[int, ...]:
    """Those asked for, or all met in training."""
    low, high = met_in_training(recipe, "env", "bits")
    return tuple(sorted(set(asked.dims))) or tuple(range(low, high + 1))


def _differences(name: str, rows: Sequence[Sequence[Tensor]], over: Sweep) -> list[Record]:
    """Of each seed, and their mean: at the most bits minus at the fewest, paired over tasks."""
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


def _in_words(differences: Sequence[Record], places: Sequence[int]) -> str:
    """The paired differences of rounds as a line for the picture; "" where there are none."""
    said = [f"{row['value']:+.2f} [{row['ci95'][0]:.2f}, {row['ci95'][1]:.2f}]"
            for row in differences if row["name"] == "rounds_difference"]  # fmt: skip
    lines = [", ".join(said[first : first + 3]) for first in range(0, len(said), 3)]
    start = f"{places[-1]} bits minus {places[0]}, paired over tasks (95 %), each outer seed: "
    return start + ",\n".join(lines) if said else ""


def _seeds(settings: Sequence[Sequence[Subject]], told: str) -> str:
    """How many outer seeds there are of each setting, and whether they are few."""
    said = said_of_counts([len(group) for group in settings], told)
    return f"{said} (of each setting)" if len(settings) > 1 else said
