"""Handcrafted policies: membrane and channel carry triangulation and parity, whatever the sizes."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.policies.handcrafted import PROBE, RANKS
from badger_agents.rollout import rollout
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.xor import XOR
from baselines.optimisers.triangulation import Triangulation
from tests.badger_agents.small import badger_settings, keys

POLICY = "badger_agents.badger.policies.handcrafted:TriangulationPolicy"


def triangulators(family: GuessingGame, experts: int, **changes: Any) -> BadgerAgent:
    start = {"experts": experts, "policy": {"kind": POLICY}, "rounds": 2, "membrane": "attentional"}
    return BadgerAgent(family, badger_settings(**{**start, **changes}))


def counters(family: XOR, experts: int, **changes: Any) -> BadgerAgent:
    policy = "badger_agents.badger.policies.handcrafted:ParityPolicy"
    start = {"experts": experts, "policy": {"kind": policy}, "rounds": 2, "membrane": "attentional"}
    return BadgerAgent(family, badger_settings(**{**start, "writing": "absolute", **changes}))


# triangulation


@pytest.mark.parametrize("d", range(1, 20))
def test_experts_triangulate_as_well_as_the_plain_algorithm(d: int) -> None:
    family = GuessingGame(dims=d)
    ours = rollout(triangulators(family, d), family, keys(300, seed=d), record=True)
    plain = rollout(Triangulation(), family, keys(300, seed=d), record=True)
    for lived in (ours, plain):
        assert float(lived.loss[d:].max()) < 1e-7  # d probes, then all is known and stays
    torch.testing.assert_close(ours.trace["outputs"][-1], plain.trace["outputs"][-1], atol=2e-4, rtol=0)


@pytest.mark.slow
@given(
    d=st.integers(1, 9),
    spare=st.integers(0, 12),
    empty=st.integers(0, 4),
    shuffle=st.booleans(),
    rounds=st.integers(2, 4),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_idle_experts_unused_slots_and_more_rounds_change_nothing(
    d: int, spare: int, empty: int, shuffle: bool, rounds: int, seed: int
) -> None:
    family = GuessingGame(dims=d, capacity=d + empty, shuffle_slots=shuffle, dtype="float64")
    lived = rollout(triangulators(family, d + spare, rounds=rounds), family, keys(20, seed))
    assert float(lived.loss[d:].max()) < 1e-25


def test_it_knows_the_membrane_s_scale_of_feedback() -> None:
    family = GuessingGame(dims=6, dtype="float64")
    scale = {"feedback_scale": 0.2}
    agent = triangulators(
        family, 7, membrane={"kind": "attentional", **scale}, policy={"kind": POLICY, **scale}
    )
    assert float(rollout(agent, family, keys(20)).loss[-1].max()) < 1e-25


def test_sizes_drawn_per_task_are_found_too() -> None:
    family = GuessingGame(dims=(1, 8), shuffle_slots=True)
    assert float(rollout(triangulators(family, 16), family, keys(300)).loss[-1].max()) < 1e-8


@pytest.mark.parametrize(("d", "experts"), [(19, 19), (19, 40)])
def test_one_expert_at_a_time_probes(d: int, experts: int) -> None:
    family = GuessingGame(dims=d)
    trace = rollout(triangulators(family, experts), family, keys(50), record=True).trace
    probing = (trace["outputs"] == PROBE) & (trace["solution"] != PROBE)
    assert (probing[:d].sum(dim=-1) == 1).all()
    assert (probing[d:].sum(dim=-1) == 0).all()


@pytest.mark.parametrize("experts", [1, 2, 3, 4, 5, 6])
def test_few_experts_find_six_numbers_one_after_the_other(experts: int) -> None:
    family = GuessingGame(dims=6)
    assert float(rollout(triangulators(family, experts), family, keys(200)).loss[-1].max()) < 1e-8


@pytest.mark.slow
def test_with_fewer_experts_one_number_is_left_for_each_further_window() -> None:
    d, errors = 19, []
    family = GuessingGame(dims=d)
    for experts in range(1, d + 2):
        lived = rollout(triangulators(family, experts), family, keys(200), record=True)
        left = lived.trace["outputs"][-1] == 0
        windows = math.ceil(d / experts)
        assert (left.sum(dim=-1) == windows - 1).all(), experts  # of 20 steps, all but one per window probe
        lost = 3 / d * (left * lived.trace["solution"][-1] ** 2).sum(dim=-1)
        torch.testing.assert_close(lived.loss[-1], lost, atol=1e-6, rtol=1e-4)
        errors.append((windows, float(lived.loss[-1].mean())))
    by_windows = {windows: error for windows, error in reversed(errors)}
    assert sorted(by_windows) == sorted(by_windows, key=by_windows.__getitem__)
    assert all(error < 1 - 1 / d for windows, error in errors if windows < d)


@pytest.mark.slow
@given(
    d=st.integers(1, 12),
    experts=st.integers(1, 14),
    horizon=st.integers(1, 45),
    length=st.sampled_from([5, 20]),
)
@settings(max_examples=40)
def test_nobody_is_left_in_the_middle_of_a_probe(d: int, experts: int, horizon: int, length: int) -> None:
    family = GuessingGame(dims=d, horizon=horizon, dtype="float64")
    window = {"window_length": length}
    changes = {"membrane": {"kind": "attentional", **window}, "policy": {"kind": POLICY, **window}}
    trace = rollout(triangulators(family, experts, **changes), family, keys(10), record=True).trace
    last, target = trace["outputs"][-1], trace["solution"][-1]
    assert ((last == 0) | ((last - target).abs() < 1e-9)).all()


def test_a_longer_life_finds_what_was_left() -> None:
    left = []
    for horizon in (20, 40, 60):
        family = GuessingGame(dims=40, horizon=horizon)
        lived = rollout(triangulators(family, 40), family, keys(20), record=True)
        left.append((lived.trace["outputs"][-1] == 0).sum(dim=-1).unique().tolist())
    assert left == [[21], [2], [0]]
    assert float(lived.loss[-1].max()) < 1e-6


@pytest.mark.parametrize("topology", ["none", "self"])
def test_triangulation_needs_communication(topology: str) -> None:
    family = GuessingGame(dims=6)
    assert (
        float(rollout(triangulators(family, 6, topology=topology), family, keys(500)).loss[-1].mean()) > 0.5
    )
    alone = GuessingGame(dims=1)
    assert float(rollout(triangulators(alone, 1, topology="none"), alone, keys(9)).loss[-1].max()) < 1e-8


@pytest.mark.parametrize(
    "ranks",
    [
        [[RANKS - i, 1] for i in range(5)],  # neighbours where float32 has no room between them
        [[1 + i, 1] for i in range(5)],
        [[RANKS, 3], [9, 2], [RANKS, 2], [9, 1], [1, 1]],  # ties are for the second number
    ],
)
def test_near_ranks_and_ties_do_not_collide(ranks: list[list[int]]) -> None:
    family = GuessingGame(dims=5)
    agent, names = triangulators(family, 5), keys(100)
    task = family.sample_task(names)
    world, state = family.initial_state(task), agent.initial_state(family, names)
    drawn = torch.tensor(ranks, dtype=torch.float32).expand(100, -1, -1)
    state = state._replace(experts=state.experts._replace(rank=drawn))
    for step in range(6):
        state, action, _ = agent.act(state, family.observe(task, world), names, step)
        world = family.step(task, world, action, names).state
    assert float(world.error.max()) < 1e-8


def test_ranks_are_whole_and_almost_never_alike() -> None:
    family = GuessingGame(dims=3)
    rank = triangulators(family, 1000).initial_state(family, keys(10)).experts.rank
    assert torch.equal(rank, rank.round())
    assert 1 <= int(rank.min()) < RANKS / 1000
    assert RANKS * 0.999 < int(rank.max()) <= RANKS
    assert len(rank[..., 0].unique()) > 9_980  # of 10,000


# parity


@pytest.mark.parametrize("spare", [0, 5])
@pytest.mark.parametrize("bits", range(2, 33))
def test_parity_is_right_for_any_number_of_bits(bits: int, spare: int) -> None:
    family = XOR(bits=bits, horizon=1)
    assert (rollout(counters(family, bits + spare), family, keys(100, seed=bits)).info["accuracy"] == 1).all()


@given(
    low=st.integers(1, 5), more=st.integers(0, 5), show=st.sampled_from(["always", "first"]),
    rounds=st.integers(1, 3), horizon=st.integers(2, 5), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=30)
def test_parity_with_sizes_drawn_per_task_and_bits_shown_once(
    low: int, more: int, show: str, rounds: int, horizon: int, seed: int
) -> None:
    family = XOR(bits=(low, low + more), show=show, horizon=horizon, shuffle_slots=True, split="test")
    agent = counters(family, family.slots.inputs, rounds=rounds)
    assert (rollout(agent, family, keys(30, seed)).info["accuracy"] == 1).all()


@pytest.mark.parametrize(
    ("bits", "topology"),
    [(2, "none"), (3, "none"), (6, "none"), (2, "self"), (3, "self"), (6, "self"), (4, "ring"), (6, "ring")],
)
def test_parity_needs_to_hear_everyone(bits: int, topology: str) -> None:
    family = XOR(bits=bits)
    accuracy = rollout(counters(family, bits, topology=topology), family, keys(4000)).info["accuracy"]
    assert float(accuracy.mean()) == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)


# both


def test_there_is_nothing_to_train() -> None:
    for agent in (triangulators(GuessingGame(), 3), counters(XOR(), 3)):
        assert list(agent.parameters()) == []


@pytest.mark.parametrize(
    "changes", [{"membrane": "hardwired"}, {"received_attention": True}, {"identities": "random"}]
)
def test_other_readings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"TriangulationPolicy reads 17 numbers, not \d+: it needs"):
        triangulators(GuessingGame(), 3, **changes)
    with pytest.raises(ValueError, match="ParityPolicy reads 17 numbers"):
        counters(XOR(bits=2, function="table"), 3)


def on_a_ring(bits: int, rounds: int) -> float:
    """Accuracy of the handcrafted parity on a ring, all within one step of so many rounds."""
    family = XOR(bits=bits, horizon=1)
    settings = {"experts": bits, "topology": "ring", "rounds": rounds, "membrane": "attentional"}
    policy = "badger_agents.badger.policies.handcrafted:RingParityPolicy"
    agent = BadgerAgent(family, badger_settings(**settings, writing="absolute", policy={"kind": policy}))
    return float(rollout(agent, family, keys(200, seed=bits)).info["accuracy"].mean())


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 8, 13, 16, 31, 32])
def test_on_a_ring_parity_takes_half_the_way_round(bits: int) -> None:
    rounds = bits // 2
    assert on_a_ring(bits, rounds) == on_a_ring(bits, rounds + 3) == 1.0
    assert rounds == 1 or on_a_ring(bits, rounds - 1) < 0.65  # one bit less is no information


@pytest.mark.parametrize("bits", [2, 3, 8, 32])
def test_where_all_hear_all_parity_takes_one_round_and_with_a_delay_one_more(bits: int) -> None:
    family = XOR(bits=bits, horizon=1)
    for delay, rounds, least, most in ((0, 1, 1.0, 1.0), (1, 1, 0.0, 0.65), (1, 2, 1.0, 1.0)):
        agent = counters(family, bits, rounds=rounds, channel={"delay": delay})
        lived = rollout(agent, family, keys(200, seed=bits))
        assert least <= float(lived.info["accuracy"].mean()) <= most
