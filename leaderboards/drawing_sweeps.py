"""Measuring and drawing `badger figure 7`, `experts` and `lives`: one policy under many settings."""

from typing import Any

import numpy as np

from badger_agents.recipe.loading import Recipe, load_recipe, recipe_files
from badger_envs.family import Family
from leaderboards.figures.dimensions import PUBLISHED, draw_dimensions, read_anchor
from leaderboards.figures.experts import draw_experts
from leaderboards.figures.lives import draw_lives
from leaderboards.results import Record, record
from leaderboards.subjects import Asked, Drawn, find_subjects, game, met_in_training, one_asked
from leaderboards.sweeps import Sweep, difference, sweep

POLICY = "guessing-attentional"
"""The pretrained policy that these pictures are of unless runs are given."""

PLAIN = "guessing-triangulation"
HANDCRAFTED = "guessing-handcrafted"
"""Recipes without weights: triangulation as a plain algorithm, and through membrane and channel."""

HORIZON = 20
"""Steps after which the published curves were measured."""

EXPERTS_IN_PAPER = 20

EXPERTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80)

LIVES = (1, 2, 5, 10)
"""Lengths of life, in those of training."""


def seven(asked: Asked) -> Drawn:
    """Figure 7: error against d, ours over the three published curves and the bounds."""
    places = _rising(asked.dims) or tuple(range(1, 21))
    experts = one_asked(asked.experts, EXPERTS_IN_PAPER, "--experts")
    trials = asked.trials or 10_000
    subjects = find_subjects(asked.runs, POLICY, asked.device)

    def conditions(recipe: Recipe, d: int) -> tuple[Family, dict[str, Any]]:
        return game(recipe, d, horizon=HORIZON), {"experts": experts}

    def plainly(recipe: Recipe, d: int) -> tuple[Family, dict[str, Any]]:
        return game(recipe, d, horizon=HORIZON), {}

    common: dict[str, Any] = {"trials": trials, "seed": asked.seed, "device": asked.device}
    settings = {"experts": experts, "horizon": HORIZON}
    ours, _ = sweep(subjects, "d", places, conditions, **common, what="figure 7", settings=settings)
    bounds = []
    for name in (PLAIN, HANDCRAFTED):
        if name not in recipe_files():
            continue
        by_experts = "experts" in load_recipe(name).agent_settings()
        bound, _ = sweep(
            find_subjects((name,), "", asked.device), "d", places, conditions if by_experts else plainly,
            **common, what=name, settings=settings if by_experts else {"horizon": HORIZON},
        )  # fmt: skip
        bounds.append(bound)
    published = read_anchor()
    trained = met_in_training(subjects[0].recipe, "env", "dims")
    below = [
        d
        for d, value in zip(places, ours.median, strict=True)
        if d in published["d"] and all(value < _at(published, p.column, d) for p in PUBLISHED)
    ]
    records = [*ours.records(), *(ours.middle() if len(subjects) > 1 else [])]
    for bound in bounds:
        records += bound.records()
    records += _published_records(published)
    records += [record("bound", 1 - 1 / d, agent="one number everywhere", d=d) for d in places]
    records += [record("bound", 1.0, agent="0 everywhere", d=d) for d in places]
    return Drawn(
        draw_dimensions(ours, bounds, published, trained),
        records,
        ours.middle(),
        f"Figure 7: error at step {HORIZON} against d, {experts} experts",
        f"{_interval(ours)}; below all three published curves (as read, to +-0.015) at"
        f" {'d = ' + ', '.join(map(str, below)) if below else 'no d'}",
    )


def against_experts(asked: Asked) -> Drawn:
    """Error against the number of experts, and what four times training's number does."""
    dims, trials = one_asked(asked.dims, 6, "--dims"), asked.trials or 10_000
    subjects = find_subjects(asked.runs, POLICY, asked.device)
    trained = met_in_training(subjects[0].recipe, "agent", "experts")
    most, fourfold = trained[1], 4 * trained[1]
    places = _rising((*(asked.experts or EXPERTS), most, fourfold))

    def conditions(recipe: Recipe, experts: int) -> tuple[Family, dict[str, Any]]:
        return game(recipe, dims), {"experts": experts}

    settings = {"d": dims, "horizon": game(subjects[0].recipe).horizon}
    ours, found = sweep(
        subjects, "experts", places, conditions, trials=trials, seed=asked.seed, device=asked.device,
        what="experts", settings=settings,
    )  # fmt: skip
    differences = []
    for subject, row in zip(subjects, found, strict=True):
        mean, ci95 = difference(row[places.index(fourfold)], row[places.index(most)])
        outer: dict[str, Any] = {} if subject.seed is None else {"outer_seed": subject.seed}
        differences.append(
            record(
                "difference",
                mean,
                n=trials,
                ci95=ci95,
                agent=subject.name,
                **outer,
                **ours.settings,
                experts=fourfold,
                against_experts=most,
            )
        )
    middle = ours.middle() if len(subjects) > 1 else []
    return Drawn(
        draw_experts(ours, trained),
        [*ours.records(), *middle, *differences],
        [*ours.middle(), *differences],
        f"Error at d = {dims} against the number of experts",
        f"{_interval(ours)}; difference: {fourfold} experts (four times training's most) minus {most},"
        " paired over tasks",
    )


def lives(asked: Asked) -> Drawn:
    """Lives of 1, 2, 5 and 10 times training's length: within the longest, and at the end of each."""
    sizes, trials = _rising(asked.dims) or (3, 6, 10), asked.trials or 2_000
    subjects = find_subjects(asked.runs, POLICY, asked.device)
    recipe = subjects[0].recipe
    experts = one_asked(asked.experts, met_in_training(recipe, "agent", "experts")[1], "--experts")
    trained = met_in_training(recipe, "env", "horizon")
    places = tuple(times * trained[1] for times in LIVES)
    ends, within, differences = [], [], []
    for dims in sizes:

        def conditions(recipe: Recipe, horizon: int, dims: int = dims) -> tuple[Family, dict[str, Any]]:
            return game(recipe, dims, horizon=horizon), {"experts": experts}

        end, found = sweep(
            subjects, "horizon", places, conditions, trials=trials, seed=asked.seed, device=asked.device,
            what=f"lives, d = {dims}", settings={"d": dims, "experts": experts},
        )  # fmt: skip
        ends.append(end)
        steps = tuple(range(1, places[-1] + 1))
        curves = np.array([row[-1].loss.numpy() for row in found])
        settings = {**end.settings, "horizon": places[-1]}
        within.append(
            end._replace(
                name="error_within", over="step", places=steps, mean=curves, ci95=None, settings=settings
            )
        )
        for subject, row in zip(subjects, found, strict=True):
            outer: dict[str, Any] = {} if subject.seed is None else {"outer_seed": subject.seed}
            for place, result in list(zip(places, row, strict=True))[1:]:
                mean, ci95 = difference(result, row[0])
                differences.append(
                    record(
                        "difference",
                        mean,
                        n=trials,
                        ci95=ci95,
                        agent=subject.name,
                        **outer,
                        **end.settings,
                        horizon=place,
                        against_horizon=places[0],
                    )
                )
    records: list[Record] = []
    summary: list[Record] = []
    for each in (*ends, *within):
        records += [*each.records(), *(each.middle() if len(subjects) > 1 else [])]
    for end in ends:
        summary += end.middle()
    return Drawn(
        draw_lives(within, ends, trained),
        records + differences,
        summary + differences,
        "Error at the end of longer lives",
        f"{_interval(ends[0])}; difference: minus the error of a life of {places[0]}, paired over tasks",
    )


def _published_records(published: dict[str, np.ndarray]) -> list[Record]:
    """The published curves as records."""
    return [
        record("published_error", float(value), agent=curve.label, column=curve.column, d=int(d))
        for curve in PUBLISHED
        for d, value in zip(published["d"], published[curve.column], strict=True)
    ]


def _at(published: dict[str, np.ndarray], column: str, d: int) -> float:
    """A published curve's value at a size."""
    return float(published[column][published["d"] == d][0])


def _interval(found: Sweep) -> str:
    """What intervals are of, and how many outer seeds there are."""
    seeds = len(found.seeds)
    said = f"{seeds} outer seeds, median" if seeds > 1 else "1 outer seed"
    return f"{said}; intervals: 95 % over {found.trials} tasks"


def _rising(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Each number once, in order."""
    return tuple(sorted(set(numbers)))
