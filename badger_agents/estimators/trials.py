"""The trials of one outer step, as estimators let agents act in them: whole, or window by window."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.estimators.objectives import Objective, Penalty, step_weights
from badger_agents.estimators.process_group import ProcessGroup
from badger_agents.rollout import Carry, Segment, make_task_batch, rollout_segment, start
from badger_envs import keyed_random
from badger_envs.family import Family


class Trials:
    """Trials, and what is to be minimised in them.

    The objective is a sum over steps, so that trials can be gone through in windows: the losses of all
    windows of a trial sum to it, to rounding. What an estimator holds of a trial in between is a `Carry`. An
    outer step is always whole trials: no carry outlasts it, and a checkpoint between outer steps holds
    everything without any.

    Args:
        family: the family; its horizon is the length of the trials.
        keys: their names, one row a trial; where there are several groups, one after the other.
        objective: of the per-step losses.
        penalties: added to it.
        loss_scale: what losses are divided by; penalties are not.
        groups: G, agents that act side by side (see `badger_agents.functional`), each in as many rows. Each
            has an objective of its own, and its losses depend on no other's.
        gradient_limit: longest gradient of one trial that flows back from a step to the one before, for a
            mean over its group (see `badger_agents.tree.limit_gradients`); None: no limit.
        draw_key: int64 [1, 4], NumPy, the outer step's: for what is drawn once for all trials and needed
            as a plain number; None: that of the first row, which must then be read back to the host.
        process_group: the processes that were all given these same trials, for estimators that share them
            out themselves (`GradientEstimator.shares`).
        outer_step: how many outer steps were done before, for what changes with them.
    """

    def __init__(
        self,
        family: Family,
        keys: Int[Tensor, "B 4"],
        objective: Objective,
        penalties: tuple[Penalty, ...] = (),
        *,
        loss_scale: float = 1.0,
        groups: int = 1,
        gradient_limit: float | None = None,
        draw_key: np.ndarray | None = None,
        process_group: ProcessGroup | None = None,
        outer_step: int = 0,
    ) -> None:
        if len(keys) % groups:
            raise ValueError(f"{len(keys)} trials cannot be shared by {groups} agents alike")
        self.family, self.keys, self.groups, self.loss_scale = family, keys, groups, loss_scale
        self.objective, self.penalties, self.gradient_limit = objective, penalties, gradient_limit
        self.draw_key = keys[:1].cpu().numpy() if draw_key is None else draw_key
        self.process_group, self.outer_step = process_group or ProcessGroup(), outer_step
        self.horizon = family.horizon
        self.step_weights = step_weights(objective, family.horizon)  # (T,)
        self.batch = make_task_batch(family, keys)

    @property
    def stack(self) -> int | None:
        """How many agents' weights are stacked, G; None: they are one agent's."""
        return self.groups if self.groups > 1 else None

    def others(self, keys: Int[Tensor, "B 4"], groups: int) -> "Trials":
        """Other trials with the same objective."""
        return Trials(
            self.family,
            keys,
            self.objective,
            self.penalties,
            loss_scale=self.loss_scale,
            groups=groups,
            gradient_limit=self.gradient_limit,
            draw_key=self.draw_key,
            outer_step=self.outer_step,
        )

    def start(self, agent: Agent) -> Carry:
        """The agent at the start of all trials."""
        return start(agent, self.batch)

    def segment(
        self, agent: Agent, carry: Carry, steps: int, record: Sequence[str] = ()
    ) -> tuple[Segment, Carry]:
        """Let the agent act for some steps.

        Args:
            agent: who has acted so far, or one whose states mean the same.
            carry: where the trials are.
            steps: k, no more than are left.
            record: names of what to keep beside what penalties need (see `rollout_segment`).

        Returns:
            What happened, each [k, B, ...], and where the trials are then.
        """
        longest = None if self.gradient_limit is None else self.gradient_limit * self.groups / len(self.keys)
        names = tuple(dict.fromkeys([*record, *(penalty.reads for penalty in self.penalties)]))
        return rollout_segment(agent, self.batch, carry, steps, record=names, longest_gradient=longest)

    def loss(self, agent: Agent, carry: Carry | None, steps: int) -> tuple[Float[Tensor, "G"], Carry]:
        """Let the agent act for some steps, and what they add to the objective.

        Args:
            agent: as for `segment`.
            carry: where the trials are; None: at their start.
            steps: as for `segment`.
        """
        carry = self.start(agent) if carry is None else carry
        segment, after = self.segment(agent, carry, steps)
        return self.loss_of(segment, carry.step), after

    @torch.no_grad()
    def score(self, agent: Agent, carry: Carry, steps: int) -> tuple[Float[Tensor, "G"], Carry]:
        """As `loss`, without gradients, in memory that does not grow with the number of steps."""
        total = self.keys.new_zeros(self.groups, dtype=getattr(torch, self.family.dtype))  # (G,)
        for _ in range(steps):
            segment, after = self.segment(agent, carry, 1)
            if self.counts(carry.step, 1):
                total = total + self.loss_of(segment, carry.step)  # (G,)
            carry = after
        return total, carry

    def windows(self, length: int) -> list[int]:
        """Lengths of the windows in which a method goes through a whole trial.

        The length of the first is drawn, from 1 to `length`, so that it is not always the same steps
        between which there is a cut; but a window that is as long as the trial is the trial.
        """
        if length >= self.horizon:
            return [self.horizon]
        first = int(keyed_random.integers(self.draw_key, "estimator/window", 1, 1, length)[0, 0])
        ends = [0, *range(first, self.horizon, length), self.horizon]
        return [end - start for start, end in pairwise(ends)]

    def counts(self, first: int, steps: int) -> bool:
        """Whether anything in these steps counts in the loss."""
        return bool(self.penalties) or any(self.step_weights[first : first + steps])

    def loss_of(self, segment: Segment, first: int) -> Float[Tensor, "G"]:
        """What a segment adds to each group's objective; a whole trial's is the objective itself.

        Args:
            segment: what happened in it.
            first: steps done before it.
        """
        trace = {penalty.reads: segment.trace[penalty.reads] for penalty in self.penalties}
        if self.groups == 1:
            return self._loss(segment.loss, trace, first)[None]  # (1,)
        loss, parts = (
            segment.loss.unflatten(1, (self.groups, -1)),
            {name: part.unflatten(1, (self.groups, -1)) for name, part in trace.items()},
        )  # (k, G, B/G), each (k, G, B/G, ...)
        return torch.vmap(partial(self._loss, first=first), in_dims=(1, 1))(loss, parts)  # (G,)

    def _loss(self, loss: Tensor, trace: dict[str, Tensor], first: int) -> Tensor:
        """Of a segment of one group's trials [k, B]; a penalty's means are shared out by steps."""
        steps = len(loss)
        if steps == self.horizon:
            total = self.objective(loss)  # the same sum, but rounded as its own definition rounds it
        else:
            weights = self.step_weights[first : first + steps]  # plain numbers: nothing is sent
            total = loss.new_zeros(())
            for weight, mean in zip(weights, loss.mean(dim=1).unbind(), strict=True):
                total = total + weight * mean
        total = total / self.loss_scale if self.loss_scale != 1 else total
        for penalty in self.penalties:
            total = total + penalty.weight * (steps / self.horizon) * penalty.rule(trace[penalty.reads])
        return total
