"""Expert policies of which is known what their messages do."""

from typing import Any

import torch
from torch import Tensor

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.policies.expert_policy import ExpertPolicy
from badger_envs.family import Family
from tests.badger_agents.small import random_agent

FACTOR = 0.25


class Parrot(ExpertPolicy):
    """Says its random state, which never changes, and writes a quarter of what it hears."""

    message_size = 1
    draw_size = 1

    def __init__(self, reading_size: int) -> None:
        super().__init__()

    def initial_state(self, draws: Tensor) -> Tensor:
        return draws

    def emit(self, state: Tensor, reading: Tensor) -> Tensor:
        return state

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        return state, FACTOR * inbox


class Clock(ExpertPolicy):
    """Counts its rounds, this one included, says the count, and writes nothing."""

    message_size = 1

    def __init__(self, reading_size: int) -> None:
        super().__init__()

    def initial_state(self, draws: Tensor) -> Tensor:
        return draws.new_zeros(*draws.shape[:-1], 1)

    def emit(self, state: Tensor, reading: Tensor) -> Tensor:
        return state + 1

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        return state + 1, torch.zeros_like(inbox)


class Seated(Parrot):
    """Breaks the rule that places do not matter: writes the number of its place."""

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        place = torch.arange(1, state.shape[1] + 1, device=state.device, dtype=state.dtype)
        return state, place[:, None].expand_as(inbox)


def made_of(policy: type[ExpertPolicy], family: Family, **settings: Any) -> BadgerAgent:
    """An agent of these experts; no weights."""
    named = f"tests.badger_agents.whitebox.handmade:{policy.__name__}"
    return random_agent(family, policy={"kind": named}, **settings)
