"""Lab 6: plausible wrong answers, and words that the checker's message must have."""

import math
from typing import Any

import torch
from torch import Tensor

from labs.solutions.lab_06 import policy_loss, reading, regret_curve


def single_pulls(means: Tensor, choices: Tensor) -> Tensor:
    return regret_curve(means, choices).diff(prepend=torch.zeros(1))


def best_of_all(means: Tensor, choices: Tensor) -> Tensor:
    return (means.max() - means.gather(1, choices.T).T).mean(1).cumsum(0)


def earned(means: Tensor, choices: Tensor) -> Tensor:
    return means.gather(1, choices.T).T.mean(1).cumsum(0)


def one_early(pulls: Tensor, reward: Tensor, step: int, c: float = 0.2) -> Tensor:
    return (1 + reward) / (2 + pulls) + c * torch.sqrt(2 * math.log(max(step, 1)) / (2 + pulls))


def without_c(pulls: Tensor, reward: Tensor, step: int, c: float = 0.2) -> Tensor:
    return (1 + reward) / (2 + pulls) + torch.sqrt(2 * math.log(step + 1) / (2 + pulls))


def nothing_imagined(pulls: Tensor, reward: Tensor, step: int, c: float = 0.2) -> Tensor:
    return reward / pulls + c * torch.sqrt(2 * math.log(step + 1) / pulls)


def without_reward(choice: Tensor | None, reward: Tensor, arms: int) -> Tensor:
    return reading(choice, reward * 0, arms)


def arm_0_at_first(choice: Tensor | None, reward: Tensor, arms: int) -> Tensor:
    made = reading(torch.zeros(len(reward), dtype=torch.int64) if choice is None else choice, reward, arms)
    made[:, -1] = float(choice is None)
    return made


def no_flag(choice: Tensor | None, reward: Tensor, arms: int) -> Tensor:
    return reading(choice, reward, arms)[:, :-1]


def upwards(log_probability: Tensor, reward: Tensor, discount: float) -> Tensor:
    return -policy_loss(log_probability, reward, discount)


def without_discount(log_probability: Tensor, reward: Tensor, discount: float) -> Tensor:
    return policy_loss(log_probability, reward, 1.0)


def no_baseline(log_probability: Tensor, reward: Tensor, discount: float) -> Tensor:
    later, returns = torch.zeros_like(reward[0]), []
    for now in reversed(reward):
        later = now + discount * later
        returns.insert(0, later)
    return -(log_probability * torch.stack(returns)).mean()


def whole_trial(log_probability: Tensor, reward: Tensor, discount: float) -> Tensor:
    whole = sum(now * discount**step for step, now in enumerate(reward))
    return -(log_probability * (whole - whole.mean())).mean()


def next_reward(log_probability: Tensor, reward: Tensor, discount: float) -> Tensor:
    return -(log_probability * (reward - reward.mean(1, keepdim=True))).mean()


def from_then_on(memory: Tensor, step: int, every: int) -> Tensor:
    return memory * 0 if step >= every else memory


def in_place(memory: Tensor, step: int, every: int) -> Tensor:
    if step % every == 0:
        memory.zero_()
    return memory


def one_late(memory: Tensor, step: int, every: int) -> Tensor:
    return memory * 0 if step % every == 1 else memory


WRONG: dict[str, list[tuple[Any, str]]] = {
    "6.1": [(single_pulls, "single pulls"), (best_of_all, "of its own"), (earned, "what was lost")],
    "6.2": [(one_early, "step + 1"), (without_c, "factor c"), (nothing_imagined, "not finite")],
    "6.3": [(without_reward, "reward is missing"), (arm_0_at_first, "not arm 0"), (no_flag, "shape")],
    "6.4": [
        (upwards, "sign"),
        (without_discount, "discount"),
        (no_baseline, "baseline is missing"),
        (whole_trial, "whole trial"),
        (next_reward, "next reward"),
    ],
    "6.5": [(from_then_on, "stays empty"), (in_place, "in place"), (one_late, "wrong steps")],
}
