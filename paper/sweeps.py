"""Figures 7, "experts" and "lives": one policy under many settings."""

import csv
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from badger_agents.recipe.loading import Recipe, load_recipe, recipe_files
from badger_envs.family import Family
from leaderboards.plots.style import COLOURS, STYLE, log_counts, log_errors
from leaderboards.results import Record, record
from paper.measuring import difference, sweep
from paper.seeds import Sweep, draw_seeds, said_of_seeds
from paper.subjects import Asked, Drawn, find_subjects, game, met_in_training, one_asked

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


ANCHOR = Path(__file__).parent / "figure7_badger2019.csv"
"""The published curves, as read off the authors' plot."""

READING = 0.015
"""By how much a value read off that plot may be wrong, either way."""


class Published(NamedTuple):
    """One published curve.

    Attributes:
        column: its name in the file.
        label: in the legend.
        colour: as in the paper (blue, red, green).
        trained: sizes that it was last trained with, from and to.
    """

    column: str
    label: str
    colour: str
    trained: tuple[int, int]


PUBLISHED = (
    Published("trained_d3", "published 2019, trained at d = 3", COLOURS[0], (3, 3)),
    Published("trained_d3_then_d6", "published 2019, d = 3, then 6", COLOURS[1], (6, 6)),
    Published("trained_d3_to_d6", "published 2019, d = 3, 6, then 3 to 6", COLOURS[2], (3, 6)),
)


def read_anchor(path: Path = ANCHOR) -> dict[str, np.ndarray]:
    """Columns of the file of published curves, [20] each; lines that begin with # are its header."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def draw_dimensions(
    ours: Sweep, bounds: list[Sweep], published: dict[str, np.ndarray], trained: tuple[int, int]
) -> Figure:
    """Left: in the paper's manner; right: the same on a logarithmic axis, where small errors can be told.

    Args:
        ours: error over d.
        bounds: errors of agents without weights over d, such as triangulation.
        published: from `read_anchor`.
        trained: sizes that ours met in training, from and to.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 5.4), layout="constrained")
        figure.suptitle(
            f"Figure 7: guess d numbers with {ours.settings['experts']} experts; mean error at inner-loop"
            f" step {ours.settings['horizon']}, one policy at every d\n({ours.trials:,} test tasks per point"
            f"{'; band: 95 % over tasks' if len(ours.seeds) == 1 else ''}; published curves read off the"
            f" authors' plot, within {READING}: their band)"
        )
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        lowest = _lowest(ours, published)
        for axis, floor in ((left, 0.0), (right, lowest)):
            _draw_published(axis, published)
            _draw_bounds(axis, np.array(ours.places), bounds, floor)
            draw_seeds(axis, ours, COLOURS[6], f"{ours.agent}: {said_of_seeds(ours)}")
            axis.set(xlabel="d, hidden numbers and outputs", xlim=(0.5, max(ours.places) + 0.5))
            axis.xaxis.set_major_locator(MultipleLocator(1 if max(ours.places) <= 20 else 5))
            axis.grid(axis="x", alpha=0.12)
            axis.tick_params(axis="x", labelsize=7)
        _draw_training(left, ours.agent, trained)
        left.set_ylabel("error at the last step, 3 x mean squared distance")
        left.set_title("linear: as published")
        right.set_title("logarithmic (triangulation below the axis: on its edge)")
        log_errors(right)
        left.set_ylim(-0.17, max(1.12, min(2.1, 1.05 * float(ours.mean.max()))))
        right.set_ylim(lowest, 2)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _draw_published(axis: Axes, published: dict[str, np.ndarray]) -> None:
    """The three curves with what reading them off a plot leaves open."""
    d = published["d"]
    for curve in PUBLISHED:
        value = published[curve.column]
        low, high = np.maximum(value - READING, 1e-4), value + READING
        axis.fill_between(d, low, high, color=curve.colour, alpha=0.18, linewidth=0)
        axis.plot(d, value, color=curve.colour, linewidth=1.3, marker=".", markersize=4, label=curve.label)


def _draw_bounds(axis: Axes, d: np.ndarray, bounds: list[Sweep], floor: float) -> None:
    """Bounds: outputs that are not told apart, and agents without weights; the latter not below a floor."""
    axis.axhline(1.0, color="0.35", linewidth=1.2, label="0 everywhere: 1")
    above = d[d > 1]  # 0 at d = 1
    axis.plot(above, 1 - 1 / above, color="0.35", linewidth=1.2, linestyle="--",
              label="one number everywhere, the mean: 1 - 1/d")  # fmt: skip
    for bound in bounds:
        plain = "experts" not in bound.settings
        axis.plot(
            bound.places, np.maximum(bound.median, floor), color=COLOURS[3], zorder=3, clip_on=False,
            linewidth=1.8 if plain else 0, marker="" if plain else "o", markersize=5.5, fillstyle="none",
            label="triangulation, the plain algorithm" if plain
            else "triangulation, handcrafted experts through the membrane",
        )  # fmt: skip


def _draw_training(axis: Axes, agent: str, trained: tuple[int, int]) -> None:
    """Below 0, the sizes that each policy met last in training (the paper's dots and bars)."""
    ranges = [(curve.colour, curve.trained) for curve in PUBLISHED] + [(COLOURS[6], trained)]
    for number, (colour, (low, high)) in enumerate(ranges):
        y = -0.035 * (number + 1)
        axis.plot([low, high], [y, y], color=colour, marker="o", markersize=3.5, linewidth=2)
    axis.annotate("sizes in training", (max(trained[1], 6) + 0.4, -0.0875), fontsize=7, va="center")


def _lowest(ours: Sweep, published: dict[str, np.ndarray]) -> float:
    """Lower end of a logarithmic axis: half of the least positive error, but not below 0.0001."""
    values = np.concatenate([ours.mean.ravel(), *(published[curve.column] for curve in PUBLISHED)])
    return max(1e-4, float(values[values > 0].min()) / 2)


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


def draw_lives(within: list[Sweep], ends: list[Sweep], trained: tuple[int, int]) -> Figure:
    """Left: mean error at each step of the longest life; right: at the end of lives of each length.

    Args:
        within: over "step", one sweep per size.
        ends: over "horizon", for the same sizes.
        trained: lengths of life met in training, from and to.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 5), layout="constrained")
        figure.suptitle(f"Lives longer than in training: {ends[0].agent}, {said_of_seeds(ends[0])}")
        left, right = figure.subplots(1, 2, sharey=True)
        for number, (life, end) in enumerate(zip(within, ends, strict=True)):
            colour, label = COLOURS[number % 6], f"d = {end.settings['d']}"
            draw_seeds(left, life, colour, label, marker="")
            draw_seeds(right, end, colour, label)
        longest = max(ends[0].places)
        left.set_title(f"within one life of {longest} steps")
        left.set(xlabel="inner-loop step", ylabel="error, 3 x mean squared distance")
        right.set_title("at the end of lives of several lengths")
        right.set(xlabel="length of life, inner-loop steps")
        _shade(right, trained)
        for axis, ticks in ((left, _round_numbers(longest)), (right, list(ends[0].places))):
            log_counts(axis, ticks)
            log_errors(axis)
        right.tick_params(labelleft=True)
        right.legend(fontsize=8)
        band = "; band: 95 % over tasks" if len(ends[0].seeds) == 1 else ""
        figure.supxlabel(
            f"{ends[0].settings['experts']} experts; {ends[0].trials:,} test tasks, the same for every"
            f" length{band}. The agent knows how long its life will be.",
            fontsize=8, color="0.35",
        )  # fmt: skip
    return figure


def _shade(axis: Axes, trained: tuple[int, int]) -> None:
    """The lengths of life met in training."""
    met = str(trained[0]) if trained[0] == trained[1] else f"{trained[0]} to {trained[1]}"
    axis.axvspan(trained[0] / 1.04, trained[1] * 1.04, color=COLOURS[4], alpha=0.22, linewidth=0,
                 label=f"in training: {met} steps")  # fmt: skip


def _round_numbers(longest: int) -> list[int]:
    """1, 2, 5, 10, ... up to the longest life."""
    ticks = [base * 10**power for power in range(7) for base in (1, 2, 5)]
    return [tick for tick in ticks if tick <= longest]
