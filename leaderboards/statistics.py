"""Statistics of boards: the outer seed is the unit, and agents on the same seeds and tasks are paired.

A trained agent is one outer seed tested on every task, so its errors on tasks correlate; an interval that
resamples runs task by task (Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice")
claims too much unless each task has runs of its own. Here trials are averaged first, and whole outer
seeds resampled. With few seeds the percentile bootstrap is too narrow; it is expanded as in Hesterberg
2015, "What teachers should know about the bootstrap". With 10 seeds it covers the truth in 0.9 of cases
at the least on boards like ours (seeds that succeed or fail), and in a little less where seeds are as
skewed as an exponential (0.896 of 500).
"""

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import combinations
from string import ascii_letters
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

RESAMPLES = 10_000
"""Bootstrap resamples of an interval."""

FEWEST = 5
"""Outer seeds for which there is an interval: of fewer, resampling tells next to nothing of the spread."""

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


def optimality_gap(scores: Float[Array, "*any N"], goal: float = 1.0) -> Float[Array, "*any"]:
    """Mean shortfall of scores to a goal; what exceeds it counts as the goal."""
    return np.maximum(goal - _finite(scores), 0).mean(-1)


def probability_of_improvement(first: Float[Array, "N"], second: Float[Array, "M"]) -> float:
    """Probability that a run of the first exceeds one of the second; ties count half (Mann, Whitney)."""
    difference = _finite(first)[:, None] - _finite(second)[None]  # (N, M)
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def performance_profile(values: Float[Array, "N"], thresholds: Float[Array, "K"]) -> Float[Array, "K"]:
    """Share of values above each threshold."""
    return (_finite(values)[None] > np.asarray(thresholds)[:, None]).mean(-1)


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
    one, other = np.asarray(first), np.asarray(second)
    if one.shape != other.shape:
        raise ValueError(f"paired values have shapes {one.shape} and {other.shape}; they must be the same")
    return over_seeds(one - other, seed=seed)


def expanded_levels(count: int) -> tuple[float, float]:
    """Quantiles of the bootstrap distribution that make a 95 % interval with this many seeds.

    Hesterberg 2015, section 3.3: Phi(-sqrt(n / (n - 1)) t), t Student's quantile with n - 1 degrees.
    """
    level = statistics.NormalDist().cdf(-math.sqrt(count / (count - 1)) * student_quantile(count - 1))
    return level, 1 - level


def student_quantile(degrees: int, level: float = 0.975) -> float:
    """Quantile of Student's t distribution, above the median; to four figures."""
    constant = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2))
    constant /= math.sqrt(degrees * math.pi)
    # t = tan(angle) makes the density smooth on a finite range
    angles = np.linspace(0, math.pi / 2, 20_001)[:-1]
    t = np.tan(angles)  # (K,)
    density = constant * (1 + t**2 / degrees) ** (-(degrees + 1) / 2) * (1 + t**2)
    mass = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(angles))])
    return float(np.interp(level - 0.5, mass, t))


def groups(values: Sequence[Float[Array, "N *any"]], *, higher_is_better: bool, seed: int = 0) -> list[str]:
    """Letters of agents: two share one exactly if they are not distinguishable (compact letter display).

    Two agents are distinguishable if the 95 % interval of their paired difference leaves out 0; agents with
    different numbers of seeds are compared on the seeds that both have, the first ones. Letters go by the
    order from the best on: each pair that has none yet gets one, with all who are alike with both.

    Args:
        values: per agent one row per outer seed; one row alone (a reference) stands for all.
        higher_is_better: the direction of the order.
        seed: of the resampling.

    Returns:
        One string of letters per agent, in the order given; after "z" comes "A", and after "Z" "[52]".
    """
    means = [float(np.mean(_finite(rows))) for rows in values]
    order = sorted(range(len(values)), key=lambda i: -means[i] if higher_is_better else means[i])
    alike = np.eye(len(values), dtype=bool)  # by place in the order, from here on
    for one, other in combinations(range(len(order)), 2):
        same = not distinguishable(values[order[one]], values[order[other]], seed=seed)
        alike[one, other] = alike[other, one] = same
    drawn: list[list[int]] = []
    for pair in zip(*np.nonzero(np.triu(alike)), strict=True):
        if any(set(pair) <= set(group) for group in drawn):
            continue
        group = list(dict.fromkeys(int(place) for place in pair))
        for place in range(len(order)):
            if place not in group and alike[place, group].all():
                group.append(place)
        drawn.append(sorted(group))
    letters = [""] * len(values)
    for number, group in enumerate(sorted(drawn)):
        for place in group:
            letters[order[place]] += ascii_letters[number] if number < len(ascii_letters) else f"[{number}]"
    return letters


def distinguishable(first: Float[Array, "N *any"], second: Float[Array, "M *any"], *, seed: int = 0) -> bool:
    """Whether the paired difference of two agents has a 95 % interval without 0; False if there is none."""
    one, other = _alike(np.asarray(first), np.asarray(second))
    if len(one) < FEWEST:
        return False
    difference = paired(one, other, seed=seed)
    return difference.low > 0 or difference.high < 0


def _alike(one: Array, other: Array) -> tuple[Array, Array]:
    """Rows of the seeds that both have; a single row is repeated."""
    count = max(len(one), len(other)) if 1 in (len(one), len(other)) else min(len(one), len(other))
    return (
        np.repeat(one, count, 0) if len(one) == 1 else one[:count],
        np.repeat(other, count, 0) if len(other) == 1 else other[:count],
    )


def _finite(values: Float[Array, "*any"]) -> Float[Array, "*any"]:
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        raise ValueError("there are no values; a statistic needs one at least")
    if not np.isfinite(array).all():
        raise ValueError("a value is not finite; leave failed runs out, and say so")
    return array
