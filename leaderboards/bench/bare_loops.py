"""Bare torch loops: a family's dynamics with nothing around them, to see what the torch face costs.

Each loop plays one trial. It yields what the face shows, number for number (that is tested), but not the
measurements of `info`; it knows that all trials are at the same time, and makes constants once a trial.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

Shown = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""The fields of `Observation` in their order; (reward [B], loss [B], terminated bool [B]), empty at first."""


def guessing_game(target: Tensor, actions: Tensor) -> Iterator[Shown]:
    """The guessing game with a fixed number of dims.

    Args:
        target: [B, d], the hidden numbers.
        actions: [T, B, d], what is written at each step.
    """
    horizon, batch, dims = actions.shape
    device = target.device
    one = torch.ones(batch, 1, device=device)
    inputs = one[:, :, None]  # (B, 1, 1)
    mask = torch.ones_like(target)
    weight = mask * 3.0 / dims
    nothing = mask[:, :, None][:, :, :0]  # (B, d, 0)
    error = (weight * target**2).sum(-1)
    flags = torch.tensor([1.0, 0.0, 0.0], device=device).repeat(batch, 1)
    yield (inputs, one, torch.zeros_like(target), mask, error[:, None], nothing, flags), ()
    for time in range(1, horizon + 1):
        action = actions[time - 1]
        miss = action - target
        error = torch.linalg.vecdot(weight * miss, miss)
        outputs = action * mask
        flags = torch.tensor([0.0, 0.0, time / horizon], device=device).repeat(batch, 1)
        terminated = torch.full((batch,), time == horizon, device=device)
        observation = (inputs, one, outputs, mask, error[:, None], nothing, flags)
        yield observation, (-error, error, terminated)


def bandit(mean: Tensor, noise: Tensor, actions: Tensor) -> Iterator[Shown]:
    """The Bernoulli bandit with a fixed number of arms.

    Args:
        mean: [B, K], probabilities of the arms.
        noise: [B, T], uniform in [0, 1): a pull pays where it lies below the arm's probability.
        actions: int64 [T, B], the arm pulled at each step.
    """
    horizon, batch = actions.shape
    arms, device = mean.shape[1], mean.device
    one = torch.ones(batch, 1, device=device)
    inputs = one[:, :, None]  # (B, 1, 1)
    mask = torch.ones_like(mean)
    nothing = mask[:, :, None][:, :, :0]  # (B, K, 0)
    best = mean.max(-1).values
    total, regret = torch.zeros_like(best), torch.zeros_like(best)
    flags = torch.tensor([1.0, 0.0, 0.0], device=device).repeat(batch, 1)
    yield (inputs, one, torch.zeros_like(mean), mask, torch.zeros_like(one), nothing, flags), ()
    rows = torch.eye(arms, device=device)
    first = torch.arange(batch, device=device) * arms
    for time in range(1, horizon + 1):
        action = actions[time - 1]
        pulled = mean.view(-1)[first + action]  # (B,)
        outputs = rows[action] * mask
        reward = (noise[:, time - 1] < pulled).to(mean.dtype)
        total, regret = total + reward, regret + (best - pulled)
        flags = torch.tensor([0.0, 0.0, time / horizon], device=device).repeat(batch, 1)
        terminated = torch.full((batch,), time == horizon, device=device)
        observation = (inputs, one, outputs, mask, reward[:, None], nothing, flags)
        yield observation, (reward, -reward, terminated)
