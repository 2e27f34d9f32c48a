"""Checkers of lab 9: small cases whose answer is known, exactly or up to the luck of the draw."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from labs.checks import alike, as_tensor, require
from labs.solutions import lab_09 as right


def bootstrap(answer: Any) -> None:
    """The percentile bootstrap over rows."""
    noise = np.random.default_rng(0).normal(size=(6, 200))
    level = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 9.0])
    outcomes = level[:, None] + noise
    found = answer(outcomes, 4000, np.random.default_rng(1))
    require(isinstance(found, tuple | list) and len(found) == 2, "return two numbers: (low, high)")
    low, high = (float(as_tensor(each, ())) for each in found)
    require(low <= high, f"low is {low:.2f} and high is {high:.2f}: the lower end comes first")
    wanted = right.bootstrap(outcomes, 4000, np.random.default_rng(2))

    def near(other: tuple[float, float], by: float = 0.2) -> bool:
        return abs(low - other[0]) < by and abs(high - other[1]) < by

    require(
        high - low > 1e-6,
        "the interval has no width: draw rows *with replacement*, or every set is the whole sample",
    )
    require(
        not near(spread_of_seeds(outcomes, 0, None)),
        "these are quantiles of single seeds; take those of the means of drawn sets",
    )
    require(
        not near(tasks_alone(outcomes, 4000, np.random.default_rng(2)), 0.12),
        "this resamples tasks; the unit is the outer seed, a row",
    )
    require(
        not near(all_numbers(outcomes, 4000, np.random.default_rng(2)), 0.12),
        "this resamples all numbers alike; average each outer seed over its tasks first, then draw seeds",
    )
    require(near(wanted, 0.35), f"for the checker's six seeds it is about {wanted[0]:.2f} to {wanted[1]:.2f}")


def coverage(answer: Any) -> None:
    """Coverage, of an interval whose coverage is known."""
    generator = np.random.default_rng(0)

    def experiment() -> np.ndarray:
        return generator.normal(3.0, 1.0, size=4)

    def interval(values: np.ndarray) -> tuple[float, float]:  # of 50 %
        return float(values.mean()) - 0.3372, float(values.mean()) + 0.3372

    def shifted(values: np.ndarray) -> tuple[float, float]:  # of 69 %, and its middle is off
        return float(values.mean()) - 0.25, float(values.mean()) + 2.0

    found = float(as_tensor(answer(interval, experiment, 3.0, 2000), (), "the coverage"))
    wide = float(as_tensor(answer(shifted, experiment, 3.0, 2000), (), "the coverage"))
    require(found <= 1, f"coverage is a share, between 0 and 1, and not {found:g}; divide by the repeats")
    require(
        wide not in (0.0, 1.0) or found not in (0.0, 1.0),
        "all or nothing: draw a fresh experiment in every repeat, and test for the truth, not for"
        " the sample's own mean",
    )
    require(
        abs(wide - 0.309) > 0.05,
        "this is the share of misses: coverage is the share of intervals that hold the truth",
    )
    require(
        abs(found - 0.5) < 0.05 and abs(wide - 0.691) < 0.05,
        f"two intervals that hold the truth in 0.50 and 0.69 of cases got {found:.2f} and {wide:.2f}",
    )


def seeds_to_see(answer: Any) -> None:
    """Seeds until a failure shows."""
    cases = [(0.05, 0.95, 59), (0.3, 0.95, 9), (0.5, 0.9, 4), (0.1, 0.99, 44)]
    found = [float(as_tensor(answer(failing, surety), ())) for failing, surety, _ in cases]
    wanted = [float(count) for *_, count in cases]
    require(
        all(each == int(each) for each in found),
        f"a number of seeds is whole, and not {found[0]:g}: round up",
    )
    require(
        found != [each - 1 for each in wanted],
        "one too few: round up, so that the chance is *at least* the surety",
    )
    require(
        found != [float(expected_number(failing, surety)) for failing, surety, _ in cases],
        "with so many seeds one fails on average; but with which chance does none fail?",
    )
    require(
        found != [float(all_fail(failing, surety)) for failing, surety, _ in cases],
        "this asks for the chance that all fail; ask for the chance that none fails",
    )
    require(found == wanted, f"at 5 % failures and a surety of 0.95 it is 59, and not {found[0]:g}")


def chance_of_the_wrong_order(answer: Any) -> None:
    """Paired subsets, of a case in which pairing decides."""
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 5, size=200)
    better = shared
    worse = shared + np.where(np.arange(200) % 10 < 3, -1.0, 1.0)  # worse by 0.4; better in 3 seeds of 10
    one, five = (
        float(as_tensor(answer(worse, better, count, 3000, np.random.default_rng(1)), (), "the chance"))
        for count in (1, 5)
    )
    require(min(one, five) >= 0 and max(one, five) <= 1, f"a chance lies between 0 and 1, and is not {one:g}")
    require(
        one < 0.6 or five < 0.6,
        "this is the chance of the right order: count the draws in which the mean of `worse` is the"
        " lower one",
    )
    require(
        not (five > 0.38 and one > 0.38),
        "draw the same seeds for both agents: what they share must fall out of the difference",
    )
    require(
        not alike(one, five, 0.03),
        "it does not change with count: take the means over `count` drawn seeds, then compare them",
    )
    require(
        abs(one - 0.3) < 0.04 and abs(five - 0.163) < 0.04,
        f"in the checker's case it is 0.30 with one seed and 0.16 with five, and not {one:.2f} and"
        f" {five:.2f}",
    )


def holm(answer: Any) -> None:
    """Holm's correction."""
    values = [0.04, 0.01, 0.03, 0.7, 0.6]
    found = as_tensor(answer(list(values)), (5,), "the corrected p values").tolist()
    wanted = right.holm(values)  # 0.12, 0.05, 0.12, 1, 1
    require(
        not alike(found, bonferroni(values)),
        "this is Bonferroni's: all multiplied by m; Holm multiplies the smallest by m, the next by m"
        " - 1, and so on",
    )
    require(
        not alike(found, sorted_order(values)), "these are sorted; give them back in the order of the input"
    )
    require(
        not alike(found, not_monotone(values)),
        "a corrected p value may not be smaller than the one before it, in the order of size: keep"
        " the largest so far",
    )
    require(max(found) <= 1, "a p value is above 1: cut it there")
    require(alike(found, wanted), f"for {values} it is {[round(each, 4) for each in wanted]}")


def all_numbers(outcomes: Any, draws: Any, generator: Any) -> Any:
    """Resamples tasks and seeds as if they were one kind of luck."""
    return right.bootstrap(np.asarray(outcomes).reshape(-1, 1), draws, generator)


def tasks_alone(outcomes: Any, draws: Any, generator: Any) -> Any:
    """Resamples tasks."""
    return right.bootstrap(np.asarray(outcomes).T, draws, generator)


def spread_of_seeds(outcomes: Any, draws: Any, generator: Any) -> Any:
    """Quantiles of the seeds, and not of means of them."""
    means = np.asarray(outcomes).mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def expected_number(failing: Any, surety: Any) -> Any:
    """So many that one failure is expected."""
    return math.ceil(1 / failing)


def all_fail(failing: Any, surety: Any) -> Any:
    """Until the chance that all fail is small."""
    return math.ceil(math.log(1 - surety) / math.log(failing))


def bonferroni(p_values: Any) -> Any:
    """All multiplied by m."""
    return [min(1.0, len(p_values) * p) for p in p_values]


def sorted_order(p_values: Any) -> Any:
    """Right, but in the order of size."""
    return sorted(right.holm(p_values))


def not_monotone(p_values: Any) -> Any:
    """Without the running maximum."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [1.0] * len(p_values)
    for place, i in enumerate(order):
        corrected[i] = min(1.0, (len(p_values) - place) * p_values[i])
    return corrected


CHECKS: dict[str, Callable[[Any], None]] = {
    "9.1": bootstrap,
    "9.2": coverage,
    "9.3": seeds_to_see,
    "9.4": chance_of_the_wrong_order,
    "9.5": holm,
}
