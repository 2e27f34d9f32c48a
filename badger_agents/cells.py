"""Recurrent cells in plain tensor operations, which `torch.vmap` maps over weights."""

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
