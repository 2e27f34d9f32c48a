"""Statistics of boards: hand-computed cases, scipy, and how often intervals cover the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leaderboards.statistics import (
    expanded_levels,
    holm,
    interquartile_mean,
    over_seeds,
    paired,
    paired_p,
    performance_profile,
)

numbers = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30).map(np.array)


def test_the_interquartile_mean_of_four_and_of_ten() -> None:
    assert interquartile_mean(np.array([9.0, 1, 2, 100])) == pytest.approx(5.5)
    # of 0..9, 2.5 at either end are cut: half of 2, then 3..6, then half of 7
    assert interquartile_mean(np.arange(10.0)) == pytest.approx((1 + 3 + 4 + 5 + 6 + 3.5) / 5)
    assert interquartile_mean(np.array([7.0])) == 7


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8).map(lambda x: np.array(x * 4)))
def test_where_a_quarter_is_whole_it_is_the_trimmed_mean(values: np.ndarray) -> None:
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), abs=1e-9)


def test_a_profile_counts_what_lies_above() -> None:
    profile = performance_profile(np.array([1.0, 2, 3, 4]), np.array([0.0, 2, 9]))
    assert profile.tolist() == [1, 0.5, 0]


def test_the_interval_of_a_mean_is_about_as_wide_as_students() -> None:
    values = np.random.default_rng(1).normal(size=10)
    estimate = over_seeds(values)
    half = stats.t.ppf(0.975, 9) * values.std(ddof=1) / math.sqrt(10)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.12)
    assert expanded_levels(10)[0] < 0.025


def test_tasks_are_averaged_before_seeds_are_resampled() -> None:
    rows = np.array([[0.0, 2, 4], [1, 1, 1], [0, 0, 0], [3, 3, 3], [5, 4, 3]])
    assert over_seeds(rows) == over_seeds(np.array([2.0, 1, 0, 3, 4]))


def test_few_seeds_have_no_interval_and_equal_seeds_have_an_empty_one() -> None:
    one = over_seeds(np.array([3.0, 2, 4, 3]))
    assert one.value == 3
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert over_seeds(np.full(10, 3.0)) == (3, 3, 3, 10)


def test_what_is_common_to_both_drops_out_of_a_paired_difference() -> None:
    draws = np.random.default_rng(2)
    common = draws.normal(size=(10, 1)) * 100
    one = common + draws.normal(size=(10, 5)) * 0.01
    difference = paired(one + 1, common + np.zeros((10, 5)))
    assert difference.value == pytest.approx(1, abs=0.01)
    assert difference.high - difference.low < 0.05
    with pytest.raises(ValueError, match="must be the same"):
        paired(one, one[:9])


@pytest.mark.parametrize("bad", [[1.0, math.nan], [math.inf], []])
def test_what_is_not_finite_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"finite|no values"):
        over_seeds(np.array(bad))


def test_holm_corrects_for_the_number_of_tests() -> None:
    # Holm 1979: the smallest times 4, the next times 3, never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_plain_p_and_bonferronis(values: list[float]) -> None:
    for plain, corrected in zip(values, holm(values), strict=True):
        assert plain <= corrected <= 1
        assert corrected <= max(plain, len(values) * max(values))


def test_the_paired_test_is_scipys_and_few_seeds_show_nothing() -> None:
    draws = np.random.default_rng(7)
    one, other = draws.normal(size=(2, 10))
    assert paired_p(one, other) == pytest.approx(stats.ttest_rel(one, other).pvalue)
    assert paired_p(one[:4] + 100, other[:4]) == 1
    assert paired_p(np.full(10, 3.0), np.full(10, 2.0)) == 0
    assert paired_p(one, one) == 1


def simulated_means(boards: int, seeds: int) -> np.ndarray:
    """[boards, seeds, 8 tasks]: a shared bimodal effect of the seed, some noise per task; truth below."""
    draws = np.random.default_rng(4)
    effect = (draws.random((boards, seeds, 1)) < 0.5) * 1.0
    return effect + draws.normal(size=(boards, seeds, 8)) * 0.2


@pytest.mark.parametrize(("name", "statistic"), [("mean", lambda x: x.mean(-1)), ("iqm", interquartile_mean)])
def test_the_interval_covers_the_truth_in_nine_of_ten_boards(name: str, statistic: Callable) -> None:
    # by symmetry the truth of both statistics is 0.5
    boards = simulated_means(500, 10)
    inside = [(e := over_seeds(b, statistic, resamples=1000)).low <= 0.5 <= e.high for b in boards]
    assert np.mean(inside) >= 0.9, name
    per_task = []
    for board in boards[:200]:  # the interval that resamples tasks' runs apart claims too much
        drawn = np.random.default_rng(5).integers(10, size=(500, 10, 8))
        means = np.take_along_axis(board[None], drawn, axis=1).mean(1)
        low, high = np.quantile(statistic(means), [0.025, 0.975])
        per_task.append(low <= 0.5 <= high)
    assert np.mean(per_task) < 0.9


def test_paired_intervals_cover_a_little_less_where_seeds_are_skewed() -> None:
    draws = np.random.default_rng(6)
    differences = draws.exponential(size=(500, 10, 1)) + draws.normal(size=(500, 10, 20)) * 0.3
    inside = []
    for rows in differences:
        estimate = over_seeds(rows, resamples=1000)
        inside.append(estimate.low <= 1 <= estimate.high)
    assert np.mean(inside) >= 0.88
