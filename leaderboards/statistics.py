"""Statistics of boards: the outer seed is the unit, and agents on the same seeds and tasks are paired.

A trained agent is one outer seed tested on every task, so its errors on tasks correlate; an interval that
resamples runs task by task (Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice")
claims too much unless each task has runs of its own. Here trials are averaged first, and whole outer
seeds are resampled. With few seeds the percentile bootstrap is too narrow; it is expanded as in Hesterberg
2015, "What teachers should know about the bootstrap". With 10 seeds it covers the truth in 0.9 of cases
at the least on boards like ours (seeds that succeed or fail), and in a little less where seeds are as
skewed as an exponential (0.896 of 500).
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

RESAMPLES = 10_000
"""Bootstrap resamples of an interval."""

FEWEST = 5
"""Outer seeds for which there is an interval: of fewer, resampling tells next to nothing of the spread."""

ENOUGH = 10
"""Outer seeds for a claim; with fewer a result is called preliminary."""

LEVEL = 0.05
"""Of tests."""

KIND = "95 % whole-seed bootstrap"
"""What figures and tables call the interval."""

Array = np.ndarray


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


def interquartile_mean(values: Float[Array, "*any N"]) -> Float[Array, "*any"]:
    """Mean of the middle half: a quarter of the values is cut at either end, fractions included."""
    ordered = np.sort(_finite(values), axis=-1)  # (..., N)
    count = ordered.shape[-1]
    ends = np.arange(count + 1)
    # value i stands for the stretch [i, i + 1]; its weight is how much of that lies in the middle half
    weights = np.diff(np.clip(ends, count / 4, 3 * count / 4))  # (N,)
    return (ordered * (weights / weights.sum())).sum(-1)  # no BLAS: the same bits on every processor


def performance_profile(values: Float[Array, "*any"], thresholds: Float[Array, "K"]) -> Float[Array, "K"]:
    """Share of values (of seeds and cells) above each threshold (Agarwal et al. 2021, section 4.2)."""
    return (_finite(values).reshape(1, -1) > np.asarray(thresholds)[:, None]).mean(-1)


def over_seeds(
    values: Float[Array, "N *any"],
    statistic: Callable[[Array], Array] = lambda seeds: seeds.mean(-1),
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A statistic over outer seeds, with its 95 % interval from resampling whole seeds.

    Args:
        values: one row per outer seed; tasks or cells on further axes are averaged first.
        statistic: of [..., N] seeds, along the last axis: the mean if not given, or `interquartile_mean`.
        seed: of the resampling.
        resamples: number of resamples.

    Raises:
        ValueError: no seeds, or a value that is not finite.
    """
    rows = _finite(values)
    means = rows.reshape(len(rows), -1).mean(-1)  # (N,)
    count = len(means)
    value = float(statistic(means))
    if count < FEWEST:
        return Estimate(value, math.nan, math.nan, count)
    drawn = np.random.default_rng(seed).integers(count, size=(resamples, count))
    low, high = np.quantile(statistic(means[drawn]), expanded_levels(count))
    return Estimate(value, float(low), float(high), count)


def paired(first: Float[Array, "N *any"], second: Float[Array, "N *any"], *, seed: int = 0) -> Estimate:
    """Mean difference, first minus second, of two agents on the same outer seeds and tasks.

    Seeds are resampled in pairs: what a seed or a task does to both alike drops out.

    Raises:
        ValueError: the two do not have the same shape.
    """
    return over_seeds(_difference(first, second), seed=seed)


def paired_p(first: Float[Array, "N *any"], second: Float[Array, "N *any"]) -> float:
    """P value that the mean difference of two agents on the same outer seeds is 0 (Student's paired test).

    1 with fewer than `FEWEST` seeds. Where the difference is the same in all seeds, 0 if there is one.
    """
    difference = _difference(first, second).reshape(len(first), -1).mean(-1)  # (N,)
    if len(difference) < FEWEST:
        return 1.0
    if difference.std() <= 1e-12 * abs(difference.mean()):
        return 0.0 if difference.any() else 1.0
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number (Holm 1979): each is below 0.05 where its difference is shown."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = largest
    return corrected


def expanded_levels(count: int) -> tuple[float, float]:
    """Quantiles of the bootstrap distribution that make a 95 % interval with this many seeds.

    Hesterberg 2015, section 3.3: Phi(-sqrt(n / (n - 1)) t), t Student's quantile with n - 1 degrees.
    """
    level = float(stats.norm.cdf(-math.sqrt(count / (count - 1)) * stats.t.ppf(0.975, count - 1)))
    return level, 1 - level


def _difference(first: Float[Array, "N *any"], second: Float[Array, "N *any"]) -> Float[Array, "N *any"]:
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"paired values have shapes {one.shape} and {other.shape}; they must be the same")
    return one - other


def _finite(values: Float[Array, "*any"]) -> Float[Array, "*any"]:
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        raise ValueError("there are no values; a statistic needs one at least")
    if not np.isfinite(array).all():
        raise ValueError("a value is not finite; say what failed seeds count as")
    return array
