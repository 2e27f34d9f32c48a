"""The trials of one outer step, as estimators live through them: whole, or window by window."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.estimators.objectives import Objective, Penalty, step_weights
from badger_agents.rollout import Carry, Segment, make_task_batch, rollout_segment, start
from badger_agents.training.process_group import Team
from badger_envs import keyed_random
from badger_envs.family import Family


class Trials:
    """Trials, and what is to be minimised in them.

    The objective is a sum over steps, so that it can be lived through in windows: the costs of all windows
    of a trial sum to it, to rounding. What an estimator holds of a trial in between is a `Carry`. An outer
    step is always whole trials: no life outlasts it, and a checkpoint between outer steps holds everything
    without any.

    Args:
        family: the family; its horizon is the length of the trials.
        keys: their names, one row a trial; where there are several groups, one after the other.
        objective: of the per-step losses.
        penalties: added to it.
        groups: G, agents that live side by side (see `estimators.stacked`), each in as many rows. Each
            has an objective of its own, and its costs depend on no other's.
        gradient_limit: longest gradient of one trial that flows back from a step to the one before, for a
            mean over its group (see `badger_agents.gradients.limit_gradients`); None: no limit.
        draw_key: int64 [1, 4], NumPy, the outer step's: for what is drawn once for all trials and needed
            as a plain number; None: that of the first row, which must then be read back to the host.
        team: the processes that were all given these same trials, for estimators that share them out
            themselves (`GradientEstimator.shares`).
    """

    def __init__(
        self,
        family: Family,
        keys: Int[Tensor, "B 4"],
        objective: Objective,
        penalties: tuple[Penalty, ...] = (),
        *,
        groups: int = 1,
        gradient_limit: float | None = None,
        draw_key: np.ndarray | None = None,
        team: Team | None = None,
    ) -> None:
        if len(keys) % groups:
            raise ValueError(f"{len(keys)} trials cannot be shared by {groups} agents alike")
        self.family, self.keys, self.groups = family, keys, groups
        self.objective, self.penalties, self.gradient_limit = objective, penalties, gradient_limit
        self.draw_key = keys[:1].cpu().numpy() if draw_key is None else draw_key
        self.team = team or Team()
        self.horizon = family.horizon
        self.weights = step_weights(objective, family.horizon)  # (T,)
        self.batch = make_task_batch(family, keys)

    def others(self, keys: Int[Tensor, "B 4"], groups: int) -> "Trials":
        """Other trials, judged alike."""
        return Trials(
            self.family,
            keys,
            self.objective,
            self.penalties,
            groups=groups,
            gradient_limit=self.gradient_limit,
            draw_key=self.draw_key,
        )

    def begin(self, agent: Agent) -> Carry:
        """The agent at the start of all trials."""
        return start(agent, self.batch)

    def live(
        self,
        agent: Agent,
        life: Carry,
        steps: int,
        record: Sequence[str] = (),
        noise: Float[Tensor, "B k N"] | None = None,
    ) -> tuple[Segment, Carry]:
        """Live on for some steps.

        Args:
            agent: who has lived so far, or one whose states mean the same.
            life: where the trials are.
            steps: k, no more than are left.
            record: names of what the agent records, to be kept beside what penalties need.
            noise: the family's noise of these steps, where it is drawn already.

        Returns:
            What happened, each [k, B, ...], and where the trials are then.
        """
        longest = None if self.gradient_limit is None else self.gradient_limit * self.groups / len(self.keys)
        names = tuple(dict.fromkeys([*record, *(penalty.reads for penalty in self.penalties)]))
        return rollout_segment(
            agent, self.batch, life, steps, record=names, longest_gradient=longest, noise=noise
        )

    def unroll(self, agent: Agent, life: Carry, steps: int) -> tuple[Float[Tensor, "G"], Carry]:
        """Live on for some steps, and what they cost: `live`, then `costs`."""
        lived, after = self.live(agent, life, steps)
        return self.costs(lived, life.step), after

    @torch.no_grad()
    def score(self, agent: Agent, life: Carry, steps: int) -> tuple[Float[Tensor, "G"], Carry]:
        """As `unroll`, without gradients, in memory that does not grow with the number of steps."""
        total = self.keys.new_zeros(self.groups, dtype=getattr(torch, self.family.dtype))  # (G,)
        for _ in range(steps):
            lived, after = self.live(agent, life, 1)
            if self.judged(life.step, 1):
                total = total + self.costs(lived, life.step)  # (G,)
            life = after
        return total, life

    def windows(self, length: int) -> list[int]:
        """Lengths of the windows in which a method lives through a whole trial.

        The length of the first is drawn, from 1 to `length`, so that it is not always the same steps
        between which there is a cut; but a window that is as long as the trial is the trial.
        """
        if length >= self.horizon:
            return [self.horizon]
        first = int(keyed_random.integers(self.draw_key, "estimator/window", 1, 1, length)[0, 0])
        ends = [0, *range(first, self.horizon, length), self.horizon]
        return [end - start for start, end in pairwise(ends)]

    def costs(self, lived: Segment, start: int) -> Float[Tensor, "G"]:
        """What a stretch contributes to each group's objective; of a whole trial, the objective itself.

        Args:
            lived: what happened in it.
            start: steps done before it.
        """
        cost = partial(self._cost, start=start)
        if self.groups == 1:
            return cost(lived.loss, lived.trace)[None]  # (1,)
        loss, trace = (
            lived.loss.unflatten(1, (self.groups, -1)),
            {name: part.unflatten(1, (self.groups, -1)) for name, part in lived.trace.items()},
        )  # (k, G, B/G), each (k, G, B/G, ...)
        return torch.vmap(cost, in_dims=(1, 1))(loss, trace)  # (G,)

    def judged(self, start: int, steps: int) -> bool:
        """Whether anything in these steps counts."""
        return bool(self.penalties) or any(self.weights[start : start + steps])

    def _cost(self, loss: Tensor, trace: dict[str, Tensor], start: int) -> Tensor:
        """Cost of a stretch of one group's trials [k, B]; a penalty's means are shared out by steps."""
        steps = len(loss)
        if steps == self.horizon:
            total = self.objective(loss)  # the same sum, but rounded as its own definition rounds it
        else:
            weights = self.weights[start : start + steps]  # numbers, as a tensor of them would be sent there
            total = loss.new_zeros(())
            for weight, mean in zip(weights, loss.mean(dim=1).unbind(), strict=True):
                total = total + weight * mean
        for penalty in self.penalties:
            total = total + penalty.weight * (steps / self.horizon) * penalty.rule(trace[penalty.reads])
        return total
