"""The GRU policy treats every expert alike and knows nothing of their number."""

import pytest
import torch

from badger_agents.badger.policies.gru import GRUPolicy
from tests.badger_agents.small import one_round


def test_every_expert_is_treated_alike() -> None:
    policy = GRUPolicy(5, hidden_size=6, message_size=3, key_size=2).double()
    state, inbox, reading = (torch.randn(2, 4, n, dtype=torch.float64) for n in (6, 3, 5))
    after, sent, writing = one_round(policy, state, inbox, reading)
    for row in range(2):
        for expert in range(4):
            alone = [part[row : row + 1, expert : expert + 1] for part in (state, inbox, reading)]
            one_after, one_sent, one_writing = one_round(policy, *alone)
            torch.testing.assert_close(one_after[0, 0], after[row, expert])
            torch.testing.assert_close(one_writing[0, 0], writing[row, expert])
            for part, of_all in zip(one_sent, sent, strict=True):
                torch.testing.assert_close(part[0, 0], of_all[row, expert])


def test_sizes_are_as_asked_for() -> None:
    policy = GRUPolicy(5, hidden_size=6, message_size=3, key_size=2)
    state = policy.initial_state(torch.ones(2, 4, policy.draw_size))
    after, sent, writing = one_round(policy, state, torch.zeros(2, 4, 3), torch.zeros(2, 4, 5))
    assert (state.shape, after.shape, writing.shape) == ((2, 4, 6), (2, 4, 6), (2, 4, 1))
    assert [part.shape[-1] for part in sent] == [3, 2, 2]


def test_it_starts_by_writing_nothing_and_by_saying_something() -> None:
    policy = GRUPolicy(5)
    parts = (torch.randn(2, 4, size) for size in (32, 16, 5))
    _, sent, writing = one_round(policy, *parts)
    assert (writing == 0).all()
    assert (sent.value != 0).all()


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_state_noise_scales_the_initial_states(noise: float) -> None:
    draws = torch.randn(2, 3, 32)
    torch.testing.assert_close(GRUPolicy(5, state_noise=noise).initial_state(draws), noise * draws)
