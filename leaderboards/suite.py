"""The profile: one agent on one cell of every family, a score per ability: 0 the floor, 1 the reference."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import badger_envs
from badger_agents.class_loading import PROJECT_ONLY, Trust
from badger_agents.evaluation import evaluate, interval
from badger_agents.recipe.loading import Recipe, check_recipe, load_recipe, merged
from badger_envs.family import Family
from badger_envs.registry import family_of
from badger_envs.scoring import scale_of
from baselines.sb3_models import observation_for
from leaderboards.cells import Cell, prepare
from leaderboards.runs import Source

TRIALS = 2_000
"""Test tasks behind each score."""

REFERENCES = Path(__file__).parent / "suite.csv"
"""Scores of the agents that every profile is drawn beside; `badger suite reference` writes them."""

TALK = ("policy", "channel", "identities", "identity_size", "identity_rows")
"""Keys of [agent] that go with an agent into every family: what experts are, and how they talk."""


class Training(NamedTuple):
    """How an agent is trained for a family: a recipe of the suite, with keys of its tables changed."""

    recipe: str
    env: Mapping[str, Any] = {}
    agent: Mapping[str, Any] = {}
    training: Mapping[str, Any] = {}


TRAININGS = {
    "guessing game": Training("guessing-hardwired", training={"outer_steps": 600}),
    "XOR": Training("xor-3"),
    "hot/cold": Training("hot-cold-hardwired", training={"outer_steps": 1500}),
    "variable IO": Training("variable-io-hardwired", training={"outer_steps": 2500, "batch_size": 64}),
    "bandits": Training("bandit-k5"),
    "hidden profiles": Training("hidden-profile"),
    "recall": Training("recall"),
}
"""By family, as on the boards; an outer seed of all takes less than five minutes on two cores for a GRU."""


class Ability(NamedTuple):
    """What one bar of the profile is about.

    Attributes:
        family: a key of `TRAININGS`: who is measured.
        id: whose floor and reference the score is relative to.
        task: what is done, in a few words.
        env: settings of the family that differ from the id's.
        agent: settings of the agent that differ from its training's.
    """

    family: str
    id: str
    task: str
    env: Mapping[str, Any] = {}
    agent: Mapping[str, Any] = {}


ABILITIES = {
    "coordination": Ability("guessing game", "Badger/GuessingGame-v0", "3 numbers, one hears the error"),
    "hidden information": Ability("XOR", "Badger/XOR-3-v0", "parity of 3 bits, one each"),
    "optimisation": Ability("hot/cold", "Badger/HotCold-v0", "lowest point by hotter and colder"),
    "learning maps": Ability(
        "variable IO",
        "Badger/VariableIO-affine-v0",
        "affine map from 10 examples",
        {"inputs": 2, "outputs": 2},
    ),
    "exploration": Ability("bandits", "Badger/Bandit-k5-n100-v0", "5 unknown arms, 100 pulls"),
    "pooling": Ability("hidden profiles", "Badger/HiddenProfile-v0", "best of 3 options, 4 know a part each"),
    "shared memory": Ability("recall", "Badger/Recall-v0", "4 pairs, told to one each, asked of any"),
    "more numbers": Ability("guessing game", "Badger/GuessingGame-d6-v0", "6 numbers, trained on 3"),
    "long trials": Ability(
        "guessing game", "Badger/GuessingGame-v0", "40 steps, trained on 20", {"horizon": 40}
    ),
    "lossy channel": Ability(
        "guessing game",
        "Badger/GuessingGame-v0",
        "a tenth of messages lost",
        agent={"channel": {"dropout": 0.1}},
    ),
}
"""By name, in the order of the picture. The last three are of the agent of the first."""


class Score(NamedTuple):
    """A score on one ability: 0 is the floor, 1 the reference.

    Attributes:
        agent: whose.
        ability: a key of `ABILITIES`.
        value: a mean over outer seeds; not a number where the agent does not fit.
        low: lower end of its 95 % interval, over outer seeds if there are several, over tasks if one.
        high: its upper end.
        seeds: how many outer seeds.
        note: why there is no value.
    """

    agent: str
    ability: str
    value: float
    low: float
    high: float
    seeds: int
    note: str = ""


Measure = Callable[[Ability, Family], Tensor]
"""Outcomes [N] of an agent of one outer seed on an ability; ValueError or TypeError where it does not fit."""


def family_for(ability: Ability) -> Family:
    """The family that an ability is measured in."""
    return family_of(ability.id, **{**ability.env, "split": "test"})


def recipe_for(
    name: str, agent: Recipe | None = None, policy: str | None = None, topology: str | None = None
) -> Recipe:
    """The recipe by which an agent is trained for a family.

    Args:
        name: a key of `TRAININGS`.
        agent: whose agent it is. If it is of the same class as the family's own, its policy and channel are
            taken and the rest stays; otherwise all of its [agent] table.
        policy: an expert policy in place of the family's own.
        topology: who hears whom, in place of the family's own.

    Raises:
        RecipeError: the agent does not fit.
    """
    base = TRAININGS[name]
    tables = load_recipe(base.recipe).model_dump(exclude_unset=True)
    for table in ("env", "agent", "training"):
        tables[table] = merged(tables[table], dict(getattr(base, table)))
    tables["name"] = f"suite-{name.replace(' ', '-').replace('/', '-')}"
    trust = PROJECT_ONLY if agent is None else agent.trust
    if agent is not None:
        own = agent.model_dump(exclude_unset=True)["agent"]
        if own.get("kind") == tables["agent"].get("kind"):
            own = {key: item for key, item in own.items() if key in TALK}
            tables["agent"] |= {"policy": own.pop("policy", {})}
            own = merged(tables["agent"], own)
        tables["agent"] = own
    if policy is not None:
        trust |= Trust.of(policy)
        tables["agent"] |= {"policy": {"kind": policy}}
    if topology is not None:
        tables["agent"] = merged(tables["agent"], {"channel": {"topology": topology}})
    return check_recipe(tables, f"the agent for {name}", trust)


def measure_source(source: Source, device: str = "cpu") -> Measure:
    """How a trained agent is measured: as it is, or with the experts and channel that an ability asks for."""

    def measure(ability: Ability, family: Family) -> Tensor:
        own = type(source.recipe.family())
        if source.checkpoint is None and own is not type(family):
            raise ValueError(f"an algorithm without weights, for {own.__name__} alone")
        env = {**family.settings(), "id": ability.id, "split": "test"}
        one_each = {**ability.agent, "experts": family.slots.outputs}
        refused: list[Exception] = []
        for changes in (dict(ability.agent), one_each):  # as it is, or else with an expert for every output
            try:
                case = prepare(source, [Cell(env, changes)], "test", 0, device)[0]
            except (ValueError, TypeError) as error:
                refused.append(error)
            else:
                return evaluate(case.run.agent, family, TRIALS, device=device, chunk=500).outcomes
        raise refused[0]

    return measure


def measure_model(model: Any) -> Measure:
    """How a model of Stable-Baselines3 or sb3-contrib is measured: where its spaces fit, as it is."""

    def measure(ability: Ability, family: Family) -> Tensor:
        if ability.agent:
            raise ValueError("the model has no channel between experts")
        observation = observation_for(model, ability.id, **ability.env)
        settings = {**ability.env, "observation": observation}
        return torch.from_numpy(badger_envs.evaluate(model, ability.id, TRIALS, **settings).outcomes)

    return measure


def scores(agent: str, measures: Mapping[str, Sequence[Measure]]) -> list[Score]:
    """The profile of an agent.

    Args:
        agent: its name.
        measures: by family, one for each outer seed; a family may be missing.
    """
    found = []
    for name, ability in ABILITIES.items():
        family, scale = family_for(ability), scale_of(ability.id)
        try:
            results = [measure(ability, family) for measure in measures[ability.family]]
        except (ValueError, TypeError, KeyError) as error:
            why = "not measured" if isinstance(error, KeyError) else " ".join(str(error).split())
            found.append(Score(agent, name, math.nan, math.nan, math.nan, 0, why))
            continue
        values = np.array([scale.score(float(outcomes.mean())) for outcomes in results])
        if len(results) > 1:
            from scipy import stats

            half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
            low, high = float(values.mean()) - half, float(values.mean()) + half
        else:
            low, high = sorted(scale.score(end) for end in interval(results[0]))
        found.append(Score(agent, name, float(values.mean()), low, high, len(results)))
    return found
