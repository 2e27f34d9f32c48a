"""The channel as a whole."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from badger_agents.badger.channel.channel import Channel, ChannelSettings
from badger_agents.badger.channel.codec import rounded
from badger_agents.badger.channel.dense import received_attention
from badger_agents.badger.channel.edges import without_lost
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.rollout import rollout
from badger_agents.whitebox import bits_per_step
from badger_envs.neighbours import Neighbours
from tests.badger_agents.small import keys, random_agent, small_family

# The channel: symbols, few bits, noise, lost edges and delay.


def sent(rows: int = 3, experts: int = 4, size: int = 6, key: int = 2, seed: int = 0) -> Emission:
    generator = torch.Generator().manual_seed(seed)
    parts = [
        torch.randn(rows, experts, n, generator=generator, dtype=torch.float64) for n in (size, key, key)
    ]
    return Emission(*parts)


def channel(size: int = 6, experts: int = 4, **changes: Any) -> Channel:
    return Channel(ChannelSettings(**changes), experts, size)


def test_by_default_messages_are_untouched() -> None:
    emission = sent()
    assert all(got is was for got, was in zip(channel().encode(emission, keys(3), 0), emission, strict=True))


def test_a_round_is_encoding_and_delivering() -> None:
    made, names, emission = channel(vocabulary=3, dropout=0.2), keys(3), sent()
    state = made.initial_state(names, emission)
    _, whole = made(state, emission, names, 5)
    _, parts = made.deliver(state, made.encode(emission, names, 5), names, 5)
    assert all(torch.equal(*pair) for pair in zip(whole, parts, strict=True))
    assert whole.inbox.any()


@given(bits=st.integers(1, 8), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_rounding_takes_the_nearest_of_its_levels(bits: int, seed: int) -> None:
    value = sent(seed=seed).value.requires_grad_()
    levels = torch.linspace(-1, 1, 2**bits, dtype=torch.float64)
    got = rounded(value, bits)
    nearest = (torch.tanh(value)[..., None] - levels).abs().min(-1).values
    torch.testing.assert_close((got - torch.tanh(value)).abs(), nearest)
    assert len(got.unique()) <= 2**bits
    got.sum().backward()
    torch.testing.assert_close(value.grad, 1 - torch.tanh(value.detach()) ** 2)  # the gradient of tanh


def test_symbols_are_one_of_v_and_drawn_by_their_odds() -> None:
    scores = torch.tensor([1.0, 0.0, -1.0]).repeat(2)  # two symbols of three
    rows = 6000
    emission = Emission.alike(scores.expand(rows, 1, -1).clone())
    got = channel(vocabulary=3).encode(emission, keys(rows), 0)
    symbols = got.value.view(rows, 2, 3)
    torch.testing.assert_close(symbols.sum(-1), torch.ones(rows, 2))
    assert set(symbols.flatten().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(symbols.mean((0, 1)), torch.softmax(scores[:3], 0), atol=0.015, rtol=0)
    likeliest = channel(vocabulary=3, sampling=0).encode(emission, keys(rows), 0)
    assert likeliest.value.view(rows, 2, 3)[..., 0].all()


def test_symbols_differ_from_round_to_round_and_come_again_with_the_keys() -> None:
    made, emission, names = channel(vocabulary=6), Emission.alike(sent(200).value), keys(200)
    first, second, again = (made.encode(emission, names, position).value for position in (0, 1, 0))
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


def test_gradients_reach_the_odds_of_symbols() -> None:
    value = sent().value.requires_grad_()
    got = channel(vocabulary=3).encode(Emission.alike(value), keys(3), 0)
    (got.value * torch.arange(6.0)).sum().backward()
    assert value.grad is not None
    assert bool((value.grad.abs() > 1e-6).all())


def test_noise_has_its_size_and_is_the_same_for_all_listeners() -> None:
    quiet = Emission.alike(torch.zeros(2000, 3, 4))
    got = channel(4, noise=0.5).encode(quiet, keys(2000), 0)
    assert abs(float(got.value.std()) - 0.5) < 0.01
    assert abs(float(got.value.mean())) < 0.01


@pytest.mark.parametrize(("topology", "heard"), [("all", 3), ("self", 1), ("none", 0), ("top-k:k=2", 2)])
def test_a_sum_is_the_mean_as_often_as_there_are_senders(topology: str, heard: int) -> None:
    emission, names = sent(), keys(3)
    mean, total = (channel(topology=topology, aggregation=how) for how in ("mean", "sum"))
    inboxes = [
        made(made.initial_state(names, emission), emission, names, 0)[1].inbox for made in (mean, total)
    ]
    torch.testing.assert_close(inboxes[1], heard * inboxes[0])


@pytest.mark.parametrize("lists", [False, True])
def test_edges_fail_at_their_rate_and_none_is_made(lists: bool) -> None:
    mask = torch.tensor([[0, 1, 1], [1, 0, 1], [0, 0, 0]]).bool()
    edges = Neighbours(torch.arange(3).expand(3, -1), mask) if lists else mask
    names = keys(4000)
    first, second = (without_lost(edges, 0.3, names, position) for position in (0, 1))
    kept = [each.mask if isinstance(each, Neighbours) else each for each in (first, second)]
    assert not kept[0][:, ~mask].any()
    assert abs(float(kept[0][:, mask].double().mean()) - 0.7) < 0.02
    assert not torch.equal(*kept)
    certain = without_lost(edges, 1.0, names, 0)
    assert not (certain.mask if isinstance(certain, Neighbours) else certain).any()


@given(delay=st.integers(0, 4), rounds=st.integers(1, 6))
def test_what_was_said_arrives_late(delay: int, rounds: int) -> None:
    made, names = channel(1, experts=1, delay=delay, topology="self"), keys(1)
    state = made.initial_state(names, Emission.alike(torch.zeros(1, 1, 1)))
    for number in range(rounds):
        said = Emission.alike(torch.full((1, 1, 1), float(number + 1)))
        state, delivery = made(state, said, names, number)
        assert float(delivery.inbox) == max(0, number + 1 - delay)


@pytest.mark.parametrize(
    ("changes", "key_size", "bits"),
    [
        ({}, 2, (12 + 2) * 64),
        ({"bits": 3}, 2, (12 + 2) * 3),
        ({"vocabulary": 4}, 2, 3 * 2 + 2),
        ({"vocabulary": 4}, 0, 3 * 2),
        ({"vocabulary": 3}, 0, 4 * math.log2(3)),
    ],
)
def test_bits_by_hand(changes: dict[str, Any], key_size: int, bits: float) -> None:
    family = small_family()  # float64: 64 bits a number
    policy = {"hidden_size": 4, "message_size": 12, "key_size": key_size}
    agent = random_agent(family, policy=policy, channel=changes)
    assert bits_per_step(agent, family) == pytest.approx(bits)
    many = random_agent(family, policy=policy, channel=changes, rounds=3, received_attention=True)
    assert bits_per_step(many, family) == pytest.approx(3 * (bits + 64))
    deaf = random_agent(family, policy=policy, channel=changes, topology="none")
    assert bits_per_step(deaf, family) == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vocabulary": 1}, "2 or more"),
        ({"vocabulary": 4, "bits": 2}, "exclude each other"),
        ({"dropout": 1.5}, "less than or equal to 1"),
        ({"noise": math.nan}, "finite"),
        ({"loudness": 1}, "loudness"),
    ],
)
def test_settings_that_make_no_channel(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ChannelSettings(**changes)


def test_a_message_is_a_whole_number_of_symbols() -> None:
    with pytest.raises(ValueError, match="multiple of it"):
        channel(6, vocabulary=4)


# Received attention: experts read how much attention their last message got.


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
