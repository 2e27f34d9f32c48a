"""Statistics of boards: hand-computed cases, scipy, and how often intervals cover the truth."""

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from leaderboards.statistics import (
    distinguishable,
    expanded_levels,
    groups,
    interquartile_mean,
    optimality_gap,
    over_seeds,
    paired,
    performance_profile,
    probability_of_improvement,
    student_quantile,
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


def test_the_optimality_gap_counts_what_exceeds_the_goal_as_the_goal() -> None:
    assert optimality_gap(np.array([0.5, 1.0, 3.0])) == pytest.approx(0.5 / 3)


@given(numbers, numbers)
def test_the_probability_of_improvement_is_mann_and_whitneys_u(one: np.ndarray, other: np.ndarray) -> None:
    statistic = stats.mannwhitneyu(one, other, method="asymptotic", use_continuity=False).statistic
    assert probability_of_improvement(one, other) == pytest.approx(statistic / (len(one) * len(other)))


def test_a_profile_counts_what_lies_above() -> None:
    profile = performance_profile(np.array([1.0, 2, 3, 4]), np.array([0.0, 2, 9]))
    assert profile.tolist() == [1, 0.5, 0]


@pytest.mark.parametrize("degrees", [1, 2, 4, 9, 99])
def test_students_quantile_is_scipys(degrees: int) -> None:
    assert student_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-4)


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


def test_letters_join_those_that_are_not_distinguishable() -> None:
    noise = np.random.default_rng(3).normal(size=(4, 10))
    agents = [noise[0] + 10, noise[1], noise[2] + 0.05, noise[3] - 10]
    assert groups(agents, higher_is_better=True) == ["a", "b", "b", "c"]
    assert groups(agents, higher_is_better=False) == ["c", "b", "b", "a"]
    assert distinguishable(np.array([50.0]), agents[0])
    assert not distinguishable(np.array([50.0]), np.array([0.0]))  # one seed says nothing


@pytest.mark.parametrize("case", range(8))
def test_two_share_a_letter_exactly_if_they_are_not_distinguishable(case: int) -> None:
    draws = np.random.default_rng(case)
    spread = draws.choice([0.05, 1.0, 4.0], size=(12, 1))  # so that the undistinguished are no stretches
    agents = list(draws.normal(size=(12, 1)) + spread * draws.normal(size=(12, 10)))
    letters = groups(agents, higher_is_better=True)
    for one, other in combinations(range(12), 2):
        shared = set(letters[one]) & set(letters[other])
        assert bool(shared) != distinguishable(agents[one], agents[other]), (one, other, letters)
    first = [min(letters[place]) for place in np.argsort([-rows.mean() for rows in agents])]
    assert first[0] == "a"


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
