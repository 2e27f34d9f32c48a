"""The reference expert policy: a GRU cell, and a linear map from its state to all that an expert says."""

from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy, Number, Size
from badger_agents.cells import GRUCell


class GRUPolicy(ExpertPolicy):
    """A GRU cell per expert; messages, keys, queries and writing are linear in its state.

    Args:
        reading_size: R.
        hidden_size: H, numbers in an expert's state.
        message_size: M, width of a message.
        key_size: K, width of keys and queries; 0: experts hear the mean of their neighbours.
        state_noise: standard deviation of the random initial states, which tell experts apart.
        sharpness: factor of the queries. Above 1, attention is sharp from early on, and experts learn
            sooner to pick one speaker out of many.
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
        halts: bool = False,
    ) -> None:
        super().__init__()
        self.message_size = message_size
        self.key_size = key_size
        self.draw_size = hidden_size  # one draw per number in the state
        self.state_noise = state_noise
        self.sharpness = sharpness
        self.sizes = (message_size, key_size, key_size, 1)
        self.cell = GRUCell(message_size + reading_size, hidden_size)
        self.emit = nn.Linear(hidden_size, sum(self.sizes))
        with (
            torch.no_grad()
        ):  # starts by writing nothing: outputs that drift into their limits have no gradient
            self.emit.weight[-1].zero_()
            self.emit.bias[-1].zero_()
        self.halts = halts
        if halts:
            self.stop = nn.Linear(hidden_size, 1)
            nn.init.constant_(self.stop.bias, -3.0)  # starts with many rounds: first they learn to talk

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> Float[Tensor, "B E H"]:
        """Random states: experts that share weights and inputs would else stay alike."""
        return self.state_noise * draws

    def forward(
        self, state: Float[Tensor, "B E H"], inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Float[Tensor, "B E H"], Emission, Float[Tensor, "B E 1"]]:
        """Update the state from inbox and reading, then emit from it."""
        heard = torch.cat([inbox, reading], dim=-1)  # (B, E, M+R)
        state = self.cell(heard.flatten(0, 1), state.flatten(0, 1)).view_as(state)  # (B, E, H)
        value, key, query, writing = self.emit(state).split(self.sizes, dim=-1)
        return state, Emission(value, key, query * self.sharpness), writing

    def vote(self, state: Float[Tensor, "B E H"]) -> Float[Tensor, "B E 1"]:
        """Linear in the state."""
        return self.stop(state)
