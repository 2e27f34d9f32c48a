"""Evaluation: one agent on many fresh tasks, the same tasks for every agent."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.family import Family


class Evaluation(NamedTuple):
    """Results of N trials.

    Attributes:
        outcomes: [N], the family's outcome of each trial.
        losses: [T, N], per-step loss of each trial.
        rounds: [N], mean rounds of communication per step, where experts vote on when to stop; else None.
    """

    outcomes: Tensor
    losses: Tensor
    rounds: Tensor | None = None

    @property
    def loss(self) -> Tensor:
        """[T], mean per-step loss over the trials."""
        return self.losses.mean(dim=-1)

    @property
    def loss_ci95(self) -> tuple[Tensor, Tensor]:
        """95 % intervals over tasks of the mean per-step loss, [T] from and [T] to; of one task, infinite."""
        half = half_width(self.losses)
        return self.loss - half, self.loss + half

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


def interval(values: Float[Tensor, "N"]) -> tuple[float, float]:
    """95 % interval of a mean (see `half_width`)."""
    mean, half = float(values.mean()), float(half_width(values))
    return mean - half, mean + half


def half_width(values: Float[Tensor, "*any N"]) -> Float[Tensor, "*any"]:
    """Half of the 95 % interval of the mean over the last axis (normal approximation); of one, infinite."""
    count = values.shape[-1]
    if count == 1:
        return values.new_full(values.shape[:-1], math.inf)
    return 1.96 * values.std(dim=-1) / count**0.5


@torch.no_grad()
def evaluate(
    agent: Agent, family: Family, trials: int, *, seed: int = 0, device: str = "cpu", chunk: int = 2_000
) -> Evaluation:
    """Let an agent act in fresh trials; its weights stay as they are.

    Task i is the one that `gym.make(id, split=...).reset(seed=seed + i)` shows, so that every agent, of this
    suite or not, can be measured on the same tasks and noise.

    Args:
        agent: the agent.
        family: the family; its split says which keys and sizes are met.
        trials: N, at least 1.
        seed: of the first task; the others follow.
        device: a torch device.
        chunk: trials at a time, for memory's sake; the result does not depend on it but for rounding.

    Raises:
        ValueError: trials or chunk is below 1, or the agent does not fit the family.
    """
    for name, number in (("trials", trials), ("chunk", chunk)):
        if number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")
    group = getattr(agent, "group", 1)  # such trials are mixed: whole groups, whatever the chunk
    chunk = -(-chunk // group) * group
    outcomes: list[Tensor] = []
    losses: list[Tensor] = []
    rounds: list[Tensor] = []
    for first in range(0, trials, chunk):
        rows = min(chunk, trials - first)
        seeds = range(seed + first, seed + first + -(-rows // group) * group)
        keys = torch.from_numpy(keyed_random.trial_keys(seeds, 0, family.split)).to(device)  # (>= rows, 4)
        trajectory = rollout(agent, family, keys, record=("rounds",))
        outcomes.append(trajectory.info[family.outcome][:rows].double().cpu())
        losses.append(trajectory.loss[:, :rows].double().cpu())  # (T, rows)
        if "rounds" in trajectory.trace:
            rounds.append(trajectory.trace["rounds"][:, :rows].double().mean(dim=0).cpu())
    return Evaluation(torch.cat(outcomes), torch.cat(losses, dim=1), torch.cat(rounds) if rounds else None)
