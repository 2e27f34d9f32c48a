"""Expert policies: the one function that all experts of an agent share, and a GRU as the default."""

import math
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_envs.family import check_integer


class Emission(NamedTuple):
    """What an expert sends.

    Attributes:
        value: [B, E, M], the message.
        key: [B, E, K], what the message is about; None: all messages are alike to a listener.
        query: [B, E, K], what this expert listens for next; None: it hears all alike.
    """

    value: Tensor
    key: Tensor | None = None
    query: Tensor | None = None


class ExpertPolicy(nn.Module):
    """Base of expert policies: what a user replaces.

    A subclass takes `reading_size` (numbers an expert reads from the membrane per step) as its first
    argument and its own settings by keyword, and says nothing about how many experts there are: every
    tensor is [batch, experts, features], and the same weights serve all experts.

    Attributes:
        message_size: M, width of a message.
        draw_size: S, how many random numbers per expert `initial_state` gets; 0 for none.
        halts: whether experts vote on when to stop talking (`vote`); else all rounds of a step are used.
        made_of_others: whether its settings name classes; then it takes `trust` by keyword, and loads them
            under it (see `badger_agents.class_loading`).
    """

    made_of_others: ClassVar[bool] = False
    message_size: int
    draw_size: int = 0
    halts: bool = False

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> Any:
        """States at the start of a trial, from standard normal draws (S = `draw_size`).

        Returns:
            A tensor [B, E, ...] or a tuple of such tensors.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define initial_state")

    def forward(
        self, state: Any, inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Any, Tensor | Emission, Float[Tensor, "B E 1"]]:
        """One round of communication.

        Args:
            state: the experts' states.
            inbox: what each expert hears; zeros without neighbours.
            reading: what each expert reads from the membrane.

        Returns:
            The next states; the messages to send next, a tensor [B, E, M] or an `Emission`; and the
            writings [B, E, 1].
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def vote(self, state: Any) -> Float[Tensor, "B E 1"]:
        """Log-odds that this step's talking should stop now, if the policy `halts`.

        Args:
            state: the experts' states after a round.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define vote")


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
        hidden_size: int = 32,
        message_size: int = 16,
        key_size: int = 8,
        state_noise: float = 1.0,
        sharpness: float = 1.0,
        halts: bool = False,
    ) -> None:
        super().__init__()
        for name, size in (("hidden_size", hidden_size), ("message_size", message_size)):
            check_integer(name, size, low=1)
        check_integer("key_size", key_size, low=0)
        for name, number in (("state_noise", state_noise), ("sharpness", sharpness)):
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise TypeError(f"{name} is {number!r}; it must be a number")
            if not 0 <= number < math.inf:
                raise ValueError(f"{name} is {number}; it must be a finite number from 0 up")
        self.message_size = message_size
        self.draw_size = hidden_size  # one draw per number in the state
        self.state_noise = state_noise
        self.sharpness = sharpness
        self.sizes = (message_size, key_size, key_size, 1)
        self.cell = nn.GRUCell(message_size + reading_size, hidden_size)
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
        if not self.sizes[1]:
            return state, Emission(value), writing
        return state, Emission(value, key, query * self.sharpness), writing

    def vote(self, state: Float[Tensor, "B E H"]) -> Float[Tensor, "B E 1"]:
        """Linear in the state."""
        return self.stop(state)
