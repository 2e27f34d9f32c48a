"""Optimistic Thompson sampling: both readings do what they say, and one draw is Thompson sampling."""

import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_envs.families.bandit import Bandit
from baselines.bandits.classical import BanditAlgorithm, Counts, Thompson
from baselines.bandits.optimistic import LikeliestThompson, OptimisticThompson
from tests.badger_agents.small import keys

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


def test_bad_uses_say_what_would_do() -> None:
    with pytest.raises(ValueError, match=r"draws is 0; it must lie in \[1, 1000\], or be 'tuned'"):
        LikeliestThompson(0)
    with pytest.raises(ValueError, match=r"draws is 2.5; it must be a whole number"):
        LikeliestThompson(2.5)
    with pytest.raises(ValueError, match="Beta posterior is for"):
        OptimisticThompson().initial_state(Bandit(kind="gaussian"), keys(1))
