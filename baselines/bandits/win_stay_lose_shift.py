"""Win-stay, lose-shift: what can be done at bandits without memory."""

import torch
from jaxtyping import Int
from torch import Tensor

from badger_envs.family import Family, Observation


class WinStayLoseShift:
    """Pulls the arm that has just paid again, and after one that did not the next in use (Robbins 1952).

    The best that is known to be possible without memory where rewards are 0 or 1. It stays at an arm for
    1 / (1 - p) pulls, so that good arms get more of them. Among rules that treat all arms alike and all times
    alike, and stay after a reward with probability 1 - a and without one with 1 - b, an arm's share is
    proportional to 1 / (a p + b (1 - p)): most uneven with a = 0, and whatever b. An agent under contract 4.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> tuple[()]:
        """The start.

        Raises:
            ValueError: the family's actions are not categorical, or rewards may leave [0, 1].
        """
        if family.action_kind != "categorical" or tuple(family.bounds.feedback) != (0, 1):
            raise ValueError(
                f"WinStayLoseShift pulls arms that pay 0 or 1; {type(family).__name__} has none"
                f" (actions {family.action_kind}, feedback in {list(family.bounds.feedback)})"
            )
        return ()

    def act(
        self, state: tuple[()], observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[tuple[()], Int[Tensor, "B"], dict[str, Tensor]]:
        """Stay or shift; at the start the first arm in use."""
        used, pulled = observation.output_mask, observation.outputs  # (B, O), the second one-hot or zeros
        arms = used.shape[1]
        last = torch.where(pulled.sum(dim=1) > 0, pulled.argmax(dim=1), arms - 1)  # (B,)
        place = torch.arange(arms, device=keys.device)
        steps = (place - last[:, None] - 1) % arms  # (B, O), 0 for the arm after the last one
        following = steps.masked_fill(used == 0, arms).argmin(dim=1)  # (B,)
        action = torch.where(observation.feedback[:, 0] > 0, last, following)
        return state, action, {}
