"""Matching: how large an agent is, and which size makes another one as large."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from badger_agents import tree
from badger_agents.agent import LearnedAgent
from badger_agents.class_loading import load_class
from badger_agents.recipe.loading import Recipe, RecipeError, check_recipe
from badger_agents.rollout import make_task_batch, rollout_segment, start
from badger_envs import keyed_random
from badger_envs.family import Family

Quantity = Literal["parameters", "operations", "state"]
"""What can be made equal."""

WARM = 2
"""Steps before operations are counted: the first step of a trial also assigns slots."""

LARGEST = 2**16
"""Largest size tried."""

STEADY = 16
"""Size from which on what does not grow is taken not to depend on it; heads may have to share it alike."""

MONOLITH = "baselines.monolith.monolith:Monolith"

BADGERS_OWN = ("agent", "anti_collapse", "halting_cost")
"""Keys in tables of training about experts, messages and rounds, which other agents do not have."""


class NoMatchError(ValueError):
    """No size makes an agent as large as another one."""


class Measures(NamedTuple):
    """How large an agent is.

    Attributes:
        parameters: numbers that the outer loop finds.
        operations: floating-point operations per trial in the matrix products of one step of the inner
            loop, all rounds of communication included; a multiplication and an addition are two. What is
            done number by number (activations, softmax, delivery over lists) is not counted.
        state: floating-point numbers per trial that carry what was learned in it from step to step: the
            states of all experts, or a monolith's memory. What follows from them (messages that were just
            sent), what stays the same in a trial (addresses, identities) and the feedback of the last step,
            which both keep to tell its change, are not counted.
    """

    parameters: int
    operations: int
    state: int


@torch.no_grad()
def measure(agent: LearnedAgent, family: Family) -> Measures:
    """How large an agent is in a family; the same for any of the family's tasks, and any batch size."""
    keys = keyed_random.outer_keys(0, 0, 1, like=torch.zeros((), device="cpu"))  # (1, 4)
    batch = make_task_batch(family, keys)
    _, (state, env_state, step) = rollout_segment(agent, batch, start(agent, batch), WARM)
    observation = family.observe(batch.task, env_state)
    with FlopCounterMode(display=False) as counter:
        state, _, _ = agent.act(state, observation, batch.agent_keys, step)
    parameters = sum(weight.numel() for weight in agent.parameters())
    numbers = sum(part[0].numel() for part in tree.leaves(agent.memory(state)) if part.is_floating_point())
    return Measures(parameters, counter.get_total_flops(), numbers)


def size_for(measured: Callable[[int], int], target: int) -> int:
    """The size, from 1 up, at which a quantity comes closest to the target; of two as close, the smaller.

    Args:
        measured: the quantity at a size; it never falls.
        target: what it should be.

    Raises:
        NoMatchError: the quantity is above the target at size 1, or does not reach it at any size tried.
    """
    low, high = 0, 1  # what is measured at low lies below the target, at high not
    if measured(1) > target:
        raise NoMatchError(f"even size 1 gives {measured(1)}, which is more than {target}")
    while measured(high) < target:
        low, high = high, 2 * high
        if high > LARGEST or (low >= STEADY and measured(high) == measured(low)):
            raise NoMatchError(f"size {low} gives {measured(low)}, and no larger one reaches {target}")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if measured(middle) < target else (low, middle)
    return low if low > 0 and target - measured(low) <= measured(high) - target else high


def matched(
    recipe: Recipe,
    by: Quantity,
    *,
    baseline: str = MONOLITH,
    settings: Mapping[str, Any] | None = None,
    size: str = "hidden_size",
) -> Recipe:
    """A recipe with another agent in the same environment, trained in the same way, that is as large.

    Args:
        recipe: of the agent to be matched.
        by: what is to be equal, as nearly as whole sizes allow.
        baseline: the other agent's class, "module:Class".
        settings: of the other agent. How actions are written and drawn, if it has settings of these names
            too, is as in the recipe unless said here.
        size: the other agent's setting to find.

    Raises:
        NoMatchError: no size comes near.
        ValueError, RecipeError: an agent has no weights, or refuses its settings or the environment.
    """
    family, target = recipe.family(), measure(learned(recipe), recipe.family())
    tables = _other_agent(recipe, baseline, dict(settings or {}))

    def resized(number: int) -> dict[str, Any]:
        return {**tables, "agent": {**tables["agent"], size: number}}

    @cache
    def measured(number: int) -> int:
        made = Recipe.model_validate(resized(number))
        return getattr(measure(learned(made), family), by)

    short = baseline.rpartition(":")[2].lower()
    short = tables["agent"].get("sequence_model", short)
    found = resized(size_for(measured, getattr(target, by)))
    found["name"] = f"{recipe.name}-{short}-{by}"
    found["summary"] = f"{short} with as much of {by} as {recipe.name}, or nearly"
    return check_recipe(found, f"{baseline} in place of {recipe.name}'s agent")


def learned(recipe: Recipe) -> LearnedAgent:
    """The recipe's agent, if it has weights; else ValueError."""
    agent = recipe.make_agent()
    if not isinstance(agent, LearnedAgent) or not any(True for _ in agent.parameters()):
        raise ValueError(f"{recipe.agent.kind} of recipe {recipe.name!r} has no weights to match")
    return agent


def _other_agent(recipe: Recipe, baseline: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The recipe's tables with another agent, and without what is about the old one."""
    kind = load_class(baseline, LearnedAgent, "baseline", recipe.trust)
    tables = recipe.model_dump(exclude_unset=True)
    alike = {
        name: value
        for name, value in recipe.agent_settings().items()
        if name in ("writing", "temperature") and name in kind.Settings.model_fields
    }
    tables["agent"] = {"kind": baseline, **alike, **settings}
    if recipe.training is None:
        raise RecipeError(f"recipe {recipe.name!r} has no [training] table")
    tables["training"] = _without(tables["training"])
    evaluation = {name: value for name, value in tables.get("evaluation", {}).items() if name == "env"}
    return {**tables, "evaluation": evaluation}


def _without(table: Any) -> Any:
    """Tables, all the way down, without Badger's own keys."""
    if isinstance(table, dict):
        return {name: _without(value) for name, value in table.items() if name not in BADGERS_OWN}
    return tuple(_without(value) for value in table) if isinstance(table, list | tuple) else table
