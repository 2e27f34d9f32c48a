"""The attentional membrane: who gets which slot, what is read, and when."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.membrane.attentional import AttentionalMembrane, AttentionalSettings
from badger_agents.badger.membrane.readings import Reading, split_reading
from badger_agents.badger.membrane.slot_assignment import one_to_one
from badger_agents.rollout import rollout
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.xor import XOR
from tests.badger_agents.badger.membrane.test_readings import read
from tests.badger_agents.small import badger_settings, keys, random_agent, seen_at

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 999))  # slots, experts, seed


def alike(slots: int, experts: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random similarities [4, N, E], and which slots are in use: at least one."""
    generator = torch.Generator().manual_seed(seed)
    similarity = 2 * torch.rand(4, slots, experts, generator=generator) - 1
    used = (torch.rand(4, slots, generator=generator) < 0.7).float()
    used[:, seed % slots] = 1
    return similarity, used


def membrane_of(family: Any, **settings_: Any) -> AttentionalMembrane:
    return AttentionalMembrane(family.slots, settings=AttentionalSettings(**settings_))


# who gets what


@given(sizes)
def test_every_slot_in_use_is_assigned_to_one_expert_and_fairly(size: tuple[int, int, int]) -> None:
    similarity, used = alike(*size)
    assigned, place = one_to_one(similarity, used)
    assert set(assigned.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(assigned.sum(dim=-1), used)
    load = assigned.sum(dim=1)
    assert (load.amax(dim=-1) - load.amin(dim=-1) <= 1).all()
    assert (place[used == 0] == 0).all()


@given(sizes)
def test_an_expert_s_slots_have_different_places_which_are_equally_busy(size: tuple[int, int, int]) -> None:
    similarity, used = alike(*size)
    assigned, place = one_to_one(similarity, used)
    most = int(assigned.sum(dim=1).amax(dim=-1).max())
    for row in range(4):
        places = int(assigned[row].sum(dim=0).max())
        at = torch.nn.functional.one_hot(place[row].long(), most).float() * used[row][:, None]  # (N, places)
        assert (assigned[row].mT @ at <= 1).all()
        busy = at.sum(dim=0)[:places]
        assert busy.max() - busy.min() <= 1
        assert (busy > 0).all()


@given(sizes)
def test_a_slot_goes_to_the_most_alike_of_those_with_fewest(size: tuple[int, int, int]) -> None:
    similarity, used = alike(*size)
    assigned, _ = one_to_one(similarity, used)
    for row in range(4):
        load = [0] * size[1]
        for slot in range(size[0]):
            if used[row, slot]:
                free = [expert for expert in range(size[1]) if load[expert] == min(load)]
                owner = max(free, key=lambda expert: float(similarity[row, slot, expert]))
                assert assigned[row, slot].argmax() == owner
                load[owner] += 1


def test_addresses_differ_from_trial_to_trial_and_experts_get_equal_shares() -> None:
    family = GuessingGame(dims=3)
    states, _ = read(AttentionalMembrane(family.slots), family, 6, rows=1000)
    share = states[0].writers.mean(dim=0)  # (O, E)
    torch.testing.assert_close(share, torch.full((3, 6), 1 / 6), atol=4 * (1 / 6 / 1000) ** 0.5, rtol=0)


@given(order=st.permutations(range(5)), dims=st.integers(1, 9), soft=st.booleans(), one=st.booleans())
@settings(max_examples=25)
def test_permuting_identities_permutes_readings_and_leaves_outputs(
    order: list[int], dims: int, soft: bool, one: bool
) -> None:
    family = GuessingGame(dims=dims, dtype="float64")
    membrane = AttentionalMembrane(
        family.slots,
        "one" if one else "all",
        settings=AttentionalSettings(matching="soft" if soft else "one-to-one"),
    ).double()
    start = membrane.initial_state(family, keys(3), 5)
    other = start._replace(
        writers=start.writers[..., order],
        readers=start.readers[..., order],
        hearers=start.hearers[..., order],
    )
    seen = seen_at(family, keys(3))
    start, reading = membrane.read(start, seen, 0, 5)
    other, moved = membrane.read(other, seen, 0, 5)
    if soft or dims <= 5:  # with several places it is the order of experts that says who pauses when
        torch.testing.assert_close(moved, reading[:, order])
        writing = torch.randn(3, 5, 1, dtype=torch.float64)
        torch.testing.assert_close(
            membrane.write(other, seen, writing[:, order]), membrane.write(start, seen, writing)
        )
    torch.testing.assert_close(other.writers, start.writers[..., order])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("matching", ["one-to-one", "soft"])
def test_numbers_are_of_the_family_s_kind(dtype: str, matching: Any) -> None:
    family = GuessingGame(dims=5, dtype=dtype)
    membrane = membrane_of(family, matching=matching).to(getattr(torch, dtype))
    states, readings = read(membrane, family, 3, steps=2)
    tensors = [*states[-1], *readings[-1]]
    assert {part.dtype for part in tensors if isinstance(part, Tensor)} == {getattr(torch, dtype)}
    writing = torch.ones(3, 3, 1, dtype=getattr(torch, dtype))
    assert membrane.write(states[-1], seen_at(family, keys(3)), writing).dtype == writing.dtype


# attention windows


def lives(family: GuessingGame, experts: int, length: int) -> tuple[Tensor, Tensor, list[Reading]]:
    """Which outputs change [T, B, O] when all write a little at every step, which are in focus, readings."""
    membrane = membrane_of(family, window_length=length)
    task = family.sample_task(keys(3))
    world, state = family.initial_state(task), membrane.initial_state(family, keys(3), experts)
    moved, owned, readings = [], [], []
    for step in range(family.horizon):
        seen = family.observe(task, world)
        state, reading = membrane.read(state, seen, step, experts)
        readings.append(split_reading(reading, family.slots))
        action = membrane.write(state, seen, torch.full((3, experts, 1), 1e-3))
        moved.append(action != seen.outputs)
        owned.append(readings[-1].output_share.sum(dim=(1, 2)))
        world = family.step(task, world, action, keys(3)).state
    return torch.stack(moved), torch.stack(owned), readings


@given(
    dims=st.integers(1, 8), experts=st.integers(1, 9), horizon=st.integers(8, 45), length=st.integers(8, 20)
)
@settings(max_examples=30)
def test_outputs_are_in_focus_equally_long_and_stay_otherwise(
    dims: int, experts: int, horizon: int, length: int
) -> None:
    family = GuessingGame(dims=dims, horizon=horizon)
    moved, owned, readings = lives(family, experts, length)
    places = -(-dims // experts)
    cycles = -(-horizon // (length * places))
    counts = moved.sum(dim=0)  # (B, O)
    assert (
        counts - horizon / places
    ).abs().max() < cycles  # whole steps: each window is off by less than one
    assert torch.equal(moved.sum(dim=-1), owned)  # what changes is what somebody reads as its own
    begins = torch.stack([now.begins[:, 0, 0] for now in readings])  # (T, B)
    assert (begins.sum(dim=0) == places * cycles).all()
    changes = (moved[1:] != moved[:-1]).any(dim=-1)  # (T-1, B)
    assert (begins[1:][changes] == 1).all()  # focus moves only where a window begins


@given(
    dims=st.integers(1, 8), experts=st.integers(1, 9), horizon=st.integers(8, 90), length=st.integers(8, 20)
)
@settings(max_examples=30)
def test_no_window_is_longer_than_its_length(dims: int, experts: int, horizon: int, length: int) -> None:
    _, _, readings = lives(GuessingGame(dims=dims, horizon=horizon), experts, length)
    gone = torch.stack([now.gone[0, 0, 0] for now in readings])
    steps = (readings[0].length[0, 0, 0] + 1) * length  # of a window, on average
    assert steps <= length * (1 + 1e-6)
    assert ((gone >= 0) & (gone < 1)).all()
    starts = [t for t, now in enumerate(readings) if now.begins[0, 0, 0]]
    gaps = torch.tensor([*starts, horizon]).diff()
    assert starts[0] == 0
    assert (gaps - steps).abs().max() < 1
    assert gaps.max() <= length
    for t, now in enumerate(readings):  # the clock runs evenly, and the start is when the clock restarts
        began = max(start for start in starts if start <= t)
        assert gone[t] == pytest.approx(float(gone[began]) + (t - began) / float(steps), abs=1e-4)
        assert bool(now.since_start.abs().max() == 0) or t > began


@pytest.mark.parametrize("writing", ["increment", "absolute"])
def test_writings_are_kept_within_the_limits_and_only_the_focus_is_written(writing: Any) -> None:
    family = GuessingGame(dims=4)
    membrane = AttentionalMembrane(family.slots, "all", writing)
    state = membrane.initial_state(family, keys(1), 2)
    seen = seen_at(family, keys(1), 3)
    state, _ = membrane.read(state, seen, 0, 2)
    written = membrane.write(state, seen, torch.tensor([[[0.25], [100.0]]]))
    owner = state.writers[0].argmax(dim=-1)  # (O,)
    focus = state.place[0] == 0
    kept = seen.outputs[0] * (writing == "increment")
    expected = torch.where(owner == 0, (kept + 0.25).clamp(-1, 1), torch.ones(4))
    torch.testing.assert_close(written[0], torch.where(focus, expected, seen.outputs[0]))
    assert focus.sum() == 2


# soft matching


def test_soft_matching_shares_every_slot_in_use_among_all() -> None:
    family = GuessingGame(dims=3, capacity=5)
    states, readings = read(membrane_of(family, matching="soft"), family, 4, steps=3)
    for state in states:
        torch.testing.assert_close(state.writers.sum(dim=-1), seen_at(family, keys(3)).output_mask)
        torch.testing.assert_close(state.readers.sum(dim=-1), torch.ones(3, 1))
        assert (state.writers[:, :3] > 0).all()
    torch.testing.assert_close(readings[-1].output_share.sum(dim=(1, 2)), torch.full((3,), 3.0))
    assert torch.stack([now.begins for now in readings])[1:].sum() == 0  # one window, all the time


def test_a_high_inverse_temperature_is_one_to_one_for_a_single_slot() -> None:
    family = GuessingGame(dims=1)
    sharp = AttentionalMembrane(
        family.slots, settings=AttentionalSettings(matching="soft", inverse_temperature=1e6)
    )
    soft, hard = (read(each, family, 5, 50)[0][0] for each in (sharp, AttentionalMembrane(family.slots)))
    torch.testing.assert_close(soft.writers, hard.writers)


def test_only_the_temperature_of_soft_matching_is_learned() -> None:
    family = GuessingGame(dims=3, horizon=4)
    assert list(AttentionalMembrane(family.slots).parameters()) == []
    agent = random_agent(family, membrane={"kind": "attentional", "matching": "soft"})
    (temperature,) = agent.membrane.parameters()
    rollout(agent, family, keys(16)).loss.mean().backward()
    assert temperature.grad is not None
    assert temperature.grad.isfinite()
    assert temperature.grad != 0


# settings


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"matching": "hard"}, "(?s)matching.*'one-to-one' or 'soft'"),
        ({"window_length": 0}, "(?s)window_length.*greater than or equal to 1"),
        ({"window_length": 2.5}, "(?s)window_length.*2.5"),
        ({"address_size": 0}, "(?s)address_size.*greater than or equal to 1"),
        ({"inverse_temperature": 0.0}, "(?s)inverse_temperature.*greater than 0"),
        ({"inverse_temperature": float("inf")}, "(?s)inverse_temperature.*finite"),
        ({"inverse_temperature": "hot"}, "(?s)inverse_temperature.*'hot'"),
        ({"feedback_scale": -1.0}, "(?s)feedback_scale.*greater than 0"),
        ({"feedback_scale": float("nan")}, "(?s)feedback_scale.*finite"),
        ({"spam": 3}, "spam"),
    ],
)
def test_wrong_settings_are_refused(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AttentionalSettings(**settings_)


def test_blind_experts_get_nothing_of_any_input() -> None:
    family = XOR(bits=4)
    agent = BadgerAgent(family, badger_settings(experts=4, membrane={"kind": "attentional", "blind": (1, 3)}))
    task = family.sample_task(keys(6))
    observation = family.observe(task, family.initial_state(task))
    _, reading = agent.membrane.read(agent.membrane.initial_state(family, keys(6), 4), observation, 0, 4)
    parts = split_reading(reading, family.slots)
    assert not parts.input[:, [1, 3]].any()
    assert not parts.input_share[:, [1, 3]].any()
    assert parts.input[:, [0, 2]].all()  # bits are -1 or +1
    with pytest.raises(ValueError, match="numbered 0 to 2"):
        agent.membrane.read(agent.membrane.initial_state(family, keys(6), 3), observation, 0, 3)
