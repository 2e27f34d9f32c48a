"""The episodic policy recalls what came of the moment most like the present one, and treats experts alike."""

import torch

from badger_agents.badger.policies.episodic import EpisodicPolicy, EpisodicState


def policy_of(nearness: float = 50.0) -> EpisodicPolicy:
    """A policy whose keys follow from the inbox alone, and whose values are what is read."""
    policy = EpisodicPolicy(1, hidden_size=2, message_size=4, moments=3, moment_size=4, value_size=1)
    with torch.no_grad():
        for weights in (policy.key.weight, policy.key.bias, policy.value.weight, policy.value.bias):
            weights.zero_()
        policy.key.weight[:, :4] = torch.eye(4)
        policy.value.weight[:] = 1
        policy.write.weight[:, 2] = 1  # of what is recalled
        policy.nearness.fill_(torch.tensor(nearness).log())
    return policy


def test_what_came_of_the_likest_moment_is_recalled_and_the_oldest_is_forgotten() -> None:
    policy = policy_of()
    state: EpisodicState = policy.initial_state(torch.zeros(1, 1, 2))
    heard = [0, 1, 2, 0, 2, 1, 0]  # what each moment is like
    told = [9.0, 0.5, -0.5, 0.25, 0.75, -1.0, 0.125]  # at each step, of the moment before
    recalled = []
    for like, value in zip(heard, told, strict=True):
        inbox = torch.eye(4)[like][None, None]
        state, writing = policy.update(state, inbox, torch.tensor([[[value]]]))
        recalled.append(round(writing.item(), 3))
    assert recalled[0] == 0  # nothing yet
    assert recalled[1] == 0.5  # of the only moment
    assert recalled[3] == 0.5  # of the first
    assert recalled[4] == 0.25  # of the third
    assert recalled[5] == round((0.25 + 0.75 - 1.0) / 3, 3)  # the second is forgotten: the others are as far
    assert recalled[6] == 0.75  # of the fourth


def test_every_expert_is_treated_alike_and_starts_by_writing_nothing() -> None:
    policy = EpisodicPolicy(5, message_size=3, moments=4).double()
    draws, inbox, reading = (torch.randn(2, 4, n, dtype=torch.float64) for n in (policy.draw_size, 3, 5))
    order = [2, 0, 3, 1]
    states = [policy.initial_state(each) for each in (draws, draws[:, order])]
    for _ in range(3):
        (first, writing), (second, _) = (
            policy.update(state, inbox[:, at], reading[:, at])
            for state, at in zip(states, (slice(None), order), strict=True)
        )
        states = [first, second]
    assert (writing == 0).all()
    for one, other in zip(*states, strict=True):
        torch.testing.assert_close(one[:, order], other)
    sent = policy.emit(first, reading)
    assert [part.shape[-1] for part in sent] == [3, 8, 8]


def test_weights_do_not_depend_on_how_much_is_remembered() -> None:
    few, many = (EpisodicPolicy(5, moments=moments).state_dict() for moments in (3, 30))
    assert {name: part.shape for name, part in few.items()} == {name: p.shape for name, p in many.items()}
