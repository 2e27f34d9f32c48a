"""An expert policy that remembers single moments, and recalls those that were most like the present one."""

from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from badger_agents.badger.policies.expert_policy import (
    Emission,
    ExpertPolicy,
    Number,
    Size,
    silent_linear,
)
from badger_agents.cells import GRUCell


class EpisodicState(NamedTuple):
    """What an expert keeps.

    Attributes:
        hidden: [B, E, H], the cell's.
        key: [B, E, C], what the last moment was like; what came of it is not known yet.
        begun: [B, E, 1], 1 once there was such a moment.
        keys: [B, E, N, C], what moments were like.
        values: [B, E, N, V], what came of them.
        filled: [B, E, N], 1 where there is a moment.
    """

    hidden: Tensor
    key: Tensor
    begun: Tensor
    keys: Tensor
    values: Tensor
    filled: Tensor


class EpisodicPolicy(ExpertPolicy):
    """A GRU cell per expert, with a memory of moments.

    What an expert hears and reads now makes a key. What it reads one step later, which may tell what would
    have been right, makes a value, and both are remembered side by side. What is recalled now is the mean of
    all values, weighted by a softmax of how like their keys are, all of one length (Vinyals et al. 2016,
    "Matching networks"; Pritzel et al. 2017, "Neural episodic control"). The cell reads it, and the writing
    is linear in it and in the cell's state. No weight depends on how many moments there is room for.

    Args:
        reading_size: R.
        hidden_size: H, numbers in the cell's state.
        message_size: M, width of a message.
        key_size: K, width of keys and queries of messages; 0: experts hear the mean of their neighbours.
        sharpness: factor of the queries, as of `GRUPolicy`.
        moments: N, how many are remembered: the last ones.
        moment_size: C, width of a moment's key.
        value_size: V, width of what came of it.
    """

    def __init__(
        self,
        reading_size: int,
        *,
        hidden_size: Size = 16,
        message_size: Size = 32,
        key_size: Annotated[int, Field(ge=0)] = 8,
        sharpness: Number = 1.0,
        moments: Size = 100,
        moment_size: Annotated[int, Field(ge=2)] = 32,
        value_size: Size = 4,
    ) -> None:
        super().__init__()
        self.message_size, self.key_size, self.draw_size = message_size, key_size, hidden_size
        self.sharpness, self.moments = sharpness, moments
        self.sizes = (message_size, key_size, key_size)
        self.value_size, self.moment_size = value_size, moment_size
        heard = message_size + reading_size
        self.say = nn.Linear(hidden_size + reading_size, sum(self.sizes))
        self.key = nn.Linear(heard, moment_size)
        self.value = nn.Linear(reading_size, value_size)
        self.nearness = nn.Parameter(torch.tensor(8.0 / moment_size).log())
        self.cell = GRUCell(heard + value_size, hidden_size)
        self.write = silent_linear(hidden_size + value_size)

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> EpisodicState:
        """Random states of the cell, nothing remembered."""
        nothing = torch.zeros_like(draws[..., :1])  # (B, E, 1)
        moments = nothing[..., None].expand(-1, -1, self.moments, -1)  # (B, E, N, 1)
        return EpisodicState(
            hidden=draws,
            key=nothing.expand(-1, -1, self.moment_size),
            begun=nothing,
            keys=moments.expand(-1, -1, -1, self.moment_size),
            values=moments.expand(-1, -1, -1, self.value_size),
            filled=moments[..., 0],
        )

    def emit(self, state: EpisodicState, reading: Float[Tensor, "B E R"]) -> Emission:
        """Linear in the cell's state and the present reading."""
        said = self.say(torch.cat([state.hidden, reading], dim=-1))  # (B, E, M+2K)
        value, key, query = said.split(self.sizes, dim=-1)
        return Emission(value, key, query * self.sharpness)

    def update(
        self, state: EpisodicState, inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[EpisodicState, Float[Tensor, "B E 1"]]:
        """Remember what came of the last moment, recall moments like this one, take a step of the cell."""
        keys = torch.cat([state.keys[:, :, 1:], state.key[:, :, None]], dim=2)  # (B, E, N, C)
        values = torch.cat([state.values[:, :, 1:], self.value(reading)[:, :, None]], dim=2)  # (B, E, N, V)
        filled = torch.cat([state.filled[:, :, 1:], state.begun], dim=2)  # (B, E, N)
        heard = torch.cat([inbox, reading], dim=-1)  # (B, E, M+R)
        key = nn.functional.layer_norm(self.key(heard), (self.moment_size,))  # (B, E, C)
        like = (keys @ key[..., None])[..., 0]  # (B, E, N); keys are of one length: the nearest is the likest
        scores = (self.nearness.exp() * like).masked_fill(filled == 0, -1e9)  # (B, E, N)
        weights = scores.softmax(dim=-1) * filled  # (B, E, N)
        recalled = (weights[:, :, None] @ values)[:, :, 0]  # (B, E, V)
        read = torch.cat([heard, recalled], dim=-1).flatten(0, 1)  # (BE, M+R+V)
        hidden = self.cell(read, state.hidden.flatten(0, 1)).view_as(state.hidden)  # (B, E, H)
        after = EpisodicState(hidden, key, torch.ones_like(state.begun), keys, values, filled)
        return after, self.write(torch.cat([hidden, recalled], dim=-1))  # (B, E, 1)
