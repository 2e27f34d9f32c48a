"""Whose code a recipe names: the suite's, which may be run, or a submitter's own, which may not unasked."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from badger_agents.recipe.loading import Recipe
from badger_envs.registry import TABLE
from leaderboards.submissions.schema import ManifestError, told

PLACES = ("kind", "policy")
"""Settings of an agent that name code."""

_OURS = re.compile(r"(badger_agents|baselines)(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def parse_recipe(tables: Mapping[str, Any], name: str) -> Recipe:
    """A recipe as data: its tables are checked, and nothing that it names is loaded or built.

    Raises:
        ManifestError: a table is wrong.
    """
    try:
        return Recipe.model_validate_json(json.dumps(tables))
    except ValidationError as error:
        raise ManifestError([f"{name}: {line}" for line in told(error)]) from None
    except (TypeError, RecursionError) as error:
        raise ManifestError([f"{name}: {error}"]) from None


def foreign(recipe: Recipe) -> list[str]:
    """What a recipe names that is not the suite's: code, in any setting of an agent, and environments."""
    tables = [recipe.agent.model_dump()]
    stages = recipe.training.stages if recipe.training is not None else ()
    tables += [entry.agent for stage in stages for entry in stage.entries]
    named = [text for table in tables for text in _code_in(table)]
    ids = {entry.id for entry in TABLE}
    return sorted(
        {text for text in named if not _OURS.fullmatch(text)} | ({recipe.env.id, *recipe.met} - ids)
    )


def files_of(recipe: Recipe) -> dict[str, str]:
    """Python files that a recipe names, by the setting of the agent that names them."""
    table = recipe.agent.model_dump()
    named = {place: str(table.get(place, "")).rpartition(":")[0] for place in PLACES}
    return {place: file for place, file in named.items() if file.endswith(".py")}


def with_files(tables: Mapping[str, Any], files: Mapping[str, Path | str]) -> dict[str, Any]:
    """Tables of a recipe that names other files, by the setting of the agent that names them."""
    agent = dict(tables.get("agent", {}))
    for place, file in files.items():
        agent[place] = f"{file}:{str(agent[place]).rpartition(':')[2]}"
    return {**tables, "agent": agent}


def _code_in(table: Any, key: str = "") -> Iterator[str]:
    """Texts that may name code: all in the places for it, elsewhere those with a colon, but topologies."""
    if isinstance(table, Mapping):
        for name, value in table.items():
            yield from _code_in(value, str(name))
    elif isinstance(table, list | tuple):
        for value in table:
            yield from _code_in(value, key)
    elif isinstance(table, str) and (key in PLACES or (":" in table and key != "topology")):
        yield table
