"""What is asked of a picture, which policies it is of, and what they met in training."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from matplotlib.figure import Figure

from badger_agents.agent import Agent
from badger_agents.loading import load_pretrained, pretrained_names
from badger_agents.recipe.loading import Recipe
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family
from leaderboards.results import Record
from leaderboards.runs import Source, find_source


class Asked(NamedTuple):
    """What the user asked of a picture; `()` and None: as the picture has it by default.

    Attributes:
        runs: run folders in place of the pretrained policy.
        dims: sizes.
        experts: numbers of experts.
        trials: tasks per number.
        seed: which tasks.
        device: a torch device.
    """

    runs: tuple[str, ...]
    dims: tuple[int, ...]
    experts: tuple[int, ...]
    trials: int | None
    seed: int
    device: str


class Drawn(NamedTuple):
    """A picture and its numbers.

    Attributes:
        figure: the picture.
        records: every number drawn.
        summary: what a table for people says.
        title: over the table.
        note: under it.
        table: the summary as a table in Markdown, where that is asked for; "" otherwise.
    """

    figure: Figure
    records: list[Record]
    summary: list[Record]
    title: str
    note: str
    table: str = ""


class Subject(NamedTuple):
    """A policy that is to be measured under several settings.

    Attributes:
        name: of its recipe.
        recipe: how it was trained.
        seed: its outer seed; None without weights.
        make: the agent, with some of its settings changed.
    """

    name: str
    recipe: Recipe
    seed: int | None
    make: Callable[..., Agent]


def find_subjects(runs: Sequence[str], default: str, device: str) -> list[Subject]:
    """The policies that `--runs` names, or the pretrained one called `default`.

    Raises:
        ValueError: there is none, or the runs are not of one recipe.
    """
    if runs:
        sources = [find_source(target) for target in runs]
    elif default in pretrained_names():
        checkpoint = load_pretrained(default)
        sources = [Source(checkpoint.recipe, checkpoint)]
    else:
        raise ValueError(
            f"no pretrained policy {default!r} comes with the suite; badger train {default}, then give its"
            " run folder by --runs"
        )
    names = sorted({source.recipe.name for source in sources})
    if len(names) > 1:
        raise ValueError(f"--runs are of different recipes ({', '.join(names)}); give outer seeds of one")
    return [_subject(source, device) for source in sources]


def find_settings(runs: Sequence[str], free: Sequence[str], device: str) -> list[list[Subject]]:
    """Runs that were trained alike but for some settings of the agent: outer seeds of one setting together.

    Args:
        runs: run folders.
        free: settings of the agent in which runs may differ, such as "topology"; of a table, all of it.
        device: a torch device.

    Returns:
        Settings in the order in which they were given, and their outer seeds, rising.

    Raises:
        ValueError: there is no run, one was not trained, they differ in something else, or one outer seed of
            a setting is given twice.
    """
    if not runs:
        raise ValueError("this figure is of runs of your own; give folders of `badger train` by --runs")
    groups: dict[str, list[Subject]] = {}
    first: dict[str, Any] = {}
    for target in runs:
        source = find_source(target)
        if source.checkpoint is None:
            raise ValueError(f"{target} was not trained; give run folders of `badger train` by --runs")
        facts = _facts(source.recipe)
        own = {name for name in facts if any(f"{name}.".startswith(f"agent.{key}.") for key in free)}
        fixed = {name: value for name, value in facts.items() if name not in own}
        first = first or fixed
        other = [name for name in {**first, **fixed} if first.get(name) != fixed.get(name)]
        if other:
            raise ValueError(
                f"{target} and {runs[0]} differ in {', '.join(other)}; in one figure only {', '.join(free)}"
                " of the agent may differ"
            )
        group = groups.setdefault(repr([(name, facts[name]) for name in sorted(own)]), [])
        subject = _subject(source, device)
        if subject.seed in [known.seed for known in group]:
            raise ValueError(f"{target}: outer seed {subject.seed} of {subject.name} is given twice")
        group.append(subject)
    return [sorted(group, key=lambda subject: subject.seed or 0) for group in groups.values()]


def _facts(recipe: Recipe) -> dict[str, Any]:
    """What a run was trained by: keys of [env], [agent], [training] and tables in them, with values."""
    facts: dict[str, Any] = recipe.model_dump(include={"env", "agent", "training"})
    while any(isinstance(value, dict) for value in facts.values()):
        facts = {
            name if inner is None else f"{name}.{inner}": item
            for name, value in facts.items()
            for inner, item in (value.items() if isinstance(value, dict) else ((None, value),))
        }
    return facts


def _subject(source: Source, device: str) -> Subject:
    def make(**changes: Any) -> Agent:
        return source.open(device, **changes).agent

    seed = None if source.checkpoint is None else source.checkpoint.seed
    return Subject(source.recipe.name, source.recipe, seed, make)


def game(recipe: Recipe, dims: int | None = None, **settings: Any) -> Family:
    """The recipe's guessing game in the test split, with one size.

    Args:
        recipe: a recipe for the guessing game.
        dims: its size; None: as the recipe has it.
        settings: other settings of the family to change.

    Raises:
        ValueError: the recipe is for another family, or a setting is refused.
    """
    if not isinstance(recipe.family(), GuessingGame):
        raise ValueError(f"{recipe.name} was trained on {recipe.env.id}; this figure is of the guessing game")
    if dims is not None:  # one size needs no test range and no room for others
        settings |= {"dims": dims, "test_dims": None, "capacity": None}
    return recipe.family(**{**settings, "split": "test"})


def met_in_training(recipe: Recipe, table: Literal["env", "agent"], key: str) -> tuple[int, int]:
    """Smallest and largest value of a whole-number setting that training met, over all stages."""
    made = recipe.family() if table == "env" else getattr(recipe.make_agent(), "settings", None)
    base: Any = made
    for part in key.split("."):
        base = getattr(base, part, 1)
    stages = recipe.training.stages if recipe.training is not None else ()
    values = []
    for stage in stages:
        value: Any = getattr(stage, table)
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        values.append(base if value is None else value)
    values = values or [base]
    ends = [end for value in values for end in (value if isinstance(value, tuple | list) else (value,))]
    return min(ends), max(ends)


def one_asked(numbers: tuple[int, ...], default: int, option: str) -> int:
    """The one number given by an option, or the default; ValueError if there are several."""
    if len(numbers) > 1:
        raise ValueError(f"{option} {' '.join(map(str, numbers))}: this figure takes one number")
    return numbers[0] if numbers else default
