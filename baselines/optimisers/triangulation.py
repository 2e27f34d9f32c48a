"""Triangulation: the guessing game solved by probing one output per step (the scoring's reference)."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family, Observation

PROBE = 1.0
"""Where a probe puts an output. Rounding errors pass on times target / PROBE: below 1, they would grow."""


class TriangulationState(NamedTuple):
    """What triangulation remembers.

    Attributes:
        guess: [B, O], the targets found so far, 0 elsewhere.
        error: [B], the error that writing `guess` would score.
        time: steps done.
        horizon: steps in a trial.
    """

    guess: Tensor
    error: Tensor
    time: int
    horizon: int


class Triangulation:
    """Move one output per step, see what the error does, solve.

    With d outputs in use the error is (3 / d) * sum((x - target) ** 2). Moving output i from 0 to p
    changes it by (3 / d) * (p ** 2 - 2 * p * target_i), so each probe yields one target. Slots in use are
    probed in order, those solved before are held; the last step is no probe. So a horizon of T steps
    solves d = T - 1 exactly. An agent under contract 4; it has no weights.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> TriangulationState:
        """Nothing known.

        Raises:
            ValueError: the family is not `GuessingGame`, whose error it solves.
        """
        if not isinstance(family, GuessingGame):
            raise ValueError(f"Triangulation solves the guessing game; {type(family).__name__} is none")
        dtype = getattr(torch, family.dtype)
        guess = torch.zeros(len(keys), family.slots.outputs, dtype=dtype, device=keys.device)  # (B, O)
        return TriangulationState(guess, guess[:, 0], 0, family.horizon)

    def act(
        self, state: TriangulationState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[TriangulationState, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Use the last probe's error, then make the next probe, or write what was found."""
        guess, error, time, horizon = state
        used, heard = observation.output_mask, observation.feedback[:, 0]  # (B, O), (B,)
        rank = used.cumsum(dim=-1) * used - 1  # (B, O), place among the slots in use; -1: not in use
        if time == 0:
            error = heard  # (B,), of writing nothing
        else:
            probed = (rank == time - 1).to(used.dtype)  # (B, O), one-hot, or zeros when all are known
            weight = 3 / used.sum(dim=-1)  # (B,)
            found = (PROBE**2 - (heard - error) / weight) / (2 * PROBE) * probed.sum(dim=-1)  # (B,)
            guess = guess + probed * found.clamp(-1, 1)[:, None]  # (B, O)
            error = error - weight * found**2  # (B,), the solved output no longer adds to it
        probe = (rank == time).to(used.dtype) * PROBE if time < horizon - 1 else torch.zeros_like(guess)
        return TriangulationState(guess, error, time + 1, horizon), guess + probe, {}
