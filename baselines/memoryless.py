"""What can be done without memory: references for agents that are born anew at every step."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family, Observation

LARGEST_ERROR = 12.0
"""The largest error in the guessing game."""


class Clock(NamedTuple):
    """All that they know beside what they see: steps done, and in all. The flags say the same."""

    time: int
    horizon: int


class WinStayLoseShift:
    """Pulls the arm that has just paid again, and after one that did not the next in use (Robbins 1952).

    The best that is known to be possible without memory where rewards are 0 or 1. It stays at an arm for
    1 / (1 - p) pulls, so that good arms get more of them. Among rules that treat all arms alike and all times
    alike, and stay after a reward with probability 1 - a and without one with 1 - b, an arm's share is
    proportional to 1 / (a p + b (1 - p)): most uneven with a = 0, and whatever b. An agent under contract 4.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Clock:
        """The start.

        Raises:
            ValueError: the family's actions are not categorical, or rewards may leave [0, 1].
        """
        if family.action_kind != "categorical" or tuple(family.bounds.feedback) != (0, 1):
            raise ValueError(
                f"WinStayLoseShift pulls arms that pay 0 or 1; {type(family).__name__} has none"
                f" (actions {family.action_kind}, feedback in {list(family.bounds.feedback)})"
            )
        return Clock(0, family.horizon)

    def act(
        self, state: Clock, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Clock, Int[Tensor, "B"], dict[str, Tensor]]:
        """Stay or shift; at the start the first arm in use."""
        used, pulled = observation.output_mask, observation.outputs  # (B, O), the second one-hot or zeros
        arms = used.shape[1]
        last = torch.where(pulled.sum(dim=1) > 0, pulled.argmax(dim=1), arms - 1)  # (B,)
        place = torch.arange(arms, device=keys.device)
        steps = (place - last[:, None] - 1) % arms  # (B, O), 0 for the arm after the last one
        following = steps.masked_fill(used == 0, arms).argmin(dim=1)  # (B,)
        action = torch.where(observation.feedback[:, 0] > 0, last, following)
        return state._replace(time=state.time + 1), action, {}


class MemorylessTriangulation:
    """Triangulation that remembers in its outputs: the guessing game solved without any state.

    What triangulation must remember is the targets found, which stand in the outputs, and the error before
    the last probe. So the probe is not 1 but 1 - error / 24: whoever sees it knows that error. With d numbers
    it is exact after d + 1 steps, to rounding, as triangulation is. So forgetting everything at every step
    does not keep an agent from learning here; it only takes away what it has not written down.
    An agent under contract 4.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Clock:
        """The start.

        Raises:
            ValueError: the family is not `GuessingGame`, whose error it solves.
        """
        if not isinstance(family, GuessingGame):
            name = type(family).__name__
            raise ValueError(f"MemorylessTriangulation solves the guessing game; {name} is none")
        return Clock(0, family.horizon)

    def act(
        self, state: Clock, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Clock, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Read the last probe, solve it, hold what was found, make the next probe."""
        used, outputs, heard = observation.output_mask, observation.outputs, observation.feedback[:, :1]
        time = state.time
        rank = used.cumsum(dim=-1) * used - 1  # (B, O), place among the slots in use; -1: not in use
        weight = 3 / used.sum(dim=-1, keepdim=True)  # (B, 1)
        probed = (rank == time - 1).to(used.dtype)  # (B, O), one-hot, or zeros
        error = heard  # (B, 1), of what is known, with zeros elsewhere
        if time > 0:
            probe = (outputs * probed).sum(dim=-1, keepdim=True).clamp(min=0.25)  # (B, 1)
            before = (1 - probe) * (2 * LARGEST_ERROR)
            found = ((probe**2 - (heard - before) / weight) / (2 * probe)).clamp(-1, 1)
            error = before - weight * found**2
            outputs = outputs * (1 - probed) + found * probed  # (B, O)
        following = (rank == time).to(used.dtype)
        tells = 1 - error.clamp(0, LARGEST_ERROR) / (2 * LARGEST_ERROR)  # (B, 1)
        action = outputs + following * tells if time < state.horizon - 1 else outputs
        return state._replace(time=time + 1), action, {}
