"""Algorithms for bandits of special kinds: gaussian, dependent, informative, restless."""

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.family import Observation
from baselines.bandits.classical import UCB1, BanditAlgorithm, Counts


@dataclasses.dataclass(frozen=True)
class GaussianUCB(BanditAlgorithm):
    """Highest upper bound of the posterior, for standard normal means and rewards of variance 1.

    Attributes:
        c: how many posterior standard deviations above the posterior mean; 0 is greedy.
    """

    c: float = 1.0

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """Posterior mean and a multiple of its standard deviation."""
        return seen.reward / (1 + seen.pulls) + self.c / (1 + seen.pulls) ** 0.5


@dataclasses.dataclass(frozen=True)
class SharedEvidence(BanditAlgorithm):
    """For two Bernoulli arms of p and 1 - p: the arm that both arms' rewards speak for.

    A pull of either arm tells the same about p, so that there is nothing to explore: optimal for every
    symmetric prior of p.
    """

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """Successes of the arm and failures of the other."""
        return seen.reward + (seen.pulls - seen.reward).flip(-1)


@dataclasses.dataclass(frozen=True)
class AskAndTake(BanditAlgorithm):
    """For an informative bandit: pull the last arm once, and then the arm that its reward tells.

    Optimal from 3 pulls on, with 11 arms (Wang et al. 2016, section 3.1.2).
    """

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """1 for the last arm at first, then for the arm that it has named."""
        last = seen.pulls.shape[1] - 1
        named = (seen.reward[:, last] * last).round().long() - 1  # (B,)
        chosen = torch.full_like(named, last) if step == 0 else named.clamp(0, last)
        return torch.nn.functional.one_hot(chosen, last + 1).to(seen.pulls.dtype)


@dataclasses.dataclass(frozen=True)
class DiscountedUCB(UCB1):
    """UCB1 that forgets: pulls and rewards fade, for bandits that change (Garivier and Moulines 2011).

    Attributes:
        gamma: what is kept of them at every step, in (0, 1].
    """

    gamma: float = 0.95

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma is {self.gamma}; it must lie in (0, 1]")

    def act(
        self, state: Counts, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Counts, Int[Tensor, "B"], dict[str, Tensor]]:
        """Fade, then as UCB1."""
        faded = state._replace(pulls=state.pulls * self.gamma, reward=state.reward * self.gamma)
        return super().act(faded, observation, keys, step)
