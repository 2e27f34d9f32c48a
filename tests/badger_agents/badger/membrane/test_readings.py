"""What experts read through the attentional membrane."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from badger_agents.badger.membrane.attentional import (
    AttentionalMembrane,
    AttentionalSettings,
    AttentionalState,
)
from badger_agents.badger.membrane.readings import Reading, split_reading
from badger_agents.badger.membrane.windows import LEVEL, USUAL
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.variable_io import VariableIO
from badger_envs.families.xor import XOR
from badger_envs.family import Family, Slots
from tests.badger_agents.small import keys, seen_at


def read(
    membrane: AttentionalMembrane, family: Family, experts: int, rows: int = 3, steps: int = 1
) -> tuple[list[AttentionalState], list[Reading]]:
    """States after, and readings of, the first steps of fresh trials in which the agent writes at random."""
    state = membrane.initial_state(family, keys(rows), experts)
    states, readings = [], []
    for time in range(steps):
        state, reading = membrane.read(state, seen_at(family, keys(rows), time), time, experts)
        assert reading.shape == (rows, experts, membrane.reading_size)
        states.append(state)
        readings.append(split_reading(reading, membrane.slots))
    return states, readings


def test_parts_of_a_reading_are_what_they_are_called() -> None:
    family = XOR(bits=2, capacity=3, function="table", horizon=4)
    membrane = AttentionalMembrane(
        family.slots, settings=AttentionalSettings(window_length=8, feedback_scale=3.0)
    )
    names = keys(1)
    state = membrane.initial_state(family, names, 2)
    first = seen_at(family, names)._replace(feedback=torch.tensor([[0.25]]))
    second = first._replace(
        outputs=torch.tensor([[0.1, 0.2, 0.9]]),
        output_feedback=torch.tensor([[[5.0], [6.0], [7.0]]]),
        inputs=torch.tensor([[[3.0], [4.0], [9.0]]]),
        feedback=torch.tensor([[0.75]]),
        flags=torch.tensor([[0.0, 1.0, 0.25]]),
    )
    state, began = membrane.read(state, first, 0, 2)
    state, reading = membrane.read(state, second, 1, 2)
    start, now = split_reading(began, family.slots), split_reading(reading, family.slots)
    mine, own = (
        state.writers[0].argmax(dim=0),
        state.readers[0].argmax(dim=0),
    )  # of two experts, one slot each
    for name, values in {
        "output": second.outputs[0, mine],
        "output_feedback": second.output_feedback[0, mine, 0],
        "input": second.inputs[0, own, 0],
        "output_share": torch.ones(2),
        "input_share": torch.ones(2),
        "feedback": torch.full((2,), 4.5 / LEVEL),  # 0.75 times two outputs in use times the scale
        "change": torch.full((2,), 3.0),
        "since_start": torch.full((2,), 3.0),
        "hears": torch.ones(2),
        "outputs": torch.full((2,), 2 / USUAL),
        "per_output": torch.full((2,), 0.5),
        "inputs": torch.full((2,), 2 / USUAL),
        "per_input": torch.full((2,), 0.5),
        "begins": torch.zeros(2),
        "gone": torch.full((2,), 0.25),
        "length": torch.full((2,), -0.5),  # 4 steps of 8
        "first": torch.zeros(2),
        "query": torch.ones(2),
    }.items():
        torch.testing.assert_close(getattr(now, name)[0, :, 0], values, msg=lambda text: f"{name}: {text}")  # noqa: B023
    assert set(mine.tolist()) == {0, 1}
    assert (start.begins == 1).all()
    assert (start.first == 1).all()
    assert (torch.cat([start.change, start.since_start, start.gone, start.query]) == 0).all()


@pytest.mark.parametrize("matching", ["one-to-one", "soft"])
@pytest.mark.parametrize(
    "family",
    [
        GuessingGame(dims=2, capacity=5),
        XOR(bits=3, capacity=5, function="table", horizon=4),
        VariableIO(inputs=2, outputs=3, capacity=6),
    ],
    ids=["guessing", "table", "variable-io"],
)
def test_unused_slots_and_other_rows_are_not_read(family: Family, matching: Any) -> None:
    membrane = AttentionalMembrane(family.slots, settings=AttentionalSettings(matching=matching))
    names, others = keys(3), keys(3)
    others[1] = keys(1, seed=5)[0]
    one, other = (membrane.initial_state(family, each, 4) for each in (names, others))
    for time in range(3):
        seen, changed = seen_at(family, names, time), seen_at(family, others, time)
        changed = changed._replace(
            inputs=changed.inputs + 7 * (1 - changed.input_mask)[..., None],
            outputs=changed.outputs + 7 * (1 - changed.output_mask),
            output_feedback=changed.output_feedback + 7 * (1 - changed.output_mask)[..., None],
        )
        one, reading = membrane.read(one, seen, time, 4)
        other, same = membrane.read(other, changed, time, 4)
        assert torch.equal(reading[[0, 2]], same[[0, 2]])
        assert not torch.equal(reading[1], same[1])


@pytest.mark.parametrize("matching", ["one-to-one", "soft"])
@pytest.mark.parametrize("experts", [1, 2, 7])
def test_feedback_to_one_reaches_exactly_one(experts: int, matching: Any) -> None:
    family = GuessingGame(dims=4)
    _, readings = read(
        AttentionalMembrane(family.slots, "one", settings=AttentionalSettings(matching=matching)),
        family,
        experts,
        200,
        3,
    )
    hears = readings[0].hears[..., 0]  # (B, E)
    assert torch.equal(hears.sum(dim=-1), torch.ones(200))
    assert experts == 1 or (hears.sum(dim=0) > 0).all()  # another one from trial to trial
    for now in readings:
        assert torch.equal(now.hears[..., 0], hears)
        heard = torch.cat([now.feedback, now.change, now.since_start], dim=-1)  # (B, E, 3)
        assert (heard[hears == 0] == 0).all()
        assert (now.feedback[hears == 1] > 0).all()


@given(bits=st.integers(1, 9), experts=st.integers(1, 6))
@settings(max_examples=25)
def test_more_inputs_than_experts_are_read_one_after_the_other(bits: int, experts: int) -> None:
    family = XOR(bits=bits, capacity=10, horizon=30)
    membrane = AttentionalMembrane(family.slots)
    rounds = -(-bits // experts)
    state = membrane.initial_state(family, keys(2), experts)
    seen = seen_at(family, keys(2))
    seen = seen._replace(inputs=(1 + torch.arange(10.0))[None, :, None].expand(2, -1, -1))
    for cycle in range(2):  # once all have been read, it begins again
        met: list[list[float]] = [[], []]
        for number in range(rounds):
            state, reading = membrane.read(state, seen, cycle * rounds + number, experts)
            now = split_reading(reading, family.slots)
            for row in range(2):
                met[row] += now.input[row][now.input_share[row] == 1].tolist()
        assert [sorted(row) for row in met] == 2 * [[float(i) for i in range(1, bits + 1)]]


def test_sizes_of_readings_depend_on_widths_and_not_on_numbers() -> None:
    assert AttentionalMembrane(Slots(1, 1, 3, 1, 0)).reading_size == 17
    assert AttentionalMembrane(Slots(9, 1, 40, 1, 0)).reading_size == 17
    assert AttentionalMembrane(Slots(1, 3, 1, 2, 4)).reading_size == 17 + 2 + 3 + 4
