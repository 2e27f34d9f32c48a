"""Agents of lab 8 with a bug planted in one expert. Students look here last: it is the answer."""

import torch
from torch import Tensor

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.channel.channel import Delivery
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.whitebox import Freeze, Intervened
from badger_agents.whitebox.surgery import OnExpert


class Deaf(OnExpert):
    """An expert hears nothing."""

    def hear(self, delivery: Delivery) -> Delivery:
        """Its inbox is zeros."""
        return delivery._replace(inbox=_without(delivery.inbox, self.expert))


class Mute(OnExpert):
    """What an expert sends never arrives."""

    def arrive(
        self, own: tuple[()], arriving: Emission, keys: Tensor, position: int
    ) -> tuple[tuple[()], Emission]:
        """Zeros in place of its message and its key."""
        value, key = (_without(part, self.expert) for part in (arriving.value, arriving.key))
        return own, arriving._replace(value=value, key=key)


PLANTED = {"A": ("mute", 1), "B": ("frozen", 0), "C": ("none", -1), "D": ("deaf", 2)}
"""The suspects, and what is wrong with which expert."""

KINDS: dict[str, type[OnExpert]] = {"deaf": Deaf, "mute": Mute, "frozen": Freeze}
"""Faults by name."""


def suspects(agent: BadgerAgent) -> dict[str, Intervened | BadgerAgent]:
    """Four agents with the same weights; one of them is sound."""
    return {
        name: agent if fault == "none" else Intervened(agent, KINDS[fault](expert))
        for name, (fault, expert) in PLANTED.items()
    }


def _without(part: Tensor, expert: int) -> Tensor:
    here = torch.arange(part.shape[1], device=part.device) == expert  # (E,)
    return part.masked_fill(here[:, None], 0)
