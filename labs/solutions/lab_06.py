"""Lab 6: regret, UCB1, what RL² reads, the policy gradient, a reset of the memory."""

import math
from typing import Any

import torch
from torch import Tensor


def regret_curve(means: Tensor, choices: Tensor) -> Tensor:
    """Means [B, K], choices [T, B] -> [T]."""
    pays = means.gather(1, choices.T).T  # [T, B]
    lost = means.max(dim=1).values - pays  # [T, B]
    return lost.mean(dim=1).cumsum(dim=0)  # [T]


def ucb1(pulls: Tensor, reward: Tensor, step: int, c: float = 0.2) -> Tensor:
    """Pulls and rewards [B, K] -> scores [B, K]."""
    mean = (1 + reward) / (2 + pulls)  # [B, K]
    return mean + c * torch.sqrt(2 * math.log(step + 1) / (2 + pulls))  # [B, K]


def reading(choice: Tensor | None, reward: Tensor, arms: int) -> Tensor:
    """The last choice, its reward, a flag: [B, K + 2]."""
    batch = len(reward)
    if choice is None:
        last = torch.zeros(batch, arms)  # [B, K]
    else:
        last = torch.nn.functional.one_hot(choice, arms).float()  # [B, K]
    first = torch.full((batch, 1), float(choice is None))  # [B, 1]
    return torch.cat([last, reward[:, None], first], dim=1)  # [B, K + 2]


def policy_loss(log_probability: Tensor, reward: Tensor, discount: float) -> Tensor:
    """REINFORCE with the batch's mean as baseline."""
    togo, later = [], torch.zeros_like(reward[0])  # [B]
    for now in reversed(reward):
        later = now + discount * later  # [B]
        togo.append(later)
    returns = torch.stack(togo[::-1])  # [T, B]
    advantage = returns - returns.mean(dim=1, keepdim=True)  # [T, B]
    return -(log_probability * advantage.detach()).mean()


def forget(memory: Tensor, step: int, every: int) -> Tensor:
    """Zeros before every so many steps."""
    return torch.zeros_like(memory) if step % every == 0 else memory


SOLUTIONS: dict[str, Any] = {
    "6.1": regret_curve,
    "6.2": ucb1,
    "6.3": reading,
    "6.4": policy_loss,
    "6.5": forget,
}
