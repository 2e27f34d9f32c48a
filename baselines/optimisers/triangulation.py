"""Triangulation: the guessing game solved by probing one output per step (the scoring's reference)."""

import dataclasses
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family, Observation

LARGEST_ERROR = 12.0
"""The largest error in the guessing game."""


class TriangulationState(NamedTuple):
    """What triangulation remembers.

    Attributes:
        guess: [B, O], the targets found so far, 0 elsewhere.
        error: [B], the error that writing `guess` would score.
        horizon: [B, 1], steps in a trial.
    """

    guess: Tensor
    error: Tensor
    horizon: Tensor


@dataclasses.dataclass(frozen=True)
class Triangulation:
    """Move one output per step, see what the error does, solve.

    With d outputs in use the error is (3 / d) * sum((x - target) ** 2). Moving output i from 0 to p
    changes it by (3 / d) * (p ** 2 - 2 * p * target_i), so each probe yields one target. Slots in use are
    probed in order, those solved before are held; the last step is no probe. So a horizon of T steps
    solves d = T - 1 exactly. An agent under contract 4; it has no weights.

    Attributes:
        probe: where a probe puts an output, in (0, 1]. Rounding errors pass on times target / probe: below 1
            they grow. But where the error of each step counts, small probes cost less.

    Raises:
        ValueError: the probe is out of range.
    """

    probe: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.probe <= 1:
            raise ValueError(f"probe is {self.probe}; it must lie in (0, 1]")

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> TriangulationState:
        """Nothing known.

        Raises:
            ValueError: the family is not `GuessingGame`, whose error it solves.
        """
        if not isinstance(family, GuessingGame):
            raise ValueError(f"Triangulation solves the guessing game; {type(family).__name__} is none")
        dtype = getattr(torch, family.dtype)
        guess = torch.zeros(len(keys), family.slots.outputs, dtype=dtype, device=keys.device)  # (B, O)
        return TriangulationState(guess, guess[:, 0], torch.full_like(guess[:, :1], family.horizon))

    def act(
        self, state: TriangulationState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[TriangulationState, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Use the last probe's error, then make the next probe, or write what was found."""
        guess, error, horizon = state
        used, heard = observation.output_mask, observation.feedback[:, 0]  # (B, O), (B,)
        rank = used.cumsum(dim=-1) * used - 1  # (B, O), place among the slots in use; -1: not in use
        if step == 0:
            error = heard  # (B,), of writing nothing
        else:
            probed = (rank == step - 1).to(used.dtype)  # (B, O), one-hot, or zeros when all are known
            weight = 3 / used.sum(dim=-1)  # (B,)
            found = (self.probe**2 - (heard - error) / weight) / (2 * self.probe) * probed.sum(dim=-1)  # (B,)
            guess = guess + probed * found.clamp(-1, 1)[:, None]  # (B, O)
            error = error - weight * found**2  # (B,), the solved output no longer adds to it
        probe = ((rank == step) & (step < horizon - 1)).to(used.dtype) * self.probe  # (B, O)
        return TriangulationState(guess, error, horizon), guess + probe, {}


class MemorylessState(NamedTuple):
    """horizon: [B, 1], steps in a trial: nothing that was seen."""

    horizon: Tensor


class MemorylessTriangulation:
    """Triangulation that remembers in its outputs: the guessing game solved without any state.

    What triangulation must remember is the targets found, which stand in the outputs, and the error before
    the last probe. So the probe is not 1 but 1 - error / 24: whoever sees it knows that error. With d numbers
    it is exact after d + 1 steps, to rounding, as triangulation is. So forgetting everything at every step
    does not keep an agent from learning here; it only takes away what it has not written down.
    An agent under contract 4.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> MemorylessState:
        """The start.

        Raises:
            ValueError: the family is not `GuessingGame`, whose error it solves.
        """
        if not isinstance(family, GuessingGame):
            name = type(family).__name__
            raise ValueError(f"MemorylessTriangulation solves the guessing game; {name} is none")
        dtype = getattr(torch, family.dtype)
        return MemorylessState(torch.full((len(keys), 1), family.horizon, dtype=dtype, device=keys.device))

    def act(
        self, state: MemorylessState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[MemorylessState, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Read the last probe, solve it, hold what was found, make the next probe."""
        used, outputs, heard = observation.output_mask, observation.outputs, observation.feedback[:, :1]
        rank = used.cumsum(dim=-1) * used - 1  # (B, O), place among the slots in use; -1: not in use
        weight = 3 / used.sum(dim=-1, keepdim=True)  # (B, 1)
        probed = (rank == step - 1).to(used.dtype)  # (B, O), one-hot, or zeros
        error = heard  # (B, 1), of what is known, with zeros elsewhere
        if step > 0:
            probe = (outputs * probed).sum(dim=-1, keepdim=True).clamp(min=0.25)  # (B, 1)
            before = (1 - probe) * (2 * LARGEST_ERROR)
            found = ((probe**2 - (heard - before) / weight) / (2 * probe)).clamp(-1, 1)
            error = before - weight * found**2
            outputs = outputs * (1 - probed) + found * probed  # (B, O)
        following = (rank == step).to(used.dtype)
        tells = 1 - error.clamp(0, LARGEST_ERROR) / (2 * LARGEST_ERROR)  # (B, 1)
        return state, torch.where(step < state.horizon - 1, outputs + following * tells, outputs), {}
