"""Algorithms for random Markov decision processes: what they share, and each of Duan et al. 2016's table."""

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import keyed_random
from badger_envs.families.random_mdp import RandomMDP
from badger_envs.family import Family, Observation
from baselines.mdps.beliefs import (
    Belief,
    concentration_of,
    drawn_model,
    empirical_model,
    expected_model,
    learnt,
    nothing_seen,
    planned,
    planned_in_hope,
)
from baselines.mdps.ties import best


class Planner(NamedTuple):
    """State of an algorithm.

    Attributes:
        belief: what is known of the process.
        plan: float64 [B, T, S, A], scores of actions at each step of the present episode.
    """

    belief: Belief
    plan: Tensor


@dataclasses.dataclass(frozen=True, kw_only=True)
class MDPAlgorithm(ABC):
    """Plans, then takes the action of the highest score, one of them on ties.

    An agent under contract 4, for `RandomMDP`; it has no weights. It knows how processes are drawn: the kind
    of rewards, the concentration, the steps in an episode.

    Attributes:
        prior_mean: what an action not tried yet is expected to pay, where rewards are normal: 1, as means are
            drawn, or else. The less, the less is tried.
        every_step: plan anew at every step, by what was just seen; else at the start of each episode, as in
            Duan et al. 2016.
    """

    prior_mean: float | int = 1.0
    every_step: bool = False

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Planner:
        """Nothing seen.

        Raises:
            ValueError: the family is not `RandomMDP`.
        """
        if not isinstance(family, RandomMDP):
            raise ValueError(f"{type(self).__name__} is for RandomMDP, not for {type(family).__name__}")
        belief = nothing_seen(family, keys, self.prior_mean)
        steps = min(family.episode_steps, family.horizon)
        return Planner(belief, belief.visits[:, None].repeat(1, steps, 1, 1))

    def act(
        self, state: Planner, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Planner, Int[Tensor, "B"], dict[str, Tensor]]:
        """Learn from the last step, plan if an episode begins, choose; records the scores [B, O]."""
        belief, plan = learnt(state.belief, observation), state.plan
        into = step % plan.shape[1]
        if into == 0 or self.every_step:
            plan = self.plan(belief, observation, keys, step // plan.shape[1], plan)
        rows = (plan[:, into] * belief.here[:, :, None]).nan_to_num(0.0).sum(1)  # (B, A)
        scores = self.scores(rows, belief, keys, step)
        action = best(scores.masked_fill(observation.output_mask == 0, -math.inf), keys, step)  # (B,)
        return Planner(belief, plan), action, {"scores": scores}

    @abstractmethod
    def plan(
        self,
        belief: Belief,
        observation: Observation,
        keys: Int[Tensor, "B 4"],
        episode: int,
        plan: Float[Tensor, "B T S A"],
    ) -> Float[Tensor, "B T S A"]:
        """Scores of all actions at all steps of the episode; `plan` is that of the last one."""

    def scores(
        self, planned: Float[Tensor, "B A"], belief: Belief, keys: Int[Tensor, "B 4"], step: int
    ) -> Float[Tensor, "B A"]:
        """Scores of the actions here and now: those planned, unless an algorithm knows better."""
        return planned


@dataclasses.dataclass(frozen=True)
class EpsilonGreedy(MDPAlgorithm):
    """The best by the posterior's means, but with probability epsilon any action; 0 is greedy, 1 random."""

    epsilon: float | int = 0.0

    def __post_init__(self) -> None:
        """Check the setting."""
        _check("epsilon", self.epsilon, 1)

    def plan(
        self, belief: Belief, observation: Observation, keys: Tensor, episode: int, plan: Tensor
    ) -> Tensor:
        """Values of the expected process."""
        return planned(expected_model(belief, observation), plan.shape[1], observation.output_mask)

    def scores(self, planned: Tensor, belief: Belief, keys: Tensor, step: int) -> Tensor:
        """Values, or fresh uniforms."""
        count = planned.shape[1] + 1
        drawn = keyed_random.uniform(keys, "epsilon", count, step * count, "float64")  # (B, A + 1)
        return torch.where(drawn[:, :1] < self.epsilon, drawn[:, 1:], planned)


@dataclasses.dataclass(frozen=True)
class PosteriorSampling(MDPAlgorithm):
    """A process drawn from the posterior, and the best in it for a whole episode (PSRL).

    Strens 2000, "A Bayesian framework for reinforcement learning"; Osband, Russo, Van Roy 2013. With several
    draws an action is worth the most that it is worth in any of them: optimistic PSRL (OPSRL).

    Attributes:
        draws: number of processes drawn, 1 to 100.
    """

    draws: int = 1

    def __post_init__(self) -> None:
        """Check the setting."""
        if not (isinstance(self.draws, int) and 1 <= self.draws <= 100):
            raise ValueError(f"draws is {self.draws!r}; it must be an integer from 1 to 100")
        if self.every_step:
            raise ValueError("every_step is True; a process is drawn for a whole episode: use False")

    def plan(
        self, belief: Belief, observation: Observation, keys: Tensor, episode: int, plan: Tensor
    ) -> Tensor:
        """The highest values of the drawn processes."""
        most = torch.full_like(plan, -math.inf)
        for draw in range(self.draws):
            number = episode * self.draws + draw
            model = drawn_model(belief, observation, keys, number, episode * plan.shape[1])
            most = torch.maximum(most, planned(model, plan.shape[1], observation.output_mask))
        return most


@dataclasses.dataclass(frozen=True)
class BEB(MDPAlgorithm):
    """The best in the expected process with a bonus of beta / (1 + visits) for each action.

    Bayesian exploration bonus (Kolter and Ng 2009, "Near-Bayesian exploration in polynomial time").

    Attributes:
        beta: at least 0; 0 is greedy.
    """

    beta: float | int = 2.0

    def __post_init__(self) -> None:
        """Check the setting."""
        _check("beta", self.beta)

    def plan(
        self, belief: Belief, observation: Observation, keys: Tensor, episode: int, plan: Tensor
    ) -> Tensor:
        """Values with the bonus."""
        model = expected_model(belief, observation)
        model = model._replace(reward=model.reward + self.beta / (1 + belief.visits))
        return planned(model, plan.shape[1], observation.output_mask)


@dataclasses.dataclass(frozen=True)
class UCRL2(MDPAlgorithm):
    """The best in the luckiest process that what was seen leaves possible.

    Jaksch, Ortner, Auer 2010, "Near-optimal regret bounds for reinforcement learning", planning for the
    episode and at each of its starts, as Duan et al. 2016. It knows no prior: an action not tried pays
    `prior_mean`, and the width of its confidence besides.

    Attributes:
        scale: of the widths of confidence, at least 0; the theorem has 1.
        doubt: chance that they are too narrow, delta: above 0, at most 1.
    """

    scale: float | int = 1.0
    doubt: float | int = 0.05

    def __post_init__(self) -> None:
        """Check the settings."""
        _check("scale", self.scale)
        _check("doubt", self.doubt, 1)
        if self.doubt == 0:
            raise ValueError("doubt is 0; it must lie above it")

    def plan(
        self, belief: Belief, observation: Observation, keys: Tensor, episode: int, plan: Tensor
    ) -> Tensor:
        """Values in the luckiest process."""
        time = max(1, episode * plan.shape[1])
        states = observation.input_mask.sum(-1).to(belief.paid)[:, None, None]  # (B, 1, 1)
        actions = observation.output_mask.sum(-1).to(belief.paid)[:, None, None]  # (B, 1, 1)
        visits = belief.visits.clamp(min=1)  # (B, S, A)
        wide = (3.5 * (2 * states * actions * time / self.doubt).log() / visits) ** 0.5  # (B, S, A)
        slack = (14 * states * (2 * actions * time / self.doubt).log() / visits) ** 0.5  # (B, S, A)
        model = empirical_model(belief, observation)
        model = model._replace(reward=model.reward + self.scale * wide)
        return planned_in_hope(model, self.scale * slack, plan.shape[1], observation)


@dataclasses.dataclass(frozen=True)
class OneStepOptimism(MDPAlgorithm):
    """The highest expected reward plus c / sqrt(1 + visits), of the next step alone: it plans nothing.

    Attributes:
        c: at least 0.
    """

    c: float | int = 1.0

    def __post_init__(self) -> None:
        """Check the setting."""
        _check("c", self.c)

    def plan(
        self, belief: Belief, observation: Observation, keys: Tensor, episode: int, plan: Tensor
    ) -> Tensor:
        """None."""
        return plan

    def scores(self, planned: Tensor, belief: Belief, keys: Tensor, step: int) -> Tensor:
        """Of the present belief."""
        here = belief.here.to(belief.visits)  # (B, S)
        visits = torch.bmm(here[:, None], belief.visits)[:, 0]  # (B, A)
        if belief.goal.shape[1]:
            led = torch.einsum("bs,bsap->bap", here, belief.led) + concentration_of(belief)[..., None]
            mean = torch.einsum("bap,bp->ba", led / led.sum(-1, keepdim=True), belief.goal)
        else:
            paid = torch.bmm(here[:, None], belief.paid)[:, 0]  # (B, A)
            mean = (belief.prior_mean[:, 0] + paid) / (1 + visits)
        return mean + self.c * (1 + visits) ** -0.5


def _check(name: str, value: float | int | str, high: float | int = math.inf) -> None:
    """ValueError unless the setting is a finite number from 0 to `high`."""
    if isinstance(value, bool | str) or not (0 <= value <= high and value < math.inf):
        where = f"lie in [0, {high:g}]" if high < math.inf else "be a number from 0 up"
        raise ValueError(f"{name} is {value!r}; it must {where}")
