"""Checkers of lab 6: regret, UCB1, what RL² reads, the policy gradient, a reset of the memory."""

import math
from collections.abc import Callable
from typing import Any

import torch

from labs.checks import alike, as_tensor, require
from labs.solutions import lab_06 as right


def check_regret_curve(regret_curve: Callable[..., Any]) -> None:
    """6.1: on 2 trials of 3 arms and 4 pulls."""
    means = torch.tensor([[0.1, 0.5, 0.9], [0.6, 0.2, 0.4]])
    choices = torch.tensor([[0, 0], [2, 1], [1, 1], [2, 0]])
    found = as_tensor(regret_curve(means, choices), (4,), "the curve")
    wanted = right.regret_curve(means, choices)  # [T]
    single = wanted.diff(prepend=torch.zeros(1))
    pays = means.gather(1, choices.T).T  # [T, B]
    require(
        not alike(found, single), "this is the regret of single pulls; add them up from the first pull on"
    )
    require(
        not alike(found, (means.max() - pays).mean(1).cumsum(0)),
        "the best arm is taken over all trials; each trial has a best arm of its own",
    )
    require(not alike(found, pays.mean(1).cumsum(0)), "this is what was earned; regret is what was lost")
    require(not alike(found, -wanted), "the sign is wrong: best less pulled")
    require(not alike(found, 2 * wanted), "this is a sum over trials; take the mean")
    require(
        alike(found, wanted), f"for the checker's four pulls it is {_told(wanted)}, and not {_told(found)}"
    )


def check_ucb1(ucb1: Callable[..., Any]) -> None:
    """6.2: on 2 trials of 3 arms, before the first and before the 8th pull."""
    pulls = torch.tensor([[4.0, 2.0, 1.0], [0.0, 7.0, 0.0]])
    reward = torch.tensor([[1.0, 2.0, 0.0], [0.0, 5.0, 0.0]])
    mean = (1 + reward) / (2 + pulls)
    found, wanted = as_tensor(ucb1(pulls, reward, 7), (2, 3), "the scores"), right.ucb1(pulls, reward, 7)
    require(not alike(found, mean), "the bonus is missing, or is multiplied by 0")
    require(
        not alike(found, mean + 0.2 * torch.sqrt(2 * math.log(7) / (2 + pulls))),
        "t is one too small: the pull after `step` pulls has the number step + 1",
    )
    require(
        not alike(found, mean + torch.sqrt(2 * math.log(8) / (2 + pulls))), "the bonus lacks its factor c"
    )
    require(
        not alike(found, mean + 0.2 * torch.sqrt(math.log(8) / (2 + pulls))), "the 2 of 2 ln t is missing"
    )
    require(
        not alike(found, mean - 0.2 * torch.sqrt(2 * math.log(8) / (2 + pulls))),
        "the bonus is taken off: that is pessimism; what was pulled little must look better",
    )
    require(
        alike(found, wanted),
        f"in the checker's first trial they are {_told(wanted[0])}, not {_told(found[0])}",
    )
    other = as_tensor(ucb1(pulls, reward, 7, 0.5), (2, 3), "the scores")
    require(alike(other, right.ucb1(pulls, reward, 7, 0.5)), "it does not follow c: use the argument")
    as_tensor(ucb1(pulls * 0, reward * 0, 0), (2, 3), "the scores before the first pull")


def check_reading(reading: Callable[..., Any]) -> None:
    """6.3: before the first pull and after one, of 3 trials with 4 arms."""
    choice, reward = torch.tensor([2, 0, 3]), torch.tensor([1.0, 0.0, 1.0])
    made = reading(choice, reward, 4)
    found = as_tensor(made, (3, 6), "what is read after a pull")
    require(made.dtype == torch.float32, f"it is {made.dtype}; a network reads float32: one_hot(...).float()")
    wanted = right.reading(choice, reward, 4)
    require(
        bool((found[:, 4] == reward).all()) or not bool((found[:, 4] == 0).all()),
        "the reward is missing: without it nobody can tell a good arm from a bad one",
    )
    require(
        not alike(found, torch.cat([wanted[:, :5], torch.ones(3, 1)], 1)),
        "the flag is 1 only before the first pull",
    )
    require(
        not alike(found, torch.cat([wanted[:, :4] * reward[:, None], wanted[:, 4:]], 1)),
        "the choice is only there where it paid; an arm that did not pay was pulled, too",
    )
    require(alike(found, wanted), f"after arm 2 paid 1 it is {_told(wanted[0])}, and not {_told(found[0])}")
    start = as_tensor(reading(None, torch.zeros(3), 4), (3, 6), "what is read before the first pull")
    require(
        bool((start[:, :4] == 0).all()),
        "before the first pull nothing was chosen: zeros, and not arm 0 (one-hot)",
    )
    require(alike(start, right.reading(None, torch.zeros(3), 4)), "before the first pull the flag is 1")


def check_policy_loss(policy_loss: Callable[..., Any]) -> None:
    """6.4: value and gradient, on 4 steps of 3 trials."""
    generator = torch.Generator().manual_seed(0)
    reward = torch.tensor([[1.0, 0, 0], [0, 1, 1], [1, 0, 1], [0, 1, 0]])
    logs = -torch.rand(4, 3, generator=generator).double()

    def gradient(loss: Callable[..., Any], discount: float) -> torch.Tensor:
        asked = logs.clone().requires_grad_()
        made = loss(asked, reward.double(), discount)
        require(isinstance(made, torch.Tensor) and made.shape == (), "the loss is one number, a torch scalar")
        require(made.requires_grad, "no gradient flows into log_probability: do not detach it")
        (found,) = torch.autograd.grad(made, asked)
        return found

    found, wanted = gradient(policy_loss, 0.5), gradient(right.policy_loss, 0.5)
    require(
        not alike(found, -wanted),
        "the sign is wrong: an optimiser goes down, so the loss is *minus* log probability times advantage",
    )
    togo = -12 * gradient(_without_baseline, 0.5)  # [T, B]
    require(
        not alike(found, -togo / 12),
        "the baseline is missing: take off the mean over the trials at each step",
    )
    require(
        not alike(found, -(togo - togo.mean()) / 12),
        "the baseline is one for all steps; early steps have more to come: take the mean at each step",
    )
    require(
        not alike(found, gradient(right.policy_loss, 1.0)),
        "the discount is not used: rewards count less, the later",
    )
    require(not alike(found, 12 * wanted), "this is a sum over steps and trials; take the mean")
    require(
        not alike(found, gradient(_whole_trial, 0.5)),
        "every choice is credited with the whole trial; what was earned before it is not its doing",
    )
    require(
        not alike(found, gradient(_one_step, 0.5)),
        "only the next reward is credited; add up what comes later",
    )
    require(
        alike(found, wanted),
        "its gradient is not the policy gradient: is a return the sum from that step on?",
    )


def _without_baseline(log_probability: torch.Tensor, reward: torch.Tensor, discount: float) -> torch.Tensor:
    later = torch.zeros_like(reward[0])
    returns = []
    for now in reversed(reward):
        later = now + discount * later
        returns.append(later)
    return -(log_probability * torch.stack(returns[::-1])).mean()


def _whole_trial(log_probability: torch.Tensor, reward: torch.Tensor, discount: float) -> torch.Tensor:
    steps = torch.arange(len(reward), dtype=reward.dtype)
    whole = (reward * discount ** steps[:, None]).sum(0)  # [B]
    return -(log_probability * (whole - whole.mean())).mean()


def _one_step(log_probability: torch.Tensor, reward: torch.Tensor, discount: float) -> torch.Tensor:
    return -(log_probability * (reward - reward.mean(1, keepdim=True))).mean()


def check_forget(forget: Callable[..., Any]) -> None:
    """6.5: steps 0 to 6 with a reset every 3."""
    memory = torch.ones(2, 4)
    kept = [as_tensor(forget(memory, step, 3), (2, 4), "the memory") for step in range(1, 7)]
    require(bool((memory == 1).all()), "the memory that was given is changed in place; return another tensor")
    empty = [bool((each == 0).all()) for each in kept]
    require(
        not all(empty[2:]),
        "after the first reset it stays empty; it is emptied before the steps 3, 6, ... only",
    )
    require(empty[2] or not any(empty), "it is emptied at the wrong steps: before 3, 6, ...")
    require(
        empty == [False, False, True, False, False, True],
        "it must be empty before the steps 3 and 6, and else kept",
    )
    require(
        all(bool((each == 1).all()) for each, gone in zip(kept, empty, strict=True) if not gone),
        "where it is not emptied it must stay as it is",
    )


def _told(numbers: torch.Tensor) -> str:
    return "[" + ", ".join(f"{float(each):.3g}" for each in numbers) + "]"


CHECKS: dict[str, Callable[[Any], None]] = {
    "6.1": check_regret_curve,
    "6.2": check_ucb1,
    "6.3": check_reading,
    "6.4": check_policy_loss,
    "6.5": check_forget,
}
