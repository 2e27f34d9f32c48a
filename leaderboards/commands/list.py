"""`badger list`: what there is."""

from badger_agents.objectives import OBJECTIVES
from badger_agents.pretrained import load_pretrained, pretrained_names
from badger_agents.recipe import load_recipe, recipe_files
from badger_envs import TABLE
from badger_envs.topology import BUILDERS
from leaderboards.results import record, show


def list_(*, json: bool = False) -> None:
    """List environments, recipes, pretrained policies, topologies and objectives, one line each.

    Args:
        json: Print them as one JSON object.
    """
    results = [record("environment", entry.summary, id=entry.id) for entry in TABLE]
    results += [record("recipe", load_recipe(name).summary, id=name) for name in sorted(recipe_files())]
    results += [
        record("pretrained", load_pretrained(name).recipe.summary, id=name) for name in pretrained_names()
    ]
    results += [record("topology", first_line(build.__doc__), id=name) for name, build in BUILDERS.items()]
    results += [record("objective", first_line(rule.__doc__), id=name) for name, rule in OBJECTIVES.items()]
    show(results, as_json=json, title="The Badger suite")


def first_line(doc: str | None) -> str:
    """First line of a docstring."""
    return (doc or "").strip().splitlines()[0] if doc else ""
