"""What is always true of a Badger agent, for every combination of topology, channel and membrane."""

import itertools
from typing import Any

import pytest
import torch

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.channel.edges import Edges
from badger_agents.badger.channel.sparse import as_edges
from badger_agents.badger.growth import Change, grow
from badger_agents.rollout import rollout
from badger_agents.whitebox import equivariance, influence
from badger_envs import keyed_random
from tests.badger_agents.small import keys, random_agent, small_family

EXPERTS = 6
MATRIX = tuple(tuple(int((i * 7 + j * 3) % 5 < 2) for j in range(EXPERTS)) for i in range(EXPERTS))
TOPOLOGIES: dict[str, Any] = {
    name.partition(":")[0]: name
    for name in (
        "all",
        "none",
        "self",
        "ring",
        "grid",
        "tree",
        "clusters",
        "layered",
        "random:seed=trial",
        "small-world",
        "top-k:k=2,candidates=4",
    )
} | {"matrix": MATRIX}
CHANNELS: dict[str, dict[str, Any]] = {
    "plain": {},
    "symbols": {"vocabulary": 2},
    "rounded": {"bits": 2},
    "noise": {"noise": 0.3},
    "dropout": {"dropout": 0.4},
    "delay": {"delay": 2},
    "worst": {"vocabulary": 2, "noise": 0.3, "dropout": 0.4, "delay": 1},
}
MEMBRANES = ("hardwired", "attentional")
combinations = pytest.mark.parametrize(
    ("topology", "channel", "membrane"), list(itertools.product(TOPOLOGIES, CHANNELS, MEMBRANES))
)
POLICY = {"hidden_size": 5, "message_size": 4, "key_size": 2}


def living(topology: str, channel: str, membrane: str, **more: Any) -> BadgerAgent:
    settings: dict[str, Any] = {
        "experts": EXPERTS,
        "topology": TOPOLOGIES[topology],
        "channel": CHANNELS[channel],
        "membrane": membrane,
        "identities": "random",
        "policy": POLICY,
    }
    family = small_family(dims=(1, 2), horizon=3)  # room for 4 outputs: the test split's
    return random_agent(family, **{**settings, **more})


@combinations
def test_experts_are_exchangeable(topology: str, channel: str, membrane: str) -> None:
    for more in ({"received_attention": True}, {"rounds": 2, "policy": {**POLICY, "halts": True}}):
        agent = living(topology, channel, membrane, **more)
        assert equivariance(agent, small_family(dims=(1, 2), horizon=3), keys(3, seed=5)) < 1e-9


@combinations
def test_trials_leave_no_trace_in_weights_other_rows_or_later_trials(
    topology: str, channel: str, membrane: str
) -> None:
    family, agent, names = (
        small_family(dims=(1, 2), horizon=3),
        living(topology, channel, membrane, rounds=2),
        keys(3),
    )
    before = {name: weight.clone() for name, weight in agent.state_dict().items()}
    first = rollout(agent, family, names, record=("writing",)).trace["writing"]
    again = rollout(agent, family, names, record=("writing",)).trace["writing"]
    assert torch.equal(first, again)
    assert all(torch.equal(weight, before[name]) for name, weight in agent.state_dict().items())
    alone = rollout(agent, family, names[1:2], record=("writing",)).trace["writing"]
    torch.testing.assert_close(alone[:, 0], first[:, 1])


@combinations
def test_who_cannot_be_heard_has_no_influence_at_all(topology: str, channel: str, membrane: str) -> None:
    family, names = small_family(dims=(1, 2)), keys(4, seed=2)  # 4 steps: what is late by 2 arrives in time
    agent = living(topology, channel, membrane)
    told = torch.from_numpy(influence(agent, family, names))  # (B, E, E)
    own = Edges(TOPOLOGIES[topology], EXPERTS)
    found = own.of(own.draw(keyed_random.agent_keys(names)))
    edges = found if isinstance(found, torch.Tensor) else as_edges(found)
    deaf = ~edges.expand(len(names), -1, -1)
    assert float(told[deaf].sum()) == 0.0
    if topology not in ("none", "self"):
        assert float(told.sum()) > 0.0  # the measure is not always 0


@combinations
def test_those_who_come_leave_the_others_as_they_were(topology: str, channel: str, membrane: str) -> None:
    family, names = small_family(dims=(1, 2), horizon=3), keys(3)
    agent = living("all" if topology == "matrix" else topology, channel, membrane)
    task, state = family.sample_task(names), agent.initial_state(family, names)
    world = family.initial_state(task)
    for step in range(2):
        state, action, _ = agent.act(state, family.observe(task, world), names, step)
        world = family.step(task, world, action, names).state
    grown, larger = grow(agent, state, names, Change(add=1, clone=[0]), 2)
    assert torch.equal(larger.experts[:, :EXPERTS], state.experts)
    assert torch.equal(larger.received[:, :EXPERTS], state.received)
    for (old, _), (new, _) in zip(state.channel.delay_buffer, larger.channel.delay_buffer, strict=True):
        assert torch.equal(new[:, :EXPERTS], old)
        assert torch.equal(new[:, -2], old[:, 0])  # the clone's are on their way as well
        assert not new[:, -1].any()  # a fresh expert has said nothing
    grown.act(larger, family.observe(task, world), names, 2)
