"""Removing, freezing and transplanting experts."""

from typing import Any

import pytest
import torch

from badger_agents.badger.agent import BadgerAgent
from badger_agents.recipe.loading import load_recipe
from badger_agents.rollout import rollout
from badger_agents.whitebox import Freeze, Intervened, Remove, Transplanted, record_trace
from badger_envs.family import Family
from tests.badger_agents.small import keys, random_agent, small_family
from tests.badger_agents.whitebox.handmade import FACTOR, Parrot, made_of


def test_a_removed_expert_neither_writes_nor_speaks() -> None:
    family = small_family()
    agent = made_of(Parrot, family)  # each writes a quarter of the mean of the other two
    trace = record_trace(Intervened(agent, Remove(0)), family, keys(5)).tensors
    said = trace["messages"][0, ..., 0]  # (B, E)
    assert (trace["outputs"][..., 0] == 0).all()
    assert (trace["writing"][:, :, 0] == 0).all()
    torch.testing.assert_close(trace["writing"][1:, :, 1, 0], (FACTOR * said[:, 2] / 2).expand(3, -1))
    torch.testing.assert_close(trace["writing"][1:, :, 2, 0], (FACTOR * said[:, 1] / 2).expand(3, -1))


def test_a_frozen_expert_keeps_its_state_and_the_others_do_not() -> None:
    family = small_family()
    agent = random_agent(family)
    trace = record_trace(Intervened(agent, Freeze(1)), family, keys(5)).tensors
    states = trace["states"]
    assert (states[:, :, 1] == states[0, :, 1]).all()
    assert (states[1:, :, [0, 2]] != states[:-1, :, [0, 2]]).all()
    assert (trace["messages"][1:, :, 1] != trace["messages"][:-1, :, 1]).any()  # it still reacts


def handcrafted() -> tuple[BadgerAgent, Family]:
    """An agent whose states are tuples."""
    recipe = load_recipe("guessing-handcrafted")
    agent = recipe.make_agent()
    assert isinstance(agent, BadgerAgent)
    return agent, recipe.family(split="test")


def test_states_that_are_tuples_are_frozen_and_moved_too() -> None:
    agent, family = handcrafted()
    trace = record_trace(Intervened(agent, Freeze(0)), family, keys(4)).tensors
    parts = [part for name, part in trace.items() if name.startswith("states.")]
    assert len(parts) > 1
    assert all((part[:, :, 0] == part[0, :, 0]).all() for part in parts)
    loss = rollout(agent, family, keys(4)).loss
    moved = rollout(Transplanted(agent, handcrafted()[0], 3), family, keys(4)).loss
    assert torch.equal(loss, moved)
    assert not torch.equal(loss, rollout(Transplanted(agent, agent, 3, "nothing"), family, keys(4)).loss)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rounds": 2, "feedback_to": "one", "identities": "random"},
        {"membrane": "attentional", "experts": 5, "received_attention": True},
    ],
)
def test_a_fresh_agent_goes_on_with_anothers_states_to_the_bit(settings: dict[str, Any]) -> None:
    family = small_family(horizon=8)
    agent, fresh = (
        random_agent(family, scale=0.1, **settings) for _ in range(2)
    )  # no output reaches a limit
    alone = rollout(agent, family, keys(6)).loss
    lived = {
        moved: rollout(Transplanted(agent, fresh, 4, moved), family, keys(6)).loss
        for moved in ("states", "shuffled states", "nothing")
    }
    assert torch.equal(lived["states"], alone)
    for other in ("shuffled states", "nothing"):
        assert torch.equal(lived[other][:4], alone[:4])
        assert (lived[other][4:] != alone[4:]).any(0).all()  # in every trial


def test_nothing_moved_at_the_start_is_the_receiver_alone() -> None:
    family = small_family()
    agent, other = random_agent(family), random_agent(family, scale=0.3)
    moved = rollout(Transplanted(agent, other, 0, "nothing"), family, keys(3)).loss
    assert torch.equal(moved, rollout(other, family, keys(3)).loss)


def test_transplants_that_cannot_be_are_refused() -> None:
    family = small_family()
    with pytest.raises(ValueError, match="the donor has 3 experts, the receiver 4"):
        Transplanted(random_agent(family), random_agent(family, experts=4), 2)
    with pytest.raises(ValueError, match="after is -1"):
        Transplanted(random_agent(family), random_agent(family), -1)
