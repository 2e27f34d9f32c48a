"""Matching: sizes counted as by hand, and the size found that makes another agent as large."""

from typing import Any

import pytest

from badger_agents.badger.agent import BadgerAgent, BadgerSettings
from badger_agents.recipe.loading import RecipeError, load_recipe
from baselines.monolith.matching import matched, measure, size_for
from baselines.monolith.monolith import Monolith, MonolithSettings
from tests.badger_agents.small import small_family, small_recipe

READ = 2 + 2 * 3 + 2 + 3  # what a monolith reads at three outputs: input, outputs, feedback, flags


@pytest.mark.parametrize(
    ("model", "settings", "size", "operations", "state"),
    [
        ("gru", {}, 10, 2 * 3 * 10 * (READ + 10) + 2 * 10 * 3, 10),
        ("lstm", {}, 10, 2 * 4 * 10 * (READ + 10) + 2 * 10 * 3, 20),
        (
            "transformer",
            {"layers": 2, "heads": 2, "window": 3},
            8,
            # embedding; queries, keys and values; their weighing; what comes of it; the network; the writing
            2 * READ * 8 + 2 * (2 * 8 * 24 + 2 * 2 * 3 * 8 + 2 * 8 * 8 + 2 * 2 * 8 * 32) + 2 * 8 * 3,
            2 * 3 * 16,
        ),
    ],
)
def test_a_monolith_counts_as_by_hand(
    model: Any, settings: dict[str, Any], size: int, operations: int, state: int
) -> None:
    family = small_family()
    made = {"sequence_model": model, **({"transformer": settings} if settings else {})}
    agent = Monolith(family, MonolithSettings.model_validate({**made, "hidden_size": size})).double()
    parameters = sum(weight.numel() for weight in agent.parameters())
    assert measure(agent, family) == (parameters, operations, state)


@pytest.mark.parametrize("rounds", [1, 3])
def test_badger_counts_as_by_hand(rounds: int) -> None:
    family, experts, hidden, message, key = small_family(), 3, 6, 4, 2
    policy = {"hidden_size": hidden, "message_size": message, "key_size": key}
    agent = BadgerAgent(family, BadgerSettings(policy=policy, rounds=rounds)).double()
    heard = message + agent.membrane.reading_size
    cell = 2 * 3 * hidden * (heard + hidden)
    emission = 2 * (hidden + agent.membrane.reading_size) * (message + 2 * key) + 2 * hidden
    channel = 2 * experts * key + 2 * experts * message  # of each listener: scores, then a mean
    assert measure(agent, family).operations == rounds * experts * (cell + emission + channel)
    assert measure(agent, family).state == experts * hidden


def test_the_size_that_comes_closest_is_found() -> None:
    for target in (3, 4, 30, 31, 1000):
        found = size_for(lambda size: 3 * size, target)
        assert abs(3 * found - target) == min(abs(3 * size - target) for size in range(1, 400))
    assert size_for(lambda size: 2 * size, 5) == 2  # of two as close, the smaller
    with pytest.raises(ValueError, match="size 1 gives 7, which is more than 5"):
        size_for(lambda size: 7 * size, 5)
    with pytest.raises(ValueError, match="gives 4, and no larger one reaches 5"):
        size_for(lambda size: min(size, 4), 5)


@pytest.mark.parametrize("model", ["gru", "lstm", "transformer"])
@pytest.mark.parametrize("by", ["parameters", "operations", "state"])
def test_the_three_matchings(model: str, by: Any) -> None:
    recipe = small_recipe(agent={"experts": 3, "policy": {"hidden_size": 40}})
    window = {"transformer": {"window": 2}} if model == "transformer" else {}
    settings = {"sequence_model": model, **window}
    other = matched(recipe, by, settings=settings)
    size = other.agent_settings()["hidden_size"]
    target = getattr(measure(recipe.make_agent(), recipe.family()), by)  # type: ignore[arg-type]

    def gap(change: int) -> int:
        agent = other.make_agent(hidden_size=size + change)
        return abs(getattr(measure(agent, other.family()), by) - target)  # type: ignore[arg-type]

    assert gap(0) <= min(gap(1), gap(-1))
    assert gap(0) < 0.1 * target
    assert (other.env, other.training) == (recipe.env, recipe.training)
    assert other.name == f"small-{model}-{by}"


def test_what_is_badgers_own_is_left_out_and_ways_of_writing_are_kept() -> None:
    stages: list[dict[str, Any]] = [
        {"outer_steps": 2, "agent": {"experts": 4}, "halting_cost": 0.1},
        {"mixture": [{"agent": {"rounds": 3}}, {"env": {"horizon": 5}}]},
    ]
    training = {"stages": stages, "anti_collapse": 0.1}
    recipe = small_recipe(
        training=training,
        agent={"writing": "absolute", "rounds": 2, "policy": {"halts": True}},
        evaluation={"agent": {"rounds": [1, 2]}},
    )
    other = matched(recipe, "parameters")
    assert other.training is not None
    assert not other.training.penalties()
    first, second = other.training.stages
    assert (first.agent, first.halting_cost, first.outer_steps) == ({}, None, 2)
    assert [entry.agent for entry in second.mixture] == [{}, {}]
    assert second.mixture[1].env == {"horizon": 5}
    assert other.agent_settings()["writing"] == "absolute"
    assert other.evaluation.agent == {}


def test_who_cannot_be_matched() -> None:
    recipe = small_recipe()
    with pytest.raises(ValueError, match="has no weights to match"):
        matched(load_recipe("guessing-triangulation"), "parameters")
    with pytest.raises(ValueError, match=r"is not a subclass of badger_agents\.LearnedAgent"):
        matched(recipe, "parameters", baseline="baselines.optimisers.triangulation:Triangulation")
    with pytest.raises(RecipeError, match="sizes: unknown key"):
        matched(recipe, "parameters", settings={"sizes": 3})
    with pytest.raises(
        RecipeError, match=r"sequence_model is 'rnn'; input should be 'gru', 'lstm', 'fast_weights' or"
    ):
        matched(recipe, "parameters", settings={"sequence_model": "rnn"})
