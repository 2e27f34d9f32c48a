"""Interventions do what they say, to the channel alone, and leave the agent as it is."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_agents.whitebox import INTERVENTIONS, Intervened, Silence, record_trace
from badger_agents.whitebox.interventions import (
    GROUP,
    Delay,
    Noise,
    ShuffleExperts,
    ShuffleTasks,
    UniformAttention,
    other_experts,
    other_rows,
)
from badger_agents.whitebox.surgery import Remove
from tests.badger_agents.small import ConstantAgent, keys, random_agent, small_family
from tests.badger_agents.whitebox.handmade import Clock, Parrot, made_of

AGENTS: list[dict[str, Any]] = [
    {"experts": 4},
    {"experts": 4, "rounds": 2, "feedback_to": "one"},
    {"experts": 5, "membrane": "attentional", "received_attention": True},
    {"experts": 4, "topology": "ring", "identities": "random"},
]
agents = pytest.mark.parametrize("settings", AGENTS)


@agents
def test_silence_is_the_topology_none_to_the_bit(settings: dict[str, Any]) -> None:
    family = small_family()
    silenced = record_trace(Intervened(random_agent(family, **settings), Silence()), family, keys(6))
    alone = record_trace(random_agent(family, **{**settings, "topology": "none"}), family, keys(6))
    assert silenced.tensors.keys() == alone.tensors.keys()
    for name, tensor in alone.tensors.items():
        assert torch.equal(silenced.tensors[name], tensor), name


@agents
@pytest.mark.parametrize("name", INTERVENTIONS)
def test_the_agent_itself_stays_as_it_is(settings: dict[str, Any], name: str) -> None:
    family = small_family()
    agent = random_agent(family, **settings)
    attributes, weights = set(vars(agent)), {n: w.clone() for n, w in agent.state_dict().items()}
    before = rollout(agent, family, keys(6)).loss
    intervened = Intervened(agent, INTERVENTIONS[name]())
    first = rollout(intervened, family, keys(6)).loss
    assert torch.equal(
        first, rollout(intervened, family, keys(6)).loss
    )  # nothing is kept from trial to trial
    assert not torch.equal(first, before)
    assert torch.equal(rollout(agent, family, keys(6)).loss, before)
    assert set(vars(agent)) == attributes
    assert all(torch.equal(w, weights[n]) for n, w in agent.state_dict().items())


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_who_hears_nobody_is_not_touched(name: str) -> None:
    family = small_family()
    agent = random_agent(family, topology="none", rounds=2)
    plain, other = (
        record_trace(living, family, keys(5)) for living in (agent, Intervened(agent, INTERVENTIONS[name]()))
    )
    for what in ("states", "outputs", "writing", "inbox"):
        assert torch.equal(plain.tensors[what], other.tensors[what])


@given(st.integers(2, 240).filter(lambda rows: rows % GROUP != 1), st.integers(0, 1000))
def test_every_trial_hears_another_and_none_is_heard_twice(rows: int, seed: int) -> None:
    heard = other_rows(keys(rows, seed), "x")
    assert sorted(heard.tolist()) == list(range(rows))
    assert (heard != torch.arange(rows)).all()


@given(st.integers(2, 9), st.integers(0, 1000))
def test_every_place_gets_another_expert_and_none_comes_twice(experts: int, seed: int) -> None:
    order = other_experts(keys(3, seed), "x", experts)
    assert torch.equal(order.sort(dim=1).values, torch.arange(experts).expand(3, -1))
    assert (order != torch.arange(experts)).all()


def test_shuffling_tasks_delivers_what_was_said_in_one_other_trial() -> None:
    family = small_family(dims=2)
    agent = made_of(Parrot, family, experts=2)  # each hears the other alone
    trace = record_trace(Intervened(agent, ShuffleTasks()), family, keys(9)).tensors
    said, heard = trace["messages"][0, :, :, 0], trace["inbox"][..., 0].flip(-1)  # (B, E), (T, B, E)
    assert (heard == heard[0]).all()
    source = (heard[0][:, None] == said[None]).all(-1)  # (B, B), whose words each trial heard
    assert (source.sum(0) == 1).all()
    assert (source.sum(1) == 1).all()
    assert not source.diagonal().any()


def test_shuffling_experts_moves_messages_within_their_trial() -> None:
    family = small_family(dims=2)
    agent = made_of(Parrot, family, experts=2)
    trace = record_trace(Intervened(agent, ShuffleExperts()), family, keys(9)).tensors
    assert torch.equal(trace["inbox"], trace["messages"])  # of two, one hears itself in place of the other
    gru = random_agent(family, experts=4)
    plain, moved = (
        record_trace(living, family, keys(9)).tensors for living in (gru, Intervened(gru, ShuffleExperts()))
    )
    assert torch.equal(plain["attention"][0], moved["attention"][0])  # keys stay: the same attention at first
    assert not torch.equal(plain["inbox"][0], moved["inbox"][0])


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_delay_is_so_many_steps(rounds: int, steps: int) -> None:
    family = small_family(horizon=6)
    agent = made_of(Clock, family, rounds=rounds)
    heard, late = (
        record_trace(living, family, keys(2)).tensors["inbox"][:, 0, 0, 0]
        for living in (agent, Intervened(agent, Delay(steps)))
    )
    assert torch.equal(heard, torch.arange(1, 7, dtype=torch.float64) * rounds)
    assert torch.equal(late[steps:], heard[:-steps])
    assert (late[:steps] == 0).all()


def test_noise_has_the_moments_of_what_each_expert_says() -> None:
    family = small_family(dims=2)
    agent = made_of(Parrot, family, experts=2)
    rows = 20_000
    trace = record_trace(Intervened(agent, Noise()), family, keys(rows)).tensors
    said, heard = trace["messages"][0, :, :, 0], trace["inbox"][1:, ..., 0].flip(-1)  # (B, E), (T-1, B, E)
    spread = said.std(0)  # (E,)
    assert ((heard.mean(1) - said.mean(0)).abs() < 5 * spread / rows**0.5).all()
    assert ((heard.std(1) / spread - 1).abs() < 5 / (2 * rows) ** 0.5).all()
    everything = torch.cat([said.T, heard.flatten(0, 1) if heard.ndim == 2 else heard.mT.flatten(0, 1)])
    related = torch.corrcoef(everything).fill_diagonal_(0)
    assert related.abs().max() < 5 / rows**0.5  # with nothing said, nor from step to step


def test_the_mean_message_is_noise_without_spread() -> None:
    family = small_family(dims=2)
    trace = record_trace(Intervened(made_of(Parrot, family, experts=2), Noise(0.0)), family, keys(7)).tensors
    mean = trace["messages"][0].mean(0).flip(0)  # (E, 1)
    torch.testing.assert_close(trace["inbox"][1:], mean.expand(3, 7, 2, 1))


def test_uniform_attention_hears_the_mean_of_the_neighbours() -> None:
    family = small_family()
    agent = random_agent(family, experts=5, topology="ring")
    trace = record_trace(Intervened(agent, UniformAttention()), family, keys(3)).tensors
    edges = agent.channel.edges.as_matrix().to(torch.float64)
    assert torch.equal(trace["attention"], (edges / 2).expand_as(trace["attention"]))
    torch.testing.assert_close(trace["inbox"], edges / 2 @ trace["messages"])


@pytest.mark.parametrize("name", ["mean message", "moment-matched noise", "shuffle across tasks"])
def test_what_an_evaluation_says_does_not_depend_on_chunks_or_on_how_many_trials_follow(name: str) -> None:
    family = small_family()
    agent = Intervened(random_agent(family), INTERVENTIONS[name]())
    found = {chunk: evaluate(agent, family, 201, chunk=chunk) for chunk in (1, 100, 150, 500)}
    for result in found.values():
        torch.testing.assert_close(result.outcomes, found[100].outcomes)
    torch.testing.assert_close(evaluate(agent, family, 77).outcomes, found[100].outcomes[:77])
    assert len(found[100].outcomes) == 201


def test_trials_are_mixed_within_their_group() -> None:
    heard = other_rows(keys(GROUP + 30), "x")
    assert (heard // GROUP == torch.arange(GROUP + 30) // GROUP).all()
    assert torch.equal(heard[:GROUP], other_rows(keys(GROUP), "x"))


def test_what_cannot_be_is_refused() -> None:
    family = small_family()
    agent = random_agent(family)
    for lonely in (ShuffleTasks(), Noise()):
        with pytest.raises(ValueError, match="needs at least 2 trials side by side, not 1"):
            rollout(Intervened(agent, lonely), family, keys(1))
        with pytest.raises(ValueError, match="not 1: 201 trials make groups of 100 and of 1"):
            rollout(Intervened(agent, lonely), family, keys(201))
    with pytest.raises(TypeError, match="ConstantAgent has no channel"):
        Intervened(ConstantAgent(), Silence())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1 step"):
        Delay(0)
    with pytest.raises(ValueError, match="no expert 3; the agent has 0 to 2"):
        rollout(Intervened(agent, Remove(3)), family, keys(2))
