"""What a training meets, and what of it no agent of a board meets: kinds and sizes held out stay unknown."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.settings import BadgerSettings
from badger_agents.class_loading import load_class
from badger_agents.recipe.loading import Recipe
from badger_agents.recipe.schema import Entry
from badger_envs.family import Family
from leaderboards.boards.board import Board

OPEN = {"capacity", "dtype", "shuffle_slots", "split", "task", "tasks"}
"""Settings that say nothing of what is to be learned, or, of tasks inside, are looked at as families."""


def beyond(recipe: Recipe, board: Board) -> list[str]:
    """What a training meets that no agent of the board meets in its own, a line each.

    A setting of a family must lie between the lowest and the highest number that some agent of the board
    meets, or be a word that one meets. So nobody trains on kinds or sizes that are new to all others where
    they are measured. Feedback goes to those of a Badger agent's experts to whom that of the board's baseline
    does, and there are no more trials than agents with the same estimator have.

    Raises:
        ValueError, TypeError: a family refuses a setting of the recipe.
    """
    own = trainings_of(board)
    known: dict[type[Family], dict[str, set[Any]]] = {}
    for family in (family for each in own for family in families_met(each)):
        settings = known.setdefault(type(family), {})
        for name, values in _settings(family).items():
            settings.setdefault(name, set()).update(values)
    told = []
    for family in families_met(recipe):
        called = type(family).__name__
        if type(family) not in known:
            told.append(f"it trains on {called}, which no agent of {board.name} does")
            continue
        for name, values in _settings(family).items():
            if unknown := [each for each in values if not _within(each, known[type(family)][name])]:
                told.append(
                    f"it trains on {called} with {name} {_said(unknown)}; agents of {board.name} with"
                    f" {_said(known[type(family)][name])}"
                )
    heard = _heard_by(board.recipe(board.baseline))
    if heard and (others := _heard_by(recipe) - heard):
        told.append(
            f"its feedback goes to {_said(others)} of its experts; that of {board.name} to {_said(heard)}"
        )
    alike = [each for each in own if _estimator(each) == _estimator(recipe)] or own
    trials, most = trials_of(recipe), max(map(trials_of, alike), default=0)
    if trials > most:
        told.append(f"it trains on {trials:,} trials; agents of {board.name} like it on {most:,} at the most")
    return list(dict.fromkeys(told))


def trainings_of(board: Board) -> list[Recipe]:
    """The recipes by which a board's own agents are trained."""
    recipes = [board.recipe(name) for name, line in board.agents.items() if line.recipe is not None]
    return [each for each in recipes if each.training is not None]


def families_met(recipe: Recipe) -> list[Family]:
    """The families of a training, with the lowest and the highest of what is drawn, and those inside them."""
    stages = recipe.training.stages if recipe.training is not None else ()
    entries = [entry.at(end) for stage in stages for entry in stage.entries for end in (0, -1)]
    return [part for entry in entries or [Entry()] for part in _parts(recipe.family(**entry.env))]


def trials_of(recipe: Recipe) -> int:
    """Trials of a training: the most that it can meet, where stages have batches of their own."""
    training = recipe.training
    if training is None:
        return 0
    sizes = [stage.batch_size or training.batch_size for stage in training.stages]
    return training.outer_steps * max(sizes, default=training.batch_size)


def _parts(family: Family) -> Iterator[Family]:
    yield family
    inside = getattr(family, "parts", None) or [getattr(family, "part", None)]
    for part in inside:
        if isinstance(part, Family):
            yield from _parts(part)


def _settings(family: Family) -> dict[str, set[Any]]:
    """Values of each setting that says what is to be learned: both ends of a range, each of several kinds."""
    fields = (field.name for field in dataclasses.fields(family))
    names = [name for name in fields if name not in OPEN and not name.startswith("test_")]
    values = {name: getattr(family, name) for name in names}
    return {name: set(value) if isinstance(value, tuple) else {value} for name, value in values.items()}


def _within(value: Any, known: set[Any]) -> bool:
    numbers = [each for each in known if _is_number(each)]
    if _is_number(value) and numbers:
        return bool(min(numbers) <= value <= max(numbers))
    return value in known


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _estimator(recipe: Recipe) -> str:
    return recipe.training.estimator if recipe.training is not None else ""


def _heard_by(recipe: Recipe) -> set[str]:
    """To which experts feedback goes, in all stages; nothing of other agents, or of foreign code."""
    try:
        kind = load_class(recipe.agent.kind, object, "class")  # by whatever name the suite's code has it
    except ValueError:
        return set()
    if not issubclass(kind, BadgerAgent):
        return set()
    stages = recipe.training.stages if recipe.training is not None else ()
    changes = [entry.agent for stage in stages for entry in stage.entries] or [{}]
    usual = BadgerSettings.model_fields["feedback_to"].default
    return {recipe.agent_settings(**change).get("feedback_to", usual) for change in changes}


def _said(values: set[Any] | list[Any]) -> str:
    numbers = sorted({value for value in values if _is_number(value)})
    words = sorted(str(value) for value in values if not _is_number(value))
    ends = " to ".join(f"{end:g}" for end in dict.fromkeys((*numbers[:1], *numbers[-1:])))
    return ", ".join([ends] * bool(numbers) + words)
