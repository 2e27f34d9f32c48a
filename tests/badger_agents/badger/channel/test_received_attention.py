"""Received attention: experts read how much attention their last message got."""

from typing import Any

import pytest
import torch

from badger_agents.badger.channel.dense import received_attention
from badger_agents.rollout import rollout
from tests.badger_agents.small import keys, random_agent, small_family

MATRIX = ((0, 1, 0, 0, 1), (0, 0, 0, 0, 0), (1, 1, 1, 0, 0), (0, 0, 0, 0, 0), (1, 0, 0, 0, 0))
"""Nobody hears expert 3."""


@pytest.mark.parametrize("topology", ["all", "none", "self", "ring", MATRIX])
def test_it_is_a_fraction_and_nothing_without_listeners(topology: Any) -> None:
    family = small_family(dims=3)
    agent = random_agent(family, scale=3.0, experts=5, topology=topology, received_attention=True)
    attention = rollout(agent, family, keys(20), record=True).trace["attention"][1:].flatten(0, 1)
    heard = received_attention(attention, agent.channel.edges.as_matrix())
    assert ((heard >= 0) & (heard <= 1 + 1e-12)).all()
    deaf_to = agent.channel.edges.as_matrix().sum(dim=0) == 0
    assert (heard[:, deaf_to] == 0).all()
    assert (heard[:, ~deaf_to] > 0).all()
    assert deaf_to.all() == (topology == "none")


def test_it_is_one_if_all_hear_nothing_else_and_fair_if_all_hear_all() -> None:
    edges = ~torch.eye(4, dtype=torch.bool)
    only = torch.zeros(1, 4, 4)
    only[0, [0, 1, 3], 2] = 1.0  # expert 2 itself hears expert 1
    only[0, 2, 1] = 1.0
    torch.testing.assert_close(received_attention(only, edges)[0, :, 0], torch.tensor([0, 1 / 3, 1, 0]))
    torch.testing.assert_close(received_attention(edges[None] / 3, edges), torch.full((1, 4, 1), 1 / 3))


def test_it_is_read_after_the_membrane_s_reading() -> None:
    family = small_family()
    agent = random_agent(family, scale=3.0, received_attention=True)
    trace = rollout(agent, family, keys(3), record=True).trace
    for now, weights in zip(trace["readings"], trace["attention"], strict=True):
        assert now.shape[-1] == agent.membrane.reading_size + 1
        assert torch.equal(now[..., -1:], received_attention(weights, agent.channel.edges.as_matrix()))
    assert len(torch.unique(trace["readings"][-1, ..., -1])) > 3


def test_what_is_said_follows_from_the_attention_of_the_round_before() -> None:
    """A policy that says what it reads says 0 at first, then what it got."""
    family = small_family(dims=3)
    agent = random_agent(family, scale=3.0, experts=5, received_attention=True)
    said = []
    emit = agent.policy.emit

    def kept(state: torch.Tensor, reading: torch.Tensor) -> Any:
        said.append(reading[..., -1:])
        return emit(state, reading)

    agent.policy.emit = kept  # type: ignore[method-assign]
    read = rollout(agent, family, keys(3), record=True).trace["readings"][..., -1:]
    assert (said[0] == 0).all()
    assert torch.equal(torch.stack(said[1:]), read[:-1])
