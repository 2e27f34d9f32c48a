"""Solutions of lab 7, and plausible wrong answers with what a checker must say of them."""

import numpy as np
import torch

NUMBERS = 7
MIX = 0.5 * (np.eye(NUMBERS) + np.eye(NUMBERS, k=1))
PUSH = np.where(np.arange(NUMBERS) < 3, 1.0, -1.0)


def step(x, theta):
    """The lab's step."""
    if isinstance(x, torch.Tensor):
        return x @ torch.from_numpy(MIX.T) + theta[..., None] * torch.from_numpy(PUSH)
    return x @ MIX.T + np.asarray(theta)[..., None] * PUSH


def loss(x):
    """The lab's loss."""
    return 0.5 * (x[..., 0] - 1) ** 2


def full_gradient(theta, steps):
    """Backpropagation through the whole trial."""
    return truncated_gradient(theta, steps, steps)


def truncated_gradient(theta, steps, window):
    """Backpropagation through windows."""
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    x, total = torch.zeros(NUMBERS, dtype=torch.float64), 0.0
    for first in range(0, steps, window):
        x, cost = x.detach(), 0.0
        for _ in range(min(window, steps - first)):
            x = step(x, weight)
            cost = cost + loss(x) / steps
        (gradient,) = torch.autograd.grad(cost, weight)
        total += float(gradient)
    return total


def evolution_gradients(objective, theta, sigma, draws):
    """Antithetic pairs."""
    ups, downs = objective(theta + sigma * draws), objective(theta - sigma * draws)  # [P] each
    return (ups - downs) * draws / (2 * sigma)


def persistent_gradients(theta, sigma, draws, window):
    """Persistent evolution strategies."""
    return _windows(theta, sigma, draws, window)


def bias_and_spread(estimates, truth):
    """Bias, its standard error, spread."""
    estimates = np.asarray(estimates, dtype=float)
    spread = estimates.std(ddof=1)
    return estimates.mean() - truth, spread / np.sqrt(len(estimates)), spread


def _windows(theta, sigma, draws, window, *, keep_sum=True, fresh_states=False, factor=1.0):
    """What PES does, and what it does when a part is left out."""
    pairs = draws.shape[1]
    up, down = np.zeros((pairs, NUMBERS)), np.zeros((pairs, NUMBERS))
    met, estimate = np.zeros(pairs), np.zeros(pairs)
    for fresh in draws:  # [P]
        met = met + fresh if keep_sum else fresh
        if fresh_states:
            up, down = np.zeros_like(up), np.zeros_like(down)
        difference = np.zeros(pairs)
        for _ in range(window):
            up, down = step(up, theta + sigma * fresh), step(down, theta - sigma * fresh)
            difference += (loss(up) - loss(down)) / (len(draws) * window)
        estimate += difference * met / (2 * sigma)
    return estimate * factor


def sum_of_losses(theta, steps):
    return full_gradient(theta, steps) * steps


def last_loss_only(theta, steps):
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    x = torch.zeros(NUMBERS, dtype=torch.float64)
    for _ in range(steps):
        x = step(x, weight)
    (gradient,) = torch.autograd.grad(loss(x), weight)
    return float(gradient)


def never_detached(theta, steps, window):
    return full_gradient(theta, steps)


def first_window_only(theta, steps, window):
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    x, cost = torch.zeros(NUMBERS, dtype=torch.float64), 0.0
    for _ in range(min(window, steps)):
        x = step(x, weight)
        cost = cost + loss(x) / steps
    (gradient,) = torch.autograd.grad(cost, weight)
    return float(gradient)


def reset_between_windows(theta, steps, window):
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    total = 0.0
    for first in range(0, steps, window):
        x, cost = torch.zeros(NUMBERS, dtype=torch.float64), 0.0
        for _ in range(min(window, steps - first)):
            x = step(x, weight)
            cost = cost + loss(x) / steps
        (gradient,) = torch.autograd.grad(cost, weight)
        total += float(gradient)
    return total


def divided_by_sigma_only(objective, theta, sigma, draws):
    return 2 * evolution_gradients(objective, theta, sigma, draws)


def not_antithetic(objective, theta, sigma, draws):
    return objective(theta + sigma * draws) * draws / sigma


def mean_of_pairs(objective, theta, sigma, draws):
    return evolution_gradients(objective, theta, sigma, draws).mean()


def own_window_only(theta, sigma, draws, window):
    return _windows(theta, sigma, draws, window, keep_sum=False)


def states_start_anew(theta, sigma, draws, window):
    return _windows(theta, sigma, draws, window, fresh_states=True)


def twice(theta, sigma, draws, window):
    return _windows(theta, sigma, draws, window, factor=2.0)


def spread_as_error(estimates, truth):
    bias, _, spread = bias_and_spread(estimates, truth)
    return bias, spread, spread


def absolute(estimates, truth):
    bias, error, spread = bias_and_spread(estimates, truth)
    return abs(bias), error, spread


SOLUTIONS = {
    "7.1": full_gradient,
    "7.2": truncated_gradient,
    "7.3": evolution_gradients,
    "7.4": persistent_gradients,
    "7.5": bias_and_spread,
}
"""By exercise."""

WRONG = {
    "7.1": [(sum_of_losses, "sum of the losses"), (last_loss_only, "last step")],
    "7.2": [
        (never_detached, "detach"),
        (first_window_only, "first window"),
        (reset_between_windows, "starts anew"),
    ],
    "7.3": [(divided_by_sigma_only, "2 * sigma"), (not_antithetic, "pair"), (mean_of_pairs, "one estimate for each pair")],
    "7.4": [(own_window_only, "sum of all"), (states_start_anew, "own states"), (twice, "2 * sigma")],
    "7.5": [(spread_as_error, "square root"), (absolute, "sign")],
}
"""By exercise: wrong answers, and words that the message must contain."""
