"""The reference expert policy: a GRU cell; what an expert says is linear in its state and its reading."""

from typing import Annotated

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


class GRUPolicy(ExpertPolicy):
    """A GRU cell per expert.

    Messages, keys and queries are linear in the state and the present reading; the writing is linear in the
    state after the update.

    Args:
        reading_size: R.
        hidden_size: H, numbers in an expert's state.
        message_size: M, width of a message.
        key_size: K, width of keys and queries; 0: experts hear the mean of their neighbours.
        state_noise: standard deviation of the random initial states, which tell experts apart.
        sharpness: factor of the queries. Above 1, attention is sharp from early on, and experts learn
            sooner to pick one speaker out of many.
        update_bias: of the cell's update gate at the start. Above 0, states are kept for long at first.
        halts: experts vote on when to stop talking.
    """

    def __init__(
        self,
        reading_size: int,
        *,
        hidden_size: Size = 32,
        message_size: Size = 16,
        key_size: Annotated[int, Field(ge=0)] = 8,
        state_noise: Number = 1.0,
        sharpness: Number = 1.0,
        update_bias: float = 0.0,
        halts: bool = False,
    ) -> None:
        super().__init__()
        self.message_size = message_size
        self.key_size = key_size
        self.draw_size = hidden_size  # one draw per number in the state
        self.state_noise = state_noise
        self.sharpness = sharpness
        self.sizes = (message_size, key_size, key_size)
        self.cell = GRUCell(message_size + reading_size, hidden_size, update_bias=update_bias)
        self.say = nn.Linear(hidden_size + reading_size, sum(self.sizes))
        self.write = silent_linear(hidden_size)
        self.halts = halts
        if halts:
            self.stop = nn.Linear(hidden_size, 1)
            nn.init.constant_(self.stop.bias, -3.0)  # starts with many rounds: first they learn to talk

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> Float[Tensor, "B E H"]:
        """Random states: experts that share weights and inputs would else stay alike."""
        return self.state_noise * draws

    def emit(self, state: Float[Tensor, "B E H"], reading: Float[Tensor, "B E R"]) -> Emission:
        """Linear in both."""
        value, key, query = self.say(torch.cat([state, reading], dim=-1)).split(self.sizes, dim=-1)
        if self.sharpness != 1:
            query = query * self.sharpness  # (B, E, K)
        return Emission(value, key, query)  # (B, E, M), (B, E, K), (B, E, K)

    def update(
        self, state: Float[Tensor, "B E H"], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Float[Tensor, "B E H"], Float[Tensor, "B E 1"]]:
        """A step of the cell, and what follows from its state."""
        heard = torch.cat([inbox, reading], dim=-1)  # (B, E, M+R)
        state = self.cell(heard.flatten(0, 1), state.flatten(0, 1)).view_as(state)  # (B, E, H)
        return state, self.write(state)  # (B, E, H), (B, E, 1)

    def vote(self, state: Float[Tensor, "B E H"]) -> Float[Tensor, "B E 1"]:
        """Linear in the state."""
        return self.stop(state)
