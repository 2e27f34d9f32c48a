"""Agents for bandits: what they know, what they pull, what they earn."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Observation
from baselines.bandits import gittins
from baselines.bandits.classical import (
    UCB1,
    BanditAlgorithm,
    Counts,
    EpsilonGreedy,
    Greedy,
    RandomArm,
    Thompson,
)
from baselines.bandits.gittins import SCALE, Gittins, gittins_indices
from baselines.bandits.optimistic import LikeliestThompson, OptimisticThompson
from baselines.bandits.posteriors import NODES, draw, log_density, pair_number, pairs, quantiles
from baselines.bandits.win_stay_lose_shift import WinStayLoseShift
from baselines.optimisers.triangulation import MemorylessTriangulation, Triangulation
from baselines.tuned_settings import all_tuned
from tests.badger_agents.small import keys

# Tables of Beta posteriors: numbers of pairs, quantiles, draws.


def test_every_pair_has_a_number_of_its_own() -> None:
    pulls = torch.tensor([[float(m) for m in range(8) for _ in range(m + 1)]])
    reward = torch.tensor([[float(s) for m in range(8) for s in range(m + 1)]])
    assert torch.equal(pair_number(pulls, reward)[0], torch.arange(pairs(7)))
    assert quantiles(7).shape == (pairs(7), NODES + 1)


@pytest.mark.parametrize("pair", [(0, 0), (1, 0), (1, 1), (7, 2), (40, 39), (200, 0), (200, 90)])
def test_quantiles_are_those_of_the_beta_distribution(pair: tuple[int, int]) -> None:
    stats = pytest.importorskip("scipy.stats")
    pulls, paid = pair
    row = quantiles(pulls)[pairs(pulls - 1) + paid].double()
    level = (torch.linspace(0, torch.pi / 2, NODES + 1).double().sin() ** 2)[1:-1].numpy()
    posterior = stats.beta(1 + paid, 1 + pulls - paid)
    reached = posterior.cdf((row.sin() ** 2)[1:-1].numpy())
    assert abs(reached - level).max() < 2e-3
    assert (row.diff() >= 0).all()


def test_draws_are_spread_as_the_posterior_and_anew_each_time() -> None:
    stats = pytest.importorskip("scipy.stats")
    number = torch.full((4_000, 3, 2), pairs(8) + 3)  # 9 pulls of which 3 paid
    first, second = (draw(quantiles(9), number, keys(4_000), "posterior", step) for step in (0, 1))
    assert first.shape == number.shape
    levels = torch.sort(torch.from_numpy(stats.beta(4, 7).cdf((first.double().sin() ** 2).flatten()))).values
    count = len(levels)
    assert abs(levels - (torch.arange(count) + 0.5) / count).max() < 1.63 / count**0.5  # Kolmogorov, 1 %
    columns = torch.cat([first.flatten(1), second.flatten(1)], dim=1)  # (B, 12)
    assert (torch.corrcoef(columns.T) - torch.eye(12)).abs().max() < 4.5 / 4_000**0.5


def test_log_density_is_the_posteriors_up_to_a_constant() -> None:
    x = torch.tensor([0.1, 0.4, 0.8], dtype=torch.float64)
    angle = x.sqrt().asin()
    ours = log_density(torch.tensor(3.0), torch.tensor(2.0), angle)
    posterior = torch.distributions.Beta(torch.tensor(4.0).double(), torch.tensor(3.0).double()).log_prob(x)
    torch.testing.assert_close(ours - ours[0], posterior - posterior[0])


def test_a_negative_number_of_pulls_is_refused() -> None:
    with pytest.raises(ValueError, match="pulls is -1"):
        quantiles(-1)


# Classical bandit algorithms: their rules, their draws (and numbers: tests/paper/test_bandits.py).


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


# Optimistic Thompson sampling: both readings do what they say, and one draw is Thompson sampling.


ROWS = 4_000


def scores(agent: BanditAlgorithm, pulls: list[float], reward: list[float], rows: int = ROWS) -> torch.Tensor:
    """What it draws as probabilities [B, O] when arms have been pulled and have paid so."""
    family = Bandit(arms=len(pulls), horizon=40)
    state = agent.initial_state(family, keys(rows))
    seen = state._replace(pulls=torch.tensor([pulls] * rows), reward=torch.tensor([reward] * rows))
    return agent.scores(seen, keys(rows), 0).sin() ** 2


def test_one_draw_is_thompson_sampling() -> None:
    family = Bandit(arms=5, horizon=30, split="test")
    exact, tables = (evaluate(agent, family, 2_000) for agent in (Thompson(), LikeliestThompson(1)))
    difference = exact.outcomes - tables.outcomes
    assert abs(difference.mean()) < 3 * difference.std() / 2_000**0.5


def test_the_likeliest_world_is_kept_whole() -> None:
    """Two arms, pulled alike: of N worlds the one whose densities' product is largest."""
    drawn = scores(LikeliestThompson(8), [3.0, 5.0], [3.0, 1.0])
    posteriors = [torch.distributions.Beta(4.0, 1.0), torch.distributions.Beta(2.0, 5.0)]
    torch.manual_seed(0)
    worlds = torch.stack([posterior.sample((ROWS, 8)) for posterior in posteriors], dim=-1)  # (B, N, O)
    likely = sum(posterior.log_prob(worlds[..., arm]) for arm, posterior in enumerate(posteriors))
    assert isinstance(likely, torch.Tensor)
    wanted = worlds[torch.arange(ROWS), likely.argmax(dim=1)]  # (B, O)
    for arm in range(2):
        spread = wanted[:, arm].std()
        assert abs(drawn[:, arm].mean() - wanted[:, arm].mean()) < 4 * spread * (2 / ROWS) ** 0.5
        assert abs(drawn[:, arm].std() / spread - 1) < 0.08
    alone = scores(LikeliestThompson(8), [3.0], [3.0])[:, 0]  # no other arm to pay for: nearer to 1
    assert alone.mean() > drawn[:, 0].mean() + 0.01


def test_of_arms_never_pulled_nothing_is_likely() -> None:
    drawn = scores(LikeliestThompson(20), [0.0, 30.0], [0.0, 15.0])
    assert abs(drawn[:, 0].mean() - 0.5) < 4 * 12**-0.5 / ROWS**0.5
    assert abs(drawn[:, 0].std() - 12**-0.5) < 0.01
    assert drawn[:, 1].std() < 0.3 * scores(LikeliestThompson(1), [0.0, 30.0], [0.0, 15.0])[:, 1].std()


def test_no_arm_is_drawn_below_its_mean() -> None:
    drawn = scores(OptimisticThompson(), [4.0, 0.0], [3.0, 0.0])
    mean = torch.tensor([4 / 6, 1 / 2])
    assert (drawn > mean - 1e-5).all()
    at_mean = (drawn < mean + 1e-5).double().mean(dim=0)
    below = 4 / 6, 1 / 2
    posterior = torch.distributions.Beta(4.0, 2.0).sample((100_000,))
    for arm, chance in enumerate(((posterior < below[0]).double().mean(), 0.5)):
        assert abs(at_mean[arm] - chance) < 4 * 0.5 / ROWS**0.5


@pytest.mark.parametrize("agent", [LikeliestThompson(3), OptimisticThompson()])
def test_rows_live_alone(agent: BanditAlgorithm) -> None:
    family = Bandit(arms=4, horizon=6)
    state = agent.initial_state(family, keys(9))
    assert isinstance(state, Counts)
    together = agent.scores(state, keys(9), 0)
    alone = agent.scores(agent.initial_state(family, keys(9)[2:3]), keys(9)[2:3], 0)
    torch.testing.assert_close(together[2:3], alone)


def test_bad_uses_of_both_readings_say_what_would_do() -> None:
    with pytest.raises(ValueError, match=r"draws is 0; it must lie in \[1, 1000\], or be 'tuned'"):
        LikeliestThompson(0)
    with pytest.raises(ValueError, match=r"draws is 2.5; it must be a whole number"):
        LikeliestThompson(2.5)
    with pytest.raises(ValueError, match="Beta posterior is for"):
        OptimisticThompson().initial_state(Bandit(kind="gaussian"), keys(1))


# The Gittins index: published values, known limits, its error, and that the file holds what it says.


PUBLISHED = {
    # discount: Beta(1, 1), (1, 2), (2, 1), (1, 3), (2, 2); Gittins, Glazebrook, Weber 2011, section 8.4
    0.5: (0.5590, 0.3758, 0.7060, 0.2802, 0.5359),
    0.9: (0.7029, 0.5001, 0.8001, 0.3796, 0.6346),
    0.95: (0.7614, 0.5601, 0.8381, 0.4334, 0.6810),
    0.99: (0.8699, 0.7005, 0.9102, 0.5671, 0.7844),
}


@pytest.mark.parametrize("discount", PUBLISHED)
def test_indices_are_the_published_ones(discount: float) -> None:
    ours = gittins_indices(2, discount, grid=200, ahead=400)
    np.testing.assert_allclose(ours[:5], PUBLISHED[discount], atol=1e-4)


def test_an_arm_that_is_no_lottery_any_more_is_worth_its_mean() -> None:
    for done, ahead in ((0, 0), (6, 0)):
        indices = gittins_indices(done, 0.0, ahead=ahead)
        mean = [(s + 1) / (m + 2) for m in range(done + 1) for s in range(m + 1)]
        np.testing.assert_allclose(indices, mean, atol=1e-9)


def test_indices_exceed_means_and_grow_with_the_discount_and_with_what_was_paid() -> None:
    mean = np.array([(s + 1) / (m + 2) for m in range(21) for s in range(m + 1)])
    lower = mean
    for discount in (0.3, 0.8, 0.95):
        indices = gittins_indices(20, discount)
        assert (indices > lower).all()
        lower = indices
        for done in range(1, 21):
            assert (np.diff(indices[pairs(done - 1) : pairs(done)]) > 0).all()


def test_one_pull_ahead_by_hand() -> None:
    # Pull once, stay if that paid: (1 - discount) (1/2 - g) + discount (1/2) (2/3 - g) = 0 at Beta(1, 1).
    for discount in (0.2, 0.6):
        expected = ((1 - discount) / 2 + discount / 3) / (1 - discount / 2)
        assert gittins_indices(0, discount, ahead=1)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("discount", "error"), [(0.97, 2e-5), pytest.param(0.9995, 2e-3, marks=pytest.mark.slow)]
)
def test_the_error_is_what_is_said(discount: float, error: float) -> None:
    ours = gittins_indices(3, discount)
    finer = gittins_indices(3, discount, grid=2 * gittins.GRID, ahead=500 if discount < 0.99 else 2_500)
    assert abs(ours - finer).max() < error


def test_bad_arguments_are_refused() -> None:
    for arguments in ((-1, 0.9), (3, 1.0), (3, -0.1)):
        with pytest.raises(ValueError, match="the discount in"):
            gittins_indices(*arguments)
    with pytest.raises(ValueError, match=r"discount is 1.0; it must lie in \[0, 0.9999\]"):
        Gittins(1.0)


def test_the_file_holds_the_tuned_indices() -> None:
    tuned = gittins.tuned_tables()
    assert tuned
    for discount, pulls in tuned:
        assert len(gittins.stored()[discount]) == pairs(pulls)
    discount, pulls = min(tuned, key=lambda table: table[1])
    computed = gittins_indices(pulls, discount)
    assert abs(gittins.stored()[discount] / SCALE - computed).max() < 1e-5
    for discount, _ in tuned:  # the others where that is quick
        few = gittins_indices(3, discount, ahead=300)
        assert abs(gittins.stored()[discount][: pairs(3)] / SCALE - few).max() < 0.01


@pytest.mark.slow
def test_all_of_the_file_is_what_the_command_writes() -> None:
    for discount, pulls in gittins.tuned_tables():
        assert abs(gittins.stored()[discount] / SCALE - gittins_indices(pulls, discount)).max() < 1e-5


def test_the_agent_pulls_the_arm_of_the_highest_index() -> None:
    reward = torch.tensor([[0.0, 1.0, 3.0]])
    pulls = torch.tensor([[0.0, 2.0, 4.0]])  # Beta(1, 1), Beta(2, 2), Beta(4, 2)
    family = Bandit(arms=3, horizon=10)
    for discount in (0.5, 0.8):
        agent = Gittins(discount)
        state = agent.initial_state(family, keys(1))
        scores = agent.scores(state._replace(pulls=pulls, reward=reward), keys(1), 0)[0]
        indices = gittins_indices(4, discount)
        np.testing.assert_allclose(scores.numpy(), indices[[0, pairs(1) + 1, pairs(3) + 3]], atol=1e-4)
    start = Gittins(0.0).initial_state(family, keys(1))
    none = start._replace(pulls=pulls, reward=reward)
    means = Gittins(0.0).scores(none, keys(1), 0)
    torch.testing.assert_close(means, Greedy().scores(none, keys(1), 0), atol=1e-6, rtol=0)


def test_rewards_that_are_not_0_or_1_are_refused() -> None:
    with pytest.raises(ValueError, match="Gittins's Beta posterior"):
        Gittins(0.9).initial_state(Bandit(kind="gaussian"), keys(1))


def test_patience_pays() -> None:
    family = Bandit(arms=10, horizon=100, split="test")
    patient, greedy = (evaluate(agent, family, 500) for agent in (Gittins("tuned"), Greedy()))
    gain = patient.outcomes - greedy.outcomes
    assert gain.mean() > 3 * gain.std() / 500**0.5
    assert any(found.algorithm == "Gittins" and found.cell == "n=100 k=10" for found in all_tuned())


# Memoryless references: win-stay, lose-shift on bandits; triangulation that remembers in its outputs.


def test_it_stays_after_a_reward_and_else_takes_the_next_arm_in_use() -> None:
    family = Bandit(arms=4, capacity=9, horizon=30, shuffle_slots=True)
    lived = rollout(WinStayLoseShift(), family, keys(50), record=True)
    actions, mask = lived.trace["action"], family.sample_task(keys(50)).mask
    for row in range(50):
        used = mask[row].nonzero().flatten().tolist()
        expected = used[0]
        for time in range(30):
            assert actions[time, row] == expected
            if lived.reward[time, row] == 0:
                expected = used[(used.index(expected) + 1) % 4]


@pytest.mark.parametrize(("arms", "known"), [(5, 68), (50, 78)])
def test_it_earns_more_than_chance(arms: int, known: float) -> None:
    family = Bandit(arms=arms, split="test")
    found = evaluate(WinStayLoseShift(), family, 1_000)
    assert found.mean == pytest.approx(known, abs=1.5)
    assert found.ci95[0] > evaluate(RandomArm(), family, 1_000).ci95[1] + 10


def test_of_two_arms_it_stays_at_each_as_long_as_it_pays() -> None:
    family = Bandit(arms=2, horizon=2_000)
    lived = rollout(WinStayLoseShift(), family, keys(20), record=True)
    stay = 1 / (1 - family.sample_task(keys(20)).mean.clamp(max=0.98))
    share = (lived.trace["action"][200:] == 1).double().mean(dim=0)
    torch.testing.assert_close(share, (stay[:, 1] / stay.sum(dim=1)).double(), atol=0.12, rtol=0)


@pytest.mark.parametrize(("low", "high"), [(1, 3), (10, 10), (19, 19)])
def test_it_solves_the_guessing_game_with_no_memory_but_its_outputs(low: int, high: int) -> None:
    family = GuessingGame(dims=(low, high), test_dims=20, capacity=20, shuffle_slots=True)
    for dtype, error in (("float32", 1e-6), ("float64", 1e-20)):
        exact = dataclasses.replace(family, dtype=dtype)
        assert evaluate(MemorylessTriangulation(), exact, 300).outcomes.max() < error


def test_with_too_few_steps_it_finds_as_many_numbers_as_triangulation_does() -> None:
    family = GuessingGame(dims=8, horizon=5, split="test")
    agents = (MemorylessTriangulation(), Triangulation())
    ours, other = (evaluate(agent, family, 300).outcomes for agent in agents)
    torch.testing.assert_close(ours, other, atol=1e-5, rtol=0)


def test_other_families_are_refused() -> None:
    with pytest.raises(ValueError, match="Bandit is none"):
        MemorylessTriangulation().initial_state(Bandit(), keys(1))
    for family in (GuessingGame(), Bandit(kind="gaussian")):
        with pytest.raises(ValueError, match="arms that pay 0 or 1"):
            WinStayLoseShift().initial_state(family, keys(1))
