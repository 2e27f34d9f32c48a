"""Lab 7: plausible wrong answers, and words that the checker's message must have."""

from typing import Any

from labs.checks.lab_07 import (
    first_window_only,
    last_loss_only,
    not_antithetic,
    own_window_only,
    reset_between_windows,
    states_start_anew,
    windows,
)
from labs.solutions.lab_07 import bias_and_spread, evolution_gradients, full_gradient


def sum_of_losses(theta: Any, steps: Any) -> Any:
    return full_gradient(theta, steps) * steps


def never_detached(theta: Any, steps: Any, window: Any) -> Any:
    return full_gradient(theta, steps)


def divided_by_sigma_only(objective: Any, theta: Any, sigma: Any, draws: Any) -> Any:
    return 2 * evolution_gradients(objective, theta, sigma, draws)


def mean_of_pairs(objective: Any, theta: Any, sigma: Any, draws: Any) -> Any:
    return evolution_gradients(objective, theta, sigma, draws).mean()


def twice(theta: Any, sigma: Any, draws: Any, window: Any) -> Any:
    return windows(theta, sigma, draws, window, factor=2.0)


def spread_as_error(estimates: Any, truth: Any) -> Any:
    bias, _, spread = bias_and_spread(estimates, truth)
    return bias, spread, spread


def absolute(estimates: Any, truth: Any) -> Any:
    bias, error, spread = bias_and_spread(estimates, truth)
    return abs(bias), error, spread


WRONG = {
    "7.1": [(sum_of_losses, "sum of the losses"), (last_loss_only, "last step")],
    "7.2": [
        (never_detached, "detach"),
        (first_window_only, "first window"),
        (reset_between_windows, "starts anew"),
    ],
    "7.3": [
        (divided_by_sigma_only, "2 * sigma"),
        (not_antithetic, "pair"),
        (mean_of_pairs, "one estimate for each pair"),
    ],
    "7.4": [(own_window_only, "sum of all"), (states_start_anew, "own states"), (twice, "2 * sigma")],
    "7.5": [(spread_as_error, "square root"), (absolute, "sign")],
}
