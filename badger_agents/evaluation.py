"""Evaluation: one agent on many fresh tasks, the same tasks for every agent."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.inner_loop import rollout
from badger_envs import random
from badger_envs.family import Family


class Evaluation(NamedTuple):
    """Results of N trials.

    Attributes:
        outcomes: [N], the family's outcome of each trial.
        loss: [T], mean per-step loss over the trials.
        rounds: [N], mean rounds of communication per step, where experts vote on when to stop; else None.
    """

    outcomes: Tensor
    loss: Tensor
    rounds: Tensor | None = None

    @property
    def mean(self) -> float:
        """Mean outcome."""
        return float(self.outcomes.mean())

    @property
    def ci95(self) -> tuple[float, float]:
        """95 % interval of the mean over tasks (normal approximation); says nothing of outer seeds.

        One task tells nothing of the spread: its interval is infinite.
        """
        return interval(self.outcomes)


def interval(values: Tensor) -> tuple[float, float]:
    """95 % interval of a mean (normal approximation); infinite for a single value.

    Args:
        values: [N].
    """
    mean, count = float(values.mean()), len(values)
    half = 1.96 * float(values.std()) / count**0.5 if count > 1 else math.inf
    return mean - half, mean + half


@torch.no_grad()
def evaluate(
    agent: Agent, family: Family, trials: int, *, seed: int = 0, device: str = "cpu", chunk: int = 2_000
) -> Evaluation:
    """Let an agent live through fresh trials; its weights stay as they are.

    Args:
        agent: the agent.
        family: the family; its split says which keys and sizes are met.
        trials: N, at least 1.
        seed: which tasks; the same seed gives every agent the same tasks and noise.
        device: a torch device.
        chunk: trials at a time, for memory's sake; the result does not depend on it but for rounding.
    """
    if trials < 1:
        raise ValueError(f"trials is {trials}; it must be at least 1")
    like = torch.zeros((), device=device)
    outcomes: list[Tensor] = []
    rounds: list[Tensor] = []
    losses = torch.zeros(family.horizon, dtype=torch.float64)
    for first in range(0, trials, chunk):
        rows = min(chunk, trials - first)
        keys = random.outer_keys(seed, 0, rows, family.split, first_row=first, like=like)
        lived = rollout(agent, family, keys, record=("rounds",))
        outcomes.append(lived.info[family.outcome].double().cpu())
        losses += lived.loss.double().sum(dim=1).cpu()
        if "rounds" in lived.trace:
            rounds.append(lived.trace["rounds"].double().mean(dim=0).cpu())
    return Evaluation(torch.cat(outcomes), losses / trials, torch.cat(rounds) if rounds else None)
