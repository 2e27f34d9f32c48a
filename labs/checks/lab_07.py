"""Checkers of lab 7: each plays a small case and names the common mistake."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from labs.checks import Mistake, alike, as_tensor, require
from labs.solutions import lab_07 as right


def full_gradient(answer: Any) -> None:
    """Backpropagation through the whole trial."""
    theta, steps = 0.3, 12
    found, wanted = as_tensor(answer(theta, steps), (), "the gradient"), right.full_gradient(theta, steps)
    require(
        not alike(found, wanted * steps),
        f"this is the gradient of the sum of the losses, {steps} times too long; the objective is their mean",
    )
    require(
        not alike(found, last_loss_only(theta, steps)),
        "this is the gradient of the loss of the last step alone; every step's loss counts",
    )
    require(
        alike(found, wanted),
        f"at theta = {theta}, {steps} steps, it is {wanted:.4f}, and not {float(found):.4f}",
    )


def truncated_gradient(answer: Any) -> None:
    """Truncated backpropagation."""
    theta, steps, window = 0.3, 11, 3
    found = as_tensor(answer(theta, steps, window), (), "the gradient")
    wanted = right.truncated_gradient(theta, steps, window)
    require(
        not alike(found, right.full_gradient(theta, steps)),
        "this is still the full gradient: detach the state between windows",
    )
    require(
        not alike(found, first_window_only(theta, steps, window)),
        "this is the gradient of the first window alone; add up those of all windows",
    )
    require(
        not alike(found, reset_between_windows(theta, steps, window)),
        "the state starts anew in every window; it goes on, as a plain number (detach it, do not zero it)",
    )
    require(
        alike(found, wanted),
        f"at theta = {theta}, {steps} steps in windows of {window}, it is {wanted:.4f}, and not"
        f" {float(found):.4f};"
        " does the last, shorter window count? does every loss count 1 / steps?",
    )
    require(
        alike(as_tensor(answer(theta, steps, steps), ()), right.full_gradient(theta, steps)),
        "with one window as long as the trial it must be the full gradient",
    )


def evolution_gradients(answer: Any) -> None:
    """Evolution strategies."""
    theta, sigma, draws = 0.7, 0.2, np.array([0.5, -1.3, 2.0])
    raw = answer(_cubic, theta, sigma, draws)
    require(
        np.shape(raw) != (), "one estimate for each pair, shape (3,); this is a single number: do not average"
    )
    found = as_tensor(raw, (3,), "the estimates")
    wanted = right.evolution_gradients(_cubic, theta, sigma, draws)
    require(
        not alike(found, 2 * wanted),
        "twice too large: the two of a pair are 2 * sigma * u apart, so divide by 2 * sigma",
    )
    require(
        not alike(found, not_antithetic(_cubic, theta, sigma, draws)),
        "this is one trial a draw: use the difference of a pair, theta + sigma * u and theta - sigma * u",
    )
    require(
        not alike(found, wanted / draws),
        "this is the slope between the two of a pair; multiply by u: with many weights it says in"
        " which direction",
    )
    require(alike(found, wanted), f"for theta**3 + 5 at {theta}, u = {draws}, they are {wanted.round(4)}")


def persistent_gradients(answer: Any) -> None:
    """Persistent evolution strategies."""
    theta, sigma, window = 0.3, 0.1, 2
    draws = np.random.default_rng(1).standard_normal((5, 4))
    found = as_tensor(answer(theta, sigma, draws, window), (4,), "the estimates")
    wanted = right.persistent_gradients(theta, sigma, draws, window)
    require(
        not alike(found, own_window_only(theta, sigma, draws, window)),
        "a window is put down to its own draw: that is plain evolution in windows, which is biased;"
        " put it down to"
        " the sum of all draws that the pair has met so far",
    )
    require(
        not alike(found, states_start_anew(theta, sigma, draws, window)),
        "the states start anew in every window; the two of a pair go on from their own states",
    )
    require(
        not alike(found, 2 * wanted),
        "twice too large: the two of a pair are 2 * sigma * u apart, so divide by 2 * sigma",
    )
    require(
        not alike(found, 10 * wanted),
        "every step's loss counts 1 / (W * window): the objective is a mean, not a sum",
    )
    require(
        alike(found, wanted),
        f"for the checker's draws the first is {wanted[0]:.4f}, and not {float(found[0]):.4f}",
    )


def bias_and_spread(answer: Any) -> None:
    """Bias, its standard error, spread."""
    estimates, truth = np.array([1.0, 2.0, 4.0, 5.0, 2.5]), 4.0
    found = answer(estimates, truth)
    require(
        isinstance(found, tuple | list) and len(found) == 3,
        "return three numbers: bias, standard error of the bias, spread",
    )
    bias, error, spread = (as_tensor(each, ()) for each in found)
    wanted = right.bias_and_spread(estimates, truth)
    require(
        not alike(bias, -wanted[0]),
        "the sign of a bias counts: it is the mean of the estimates less the truth",
    )
    if not alike(bias, wanted[0]):
        raise Mistake(
            f"the bias is the mean of the estimates less the truth, {wanted[0]:.4f}, not {float(bias):.4f}"
        )
    require(
        alike(spread, wanted[2], 0.15),
        f"the spread is their standard deviation, {wanted[2]:.4f}, not {spread:.4f}",
    )
    require(
        not alike(error, spread),
        "the standard error of a mean is the spread divided by the square root of the number of estimates",
    )
    require(alike(error, wanted[1], 0.15), f"the standard error is {wanted[1]:.4f}, not {float(error):.4f}")


def _cubic(theta: Any) -> Any:
    """An objective whose gradient is no constant."""
    return theta**3 + 5.0


def last_loss_only(theta: Any, steps: Any) -> Any:
    """The last step alone."""
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    x = torch.zeros(right.NUMBERS, dtype=torch.float64)
    for _ in range(steps):
        x = right.step(x, weight)
    (gradient,) = torch.autograd.grad(right.loss(x), weight)
    return float(gradient)


def first_window_only(theta: Any, steps: Any, window: Any) -> Any:
    """The first window alone."""
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    x = torch.zeros(right.NUMBERS, dtype=torch.float64)
    cost = torch.zeros((), dtype=torch.float64)
    for _ in range(min(window, steps)):
        x = right.step(x, weight)
        cost = cost + right.loss(x) / steps
    (gradient,) = torch.autograd.grad(cost, weight)
    return float(gradient)


def reset_between_windows(theta: Any, steps: Any, window: Any) -> Any:
    """The state starts anew."""
    weight = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    total = 0.0
    for first in range(0, steps, window):
        x = torch.zeros(right.NUMBERS, dtype=torch.float64)
        cost = torch.zeros((), dtype=torch.float64)
        for _ in range(min(window, steps - first)):
            x = right.step(x, weight)
            cost = cost + right.loss(x) / steps
        (gradient,) = torch.autograd.grad(cost, weight)
        total += float(gradient)
    return total


def not_antithetic(objective: Any, theta: Any, sigma: Any, draws: Any) -> Any:
    """One trial a draw."""
    return objective(theta + sigma * draws) * draws / sigma


def windows(
    theta: Any,
    sigma: Any,
    draws: Any,
    window: Any,
    *,
    keep_sum: bool = True,
    fresh_states: Any = False,
    factor: Any = 1.0,
) -> Any:
    """What PES does, and what it does when a part is left out."""
    pairs = draws.shape[1]
    up, down = np.zeros((pairs, right.NUMBERS)), np.zeros((pairs, right.NUMBERS))
    met, estimate = np.zeros(pairs), np.zeros(pairs)
    for fresh in draws:  # [P]
        met = met + fresh if keep_sum else fresh
        if fresh_states:
            up, down = np.zeros_like(up), np.zeros_like(down)
        difference = np.zeros(pairs)
        for _ in range(window):
            up, down = right.step(up, theta + sigma * fresh), right.step(down, theta - sigma * fresh)
            difference += (right.loss(up) - right.loss(down)) / (len(draws) * window)
        estimate += difference * met / (2 * sigma)
    return estimate * factor


def own_window_only(theta: Any, sigma: Any, draws: Any, window: Any) -> Any:
    """Evolution in windows."""
    return windows(theta, sigma, draws, window, keep_sum=False)


def states_start_anew(theta: Any, sigma: Any, draws: Any, window: Any) -> Any:
    """Every window starts anew."""
    return windows(theta, sigma, draws, window, fresh_states=True)


CHECKS: dict[str, Callable[[Any], None]] = {
    "7.1": full_gradient,
    "7.2": truncated_gradient,
    "7.3": evolution_gradients,
    "7.4": persistent_gradients,
    "7.5": bias_and_spread,
}
