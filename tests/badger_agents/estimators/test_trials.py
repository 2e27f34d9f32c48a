"""Trials of an outer step: in windows they cost what they cost as a whole, and groups keep apart."""

import pytest
import torch

from badger_agents.agent import LearnedAgent
from badger_agents.estimators.objectives import OBJECTIVES, Penalty, collapse
from badger_agents.estimators.trials import Trials
from badger_agents.rollout import rollout
from badger_envs.families.bandit import Bandit
from tests.badger_agents.small import ConstantAgent, keys, random_agent, small_family

PENALTIES = (Penalty("anti_collapse", 0.7, "messages", collapse),)


def in_windows(trials: Trials, agent: LearnedAgent, windows: list[int]) -> torch.Tensor:
    carry, total = trials.start(agent), torch.zeros(())
    for steps in windows:
        cost, carry = trials.loss(agent, carry, steps)
        total = total + cost
    assert carry.step == trials.horizon
    return total


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("windows", [[7], [1] * 7, [3, 4], [1, 3, 3], [2, 5]])
def test_the_costs_of_windows_sum_to_the_objective(objective: str, windows: list[int]) -> None:
    family = small_family(horizon=7)
    agent = random_agent(family)
    played = rollout(agent, family, keys(3), record=("messages",))
    expected = OBJECTIVES[objective](played.loss) + 0.7 * collapse(played.trace["messages"])
    trials = Trials(family, keys(3), OBJECTIVES[objective], PENALTIES)
    total = in_windows(trials, agent, windows)
    torch.testing.assert_close(total, expected[None])
    gradients = torch.autograd.grad(total.sum(), tuple(agent.parameters()))
    wanted = torch.autograd.grad(expected, tuple(agent.parameters()))
    torch.testing.assert_close(gradients, wanted)


def test_a_whole_trial_costs_its_objective_to_the_bit() -> None:
    family = small_family(dtype="float32")
    agent = random_agent(family)
    played = rollout(agent, family, keys(7)).loss
    for objective in OBJECTIVES.values():
        trials = Trials(family, keys(7), objective)
        cost, _ = trials.loss(agent, trials.start(agent), trials.horizon)
        assert torch.equal(cost, objective(played)[None])


@pytest.mark.parametrize("windows", [[4], [3, 1]])
def test_groups_cost_what_they_would_cost_apart(windows: list[int]) -> None:
    family = small_family()
    agent = random_agent(family)
    names = [keys(3, seed) for seed in range(2)]
    both = Trials(family, torch.cat(names), OBJECTIVES["second_half"], PENALTIES, groups=2)
    apart = [in_windows(Trials(family, own, both.objective, PENALTIES), agent, [4]) for own in names]
    torch.testing.assert_close(in_windows(both, agent, windows), torch.cat(apart))


def test_groups_limit_gradients_as_they_would_apart() -> None:
    family = small_family()
    agent = random_agent(family)
    names = [keys(3, seed) for seed in range(2)]
    limited = [
        Trials(family, rows, OBJECTIVES["last_step"], groups=groups, gradient_limit=0.01)
        for rows, groups in ((torch.cat(names), 2), (names[0], 1), (names[1], 1))
    ]
    both, first, second = (
        torch.autograd.grad(in_windows(trials, agent, [4]).sum(), agent.policy.cell.weight_hh)[0]
        for trials in limited
    )
    torch.testing.assert_close(both, first + second)


def test_only_steps_with_weight_or_penalty_count_in_the_loss() -> None:
    family = small_family(horizon=6)
    trials = Trials(family, keys(2), OBJECTIVES["second_half"])
    assert [trials.counts(start, 2) for start in (0, 1, 2, 4)] == [False, False, True, True]
    assert Trials(family, keys(2), OBJECTIVES["last_step"], PENALTIES).counts(0, 1)


def test_noise_is_that_of_the_whole_trial_also_in_windows() -> None:
    class First(ConstantAgent):
        def act(self, state, observation, keys, step):  # type: ignore[no-untyped-def]
            return state, torch.zeros(len(keys), dtype=torch.int64), {}

    family = Bandit(arms=3, horizon=9)
    whole = rollout(First(), family, keys(20))
    trials = Trials(family, keys(20), OBJECTIVES["as_soon_as_possible"])
    carry, losses = trials.start(First()), []
    for steps in (2, 3, 4):
        segment, carry = trials.segment(First(), carry, steps)
        losses.append(segment.loss)
    assert torch.equal(torch.cat(losses), whole.loss)
    assert whole.loss.std() > 0


def test_trials_that_cannot_be_shared_out_are_refused() -> None:
    with pytest.raises(ValueError, match="5 trials cannot be shared by 2"):
        Trials(small_family(), keys(5), OBJECTIVES["last_step"], groups=2)
