"""Optimistic Thompson sampling, in two readings: the likeliest of several draws; never below the mean."""

import dataclasses
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.family import Family
from baselines.bandits.classical import BernoulliAlgorithm, Counts, check_setting
from baselines.bandits.posteriors import draw, log_density, pair_number, quantiles

MOST_DRAWS = 1_000
"""The most draws of which the likeliest is kept."""


@dataclasses.dataclass(frozen=True)
class LikeliestThompson(BernoulliAlgorithm):
    """The best arm of the likeliest of several draws from the posterior.

    What Duan et al. 2016 call optimistic Thompson sampling (OTS): it "samples N times from the posterior,
    and takes the one with the highest probability", a draw being one value for every arm. The likelier a
    draw, the nearer are the arms that have been pulled to their most likely values, while an arm never
    pulled, of which all is equally likely, is drawn as ever. For rewards that are 0 or 1; draws are made by
    tables (`baselines.bandits.posteriors`). With 1 draw it is `Thompson`, in less time.

    Attributes:
        draws: how many, N, from 1 to `MOST_DRAWS`; or "tuned".
    """

    draws: float | int | Literal["tuned"] = "tuned"
    tunes: ClassVar[str | None] = "draws"

    def __post_init__(self) -> None:
        """Check the setting."""
        check_setting("draws", self.draws, 1, MOST_DRAWS)
        if self.draws != "tuned" and self.draws != int(self.draws):
            raise ValueError(f"draws is {self.draws}; it must be a whole number")

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """The likeliest draw, as angles."""
        drawn = _drawn(seen.table[0], seen, keys, step)  # (B, N, O)
        if drawn.shape[1] == 1:
            return drawn[:, 0]
        paid, failed = seen.reward[:, None], (seen.pulls - seen.reward)[:, None]  # (B, 1, O)
        likely = log_density(paid, failed, drawn).sum(dim=-1)  # (B, N)
        likeliest = likely.argmax(dim=-1)[:, None, None].expand(-1, 1, drawn.shape[2])  # (B, 1, O)
        return drawn.gather(1, likeliest)[:, 0]

    def table(self, family: Family, setting: float) -> Float[Tensor, "N pairs nodes"]:
        """Quantiles of the posterior, once for each draw (a view)."""
        return quantiles(family.horizon).expand(int(setting), -1, -1)


@dataclasses.dataclass(frozen=True)
class OptimisticThompson(BernoulliAlgorithm):
    """As Thompson sampling, but no arm is drawn below its posterior mean.

    May, Korda, Lee, Leslie 2012, "Optimistic Bayesian sampling in contextual-bandit problems". For rewards
    that are 0 or 1.
    """

    def scores(self, seen: Counts, keys: Int[Tensor, "B 4"], step: int) -> Float[Tensor, "B O"]:
        """The larger of a draw and the mean for every arm, as angles."""
        mean = torch.atan2((1 + seen.reward).sqrt(), (1 + seen.pulls - seen.reward).sqrt())  # (B, O)
        return torch.maximum(_drawn(seen.table[0], seen, keys, step)[:, 0], mean)

    def table(self, family: Family, setting: float) -> Float[Tensor, "1 pairs nodes"]:
        """Quantiles of the posterior."""
        return quantiles(family.horizon)[None]


def _drawn(
    table: Float[Tensor, "N pairs nodes"], seen: Counts, keys: Int[Tensor, "B 4"], step: int
) -> Float[Tensor, "B N O"]:
    """N draws from the posterior, by its quantiles."""
    number = pair_number(seen.pulls, seen.reward)[:, None].expand(-1, len(table), -1)  # (B, N, O)
    return draw(table[0], number, keys, "posterior", step)
