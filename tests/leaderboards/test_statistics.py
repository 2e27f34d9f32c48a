"""Statistics of boards: hand-computed cases, scipy, and how often intervals cover the truth."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.coverage import covered, with_failures
from leaderboards import statistics
from leaderboards.statistics import (
    Limits,
    bounded,
    bounded_p,
    holm,
    performance_profile,
    share,
    student,
    student_p,
)

UNIT = Limits(0.0, 1.0)


def test_a_profile_counts_what_lies_above() -> None:
    profile = performance_profile(np.array([1.0, 2, 3, 4]), np.array([0.0, 2, 9]))
    assert profile.tolist() == [1, 0.5, 0]


@pytest.mark.parametrize(("count", "of"), [(0, 10), (1, 10), (5, 10), (10, 10), (0, 50), (7, 50)])
def test_the_interval_of_zeros_and_ones_is_clopper_and_pearsons(count: int, of: int) -> None:
    values = (np.arange(of) < count) * 1.0
    found, exact = bounded(values, UNIT), share(count, of)
    assert (found.value, found.n) == (exact.value, exact.n)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.01)
    test = stats.binomtest(count, of).proportion_ci(method="exact")
    assert (exact.low, exact.high) == pytest.approx((test.low, test.high))


def test_tasks_are_averaged_before_seeds_are_counted() -> None:
    rows = np.array([[0.0, 2, 4], [1, 1, 1], [0, 0, 0], [3, 3, 3], [5, 4, 3]])
    assert student(rows) == student(np.array([2.0, 1, 0, 3, 4]))
    assert bounded(rows, Limits(0, 9)) == bounded(np.array([2.0, 1, 0, 3, 4]), Limits(0, 9))


def test_few_seeds_have_no_interval() -> None:
    for one in (student(np.array([3.0, 2, 4, 3])), bounded(np.array([3.0, 2, 4, 3]), Limits(0, 9))):
        assert one.value == 3
        assert math.isnan(one.low)
        assert math.isnan(one.high)
    assert bounded_p(np.full(4, 0.9), Limits(-1, 1)) == student_p(np.full(4, 0.9)) == 1


def test_a_wider_limit_is_a_wider_interval_on_its_side_only() -> None:
    values = np.linspace(0.1, 0.3, 10)
    near, far = bounded(values, UNIT), bounded(values, Limits(0, 4))
    assert far.low == near.low
    assert far.high > near.high
    with pytest.raises(ValueError, match="beyond its limit"):
        bounded(values, Limits(0, 0.2))


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=20).map(np.array))
def test_the_p_value_is_small_where_the_interval_leaves_0_out(values: np.ndarray) -> None:
    found, p = bounded(values, Limits(-1, 1)), bounded_p(values, Limits(-1, 1))
    assert -1 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1
    if abs(p - 0.05) > 0.002:
        assert (p < 0.05) == (found.low > 0 or found.high < 0)


def test_students_interval_and_test_are_scipys() -> None:
    values = np.random.default_rng(7).normal(size=10)
    found, theirs = student(values), stats.ttest_1samp(values, 0.0)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert student_p(values) == pytest.approx(theirs.pvalue)
    assert student_p(np.full(10, 3.0)) == 0
    assert student_p(np.zeros(10)) == 1
    assert found.reach == pytest.approx(found.high - found.value)


@pytest.mark.parametrize("bad", [[1.0, math.nan], [math.inf], []])
def test_what_is_not_finite_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"finite|no values"):
        student(np.array(bad))


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


@pytest.fixture
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A tenth of the draws: what covers with these covers with more, and takes a tenth of the time."""
    monkeypatch.setattr(statistics, "DRAWS", statistics.DRAWS // 10)
    statistics._uniforms.cache_clear()
    yield
    statistics._uniforms.cache_clear()


@pytest.mark.usefixtures("fewer_draws")
@pytest.mark.parametrize("rate", [0.05, 0.1, 0.15, 0.2])
@pytest.mark.parametrize("seeds", [10, 50])
def test_the_interval_covers_the_mean_where_some_seeds_fail(rate: float, seeds: int) -> None:
    sets, truth = with_failures(rate, seeds, 300, 1)
    assert covered(sets, truth, lambda each: bounded(each, UNIT))[0] >= 0.95
    others, theirs = with_failures(0.1, seeds, 300, 2)
    assert covered(sets - others, truth - theirs, lambda each: bounded(each, Limits(-1, 1)))[0] >= 0.95
    if seeds == 10:  # what looks at the spread alone does not
        assert covered(sets, truth, student)[0] < 0.93


@pytest.mark.parametrize("seeds", [5, 10])
def test_of_seeds_that_are_alike_students_interval_holds(seeds: int) -> None:
    sets, truth = with_failures(0, seeds, 2000, 3)
    assert covered(sets, truth, student)[0] >= 0.9
