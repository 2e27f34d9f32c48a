"""Expert policies that are trained: their shapes, what they remember, what they refuse."""

import dataclasses
from typing import Any

import pytest
import torch

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.policies.averaging import AveragingPolicy
from badger_agents.badger.policies.episodic import EpisodicPolicy, EpisodicState
from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy
from badger_agents.badger.policies.fast_weights import FastWeightsPolicy
from badger_agents.badger.policies.gru import GRUPolicy
from badger_agents.estimators import make_estimator
from badger_agents.estimators.objectives import as_soon_as_possible
from badger_agents.estimators.trials import Trials
from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_agents.whitebox.controls import Forgetful, WithheldFeedback
from badger_envs.families.bandit import Bandit
from badger_envs.family import Family, Observation
from tests.badger_agents.small import badger_settings, keys, one_round, random_agent, small_family, updates_of

# What an expert policy must be, and what is said of one that is not.


def test_what_a_subclass_leaves_out_is_named() -> None:
    class Half(ExpertPolicy):
        message_size = 1

    assert Half().initial_state(torch.ones(1, 1, 2)).tolist() == [[[1.0, 1.0]]]  # the draws
    with pytest.raises(NotImplementedError, match="Half does not define emit"):
        Half().emit(None, torch.zeros(1, 1, 1))
    with pytest.raises(NotImplementedError, match="Half does not define update"):
        Half().update(None, torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))


def test_keys_that_a_policy_did_not_announce_are_refused() -> None:
    family = small_family()
    agent = random_agent(family)
    agent.policy.key_size = 5
    with pytest.raises(ValueError, match="key_size = 5 wide: set key_size"):
        rollout(agent, family, keys(2))


def test_messages_of_another_width_than_announced_are_refused() -> None:
    agent = random_agent(small_family())
    agent.policy.message_size = 5
    with pytest.raises(ValueError, match=r"messages have shape \(2, 3, 3\); .* message_size, 5"):
        rollout(agent, small_family(), keys(2))


def test_messages_without_keys_have_keys_of_no_width() -> None:
    emission = Emission.alike(torch.ones(2, 3, 4))
    assert [part.shape for part in emission] == [(2, 3, 4), (2, 3, 0), (2, 3, 0)]


# The GRU policy treats every expert alike and knows nothing of their number.


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


# The episodic policy recalls what came of the moment most like the present one, and treats experts alike.


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


@pytest.mark.parametrize(
    "policy", [EpisodicPolicy(5, message_size=3, moments=4), FastWeightsPolicy(5, message_size=3)]
)
def test_every_expert_is_treated_alike_and_starts_by_writing_nothing(policy: ExpertPolicy) -> None:
    policy = policy.double()
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


# The policy with fast weights keeps one thing for each message that it hears, and corrects it.


def test_what_came_of_a_message_is_recalled_when_it_is_heard_again_and_corrected() -> None:
    policy = FastWeightsPolicy(1, hidden_size=2, message_size=5, address_size=5, value_size=1)
    with torch.no_grad():
        for part in (policy.cell.address, policy.cell.learn):
            part.weight.zero_()
            part.bias.zero_()
        policy.cell.address.weight[:, :5] = torch.eye(5)  # of what is heard alone
        policy.cell.learn.weight[0, 7] = 1  # the value is what is read
        policy.cell.learn.bias[1] = 30  # and the rate is 1
        policy.write.weight[:, 2] = 1  # what is recalled is written
    state = policy.initial_state(torch.zeros(1, 1, 2))
    apart = torch.linalg.qr(torch.eye(5) - 0.2).Q[:, :4]  # four directions without a mean: each an address
    heard = [0, 1, 2, 0, 3, 0, 1, 2]
    told = [9.0, 0.5, -0.5, 0.25, 0.75, -1.0, 0.125, 4.0]  # at each step, of the message before
    recalled = []
    for message, value in zip(heard, told, strict=True):
        state, writing = policy.update(state, apart[None, None, :, message], torch.tensor([[[value]]]))
        recalled.append(round(writing.item(), 3))
    # of message 0 first 0.5, then 0.75; of 1 -0.5; of 2 0.25
    assert recalled == [0, 0, 0, 0.5, 0, 0.75, -0.5, 0.25]


# The averaging policy: what it remembers, that it can be learned with; controls of learning on bandits.


def policy(**settings: Any) -> AveragingPolicy:
    torch.manual_seed(0)
    return AveragingPolicy(3, **{"heads": 4, "hidden_size": 8, "message_size": 2, **settings})


def test_the_order_of_what_was_read_is_forgotten_and_nothing_else() -> None:
    made = policy()
    readings = torch.randn(5, 2, 6, 3)  # (T, B, E, R)
    ends = []
    for order in ([0, 1, 2, 3, 4], [3, 0, 4, 2, 1], [3, 0, 4, 2, 2]):
        state = made.initial_state(torch.randn(2, 6, 1))
        for time in order:
            state, _, _ = one_round(made, state, torch.zeros(2, 6, 2), readings[time])
        ends.append(state)
    torch.testing.assert_close(ends[0], ends[1])
    assert not torch.allclose(ends[0], ends[2])


def test_it_counts_what_is_worth_it() -> None:
    made = policy(heads=1)
    with torch.no_grad():
        made.remember.weight.zero_()
        made.remember.bias.zero_()
        made.remember.weight[0, 2], made.remember.bias[0] = 40.0, -20.0  # only readings that begin with 1
        made.remember.weight[1, 3] = 1.0  # their second number
    state = made.initial_state(torch.zeros(1, 1, 1))
    for first, second in ((1.0, 5.0), (0.0, 100.0), (1.0, 7.0)):
        reading = torch.tensor([[[first, second, 0.0]]])
        state, _, writing = one_round(made, state, torch.zeros(1, 1, 2), reading)
        assert writing.item() == 0  # it starts by writing nothing
    torch.testing.assert_close(state, torch.tensor([[[2.0, 12.0]]]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Silent(Bandit):
    """A bandit that never tells what a pull paid."""

    def observe(self, task: Any, state: Any) -> Observation:
        seen = super().observe(task, state)
        return seen._replace(feedback=seen.feedback * 0)


def learned(family: Family, steps: int) -> BadgerAgent:
    torch.manual_seed(0)
    settings = {"heads": 4, "hidden_size": 16, "message_size": 2, "key_size": 2}
    agent = BadgerAgent(
        family,
        badger_settings(
            experts=3,
            topology="none",
            feedback_to="chosen",
            policy={"kind": "badger_agents.badger.policies.averaging:AveragingPolicy", **settings},
        ),
    )
    estimator = make_estimator("policy_gradient", {"expected_reward": True, "entropy": 0.02})
    memory = None
    optimiser = torch.optim.Adam(agent.parameters(), lr=1e-2)
    for step in range(steps):
        trials = Trials(family, keys(64, 0, step), as_soon_as_possible)
        (update,) = updates_of(estimator, agent, trials, memory)
        memory = update.memory
        for name, weight in agent.named_parameters():
            weight.grad = update.gradients[name]
        optimiser.step()
    return agent


@pytest.fixture(scope="module")
def bandit() -> Bandit:
    return Bandit(arms=3, horizon=12)


@pytest.fixture(scope="module")
def trained(bandit: Bandit) -> BadgerAgent:
    return learned(bandit, 80)


@pytest.mark.slow
def test_it_learns_to_earn_and_without_feedback_or_memory_it_does_not(
    bandit: Bandit, trained: BadgerAgent
) -> None:
    chance, rows = 6.0, 4_000  # half of 12 pulls
    test = dataclasses.replace(bandit, split="test")
    earned = evaluate(trained, test, rows)
    assert earned.ci95[0] > chance + 1.2
    low, high = evaluate(WithheldFeedback(trained), test, rows).ci95
    assert low - 0.05 < chance < high + 0.05
    assert evaluate(Forgetful(trained), test, rows).ci95[1] < earned.ci95[0]


@pytest.mark.slow
def test_trained_without_feedback_it_stays_at_chance() -> None:
    family = Silent(arms=3, horizon=12)
    low, high = evaluate(learned(family, 20), dataclasses.replace(family, split="test"), 4_000).ci95
    assert low - 0.05 < 6.0 < high + 0.05
