"""The hardwired membrane: who reads what, and where writings go."""

import pytest
import torch
from torch import Tensor

from badger_agents.badger.membrane.hardwired import HardwiredMembrane, HardwiredState
from badger_envs.family import Observation, Slots
from tests.badger_agents.small import keys, small_family

SLOTS = Slots(inputs=2, input_size=2, outputs=3, feedback=1, output_feedback=1)
STATE = HardwiredState(torch.tensor([[2.0]]))


def observation(first: float = 0.0) -> Observation:
    return Observation(
        inputs=torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]),
        input_mask=torch.tensor([[1.0, 0.0]]),
        outputs=torch.tensor([[0.1, 0.2, 0.9]]),
        output_mask=torch.tensor([[1.0, 1.0, 0.0]]),
        feedback=torch.tensor([[5.0]]),
        output_feedback=torch.tensor([[[7.0], [8.0], [9.0]]]),
        flags=torch.tensor([[first, 0.0, 0.25]]),
    )


def read(membrane: HardwiredMembrane, experts: int, first: float = 0.0) -> Tensor:
    state, reading = membrane.read(STATE, observation(first), 0, experts)
    assert torch.equal(state.feedback, torch.tensor([[5.0]]))
    assert reading.shape == (1, experts, membrane.reading_size)
    return reading[0]


FLAGS = [0.0, 0.0, 0.25]


def test_expert_i_reads_slot_i() -> None:
    heard = [5.0, 3.0, 1.0]  # feedback, its change since 2, whether it hears
    expected = [
        [0.1, 1.0, 7.0, 1.0, 2.0, 1.0, *heard, *FLAGS],
        [0.2, 1.0, 8.0, 3.0, 4.0, 0.0, *heard, *FLAGS],
        [0.9, 0.0, 9.0, 0.0, 0.0, 0.0, *heard, *FLAGS],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, *heard, *FLAGS],
    ]
    torch.testing.assert_close(read(HardwiredMembrane(SLOTS), 4), torch.tensor(expected))


def test_only_one_hears() -> None:
    reading = read(HardwiredMembrane(SLOTS, feedback_to="one"), 4)
    assert reading[0, 6:9].tolist() == [5.0, 3.0, 1.0]
    assert (reading[1:, 6:9] == 0).all()


def test_nothing_changes_at_the_first_step() -> None:
    assert read(HardwiredMembrane(SLOTS), 3, first=1.0)[:, 7].tolist() == [0.0, 0.0, 0.0]


def test_expert_i_writes_output_i_within_the_limits() -> None:
    writing = torch.tensor([[[0.5], [-3.0], [0.4], [100.0]]])
    increment = HardwiredMembrane(SLOTS).write(STATE, observation(), writing)
    absolute = HardwiredMembrane(SLOTS, writing="absolute").write(STATE, observation(), writing)
    torch.testing.assert_close(increment, torch.tensor([[0.6, -1.0, 1.0]]))
    torch.testing.assert_close(absolute, torch.tensor([[0.5, -1.0, 0.4]]))


def test_fewer_experts_than_outputs_are_refused() -> None:
    family = small_family(dims=4)
    membrane = HardwiredMembrane(family.slots)
    with pytest.raises(ValueError, match="experts=4 or more"):
        membrane.initial_state(family, keys(2), 3)
    assert membrane.initial_state(family, keys(2), 4).feedback.shape == (2, 1)
