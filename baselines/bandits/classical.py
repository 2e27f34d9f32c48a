"""Classical bandit algorithms: random, greedy, epsilon-greedy, UCB1, Thompson sampling; what they share."""

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import keyed_random
from badger_envs.family import Family, Observation
from baselines.tuned_settings import TUNED, tuned_setting

ATTEMPTS = 4
"""Proposals per gamma draw: all are rejected once in 100,000 draws at most, which then give the mode."""


class Counts(NamedTuple):
    """What has been seen in a trial.

    Attributes:
        pulls: [B, O], how often each arm was pulled.
        reward: [B, O], what each arm paid in all. Both are float64 in a state, where whole numbers are
            exact up to 2 ** 53: a sum in float32 stops at 2 ** 24. Scores get them in the family's dtype.
        setting: [B, 1], what the algorithm's one setting is here; not a number if it has none.
        table: [B, ...], what the algorithm looks up, the same in all trials (a view); [B, 0] if nothing.
    """

    pulls: Tensor
    reward: Tensor
    setting: Tensor
    table: Tensor


class BanditAlgorithm(ABC):
    """Pulls the arm of the highest score, the first of them on ties; arms not in use never.

    What it knows of an arm is its pulls and its rewards, beside one success and one failure imagined
    before the first pull (the Beta(1, 1) prior of Duan et al. 2016). An agent under contract 4, for
    families of categorical actions whose first feedback number is the reward; it has no weights.
    """

    tunes: ClassVar[str | None] = None
    """Name of the setting that may be "tuned": then it is what was best on the family's cell, the number of
    pulls and of arms, in validation (`baselines.tuning`)."""

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Counts:
        """Nothing seen.

        Raises:
            ValueError: the family's actions are not categorical, or the setting is "tuned" and the family's
                cell has none.
        """
        if family.action_kind != "categorical":
            wanted, kind = type(self).__name__, family.action_kind
            raise ValueError(f"{wanted} pulls arms; the actions of {type(family).__name__} are {kind}")
        shape = (len(keys), family.slots.outputs)
        zeros = torch.zeros(shape, dtype=torch.float64, device=keys.device)  # (B, O)
        value, dtype = self._setting(family), getattr(torch, family.dtype)
        table = self.table(family, value).to(keys.device, dtype)
        setting = torch.full((len(keys), 1), value, dtype=dtype, device=keys.device)
        return Counts(zeros, zeros, setting, table.expand(len(keys), *table.shape))

    def table(self, family: Family, setting: float) -> Tensor:
        """What it looks up in this family's trials, [...]; [0] if nothing."""
        return torch.zeros(0, device="cpu")

    def _setting(self, family: Family) -> float:
        """The setting in this family; not a number if there is none."""
        if self.tunes is None:
            return math.nan
        value = getattr(self, self.tunes)
        return tuned_setting(type(self).__name__, self.tunes, family) if value == TUNED else float(value)

    def act(
        self, state: Counts, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Counts, Int[Tensor, "B"], dict[str, Tensor]]:
        """Count the last pull, choose the next; records the scores [B, O]."""
        pulled = observation.outputs  # (B, O), one-hot, zeros at the start
        pulls = state.pulls + pulled  # (B, O)
        reward = state.reward + pulled * observation.feedback[:, :1]  # (B, O)
        seen = state._replace(pulls=pulls.to(pulled), reward=reward.to(pulled))
        scores = self.scores(seen, keys, step)  # (B, O)
        action = scores.masked_fill(observation.output_mask == 0, -math.inf).argmax(dim=-1)  # (B,)
        return state._replace(pulls=pulls, reward=reward), action, {"scores": scores}

    @abstractmethod
    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """How good each arm looks now."""


@dataclasses.dataclass(frozen=True)
class RandomArm(BanditAlgorithm):
    """Every arm in use equally often, whatever it pays."""

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """Fresh uniforms."""
        return _uniform(keys, "random arm", seen, step)


@dataclasses.dataclass(frozen=True)
class Greedy(BanditAlgorithm):
    """The arm of the highest mean reward, the imagined pulls included."""

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """Posterior means."""
        return _mean(seen)


@dataclasses.dataclass(frozen=True)
class EpsilonGreedy(BanditAlgorithm):
    """Greedy, but with probability epsilon any arm.

    Attributes:
        epsilon: in [0, 1]; 0 is greedy, 1 random; or "tuned".
    """

    epsilon: float | Literal["tuned"] = 0.1
    tunes: ClassVar[str | None] = "epsilon"

    def __post_init__(self) -> None:
        """Check the setting."""
        check_setting("epsilon", self.epsilon, 0, 1)

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """Posterior means, or fresh uniforms."""
        strays = (
            keyed_random.uniform(keys, "epsilon", 1, step, str(seen.pulls.dtype)[6:]) < seen.setting
        )  # (B, 1)
        return torch.where(strays, _uniform(keys, "random arm", seen, step), _mean(seen))


@dataclasses.dataclass(frozen=True)
class UCB1(BanditAlgorithm):
    """The arm of the highest upper confidence bound (Auer, Cesa-Bianchi, Fischer 2002).

    Attributes:
        c: weight of the bound sqrt(2 ln t / pulls), t being the number of this pull and the imagined
            pulls counted; 0 is greedy, 1 the original; or "tuned".
    """

    c: float | Literal["tuned"] = 0.2
    tunes: ClassVar[str | None] = "c"

    def __post_init__(self) -> None:
        """Check the setting."""
        check_setting("c", self.c, 0, math.inf)

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """Posterior means and a bonus for what was pulled little."""
        return _mean(seen) + seen.setting * (2 * math.log(step + 1) / (seen.pulls + 2)) ** 0.5


class BernoulliAlgorithm(BanditAlgorithm):
    """Base of those whose scores come from Beta posteriors: for rewards in [0, 1]."""

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Counts:
        """Nothing seen.

        Raises:
            ValueError: the family's actions are not categorical, or rewards may leave [0, 1].
        """
        low, high = family.bounds.feedback
        if family.action_kind == "categorical" and (low < 0 or high > 1):
            name = type(self).__name__
            raise ValueError(f"rewards lie in [{low}, {high}]; {name}'s Beta posterior is for [0, 1]")
        return super().initial_state(family, keys)


@dataclasses.dataclass(frozen=True)
class Thompson(BernoulliAlgorithm):
    """The best arm of a bandit drawn from the posterior (Thompson 1933): for rewards in [0, 1]."""

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """A draw from every arm's Beta posterior."""
        success = _gamma(keys, "successes", 1 + seen.reward, step)
        failure = _gamma(keys, "failures", 1 + seen.pulls - seen.reward, step)
        return success / (success + failure)


def check_setting(name: str, value: float | int | str, low: float | int, high: float | int) -> None:
    """ValueError unless the value is a finite number from low to high, or "tuned"."""
    if value == TUNED:
        return
    if isinstance(value, bool | str) or not (low <= value <= high and value < math.inf):
        where = f"lie in [{low}, {high}]" if high < math.inf else f"be a number from {low} up"
        raise ValueError(f"{name} is {value!r}; it must {where}, or be {TUNED!r}")


def _mean(seen: Counts) -> Float[Tensor, "B O"]:
    """Posterior means under Beta(1, 1)."""
    return (1 + seen.reward) / (2 + seen.pulls)


def _uniform(keys: Int[Tensor, "B 4"], name: str, seen: Counts, step: int) -> Float[Tensor, "B O"]:
    """Uniforms for every arm at this step."""
    arms = seen.pulls.shape[1]
    return keyed_random.uniform(keys, name, arms, step * arms, str(seen.pulls.dtype)[6:])


def _gamma(
    keys: Int[Tensor, "B 4"], name: str, shape: Float[Tensor, "B O"], step: int
) -> Float[Tensor, "B O"]:
    """Gamma draws of the given shapes, from 1 up (Marsaglia and Tsang 2000)."""
    batch, arms = shape.shape
    count, dtype = ATTEMPTS * arms, str(shape.dtype)[6:]
    normal = keyed_random.normal(keys, name, count, step * count, dtype).view(batch, ATTEMPTS, arms)
    level = keyed_random.uniform(keys, name + " accepted", count, step * count, dtype).view(
        batch, ATTEMPTS, arms
    )
    d = shape - 1 / 3  # (B, O)
    root = 1 + normal / (9 * d[:, None]) ** 0.5  # (B, A, O)
    volume = root.clamp(min=1e-6) ** 3
    bound = normal**2 / 2 + d[:, None] * (1 - volume + torch.log(volume))
    accepted = (root > 0) & (torch.log(1 - level) < bound)  # (B, A, O)
    drawn = d
    for attempt in reversed(range(ATTEMPTS)):  # the first that was accepted
        drawn = torch.where(accepted[:, attempt], d * volume[:, attempt], drawn)
    return drawn
