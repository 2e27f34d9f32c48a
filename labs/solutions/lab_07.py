"""Lab 7: the exact gradient, truncation, evolution strategies, PES, bias."""

from typing import Any

import numpy as np
import torch

NUMBERS = 7
MIX = 0.5 * (np.eye(NUMBERS) + np.eye(NUMBERS, k=1))
PUSH = np.where(np.arange(NUMBERS) < 3, 1.0, -1.0)


def step(x: Any, theta: Any) -> Any:
    """The lab's step."""
    if isinstance(x, torch.Tensor):
        return x @ torch.from_numpy(MIX.T) + theta[..., None] * torch.from_numpy(PUSH)
    return x @ MIX.T + np.asarray(theta)[..., None] * PUSH


def loss(x: Any) -> Any:
    """The lab's loss."""
    return 0.5 * (x[..., 0] - 1) ** 2


def full_gradient(theta: Any, steps: Any) -> Any:
    """Backpropagation through the whole trial."""
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    x = torch.zeros(NUMBERS, dtype=torch.float64)
    cost = torch.zeros((), dtype=torch.float64)
    for _ in range(steps):
        x = step(x, weight)
        cost = cost + loss(x) / steps
    (gradient,) = torch.autograd.grad(cost, weight)
    return float(gradient)


def truncated_gradient(theta: Any, steps: Any, window: Any) -> Any:
    """Backpropagation through windows."""
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    x, total = torch.zeros(NUMBERS, dtype=torch.float64), 0.0
    for first in range(0, steps, window):
        x, cost = x.detach(), torch.zeros((), dtype=torch.float64)
        for _ in range(min(window, steps - first)):
            x = step(x, weight)
            cost = cost + loss(x) / steps
        (gradient,) = torch.autograd.grad(cost, weight)
        total += float(gradient)
    return total


def evolution_gradients(objective: Any, theta: Any, sigma: Any, draws: Any) -> Any:
    """Antithetic pairs."""
    ups, downs = objective(theta + sigma * draws), objective(theta - sigma * draws)  # [P] each
    return (ups - downs) * draws / (2 * sigma)


def persistent_gradients(theta: Any, sigma: Any, draws: Any, window: Any) -> Any:
    """Persistent evolution strategies: theta, draws [W, P] -> [P]."""
    pairs = draws.shape[1]
    up, down = np.zeros((pairs, NUMBERS)), np.zeros((pairs, NUMBERS))
    met, estimate = np.zeros(pairs), np.zeros(pairs)
    for fresh in draws:  # [P]
        met = met + fresh
        difference = np.zeros(pairs)
        for _ in range(window):
            up, down = step(up, theta + sigma * fresh), step(down, theta - sigma * fresh)
            difference += (loss(up) - loss(down)) / (len(draws) * window)
        estimate += difference * met / (2 * sigma)
    return estimate


def bias_and_spread(estimates: Any, truth: Any) -> Any:
    """Bias, its standard error, spread."""
    estimates = np.asarray(estimates, dtype=float)
    spread = estimates.std(ddof=1)
    return estimates.mean() - truth, spread / np.sqrt(len(estimates)), spread


SOLUTIONS: dict[str, Any] = {
    "7.1": full_gradient,
    "7.2": truncated_gradient,
    "7.3": evolution_gradients,
    "7.4": persistent_gradients,
    "7.5": bias_and_spread,
}
