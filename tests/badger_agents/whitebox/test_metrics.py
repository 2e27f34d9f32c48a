"""Measures on cases worked out by hand, and their nulls."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badger_agents.whitebox import metrics
from badger_agents.whitebox.probes import trial_permutations
from badger_envs import keyed_random

ROWS = 200


def permutations(seed: int, rows: int = ROWS, count: int = 60) -> np.ndarray:
    return trial_permutations(keyed_random.outer_keys(seed, 0, rows), count)


def test_causal_effect_of_a_linear_listener() -> None:
    rng = np.random.default_rng(0)
    said, other, rest = rng.normal(size=(3, 100_000))
    effect = metrics.causal_effect(0.5 * said + rest, (0.5 * other + rest)[None])
    assert effect == pytest.approx(2 * 0.5**2, rel=0.02)  # 2 a^2 Var(m)
    assert metrics.causal_effect(rest, np.stack([rest, rest])) == 0.0
    assert metrics.causal_effect(np.array([1.0, 2.0]), np.array([[2.0, 2.0], [1.0, 5.0]])) == pytest.approx(
        2.5
    )


def test_mutual_information_by_hand() -> None:
    x = np.array([0, 1, 2, 3] * 5)
    assert metrics.mutual_information(x, x) == pytest.approx(2.0)
    assert metrics.mutual_information(x, x % 2) == pytest.approx(1.0)
    assert metrics.mutual_information(np.repeat([0, 1], 4), np.tile([0, 1], 4)) == pytest.approx(0.0)
    joint = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])  # p = 1/2, 1/4, 0, 1/4
    expected = 0.5 * math.log2(0.5 / 0.375) + 0.25 * math.log2(0.25 / 0.375) + 0.25 * math.log2(0.25 / 0.125)
    assert metrics.mutual_information(*joint) == pytest.approx(expected)


def test_symbols_are_quarters_and_equal_numbers_stay_together() -> None:
    assert metrics.symbols(np.arange(8.0)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(set(metrics.symbols(np.zeros(5)).tolist())) == 1


def test_the_permutation_null_is_what_independent_data_show() -> None:
    """With a clock that all trials follow, plain information is large, and its excess is about 0."""
    rng = np.random.default_rng(1)
    excesses, significant = [], 0
    for seed in range(60):
        clock = np.repeat(np.arange(8)[:, None] // 2, ROWS, axis=1)  # [T, B]
        one, other = ((clock + rng.integers(0, 2, clock.shape)) % 4 for _ in range(2))
        found = metrics.excess(one, other, permutations(seed))
        assert found.value > 0.2
        excesses.append(found.excess)
        significant += found.value > found.high
    mean, error = np.mean(excesses), np.std(excesses) / len(excesses) ** 0.5
    assert abs(mean) < 4 * error
    assert significant <= 10  # 3 are expected


def test_consistency_and_coordination_find_whose_words_go_with_whose_deeds() -> None:
    rng = np.random.default_rng(2)
    said = rng.integers(0, 4, (6, ROWS, 3))
    done = rng.integers(0, 4, (6, ROWS, 3))
    done[:, :, 0] = said[:, :, 0]  # 0 does what it says, 2 does what 1 says
    done[:, :, 2] = said[:, :, 1]
    orders = permutations(0)
    consistency = metrics.speaker_consistency(said, done, orders)
    assert consistency[0].excess == pytest.approx(2, abs=0.1)
    assert max(abs(found.excess) for found in consistency[1:]) < 0.05
    coordination = metrics.instantaneous_coordination(said, done, orders)
    assert set(coordination) == {(i, j) for i in range(3) for j in range(3) if i != j}
    assert coordination.pop((2, 1)).excess == pytest.approx(2, abs=0.1)
    assert max(abs(found.excess) for found in coordination.values()) < 0.05


def test_message_entropy_by_hand() -> None:
    assert metrics.message_entropy(np.ones((5, 2))) == 0.0
    assert metrics.message_entropy(np.arange(16.0)[:, None]) == pytest.approx(4.0)
    sides = np.array([[0.0, 3.0], [1.0, 3.0]])  # one bit, and none
    assert metrics.message_entropy(sides) == pytest.approx(0.5)


def test_effective_rank_by_hand() -> None:
    cross = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert metrics.effective_rank(cross) == pytest.approx((2.0, 2.0))
    line = np.array([[1.0, 1], [-1, -1], [2, 2], [-2, -2]])
    assert metrics.effective_rank(line) == pytest.approx((1.0, 2.0))  # uncorrelated they would be two
    third = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]])  # singular values 2 : 1
    expected = math.exp(-(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)))
    assert metrics.effective_rank(third)[0] == pytest.approx(expected)
    assert metrics.effective_rank(np.full((4, 3), 0.1)) == (0.0, 0.0)


def test_attention_entropy_by_hand() -> None:
    rows = np.array([[1 / 3, 1 / 3, 1 / 3], [1.0, 0, 0], [0, 0, 0]])
    assert metrics.attention_entropy(rows[None]).tolist() == pytest.approx([3, 1, 0])
    sometimes = np.stack([rows, np.zeros((3, 3))])  # steps at which nothing is heard count nothing
    assert metrics.attention_entropy(sometimes).tolist() == pytest.approx([3, 1, 0])


def test_first_component_by_hand() -> None:
    line = np.array([[[3.0, 4.0]], [[-3.0, -4.0]]])
    along, share = metrics.first_component(line, 2)
    assert along[..., 0].ravel().tolist() == pytest.approx([5, -5])
    assert share.tolist() == pytest.approx([1, 0])
    assert metrics.first_component(np.ones((3, 2)))[1].tolist() == [0.0]


@given(st.permutations(range(4)), st.integers(0, 99))
def test_equivariance_residual(order: list[int], seed: int) -> None:
    writings = np.random.default_rng(seed).normal(size=(3, 2, 4))
    orders = np.array([order, range(4)])
    permuted = np.stack([writings[:, 0, order], writings[:, 1]], axis=1)
    assert metrics.equivariance_residual(writings, permuted, orders) == 0.0
    assert metrics.equivariance_residual(writings, 2 * permuted, orders) == pytest.approx(1.0)


def test_paired_difference_by_hand() -> None:
    found = metrics.paired_difference(np.array([1.0, 2, 6]), np.array([1.0, 1, 4]))
    assert found.difference == pytest.approx(1.0)
    assert found.ci95 == pytest.approx((1 - 1.96 / 3**0.5, 1 + 1.96 / 3**0.5))  # standard deviation 1
    assert metrics.paired_difference(np.ones(3), np.ones(3)) == (0.0, (0.0, 0.0))
