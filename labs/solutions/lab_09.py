"""Lab 9: the bootstrap over outer seeds, coverage, seeds to see a failure, the wrong order, Holm."""

import math
from typing import Any

import numpy as np


def bootstrap(outcomes: Any, draws: Any, generator: Any) -> Any:
    """Percentile bootstrap over rows."""
    means = np.asarray(outcomes).mean(axis=1)  # [N]
    drawn = means[generator.integers(len(means), size=(draws, len(means)))].mean(axis=1)  # [draws]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def coverage(interval: Any, experiment: Any, truth: Any, repeats: Any) -> Any:
    """Share of intervals that hold the truth."""
    held = 0
    for _ in range(repeats):
        low, high = interval(experiment())
        held += low <= truth <= high
    return held / repeats


def seeds_to_see(failing: Any, surety: Any) -> Any:
    """Fewest n with 1 - (1 - failing)^n >= surety."""
    return math.ceil(math.log(1 - surety) / math.log(1 - failing) - 1e-9)


def chance_of_the_wrong_order(worse: Any, better: Any, count: Any, repeats: Any, generator: Any) -> Any:
    """Share of draws in which the worse one wins."""
    difference, wrong = np.asarray(worse) - np.asarray(better), 0
    for _ in range(repeats):
        wrong += difference[generator.choice(len(difference), count, replace=False)].mean() < 0
    return wrong / repeats


def holm(p_values: Any) -> Any:
    """Step-down correction."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = largest
    return corrected


SOLUTIONS: dict[str, Any] = {
    "9.1": bootstrap,
    "9.2": coverage,
    "9.3": seeds_to_see,
    "9.4": chance_of_the_wrong_order,
    "9.5": holm,
}
