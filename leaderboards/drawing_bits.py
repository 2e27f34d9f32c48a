"""Measuring and drawing `badger figure bits`: how well experts do who may say little."""

from typing import Any

from badger_agents.badger.agent import BadgerAgent
from badger_agents.recipe.loading import Recipe
from badger_agents.whitebox import bits_per_step
from badger_envs.family import Family
from leaderboards.figures.bits import draw_bits
from leaderboards.figures.seeds import said_of_counts
from leaderboards.results import markdown, record, text
from leaderboards.subjects import Asked, Drawn, find_settings, find_subjects, game, met_in_training, one_asked
from leaderboards.sweeps import over_seeds, sweep

SOLVED = 0.1
"""The guessing game is solved where the error is at most this."""


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
