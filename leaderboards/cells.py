"""Cells: the combinations of settings for which an agent is measured, and the records of that."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from badger_agents.evaluation import evaluate, interval
from badger_agents.recipe.loading import Recipe
from badger_envs import keyed_random
from badger_envs.family import Family
from badger_envs.registry import family_of
from badger_envs.scoring import normalised_score, scales
from leaderboards.results import Record, record
from leaderboards.runs import Run, Source

CHUNK = 10_000
"""Experts at a time, over all trials of a chunk: what they compute with stays in the processor's cache."""

RESERVED = {"name", "value", "unit", "n", "ci95", "agent", "env", "d", "experts", "task_seed", "outer_seed"}
"""Fields of a record that are not settings of a family."""


class Cell(NamedTuple):
    """Settings to change, of the family and of the agent."""

    env: dict[str, Any]
    agent: dict[str, Any]


class Case(NamedTuple):
    """An agent and the family in which it is to be measured, with what a record says of them."""

    run: Run
    family: Family
    settings: Record


def cells_of(recipe: Recipe, env: Mapping[str, Any], agent: Mapping[str, Any]) -> list[Cell]:
    """The combinations of a recipe's [evaluation] table; the last key varies fastest.

    A list in the table is one value after another, at any depth of tables; what is itself a list, such as
    a range of sizes, stands in a list. A fixed size is that size in every split. `id` is another family;
    where the caller gives it, the table's settings of the recipe's own do not hold.

    Args:
        recipe: the recipe.
        env: settings of the family in place of the table's, each one value.
        agent: the same for the agent.

    Raises:
        ValueError: a list is empty.
    """
    own = {} if "id" in env else recipe.evaluation.env
    table = {"env": _without(own, env), "agent": _without(recipe.evaluation.agent, agent)}
    cells = []
    for changes in _combinations(table):
        which = {name: value for name, value in {**changes["env"], **env}.items() if name == "id"}
        known = {field.name for field in dataclasses.fields(recipe.family(**which))}
        sizes = {f"test_{name}" for name, value in changes["env"].items() if type(value) is int}
        fixed = dict.fromkeys(sorted(sizes & known - changes["env"].keys()))
        cells.append(Cell({**changes["env"], **fixed, **env}, {**changes["agent"], **agent}))
    return cells


def longer(recipe: Recipe, cells: Sequence[Cell], factors: Sequence[int]) -> list[Cell]:
    """Each cell once per factor, with so many times the steps in a trial: what thinking on does to an answer.

    Args:
        recipe: the recipe.
        cells: from `cells_of`.
        factors: whole numbers; none: the cells as they are.

    Raises:
        ValueError: a factor is below 1.
    """
    for factor in factors:
        if factor < 1:
            raise ValueError(f"a factor of the steps is {factor}; it must be at least 1")
    if not factors:
        return list(cells)
    steps = [recipe.family(**cell.env).horizon for cell in cells]
    return [
        cell._replace(env={**cell.env, "horizon": factor * horizon})
        for cell, horizon in zip(cells, steps, strict=True)
        for factor in factors
    ]


def prepare(source: Source, cells: Sequence[Cell], split: str, seed: int, device: str) -> list[Case]:
    """Build agents and families of all cells, so that what is wrong shows before anything is measured.

    Args:
        source: what the agents are made of.
        cells: settings to change.
        split: of the tasks.
        seed: which tasks.
        device: a torch device.

    Raises:
        ValueError, TypeError: family or agent refuses a setting, or they do not fit.
    """
    cases = []
    for cell in cells:
        family = source.recipe.family(**{**cell.env, "split": split})
        run = source.open(device, action_kind=family.action_kind, **cell.agent)
        like = torch.zeros((), device=device)
        run.agent.initial_state(
            family, keyed_random.agent_keys(keyed_random.outer_keys(seed, 0, 1, split, like=like))
        )
        cases.append(Case(run, family, _settings(run, family, cell, seed)))
    return cases


def measure(case: Case, trials: int, seed: int, device: str) -> list[Record]:
    """The outcome of an agent on fresh tasks; and rounds per step, where experts vote on when to stop.

    Args:
        case: from `prepare`.
        trials: number of tasks.
        seed: which tasks.
        device: a torch device.
    """
    chunk = max(1, min(2_000, CHUNK // case.settings.get("experts", 1)))
    result = evaluate(case.run.agent, case.family, trials, seed=seed, device=device, chunk=chunk)
    results = [record(case.family.outcome, result.mean, n=trials, ci95=result.ci95, **case.settings)]
    if result.rounds is not None:
        mean, ci95 = result.rounds.mean().item(), interval(result.rounds)
        results.append(record("rounds_per_step", mean, n=trials, ci95=ci95, **case.settings))
    return results


def score(case: Case, outcome: float) -> list[Record]:
    """The normalised score of a mean outcome, if there is one: for the test split of an id as it is.

    See `badger_envs.scoring`: 0 for the best policy that does not use its input, 1 for the reference.
    """
    id = case.settings["env"].rpartition(":")[2]
    if id not in scales() or case.family != family_of(id, split="test"):
        return []
    return [record("normalised_score", normalised_score(id, outcome), **case.settings)]


def shared(settings: Sequence[Record]) -> Record:
    """What all of the records say alike."""
    first, *others = settings
    return {key: item for key, item in first.items() if all(row.get(key, row) == item for row in others)}


def _settings(run: Run, family: Family, cell: Cell, seed: int) -> Record:
    """What a result holds for: settings of family and agent, of which the sizes are never left out."""
    own = {name: value for name, value in family.settings().items() if name in _own(family)}
    id = cell.env.get("id", run.recipe.env.id)
    recipe = run.recipe.env.model_extra or {} if id == run.recipe.env.id else {}
    named = {name: value for name, value in {**own, **recipe, **cell.env}.items() if name != "id"}
    env = {
        f"env.{name}" if name in RESERVED else name: value
        for name, value in _flat(named)
        if value is not None
    }
    known: Record = {"agent": run.name, "env": id}
    size = _size(family)
    if size is not None:
        known["d"] = size
    known |= env | {"split": family.split, "task_seed": seed}
    experts = _experts(run, cell)
    if experts is not None:
        known["experts"] = experts
    for name, value in _flat(cell.agent):
        known[f"agent.{name}" if name in known and name != "experts" else name] = value
    return known if run.seed is None else known | {"outer_seed": run.seed}


def _own(family: Family) -> set[str]:
    """Names of the settings that tell tasks apart: those of the family's own class, and its horizon."""
    return {field.name for field in dataclasses.fields(family)} - {
        field.name for field in dataclasses.fields(Family) if field.name != "horizon"
    }


def _size(family: Family) -> int | None:
    """The field `d`: how many numbers a task of this split hides, if that is fixed."""
    settings = family.settings()
    test = settings.get("test_dims") if family.split == "test" else None
    size = settings.get("dims") if test is None else test
    return size if type(size) is int else None


def _experts(run: Run, cell: Cell) -> int | None:
    """How many experts the agent has; None for agents without."""
    written = run.recipe.agent_settings(**cell.agent).get("experts")
    experts = getattr(getattr(run.agent, "settings", run.agent), "experts", written)
    return experts if type(experts) is int else None


def _without(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in changes}


def _combinations(table: Mapping[str, Any], path: str = "evaluation") -> Iterator[dict[str, Any]]:
    """Every choice of one value from each list in a table and the tables within."""
    choices: list[list[Any]] = []
    for name, value in table.items():
        if isinstance(value, Mapping):
            choices.append(list(_combinations(value, f"{path}.{name}")))
        elif isinstance(value, list | tuple):
            if not value:
                raise ValueError(f"{path}.{name} is an empty list; give one value at least")
            choices.append(list(value))
        else:
            choices.append([value])
    return (dict(zip(table, chosen, strict=True)) for chosen in itertools.product(*choices))


def _flat(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Settings with those of tables within as "table.key"."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
