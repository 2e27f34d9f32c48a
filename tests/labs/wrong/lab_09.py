"""Lab 9: plausible wrong answers, and words that the checker's message must have."""

import math
from typing import Any

import numpy as np

from labs.checks.lab_09 import (
    all_fail,
    all_numbers,
    bonferroni,
    expected_number,
    not_monotone,
    sorted_order,
    spread_of_seeds,
    tasks_alone,
)
from labs.solutions.lab_09 import chance_of_the_wrong_order, coverage


def without_replacement(outcomes: Any, draws: Any, generator: Any) -> Any:
    """Shuffles the rows: every set is the whole."""
    means = np.asarray(outcomes).mean(axis=1)
    drawn = np.array([generator.permutation(means).mean() for _ in range(draws)])
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def one_experiment(interval: Any, experiment: Any, truth: Any, repeats: Any) -> Any:
    """Looks at the same experiment again and again."""
    values = experiment()
    return coverage(interval, lambda: values, truth, repeats)


def misses(interval: Any, experiment: Any, truth: Any, repeats: Any) -> Any:
    """The share of the others."""
    return 1 - coverage(interval, experiment, truth, repeats)


def sample_mean_inside(interval: Any, experiment: Any, truth: Any, repeats: Any) -> Any:
    """Asks whether the interval holds the sample's own mean."""
    held = 0
    for _ in range(repeats):
        values = experiment()
        low, high = interval(values)
        held += low <= values.mean() <= high
    return held / repeats


def rounded_down(failing: Any, surety: Any) -> Any:
    """One too few."""
    return math.floor(math.log(1 - surety) / math.log(1 - failing))


def unpaired(worse: Any, better: Any, count: Any, repeats: Any, generator: Any) -> Any:
    """Other seeds for each agent."""
    wrong = 0
    for _ in range(repeats):
        one = np.asarray(worse)[generator.choice(len(worse), count, replace=False)].mean()
        wrong += one < np.asarray(better)[generator.choice(len(better), count, replace=False)].mean()
    return wrong / repeats


def right_order(worse: Any, better: Any, count: Any, repeats: Any, generator: Any) -> Any:
    """The share of the others."""
    return 1 - chance_of_the_wrong_order(worse, better, count, repeats, generator)


def any_seed(worse: Any, better: Any, count: Any, repeats: Any, generator: Any) -> Any:
    """The share of single seeds in which the worse one wins, whatever the count."""
    return float((np.asarray(worse) < np.asarray(better)).mean())


def above_one(p_values: Any) -> Any:
    """Without the limit at 1."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, (len(p_values) - place) * p_values[i])
        corrected[i] = largest
    return corrected


WRONG = {
    "9.1": [
        (all_numbers, "average each outer seed"),
        (tasks_alone, "resamples tasks"),
        (without_replacement, "with replacement"),
        (spread_of_seeds, "of single seeds"),
    ],
    "9.2": [
        (one_experiment, "fresh experiment"),
        (misses, "share of misses"),
        (sample_mean_inside, "the sample's own mean"),
    ],
    "9.3": [(rounded_down, "round up"), (expected_number, "on average"), (all_fail, "none fails")],
    "9.4": [(unpaired, "same seeds"), (right_order, "right order"), (any_seed, "count")],
    "9.5": [
        (bonferroni, "Bonferroni"),
        (sorted_order, "order of the input"),
        (not_monotone, "smaller than the one before"),
        (above_one, "above 1"),
    ],
}
