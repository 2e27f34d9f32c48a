"""Recurrent cells in plain tensor operations, which `torch.vmap` maps over weights."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class GRUCell(nn.GRUCell):
    """A gated recurrent unit (Cho et al. 2014), with the weights of `torch.nn.GRUCell` and their names.

    PyTorch's own is one fused operation, for which `torch.vmap` has no rule: it would take agents that are
    trained side by side one by one.

    Args:
        input_size: R.
        hidden_size: H.
        update_bias: added to the bias of the update gate at the start. A large one keeps the old state: news
            comes in slowly, and gradients reach far back.
    """

    def __init__(self, input_size: int, hidden_size: int, *, update_bias: float = 0.0) -> None:
        super().__init__(input_size, hidden_size)
        with torch.no_grad():
            self.bias_ih[hidden_size : 2 * hidden_size] += update_bias

    def forward(
        self, input: Float[Tensor, "*B R"], state: Float[Tensor, "*B H"] | None = None
    ) -> Float[Tensor, "*B H"]:
        """The next state; zeros stand in for a state that is not given."""
        if state is None:
            state = input.new_zeros(*input.shape[:-1], self.hidden_size)  # (*B, H)
        sizes = (2 * self.hidden_size, self.hidden_size)
        gates_in, new_in = nn.functional.linear(input, self.weight_ih, self.bias_ih).split(sizes, dim=-1)
        gates_of, new_of = nn.functional.linear(state, self.weight_hh, self.bias_hh).split(sizes, dim=-1)
        reset, update = torch.sigmoid(gates_in + gates_of).chunk(2, dim=-1)  # (*B, H) each
        new = torch.tanh(new_in + reset * new_of)  # (*B, H)
        return torch.lerp(new, state, update)  # (*B, H)


class FastState(NamedTuple):
    """What a `FastWeightsCell` keeps.

    Attributes:
        hidden: [*B, H], its GRU's.
        address: [*B, C], of length 1: what the last moment was like; zeros before the first.
        fast: [*B, V, C], the fast weights: what is recalled at an address a is their product with a.
    """

    hidden: Tensor
    address: Tensor
    fast: Tensor


class FastWeightsCell(nn.Module):
    """A GRU with a matrix of fast weights beside it, which it changes at every step.

    What is read now makes an address. What is read one step later, which may tell what came of it, makes a
    value and a rate in (0, 1): the fast weights are moved by that rate towards recalling the value at the
    address (the delta rule: Widrow and Hoff 1960; Schlag et al. 2021, "Linear Transformers Are Secretly Fast
    Weight Programmers"). So one thing can be kept of each of many that were met, the worth of each of ten
    states, say, and corrected later. The GRU reads what is recalled now beside the input.

    Args:
        input_size: R.
        hidden_size: H.
        address_size: C.
        value_size: V, numbers that are recalled.
        update_bias: as of `GRUCell`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        address_size: int,
        value_size: int,
        update_bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.address_size, self.value_size = address_size, value_size
        self.address = nn.Linear(input_size, address_size)
        self.learn = nn.Linear(hidden_size + input_size, 2 * value_size)
        self.gru = GRUCell(input_size + value_size, hidden_size, update_bias=update_bias)

    def initial_state(self, hidden: Float[Tensor, "*B H"]) -> FastState:
        """Nothing learned; the GRU's state is given."""
        nothing = torch.zeros_like(hidden[..., :1])  # (*B, 1)
        address = nothing.expand(*hidden.shape[:-1], self.address_size)  # (*B, C)
        fast = address[..., None, :].expand(*hidden.shape[:-1], self.value_size, -1)  # (*B, V, C)
        return FastState(hidden, address, fast)

    def forward(
        self, input: Float[Tensor, "*B R"], state: FastState
    ) -> tuple[Float[Tensor, "*B V"], FastState]:
        """What is recalled now, and the next state."""
        seen = torch.cat([state.hidden, input], dim=-1)  # (*B, H+R)
        value, rate = self.learn(seen).chunk(2, dim=-1)  # (*B, V) each
        missed = value - _recalled(state.fast, state.address)  # (*B, V)
        change = torch.sigmoid(rate) * missed  # (*B, V)
        fast = state.fast + change[..., None] * state.address[..., None, :]  # (*B, V, C)
        address = nn.functional.layer_norm(self.address(input), (self.address_size,))  # (*B, C)
        address = address / self.address_size**0.5  # (*B, C), of length 1
        recalled = _recalled(fast, address)  # (*B, V)
        hidden = self.gru(torch.cat([input, recalled], dim=-1), state.hidden)  # (*B, H)
        return recalled, FastState(hidden, address, fast)


def _recalled(fast: Float[Tensor, "*B V C"], address: Float[Tensor, "*B C"]) -> Float[Tensor, "*B V"]:
    """What fast weights hold at an address."""
    return (fast * address[..., None, :]).sum(dim=-1)  # (*B, V)
