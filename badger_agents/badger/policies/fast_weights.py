"""An expert policy with fast weights: a matrix that each expert changes at every step, its own memory."""

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
from badger_agents.cells import FastState, FastWeightsCell


class FastWeightsPolicy(ExpertPolicy):
    """A GRU with fast weights per expert (`FastWeightsCell`).

    What an expert hears and reads now is an address in its memory, and what it hears and reads one step later
    says what to remember there. So it can keep one thing of each of many others that it hears of: what it is
    worth in each state, say. Messages are linear in the GRU's state and the present reading, the writing in
    that state and in what is recalled.

    Args:
        reading_size: R.
        hidden_size: H, numbers in the GRU's state.
        message_size: M, width of a message.
        key_size: K, width of keys and queries of messages; 0: experts hear the mean of their neighbours.
        sharpness: factor of the queries, as of `GRUPolicy`.
        update_bias: of the GRU's update gate at the start, as of `GRUPolicy`.
        address_size: C, width of an address.
        value_size: V, numbers that are recalled.
    """

    def __init__(
        self,
        reading_size: int,
        *,
        hidden_size: Size = 32,
        message_size: Size = 16,
        key_size: Annotated[int, Field(ge=0)] = 8,
        sharpness: Number = 1.0,
        update_bias: float = 0.0,
        address_size: Annotated[int, Field(ge=2)] = 16,
        value_size: Size = 8,
    ) -> None:
        super().__init__()
        self.message_size, self.key_size, self.draw_size = message_size, key_size, hidden_size
        self.sharpness, self.sizes = sharpness, (message_size, key_size, key_size)
        self.say = nn.Linear(hidden_size + reading_size, sum(self.sizes))
        self.cell = FastWeightsCell(
            message_size + reading_size,
            hidden_size,
            address_size=address_size,
            value_size=value_size,
            update_bias=update_bias,
        )
        self.write = silent_linear(hidden_size + value_size)

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> FastState:
        """Random states of the GRU, nothing remembered."""
        return self.cell.initial_state(draws)

    def emit(self, state: FastState, reading: Float[Tensor, "B E R"]) -> Emission:
        """Linear in the GRU's state and the present reading."""
        said = self.say(torch.cat([state.hidden, reading], dim=-1))  # (B, E, M+2K)
        value, key, query = said.split(self.sizes, dim=-1)
        return Emission(value, key, query * self.sharpness)

    def update(
        self, state: FastState, inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[FastState, Float[Tensor, "B E 1"]]:
        """A step of the cell."""
        recalled, after = self.cell(torch.cat([inbox, reading], dim=-1), state)  # (B, E, V)
        return after, self.write(torch.cat([after.hidden, recalled], dim=-1))  # (B, E, 1)
