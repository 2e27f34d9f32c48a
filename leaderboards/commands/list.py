"""`badger list`: what there is."""

from badger_agents.estimators.objectives import OBJECTIVES
from badger_agents.loading import load_pretrained, pretrained_names
from badger_agents.recipe.loading import load_recipe, recipe_files
from badger_envs import TABLE
from badger_envs.topology import BUILDERS
from baselines.optional_dependencies import HOW, missing_for_recipe
from leaderboards.results import record, show


def list_(*, json: bool = False) -> None:
    """List environments, recipes, pretrained policies, topologies and objectives, one line each.

    Args:
        json: Print them as one JSON object.
    """
    results = [record("environment", entry.summary, id=entry.id) for entry in TABLE]
    results += [record("recipe", summary_of(name), id=name) for name in sorted(recipe_files())]
    results += [
        record("pretrained", load_pretrained(name).recipe.summary, id=name) for name in pretrained_names()
    ]
    results += [record("topology", first_line(build.__doc__), id=name) for name, build in BUILDERS.items()]
    results += [record("objective", first_line(rule.__doc__), id=name) for name, rule in OBJECTIVES.items()]
    show(results, as_json=json, title="The Badger suite")


def summary_of(recipe: str) -> str:
    """A recipe's line; or which packages it needs that are not installed."""
    if lacking := missing_for_recipe(recipe):
        return f"not usable here: it needs {' and '.join(lacking)}; {HOW}"
    return load_recipe(recipe).summary


def first_line(doc: str | None) -> str:
    """First line of a docstring."""
    return (doc or "").strip().splitlines()[0] if doc else ""
