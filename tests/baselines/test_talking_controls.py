"""Controls of talking: frozen speakers stay as they were drawn, an oracle's channel tells the answer."""

from pathlib import Path

import pytest
import torch

from badger_agents.badger import BadgerAgent
from badger_agents.inner_loop import rollout
from badger_agents.outer_loop import Plan, train_population
from badger_agents.recipe import Recipe, check_recipe
from badger_agents.whitebox import equivariance
from baselines.oracle import Oracle
from tests.badger_agents.small import keys, random_agent, small_family, small_recipe

FROZEN = "baselines.talking_controls:FrozenSenderPolicy"


def frozen() -> Recipe:
    return small_recipe(agent={"policy": FROZEN, "policy_settings": {"hidden_size": 8, "message_size": 4}})


def test_a_frozen_speaker_stays_as_it_was_drawn_and_its_listener_learns(tmp_path: Path) -> None:
    recipe, seeds = frozen(), (0, 1)
    done = train_population([Plan(recipe, seed, tmp_path / str(seed)) for seed in seeds])
    for seed, last in zip(seeds, done, strict=True):
        before = recipe.make_agent(seed).state_dict()  # type: ignore[attr-defined]
        moved = {name for name, weight in last.weights.items() if not torch.equal(weight, before[name])}
        assert not [name for name in moved if ".speaker." in name]
        assert {name for name in before if ".listener.cell" in name} <= moved
    assert not torch.equal(*(last.weights["policy.speaker.emit.weight"] for last in done))


def test_what_is_heard_is_the_frozen_speakers_message() -> None:
    family = small_family()
    agent = random_agent(family, policy=FROZEN, policy_settings={"hidden_size": 8, "message_size": 4})
    trace = rollout(agent, family, keys(3), record=True).trace
    states = trace["states.0"][1], trace["states.1"][1]
    value = agent.policy.speaker.emit(states[0])[..., :4]
    torch.testing.assert_close(trace["messages"][1], value)
    assert equivariance(agent, family, keys(3)) < 1e-5


def oracle_channel(**settings: object) -> Recipe:
    tables = small_recipe().model_dump()
    tables["agent"] |= {"kind": "baselines.talking_controls:OracleChannel", **settings}
    return check_recipe(tables, "a test's recipe")


def test_the_channel_tells_each_expert_what_to_write_and_nothing_else() -> None:
    recipe = oracle_channel()
    family, agent, names = recipe.family(), recipe.make_agent(), keys(5)
    trace = rollout(agent, family, names, record=True).trace
    answer = rollout(Oracle(), family, names, record=True).trace["action"]  # (T, B, O)
    torch.testing.assert_close(trace["inbox"][..., 0], answer)
    assert not trace["inbox"][..., 1:].any()
    badger = agent.badger  # type: ignore[attr-defined]
    assert isinstance(badger, BadgerAgent)
    assert rollout(badger, family, names, record=True).trace["inbox"].std() > 0  # untouched by it


def test_it_learns_to_write_what_it_is_told(tmp_path: Path) -> None:
    tables = oracle_channel(topology="none").model_dump()
    tables["training"] |= {"outer_steps": 80, "batch_size": 64, "learning_rate": 2e-2}
    recipe = check_recipe(tables, "a test's recipe")
    (last,) = train_population([Plan(recipe, 0, tmp_path)])
    losses = rollout(last.agent(), recipe.family(), keys(64)).loss
    assert losses[-1].mean() < 0.1 < losses[0].mean()


def test_it_wants_an_answer_for_each_expert() -> None:
    with pytest.raises(ValueError, match="hardwired"):
        oracle_channel(membrane="attentional")
