"""Trials, memory and objectives of estimators."""

from contextlib import suppress
from typing import Any

import pytest
import torch

from badger_agents.agent import LearnedAgent
from badger_agents.estimators import make_estimator
from badger_agents.estimators.objectives import OBJECTIVES, Penalty, collapse
from badger_agents.estimators.trials import Trials
from badger_agents.rollout import rollout
from badger_agents.training.state import trained_weights
from badger_envs.families.bandit import Bandit
from benchmarks.memory import peak_memory
from tests.badger_agents.small import ConstantAgent, keys, random_agent, small_family

# Trials of an outer step: in windows they cost what they cost as a whole, and groups keep apart.


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


# Memory of estimators: grows with the horizon or does not, counted to the byte.


def needed(name: str, settings: dict[str, Any], horizon: int) -> int:
    """Bytes at the peak of an outer step, with a penalty that reads what experts say."""
    family = small_family(horizon=horizon, dtype="float32")
    agent = random_agent(family)
    estimator = make_estimator(name, settings)
    penalties = (Penalty("anti_collapse", 0.5, "messages", collapse),)

    def outer_step() -> None:
        trials = Trials(family, keys(16), OBJECTIVES["as_soon_as_possible"], penalties)
        weights = trained_weights(agent)
        updates = estimator.updates(agent, weights, trials, {})
        next(updates)
        with suppress(StopIteration):
            while True:
                updates.send(weights)

    return peak_memory(outer_step, "cpu")


def test_backpropagation_needs_memory_for_every_step() -> None:
    five, ten, twenty = (needed("backpropagation", {}, horizon) for horizon in (5, 10, 20))
    assert twenty - ten == pytest.approx(2 * (ten - five), rel=0.02)
    assert ten - five > 0.7 * five  # nearly all of it


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("truncated_backpropagation", {"window": 2}),
        ("evolution", {"pairs": 4}),
        ("evolution", {"pairs": 4, "window": 2}),
        ("persistent_evolution", {"pairs": 4, "window": 2}),
    ],
)
def test_others_need_no_more_for_longer_trials(name: str, settings: dict[str, Any]) -> None:
    assert len({needed(name, settings, horizon) for horizon in (5, 10, 20)}) == 1


def test_keeping_less_needs_less() -> None:
    cases: tuple[dict[str, Any], ...] = ({}, {"keep_every": 4}, {"last_steps": 4})
    all_of_it, kept, last = (needed("backpropagation", settings, 16) for settings in cases)
    assert max(kept, last) < all_of_it / 2


def test_fewer_pairs_at_once_need_less() -> None:
    settings = {"pairs": 16, "window": 2}
    whole, parts = (
        needed("persistent_evolution", {**settings, "pairs_at_once": at_once}, 5) for at_once in (16, 2)
    )
    assert parts < whole / 2


# Objectives: which steps of a trial count.


def test_each_objective_is_the_mean_over_its_steps() -> None:
    loss = torch.tensor([[1.0, 3.0], [5.0, 7.0], [10.0, 20.0], [100.0, 200.0]])  # (T, B)
    values = {name: float(rule(loss)) for name, rule in OBJECTIVES.items()}
    assert values == {"last_step": 150.0, "second_half": 82.5, "as_soon_as_possible": 43.25}


@pytest.mark.parametrize(("horizon", "counted"), [(1, 1), (2, 1), (3, 2), (20, 10)])
def test_the_second_half_holds_the_middle_step_of_odd_trials(horizon: int, counted: int) -> None:
    loss = torch.ones(horizon, 2, requires_grad=True)
    OBJECTIVES["second_half"](loss).backward()
    assert loss.grad is not None
    assert (loss.grad.sum(1) > 0).sum() == counted
    assert loss.grad[-1].sum() > 0
    assert float(loss.grad.sum()) == pytest.approx(1.0)
