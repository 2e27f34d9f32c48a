"""Evaluation: fresh tasks, the same for every agent, and honest intervals."""

import numpy as np
import pytest
import torch

from badger_agents.evaluation import Evaluation, evaluate
from tests.badger_agents.small import ConstantAgent, keys, random_agent, small_family


def test_the_result_does_not_depend_on_the_chunk() -> None:
    family = small_family(split="test")
    agent = random_agent(family)
    whole = evaluate(agent, family, 23)
    for chunk in (1, 5, 22, 23, 100):
        parts = evaluate(agent, family, 23, chunk=chunk)
        torch.testing.assert_close(parts.outcomes, whole.outcomes)
        torch.testing.assert_close(parts.loss, whole.loss)


def test_more_trials_begin_with_the_same_tasks() -> None:
    family = small_family(split="test")
    few, many = (evaluate(ConstantAgent(), family, n).outcomes for n in (10, 30))
    assert torch.equal(few, many[:10])


def test_every_agent_meets_the_same_tasks_and_another_seed_other_ones() -> None:
    family = small_family(split="test")
    zero, half = ConstantAgent(), ConstantAgent(0.5)
    difference = evaluate(half, family, 50).outcomes - evaluate(zero, family, 50).outcomes
    targets = family.sample_task(_keys(family, 50, 0)).target
    torch.testing.assert_close(difference, (0.25 - targets).sum(-1))  # holds only task by task
    assert not torch.equal(evaluate(zero, family, 50).outcomes, evaluate(zero, family, 50, seed=1).outcomes)


def _keys(family, rows: int, seed: int) -> torch.Tensor:
    from badger_envs import keyed_random

    return torch.from_numpy(keyed_random.trial_keys(range(seed, seed + rows), 0, family.split))


def test_the_splits_hold_different_tasks() -> None:
    outcomes = [
        evaluate(ConstantAgent(), small_family(split=s), 200).outcomes
        for s in ("train", "validation", "test")
    ]
    for one in range(3):
        for other in range(one):
            assert len(np.intersect1d(outcomes[one], outcomes[other])) == 0


def test_the_interval_is_the_normal_one_over_tasks() -> None:
    outcomes = torch.tensor([1.0, 2.0, 4.0, 9.0], dtype=torch.float64)
    result = Evaluation(outcomes, torch.stack([outcomes, 2 * outcomes]))
    half = 1.96 * np.std(outcomes.numpy(), ddof=1) / 2
    assert result.mean == 4.0
    assert result.ci95 == pytest.approx((4.0 - half, 4.0 + half))
    low, high = result.loss_ci95
    assert result.loss.tolist() == [4.0, 8.0]
    assert low.tolist() == pytest.approx([4.0 - half, 8.0 - 2 * half])
    assert high.tolist() == pytest.approx([4.0 + half, 8.0 + 2 * half])


def test_one_task_tells_nothing_of_the_spread() -> None:
    one = Evaluation(torch.ones(1), torch.ones(3, 1))
    assert one.ci95 == (-np.inf, np.inf)
    assert one.loss_ci95[1].tolist() == [np.inf] * 3


def test_the_interval_holds_what_is_known_exactly() -> None:
    low, high = evaluate(ConstantAgent(), small_family(split="test"), 4000).ci95
    assert low < 1.0 < high  # writing zeros scores 1 on average
    half = 1.96 * np.sqrt(9 * (1 / 5 - 1 / 9) / 3) / np.sqrt(4000)  # variance of 3 * mean of 3 squares
    assert high - low == pytest.approx(2 * half, rel=0.05)


def test_loss_is_the_mean_over_trials_per_step() -> None:
    family = small_family(split="test")
    agent = random_agent(family)
    result = evaluate(agent, family, 9, chunk=4)
    assert result.losses.shape == (family.horizon, 9)
    torch.testing.assert_close(result.losses[-1], result.outcomes)
    assert result.loss.shape == (family.horizon,)
    assert float(result.loss[-1]) == pytest.approx(result.mean)
    assert not result.outcomes.requires_grad


@pytest.mark.parametrize("trials", [0, -1])
def test_no_trials_are_refused(trials: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        evaluate(ConstantAgent(), small_family(), trials)
    with pytest.raises(ValueError, match=f"chunk is {trials}; it must be at least 1"):
        evaluate(ConstantAgent(), small_family(), 1, chunk=trials)


def test_keys_of_training_differ_between_outer_steps_and_seeds() -> None:
    family = small_family()
    first = [family.sample_task(keys(4, seed, step)).target for seed in (0, 1) for step in (0, 1)]
    assert len(torch.unique(torch.cat(first), dim=0)) == 16
