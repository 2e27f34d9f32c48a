"""Statistics of boards: the outer seed is the unit, and agents on the same seeds and tasks are paired.

A trained agent is one outer seed tested on every task, so its errors on tasks correlate; an interval that
resamples runs task by task (Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice")
claims too much unless each task has runs of its own. Here trials are averaged first.

Some outer seeds fail. Where 5 % do, six sets of ten seeds in ten hold no failure at all, and what is
computed from the spread of such a set (Student's t, any bootstrap) covers the true mean in 0.4 of cases.
So the mean over all seeds has an interval that asks only how good and how bad an outcome can be (`bounded`);
the share of seeds that fail (`share`) and the mean of those that do not (`student`) are told apart from it.
docs/statistics.md has how often each covers the truth.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

DRAWS = 100_000
"""Sets of uniform order statistics from which an interval is computed."""

FEWEST = 5
"""Outer seeds for which there is an interval."""

ENOUGH = 10
"""Outer seeds for a claim; with fewer a result is called preliminary."""

LEVEL = 0.05
"""Of tests; intervals are of 1 - LEVEL."""

Array = np.ndarray


class Limits(NamedTuple):
    """The least and the greatest that a value can be."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A number over outer seeds.

    Attributes:
        value: the estimate.
        low: lower end of its 95 % interval; nan with fewer than `FEWEST` outer seeds.
        high: upper end.
        n: number of outer seeds.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def reach(self) -> float:
        """The longer side of the interval: a difference from 0 of this size would have been shown."""
        return max(self.value - self.low, self.high - self.value)


def bounded(values: Float[Array, "N *any"], limits: Limits, level: float = LEVEL) -> Estimate:
    """Mean over outer seeds, with a 95 % interval that holds where some seeds fail.

    Formula: the upper end is the 97.5 % quantile, over sorted uniform U, of
    h - sum_i U_i (z_(i+1) - z_i), z the sorted values and z_(N+1) = h the upper limit; the lower end is the
    same upside down. Of N equal values it excludes what a share of 1 - 0.025^(1/N) at a limit would do (0.31
    of ten, 0.07 of fifty), as Clopper and Pearson's interval does.
    Range: within the limits.
    Source: Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable"; Learned-Miller and Thomas 2019, "A new confidence interval for the mean of a
    bounded random variable". Nothing is assumed but the limits; that it covers is shown by simulation.

    Args:
        values: one row per outer seed; tasks or cells on further axes are averaged first.
        limits: of a value.
        level: the interval misses the mean in at most this share of cases.

    Raises:
        ValueError: no seeds, a value that is not finite or beyond the limits.
    """
    means = _means(values)
    if len(means) < FEWEST:
        return Estimate(float(means.mean()), math.nan, math.nan, len(means))
    low = -np.quantile(_drawn_means(-means, -limits.low), 1 - level / 2)
    high = np.quantile(_drawn_means(means, limits.high), 1 - level / 2)
    return Estimate(float(means.mean()), float(low), float(high), len(means))


def bounded_p(values: Float[Array, "N *any"], limits: Limits) -> float:
    """P value that the mean is 0: below 0.05 where the interval of `bounded` leaves 0 out.

    1 with fewer than `FEWEST` seeds; never below 2 / (`DRAWS` + 1).
    """
    means = _means(values)
    if len(means) < FEWEST:
        return 1.0
    tails = (_drawn_means(-means, -limits.low), _drawn_means(means, limits.high))
    return min(1.0, 2 * (1 + min(int((tail >= 0).sum()) for tail in tails)) / (DRAWS + 1))


def student(values: Float[Array, "N *any"]) -> Estimate:
    """Mean over outer seeds that did not fail, with Student's 95 % t interval.

    Formula: mean plus and minus t sd / sqrt(N). Range: all numbers. Source: Student 1908, "The probable error
    of a mean". Only for seeds that are alike: where some fail it is far too narrow (`bounded`).

    Raises:
        ValueError: no seeds, or a value that is not finite.
    """
    means = _means(values)
    value, count = float(means.mean()), len(means)
    if count < FEWEST:
        return Estimate(value, math.nan, math.nan, count)
    half = float(stats.t.ppf(1 - LEVEL / 2, count - 1) * means.std(ddof=1) / math.sqrt(count))
    return Estimate(value, value - half, value + half, count)


def student_p(values: Float[Array, "N *any"]) -> float:
    """P value that the mean is 0 (Student's test). 1 with fewer than `FEWEST` seeds.

    Where all values are the same, 0 if they are not 0.
    """
    means = _means(values)
    if len(means) < FEWEST:
        return 1.0
    if means.std() <= 1e-12 * abs(means.mean()):
        return 0.0 if means.any() else 1.0
    return float(stats.ttest_1samp(means, 0.0).pvalue)


def share(count: int, of: int) -> Estimate:
    """A share of outer seeds, such as of those that failed, with its exact 95 % interval.

    Range: 0 to 1. Source: Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in
    the case of the binomial".
    """
    low = 0.0 if count == 0 else float(stats.beta.ppf(LEVEL / 2, count, of - count + 1))
    high = 1.0 if count == of else float(stats.beta.ppf(1 - LEVEL / 2, count + 1, of - count))
    return Estimate(count / of, low, high, of)


def performance_profile(values: Float[Array, "*any"], thresholds: Float[Array, "K"]) -> Float[Array, "K"]:
    """Share of values (of seeds and cells) above each threshold (Agarwal et al. 2021, section 4.2)."""
    return (_finite(values).reshape(1, -1) > np.asarray(thresholds)[:, None]).mean(-1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number (Holm 1979): each is below 0.05 where its difference is shown."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = largest
    return corrected


def _drawn_means(means: Float[Array, "N"], high: float) -> Float[Array, "D"]:
    """Means of the greatest distributions that go with sorted uniform draws; see `bounded`."""
    if means.max() > high:
        raise ValueError(f"a value lies beyond its limit {abs(high):g}")
    gaps = np.diff(np.append(np.sort(means), high))  # (N,)
    return high - (_uniforms(len(means)) * gaps).sum(-1)  # no BLAS: the same bits on every processor


@lru_cache(maxsize=8)
def _uniforms(count: int) -> Float[Array, "D N"]:
    """Sorted uniform draws."""
    return np.sort(np.random.default_rng(0).random((DRAWS, count)), axis=-1)


def _means(values: Float[Array, "N *any"]) -> Float[Array, "N"]:
    """The mean of each outer seed."""
    rows = _finite(values)
    return rows.reshape(len(rows), -1).mean(-1)


def _finite(values: Float[Array, "*any"]) -> Float[Array, "*any"]:
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        raise ValueError("there are no values; a statistic needs one at least")
    if not np.isfinite(array).all():
        raise ValueError("a value is not finite; say what failed seeds count as")
    return array
