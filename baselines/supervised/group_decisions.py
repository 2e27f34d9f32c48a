"""Groups that do not learn, for hidden profiles: alone, by a vote, by a sum of opinions, by pooling."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.hidden_profile import HiddenProfile
from badger_envs.family import Family, Observation
from baselines.ablations.voting import Voting


class Sizes(NamedTuple):
    """shared: int64 [B], how many of the cues shown are shared."""

    shared: Tensor


class GroupAlgorithm(ABC):
    """Rates each option as it is discussed: an agent under contract 4 for `HiddenProfile`, no weights."""

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Sizes:
        """How many cues are shared.

        Raises:
            ValueError: the family is not `HiddenProfile`.
        """
        shared = _group(family, self).shared
        return Sizes(torch.full((len(keys),), shared, dtype=torch.int64, device=keys.device))

    def act(
        self, state: Sizes, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Sizes, Float[Tensor, "B O"], dict[str, Tensor]]:
        """The ratings of the option under discussion."""
        cues = observation.inputs.double()  # (B, O, F), so that sums are exact
        first = torch.arange(cues.shape[-1], device=keys.device) < state.shared[:, None]  # (B, F)
        shared = (cues * first[:, None]).sum(dim=-1)  # (B, O)
        own = cues.sum(dim=-1) - shared  # (B, O)
        used, size = observation.output_mask, cues.shape[-1]
        count = used.sum(dim=-1, keepdim=True) * size  # (B, 1), cues there would be if none were shared
        ratings = self.rate(shared, own) / count  # (B, O), in [-1, 1]
        return state, ratings.to(used.dtype) * used, {}

    @abstractmethod
    def rate(self, shared: Float[Tensor, "B O"], own: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
        """Ratings, up to a factor, from each member's sums of shared and of own cues; zeros of no members."""


class Individual(GroupAlgorithm):
    """Each member goes by what it knows alone."""

    def rate(self, shared: Float[Tensor, "B O"], own: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
        """The sum of its cues."""
        return shared + own


class SumOfOpinions(GroupAlgorithm):
    """Members add up their opinions: what is shared counts once for each of them."""

    def rate(self, shared: Float[Tensor, "B O"], own: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
        """The sum of all members' sums."""
        return (shared + own).sum(dim=-1, keepdim=True).expand_as(own)


class Pooling(GroupAlgorithm):
    """Members pool their cues: what is shared counts once. Nobody does better."""

    def rate(self, shared: Float[Tensor, "B O"], own: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
        """The sum of all cues."""
        known = shared.gather(1, shared.abs().argmax(dim=-1, keepdim=True))  # (B, 1), the same of all members
        return (known + own.sum(dim=-1, keepdim=True)).expand_as(own)


class MajorityVote(Voting):
    """Members that never talk vote for what each would choose by what it knows alone."""

    def __init__(self) -> None:
        super().__init__(Individual())


def _group(family: Family, agent: Any) -> HiddenProfile:
    """The family, if it has members that rate options; ValueError if not."""
    if not isinstance(family, HiddenProfile):
        raise ValueError(f"{type(agent).__name__} rates options; {type(family).__name__} has none")
    return family
