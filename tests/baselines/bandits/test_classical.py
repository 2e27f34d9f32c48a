"""Classical bandit algorithms: their rules, their draws (and numbers: tests/paper/test_bandits.py)."""

from typing import Any

import numpy as np
import pytest
import torch

from badger_envs import keyed_random
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Observation
from baselines.bandits.classical import (
    UCB1,
    BanditAlgorithm,
    Counts,
    EpsilonGreedy,
    Greedy,
    RandomArm,
    Thompson,
)

AGENTS = [RandomArm(), Greedy(), EpsilonGreedy(0.5), UCB1(), Thompson()]


def keys_of(rows: int, seed: int = 0, first_row: int = 0) -> torch.Tensor:
    return keyed_random.outer_keys(seed, 0, rows, first_row=first_row, like=torch.zeros(()))


def live(agent: BanditAlgorithm, family: Bandit, keys: torch.Tensor) -> tuple[torch.Tensor, Counts]:
    """Actions [T, B] and the last state."""
    task, noise = family.sample_task(keys), family.noise(keys, family.horizon)
    world, mind, actions = family.initial_state(task), agent.initial_state(family, keys), []
    for time in range(family.horizon):
        mind, action, _ = agent.act(mind, family.observe(task, world), keys, time)
        world = family.step(task, world, action, noise[:, time]).state
        actions.append(action)
    return torch.stack(actions), mind


def shown(family: Bandit, arm: int | None, reward: float, rows: int = 1) -> Observation:
    """The observation after a pull of `arm`."""
    task = family.sample_task(keys_of(rows))
    seen = family.observe(task, family.initial_state(task))
    outputs = seen.outputs.clone()
    if arm is not None:
        outputs[:, arm] = 1
    return seen._replace(outputs=outputs, feedback=torch.full_like(seen.feedback, reward))


def choices(agent: BanditAlgorithm, family: Bandit, pulls: list[tuple[int, float]]) -> list[int]:
    """What it chooses at the start and after each of these (arm, reward), whatever it wanted."""
    keys = keys_of(1)
    state, chosen = agent.initial_state(family, keys), []
    for step, (arm, reward) in enumerate([(None, 0.0), *pulls]):
        state, action, _ = agent.act(state, shown(family, arm, reward), keys, step)
        chosen.append(int(action))
    return chosen


def test_greedy_counts_one_success_and_one_failure_and_takes_the_first_on_ties() -> None:
    family = Bandit(arms=3)
    # means: 1/2 1/2 1/2; 2/3 ..; 2/4 1/2 1/2: a tie, the first; 2/5 1/2 1/2; 2/5 1/3 1/2
    assert choices(Greedy(), family, [(0, 1.0), (0, 0.0), (0, 0.0), (1, 0.0)]) == [0, 0, 0, 1, 2]


def test_ucb1_follows_its_formula() -> None:
    family = Bandit(arms=2, dtype="float64")
    keys = keys_of(1)
    agent = UCB1(c=0.7)
    state = agent.initial_state(family, keys)
    for step, (arm, reward) in enumerate([(None, 0.0), (0, 1.0), (1, 0.0), (1, 1.0)]):
        state, _, record = agent.act(state, shown(family, arm, reward), keys, step)
    expected = np.array([2 / 3, 2 / 4]) + 0.7 * np.sqrt(2 * np.log(4) / np.array([3, 4]))
    np.testing.assert_allclose(record["scores"].numpy()[0], expected)


def test_without_exploration_all_are_greedy() -> None:
    family = Bandit(arms=6, horizon=30)
    keys = keys_of(100)
    greedy, _ = live(Greedy(), family, keys)
    assert torch.equal(live(UCB1(c=0.0), family, keys)[0], greedy)
    assert torch.equal(live(EpsilonGreedy(0.0), family, keys)[0], greedy)
    assert torch.equal(live(EpsilonGreedy(1.0), family, keys)[0], live(RandomArm(), family, keys)[0])


def test_epsilon_is_how_often_it_strays() -> None:
    family = Bandit(arms=50, horizon=20)
    keys = keys_of(500)
    agent, strayed = EpsilonGreedy(0.3), []
    state = agent.initial_state(family, keys)
    for step in range(20):  # nothing is ever paid: greedy stays at the first arm
        state, action, _ = agent.act(state, shown(family, None, 0, 500), keys, step)
        strayed.append((action != 0).double())
    assert abs(torch.stack(strayed).mean() - 0.3 * 49 / 50) < 4 * (0.3 * 0.7 / 10_000) ** 0.5


def test_random_arms_are_uniform_over_those_in_use() -> None:
    family = Bandit(arms=4, capacity=7, shuffle_slots=True, horizon=50)
    keys = keys_of(400)
    actions, _ = live(RandomArm(), family, keys)
    mask = family.sample_task(keys).mask
    frequency = torch.nn.functional.one_hot(actions, 7).double().mean(0)  # [B, O]
    assert (frequency[mask == 0] == 0).all()
    assert abs(frequency[mask > 0].mean() - 0.25) < 1e-9
    assert frequency[mask > 0].std() < 1.15 * (0.25 * 0.75 / 50) ** 0.5


@pytest.mark.parametrize(("successes", "failures"), [(0, 0), (0, 3), (3, 0), (5, 2), (60, 30)])
def test_thompson_draws_from_the_beta_posterior(successes: int, failures: int) -> None:
    rows, arms = 4_000, 5
    reward = torch.full((rows, arms), float(successes))
    seen = Counts(reward + failures, reward, reward[:, :1], reward[:, :0])
    draws = Thompson().scores(seen, keys_of(rows), 7).double()
    a, b, count = 1 + successes, 1 + failures, rows * arms
    posterior = torch.distributions.Beta(torch.tensor(float(a)), torch.tensor(float(b)))
    assert abs(draws.mean() - posterior.mean) < 4 * (posterior.variance / count) ** 0.5
    assert abs(draws.var() / posterior.variance - 1) < 0.06
    if a == 1:  # the distribution function is 1 - (1 - x) ** b
        ranks = torch.sort(1 - (1 - draws.flatten()) ** b).values
    elif b == 1:
        ranks = torch.sort(draws.flatten() ** a).values
    else:
        return
    assert abs(ranks - (torch.arange(count) + 0.5) / count).max() < 1.63 / count**0.5  # Kolmogorov, 1 %


def test_thompson_draws_anew_at_every_step_for_every_arm_and_trial() -> None:
    flat = torch.zeros(2_000, 3)
    seen = Counts(flat, flat, flat[:, :1], flat[:, :0])
    first, second = (Thompson().scores(seen, keys_of(2_000), step) for step in (0, 1))
    columns = torch.cat([first, second], dim=1)  # (B, 6)
    correlation = torch.corrcoef(columns.T) - torch.eye(6)
    assert correlation.abs().max() < 4.5 / 2_000**0.5


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: type(agent).__name__)
@pytest.mark.parametrize("kind", ["bernoulli", "dependent", "restless"])
def test_rows_live_alone_and_unused_arms_are_left_alone(agent: Any, kind: Any) -> None:
    size = None if kind == "dependent" else (2, 4)
    family = Bandit(kind=kind, arms=size, capacity=9, horizon=12, shuffle_slots=True)
    together, state = live(agent, family, keys_of(20))
    alone, _ = live(agent, family, keys_of(3, first_row=10))
    assert torch.equal(together[:, 10:13], alone)
    mask = family.sample_task(keys_of(20)).mask
    assert torch.take_along_dim(mask, together.T, dim=1).all()
    assert (state.pulls.sum(1) == 11).all()  # the last pull has not been heard of
    assert (state.reward <= state.pulls).all()


def test_bad_uses_say_what_would_do() -> None:
    with pytest.raises(ValueError, match="actions of GuessingGame are continuous"):
        Thompson().initial_state(GuessingGame(), keys_of(1))
    with pytest.raises(ValueError, match="Beta posterior"):
        Thompson().initial_state(Bandit(kind="gaussian"), keys_of(1))
    Greedy().initial_state(Bandit(kind="gaussian"), keys_of(1))
    with pytest.raises(ValueError, match=r"epsilon is 2.0; it must lie in \[0, 1\]"):
        EpsilonGreedy(2.0)
    with pytest.raises(ValueError, match="c is nan"):
        UCB1(float("nan"))


def test_counts_and_sums_of_long_lives_are_exact_in_single_precision_too() -> None:
    family, agent, names = Bandit(arms=2, kind="gaussian"), Greedy(), keys_of(1)
    state = agent.initial_state(family, names)
    long = state._replace(pulls=state.pulls + 2**24, reward=state.reward + 2**24)
    state, _, _ = agent.act(long, shown(family, 0, 1.0), names, 2**25)
    assert state.pulls.tolist() == state.reward.tolist() == [[2**24 + 1, 2**24]]
    state, paid = agent.initial_state(family, names), shown(family, 1, 0.1)
    for step in range(3_000):
        state, _, _ = agent.act(state, paid, names, step)
    assert state.reward[0, 1].item() == pytest.approx(3_000 * paid.feedback.item(), rel=1e-12)
