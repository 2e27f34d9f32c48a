"""`badger suite`: one agent on one cell of every family, as a table and a picture of its abilities."""

import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.progress import track
from torch import Tensor

from badger_agents.atomic_files import write_atomically
from badger_agents.locks import owned
from badger_agents.recipe.loading import Recipe
from badger_agents.recipe.schema import RecipeError
from badger_agents.training.own_code import keep_code
from badger_envs.family import Family
from baselines.sb3_models import load_sb3
from leaderboards.boards.csv_rows import read_rows
from leaderboards.options import check_device, check_seeds
from leaderboards.plots.profile import draw_profile
from leaderboards.plots.style import save_figure
from leaderboards.results import as_csv, columns_of, progress_console, record, show
from leaderboards.runs import changed_recipe, find, find_recipe, find_source, make_folder
from leaderboards.side_by_side import Job, train_side_by_side
from leaderboards.suite import (
    ABILITIES,
    REFERENCES,
    TRAININGS,
    Ability,
    Measure,
    Score,
    measure_model,
    measure_source,
    recipe_for,
    scores,
)

BESIDE: dict[str, dict[str, str]] = {
    "Badger": {},
    "silent": {"topology": "none"},
    "monolith": {"agent": "guessing-monolith"},
}
"""Agents that every profile is drawn beside: what each has in place of the families' own."""


def run(
    *,
    agent: str | None = None,
    policy: str | None = None,
    pretrained: str | None = None,
    sb3: str | None = None,
    run: str | None = None,
    name: str | None = None,
    seeds: int = 3,
    outer_steps: int | None = None,
    trust: tuple[str, ...] = (),
    out: Path | None = None,
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Measure one agent on every family; draw its profile beside Badger, its silent control and a monolith.

    An agent with weights is measured as it is, in the families that it fits. A policy or the agent
    of a recipe is trained for each family first, on small budgets and as many cores as there are (a quarter
    of an hour at the most on two). Begun trainings are gone on with.

    Args:
        agent: Recipe whose agent is trained for every family.
        policy: Your own expert policy, as my_file.py:MyPolicy, trained for every family.
        pretrained: Policy that comes with the suite (`badger list pretrained`), measured as it is.
        sb3: Zip of a model of Stable-Baselines3 or sb3-contrib, measured as it is where its spaces fit.
            Loading it runs code from it: name only files that you trust.
        run: Run folder of `badger train`, or a recipe without weights, measured as it is.
        name: What the agent is called in table and picture.
        seeds: How many outer seeds are trained.
        outer_steps: Outer steps of each training in place of the suite's, to try it out.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        out: Folder for trainings, picture (PNG and SVG) and table (CSV); runs/suite/NAME if not given.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seeds(0, seeds)
    check_device(device)
    given = [value for value in (agent, policy, pretrained, sb3, run) if value is not None]
    if len(given) != 1:
        raise ValueError("give one of --agent, --policy, --pretrained, --sb3 and --run")
    called = name or (Path(sb3).stem if sb3 is not None else Path(given[0].rpartition(":")[2]).name)
    model = None if sb3 is None else load_sb3(sb3, device)
    folder = out if out is not None else Path("runs/suite") / called
    make_folder(folder)
    if agent is not None or policy is not None:
        whose = find_recipe(agent, trust) if agent is not None else None
        recipes, refused = recipes_of({"agent": whose, "policy": policy}, outer_steps)
        with owned(folder):
            measures = trained(recipes, seeds, folder, device)
    else:
        measure = (
            measure_source(find(run, pretrained, trust), device) if model is None else measure_model(model)
        )
        measures, refused = {family: [measure] for family in TRAININGS}, {}
    own = scores(called, track_all(measures))
    own = [score._replace(note=refused.get(ABILITIES[score.ability].family, score.note)) for score in own]
    if all(math.isnan(score.value) for score in own):
        raise ValueError(f"the agent fits no family: {own[0].note}")
    beside = [score for score in read_rows(Score, REFERENCES) if score.agent != called]
    title = f"{called}: {said_of(own)}"
    figure = draw_profile([*own, *beside], f"{title}\n{said_beside(beside)}")
    pictures = [folder / "profile.png", folder / "profile.svg"]
    for path in pictures:
        save_figure(figure, path)
    table = folder / "profile.csv"
    write_atomically(table, as_csv([score._asdict() for score in own]).encode())
    note = "0: the best policy that ignores its input; 1: the reference solution"
    if json:
        results = [
            record(
                "score", score.value, ci95=(score.low, score.high), agent=score.agent, ability=score.ability
            )
            | {"outer_seeds": score.seeds, "note": score.note}
            for score in (*own, *beside)
        ]
        results += [record("file", str(path)) for path in (*pictures, table)]
        show(results, as_json=True, title=title, note=note)
        return
    notes = [said_beside(beside), note, *(f"{score.ability}: {score.note}" for score in own if score.note)]
    notes.append(f"pictures: {pictures[0]}, {pictures[1]}; table: {table}")
    print("\n".join([title, "", *columns_of(table_of(own, beside)), ""]))
    for line in notes:
        print(textwrap.fill(line, 80, subsequent_indent="  "))


def recipes_of(
    own: Mapping[str, Any], outer_steps: int | None = None
) -> tuple[dict[str, Recipe], dict[str, str]]:
    """By family what is trained, and why nothing is where the agent does not fit.

    Args:
        own: arguments of `recipe_for`.
        outer_steps: of each training, if not the suite's.
    """
    recipes: dict[str, Recipe] = {}
    refused: dict[str, str] = {}
    for family in TRAININGS:
        try:
            recipe = recipe_for(family, **own)
        except RecipeError as error:
            refused[family] = str(error)
            continue
        recipes[family] = recipe if outer_steps is None else changed_recipe(recipe, outer_steps=outer_steps)
    if not recipes:
        raise ValueError(f"the agent fits no family: {next(iter(refused.values()))}")
    return recipes, refused


def trained(recipes: Mapping[str, Recipe], seeds: int, folder: Path, device: str) -> dict[str, list[Measure]]:
    """Train for every family, and who is measured then: outer seeds of each."""
    jobs: dict[str, Job] = {}
    for family, recipe in recipes.items():
        for seed in range(seeds):
            place = folder / recipe.name / f"seed{seed}"
            make_folder(place)
            label = family if seeds == 1 else f"{family}, seed {seed}"
            jobs[label] = Job(keep_code(recipe, place), seed, place)
    train_side_by_side(jobs, device)
    return {
        family: [
            measure_source(find_source(str(folder / recipe.name / f"seed{seed}")), device)
            for seed in range(seeds)
        ]
        for family, recipe in recipes.items()
    }


def track_all(measures: dict[str, list[Measure]]) -> dict[str, list[Measure]]:
    """The same, with a bar that moves on whenever an ability has been measured."""
    total = sum(len(measures.get(ability.family, ())) for ability in ABILITIES.values())
    steps = iter(track(range(total), "measuring", console=progress_console(), transient=True))

    def watched(measure: Measure) -> Measure:
        def wrapped(ability: Ability, family: Family) -> Tensor:
            next(steps, None)
            return measure(ability, family)

        return wrapped

    return {family: [watched(measure) for measure in each] for family, each in measures.items()}


def said_of(own: list[Score]) -> str:
    """How many outer seeds there are, and what intervals are of."""
    seeds = max(score.seeds for score in own)
    if seeds > 1:
        return f"{seeds} outer seeds, intervals over them"
    return "1 outer seed: preliminary; intervals over tasks"


def said_beside(beside: list[Score]) -> str:
    """How far the agents beside can be trusted: no optimiser was tuned for them, and seeds are few."""
    names = ", ".join(dict.fromkeys(score.agent for score in beside))
    seeds = max(score.seeds for score in beside)
    return (
        f"{names}: {seeds} outer seed{'s' * (seeds > 1)}, by Badger's recipes, not tuned: preliminary."
        " Boards tune each."
    )


def table_of(own: list[Score], beside: list[Score]) -> list[dict[str, str]]:
    """A row per ability: the agent, then those beside it."""
    known = {(score.agent, score.ability): score for score in (*own, *beside)}
    agents = list(dict.fromkeys(score.agent for score in (*own, *beside)))
    rows = []
    for ability, what in ABILITIES.items():
        row = {"ability": ability}
        for agent in agents:
            score = known.get((agent, ability))
            there = score is not None and not math.isnan(score.value)
            row[agent[:12]] = f"{score.value:.2f}" if score is not None and there else "-"
        rows.append({**row, "on": what.task})
    return rows


def reference(
    *, seeds: int = 3, out: Path = Path("runs/suite"), device: str = "cpu", json: bool = False
) -> None:
    """Measure again what every profile is drawn beside (for those who work on the suite).

    Args:
        seeds: How many outer seeds are trained for every family.
        out: Folder for the trainings.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seeds(0, seeds)
    check_device(device)
    found: list[Score] = []
    for name, own in BESIDE.items():
        whose = {key: find_recipe(item) if key == "agent" else item for key, item in own.items()}
        recipes, refused = recipes_of(whose)
        make_folder(out / name)
        with owned(out / name):
            measures = trained(recipes, seeds, out / name, device)
        for score in scores(name, track_all(measures)):
            found.append(score._replace(note=refused.get(ABILITIES[score.ability].family, score.note)))
        write_atomically(REFERENCES, as_csv([score._asdict() for score in found]).encode())
    results = [
        record("score", score.value, agent=score.agent, ability=score.ability, outer_seeds=score.seeds)
        for score in found
    ]
    show(results, as_json=json, title="Beside every profile", note=f"file: {REFERENCES}")


Command = (
    Annotated[None, tyro.conf.subcommand("run", constructor=run)]
    | Annotated[None, tyro.conf.subcommand("reference", constructor=reference)]
)
"""What `badger suite` can do."""


def suite(command: Annotated[Command, tyro.conf.arg(name="")]) -> None:
    """One agent on one cell of every family: a profile of its abilities."""
