"""`badger admin match`: another agent as large as a recipe's, by parameters, operations or state."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from badger_agents.atomic_files import write_atomically
from badger_agents.recipe.loading import Recipe
from baselines.monolith.matching import MONOLITH, Measures, NoMatchError, Quantity, learned, matched, measure
from leaderboards.results import Record, record, show
from leaderboards.runs import changed_recipe, find_recipe, parse_settings
from leaderboards.toml_text import recipe_text

QUANTITIES: tuple[Quantity, ...] = ("parameters", "operations", "state")


def match(
    recipe: Annotated[str, tyro.conf.Positional],
    *,
    by: Literal["all", "parameters", "operations", "state"] = "all",
    baseline: str = "monolith",
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    size: str = "hidden_size",
    trust: tuple[str, ...] = (),
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Find the size at which a baseline is as large as a recipe's agent; print how large both are.

    Parameters are what the outer loop finds. Operations are floating-point operations in the matrix
    products of one step of the inner loop, for one trial, all rounds included. State is how many numbers
    carry what is learned in a trial from step to step. The baseline has the recipe's environment and budget.

    Args:
        recipe: Name of a recipe (`badger list recipes`) or path to a TOML file.
        by: What is to be equal, as nearly as whole sizes allow; all: each of the three in turn.
        baseline: The other agent: monolith, or its class as module:Class.
        env: Settings of the environment to change for both, such as capacity=6: a monolith needs the same
            number of slots in all stages.
        agent: Settings of the other agent, such as sequence_model=lstm.
        size: The other agent's setting to find.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        out: Write the baseline's recipe to this TOML file (of one matching: give --by).
        json: Print the result as one JSON object.
    """
    if out is not None and by == "all":
        raise ValueError("--out is for one matching; give --by parameters, operations or state too")
    if out is not None and out.suffix != ".toml":
        raise ValueError(f"--out is {str(out)!r}; it must end in .toml")
    read = changed_recipe(find_recipe(recipe, trust), words={"env": env})
    kind = MONOLITH if baseline == "monolith" else baseline
    settings = parse_settings(agent, "--agent")
    results, notes = table(read, "-"), []
    for quantity in QUANTITIES if by == "all" else (by,):
        try:
            other = matched(read, quantity, baseline=kind, settings=settings, size=size)
        except NoMatchError as error:
            if by != "all":
                raise
            notes.append(f"no match by {quantity}: {error}")
            continue
        results += table(other, quantity)
        results.append(record(size, other.agent_settings()[size], agent=other.name, matched_by=quantity))
        if out is not None:
            comment = f"{other.summary}; made by `badger admin match`."
            write_atomically(out, recipe_text(other.model_dump(exclude_unset=True), comment).encode())
            notes.append(f"next: badger train {out}")
    show(results, as_json=json, title=f"as large as {read.name}", note="; ".join(notes))


def table(recipe: Recipe, by: str) -> list[Record]:
    """The three quantities of a recipe's agent."""
    measures = measure(learned(recipe), recipe.family())
    return [
        record(name, value, agent=recipe.name, matched_by=by)
        for name, value in zip(Measures._fields, measures, strict=True)
    ]
