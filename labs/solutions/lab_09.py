"""Solutions of lab 9, and plausible wrong answers with what the checker must say of them."""

import math

import numpy as np


def bootstrap(outcomes, draws, generator):
    """Percentile bootstrap over rows."""
    means = np.asarray(outcomes).mean(axis=1)  # [N]
    drawn = means[generator.integers(len(means), size=(draws, len(means)))].mean(axis=1)  # [draws]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def coverage(interval, experiment, truth, repeats):
    """Share of intervals that hold the truth."""
    held = 0
    for _ in range(repeats):
        low, high = interval(experiment())
        held += low <= truth <= high
    return held / repeats


def seeds_to_see(failing, surety):
    """Fewest n with 1 - (1 - failing)^n >= surety."""
    return math.ceil(math.log(1 - surety) / math.log(1 - failing) - 1e-9)


def chance_of_the_wrong_order(worse, better, count, repeats, generator):
    """Share of draws in which the worse one wins."""
    difference, wrong = np.asarray(worse) - np.asarray(better), 0
    for _ in range(repeats):
        wrong += difference[generator.choice(len(difference), count, replace=False)].mean() < 0
    return wrong / repeats


def holm(p_values):
    """Step-down correction."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = largest
    return corrected


def all_numbers(outcomes, draws, generator):
    """Resamples tasks and seeds as if they were one kind of luck."""
    return bootstrap(np.asarray(outcomes).reshape(-1, 1), draws, generator)


def tasks_alone(outcomes, draws, generator):
    """Resamples tasks."""
    return bootstrap(np.asarray(outcomes).T, draws, generator)


def without_replacement(outcomes, draws, generator):
    """Shuffles the rows: every set is the whole."""
    means = np.asarray(outcomes).mean(axis=1)
    drawn = np.array([generator.permutation(means).mean() for _ in range(draws)])
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def spread_of_seeds(outcomes, draws, generator):
    """Quantiles of the seeds, and not of means of them."""
    means = np.asarray(outcomes).mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def one_experiment(interval, experiment, truth, repeats):
    """Looks at the same experiment again and again."""
    values = experiment()
    return coverage(interval, lambda: values, truth, repeats)


def misses(interval, experiment, truth, repeats):
    """The share of the others."""
    return 1 - coverage(interval, experiment, truth, repeats)


def sample_mean_inside(interval, experiment, truth, repeats):
    """Asks whether the interval holds the sample's own mean."""
    held = 0
    for _ in range(repeats):
        values = experiment()
        low, high = interval(values)
        held += low <= values.mean() <= high
    return held / repeats


def rounded_down(failing, surety):
    """One too few."""
    return math.floor(math.log(1 - surety) / math.log(1 - failing))


def expected_number(failing, surety):
    """So many that one failure is expected."""
    return math.ceil(1 / failing)


def all_fail(failing, surety):
    """Until the chance that all fail is small."""
    return math.ceil(math.log(1 - surety) / math.log(failing))


def unpaired(worse, better, count, repeats, generator):
    """Other seeds for each agent."""
    wrong = 0
    for _ in range(repeats):
        one = np.asarray(worse)[generator.choice(len(worse), count, replace=False)].mean()
        wrong += one < np.asarray(better)[generator.choice(len(better), count, replace=False)].mean()
    return wrong / repeats


def right_order(worse, better, count, repeats, generator):
    """The share of the others."""
    return 1 - chance_of_the_wrong_order(worse, better, count, repeats, generator)


def any_seed(worse, better, count, repeats, generator):
    """The share of single seeds in which the worse one wins, whatever the count."""
    return float((np.asarray(worse) < np.asarray(better)).mean())


def bonferroni(p_values):
    """All multiplied by m."""
    return [min(1.0, len(p_values) * p) for p in p_values]


def sorted_order(p_values):
    """Right, but in the order of size."""
    return sorted(holm(p_values))


def not_monotone(p_values):
    """Without the running maximum."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [1.0] * len(p_values)
    for place, i in enumerate(order):
        corrected[i] = min(1.0, (len(p_values) - place) * p_values[i])
    return corrected


def above_one(p_values):
    """Without the limit at 1."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        largest = max(largest, (len(p_values) - place) * p_values[i])
        corrected[i] = largest
    return corrected


SOLUTIONS = {
    "9.1": bootstrap,
    "9.2": coverage,
    "9.3": seeds_to_see,
    "9.4": chance_of_the_wrong_order,
    "9.5": holm,
}
"""By exercise."""

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
"""By exercise: wrong answers, and words that the message must contain."""
