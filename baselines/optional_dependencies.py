"""Packages that only some baselines need: what is missing, and how it is installed."""

import importlib.util
import tomllib
from collections.abc import Sequence

from badger_agents.class_loading import load_class
from badger_agents.recipe.loading import recipe_files

HOW = "pip install 'badger-suite[baselines]'"
"""How to install all of them."""


def missing(packages: Sequence[str]) -> list[str]:
    """Those that are not installed; nothing is imported."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def check_installed(agent: object) -> None:
    """ValueError, saying what would do, if a package in the `requires` of an agent's class is missing."""
    kind = type(agent)
    if lacking := missing(getattr(kind, "requires", ())):
        raise ValueError(f"{kind.__name__} needs {' and '.join(lacking)}, not installed here: {HOW}")


def missing_for_recipe(name: str) -> list[str]:
    """Packages that the agent of a recipe of the suite needs and that are not installed."""
    table = tomllib.loads(recipe_files()[name].read_text(encoding="utf-8")).get("agent", {})
    if "kind" not in table:
        return []
    return missing(getattr(load_class(table["kind"], ("initial_state", "act"), "agent"), "requires", ()))
