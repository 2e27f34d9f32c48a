"""Who may be submitted: agents that are trained, on training tasks, and by whose code."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from badger_agents.agent import LearnedAgent
from badger_agents.badger.policies.handcrafted import HandcraftedPolicy
from badger_agents.badger.policies.policy_settings import KINDS
from badger_agents.class_loading import load_class
from badger_agents.recipe.loading import Recipe
from badger_agents.recipe.schema import TrainingTable, tuples
from badger_envs.registry import TABLE
from leaderboards.boards.board import Board
from leaderboards.submissions.manifest import SubmissionError, told
from leaderboards.submissions.training_tasks import beyond, trainings_of

_CODE = re.compile(r".+:[A-Za-z_]\w*", re.DOTALL)
_FILE = re.compile(r"[A-Za-z_]\w*\.py")
_OURS = re.compile(r"(badger_agents|baselines)(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def parse_recipe(tables: Mapping[str, Any], name: str) -> Recipe:
    """A recipe as data: its tables are checked, and nothing that it names is loaded or built.

    Raises:
        SubmissionError: a table is wrong.
    """
    try:
        return Recipe.model_validate(tuples(json.loads(json.dumps(tables))))
    except ValidationError as error:
        raise SubmissionError(*(f"{name}: {line}" for line in told(error))) from None
    except (TypeError, RecursionError) as error:
        raise SubmissionError(f"{name}: {error}") from None


def own_code(recipe: Recipe) -> list[str]:
    """The files of the submitter's own code that a recipe names."""
    files = {text.rpartition(":")[0] for text in _named(recipe)}
    return sorted(file for file in files if _FILE.fullmatch(file))


def refusals(recipe: Recipe, board: Board) -> list[str]:
    """Why an agent cannot be submitted, a line each. Of the code that it names only the suite's is loaded."""
    if recipe.training is None:
        return ["it has no [training]; submissions are of trained agents"]
    found = []
    for text in _named(recipe):
        if _FILE.fullmatch(text.rpartition(":")[0]):
            continue
        if not _OURS.fullmatch(text):
            found.append(f"it names {text!r}, which is neither the suite's code nor in a file beside it")
        elif (refusal := _refusal(text, text == recipe.agent.kind)) is not None:
            found.append(refusal)
    entries = [entry for stage in recipe.training.stages for entry in stage.entries]
    family = {entry.id: entry.family for entry in TABLE}
    there = {family.get(cell.id, cell.id) for cell in board.cells.values()}
    there |= {family.get(id, id) for own in trainings_of(board) for id in (own.env.id, *own.met)}
    strange = [id for id in sorted({recipe.env.id, *recipe.met}) if family.get(id, id) not in there]
    found += [f"it trains in {id!r}, which is of no family of {board.name}" for id in strange]
    tables = [recipe.env.model_extra or {}, *(entry.env for entry in entries)]
    if any(table.get("split", "train") != "train" for table in tables):
        found.append('it trains on the split "test"; leave split out')
    found += _budget(recipe.training, board)
    try:
        found += beyond(recipe, board) if not strange else ()
    except (TypeError, ValueError) as error:
        found.append(f"its training: {error}")
    return found


def _budget(training: TrainingTable, board: Board) -> Iterator[str]:
    """Settings of the training that the board or its own agents set, and that are others."""
    given = training.model_dump(mode="json")
    for name, value in board.training.items():
        if given.get(name) != value:
            yield f"training.{name} is {given.get(name)!r}; the budget of {board.name} is {value!r}"
    if training.patience is not None:
        yield "training.patience ends it before the budget does; leave it out"
    if "outer_steps" not in board.training:
        recipes = [board.recipe(name) for name, line in board.agents.items() if line.recipe is not None]
        own = sorted({each.training.outer_steps for each in recipes if each.training is not None})
        if training.outer_steps not in own:
            yield f"training.outer_steps is {training.outer_steps}; agents of {board.name} have {own}"


def _refusal(text: str, is_kind: bool) -> str | None:
    """Why a class of the suite cannot take part."""
    try:
        found = load_class(text, object, "class")
    except ValueError as error:
        return str(error)
    if issubclass(found, HandcraftedPolicy) or getattr(found, "knows_trials", False):
        return f"it names {text!r}, which knows or looks up answers: a control, and no contestant"
    if is_kind and not issubclass(found, LearnedAgent):
        return f"its agent {text!r} has no weights; submissions are of trained agents"
    return None


def _named(recipe: Recipe) -> list[str]:
    """What in the settings of agents, at any depth, may name code."""
    tables: list[Any] = [recipe.agent.model_dump()]
    stages = recipe.training.stages if recipe.training is not None else ()
    tables += [entry.agent for stage in stages for entry in stage.entries]
    texts = (KINDS.get(text, text) for text in _texts(tables))
    return sorted({text for text in texts if _CODE.fullmatch(text)})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
