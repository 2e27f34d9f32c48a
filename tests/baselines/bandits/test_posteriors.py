"""Tables of Beta posteriors: numbers of pairs, quantiles, draws."""

import pytest
import torch

from baselines.bandits.posteriors import NODES, draw, log_density, pair_number, pairs, quantiles
from tests.badger_agents.small import keys


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
