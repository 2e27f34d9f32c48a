"""The Gittins index: published values, known limits, its error, and that the file holds what it says."""

import numpy as np
import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_envs.families.bandit import Bandit
from baselines.bandits import gittins
from baselines.bandits.classical import Greedy
from baselines.bandits.gittins import SCALE, Gittins, gittins_indices
from baselines.bandits.posteriors import pairs
from baselines.tuned_settings import all_tuned
from tests.badger_agents.small import keys

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
