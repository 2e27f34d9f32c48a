"""From a TOML file, or the tables of a checkpoint, to a recipe that is known to work."""

import copy
import dataclasses
import functools
import importlib.util
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from badger_agents.class_loading import PROJECT_ONLY, PROJECT_PACKAGES, Trust
from badger_agents.recipe.checking import check
from badger_agents.recipe.schema import Recipe, RecipeError, first_error, merged, tuples

__all__ = [
    "Recipe",
    "RecipeError",
    "check_recipe",
    "load_recipe",
    "merged",
    "recipe_files",
    "recipe_folders",
    "recipe_tables",
]

REFERENCES = "references.toml"
"""File of a folder of recipes that holds one in each of its tables, by name."""


def recipe_folders() -> list[Path]:
    """Where recipes that come with the suite lie: the folders `recipes` of its packages."""
    specs = [importlib.util.find_spec(package) for package in PROJECT_PACKAGES]
    roots = [Path(root) for spec in specs if spec for root in spec.submodule_search_locations or ()]
    return [folder for root in roots if (folder := root / "recipes").is_dir()]


def recipe_files() -> dict[str, Path]:
    """Files of the recipes that come with the suite, by name; references are in one together."""
    files = [file for folder in recipe_folders() for file in sorted(folder.glob("*.toml"))]
    alone = {file.stem: file for file in files if file.name != REFERENCES}
    together = {name: file for file in files if file.name == REFERENCES for name in _references(file)}
    return alone | together


def recipe_tables(name_or_path: str) -> tuple[dict[str, Any], str]:
    """The tables of a recipe as they stand in its file, unchecked, and which file that is, for messages.

    Args:
        name_or_path: as of `load_recipe`.

    Raises:
        RecipeError: there is none, or it is no TOML.
    """
    known = recipe_files()
    path = known.get(name_or_path, Path(name_or_path))
    if path.suffix != ".toml" or not path.is_file():
        raise RecipeError(
            f"no recipe {name_or_path!r}; give a .toml file or one of: {', '.join(sorted(known))}"
        )
    if name_or_path in known and path.name == REFERENCES:
        tables = copy.deepcopy(_references(path)[name_or_path])
        return {"name": name_or_path} | tables, f"{path}: [{name_or_path}]"
    return _read(path), str(path)


@functools.cache
def _references(path: Path) -> dict[str, Any]:
    """Tables of a file of references, read once: whoever asks for any recipe asks for their names."""
    return _read(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, too long a number, too deep
        raise RecipeError(f"{path}: not TOML: {error}") from error


def load_recipe(name_or_path: str, trust: Trust = PROJECT_ONLY) -> Recipe:
    """Read and check a recipe: the name of one that comes with the suite, or a path to a TOML file.

    Args:
        name_or_path: which one.
        trust: whose code it may name, beside the project's.

    Raises:
        RecipeError: there is none, it is no TOML, or something in it is wrong.
    """
    return check_recipe(*recipe_tables(name_or_path), trust)


def check_recipe(tables: Any, source: str, trust: Trust = PROJECT_ONLY) -> Recipe:
    """Check tables against `Recipe`, the family's settings and the agent's, and try them out.

    Args:
        tables: as read from TOML or JSON.
        source: the file, for messages.
        trust: whose code they may name, beside the project's.

    Raises:
        RecipeError: naming file, key and what would do.
    """
    if not isinstance(tables, dict):
        raise RecipeError(f"{source}: it is no table of tables")
    try:
        recipe = Recipe.model_validate(tuples(tables), context={"trust": trust})
    except ValidationError as error:
        raise RecipeError(f"{source}: {first_error(error, Recipe)}") from error
    if trust == PROJECT_ONLY:
        _check_once(_Read(recipe.to_json(), recipe, source))
    else:  # a user's code may be other code the next time
        check(recipe, source)
    return recipe


@dataclasses.dataclass(frozen=True)
class _Read:
    """A recipe of the project's own code as it was read; two are equal if their tables are."""

    tables: str
    recipe: Recipe = dataclasses.field(compare=False)
    source: str = dataclasses.field(compare=False)


@functools.lru_cache(maxsize=1024)
def _check_once(read: _Read) -> None:
    """`check`, which takes a tenth of a second: boards name the same recipes over and over."""
    check(read.recipe, read.source)
