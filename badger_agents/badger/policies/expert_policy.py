"""Expert policies: the one function that all experts of an agent share; what a user replaces."""

from typing import Annotated, Any, NamedTuple

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

Size = Annotated[int, Field(ge=1)]
"""A setting of a policy: a whole number from 1 up."""

Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A setting of a policy: a finite number from 0 up."""


class Emission(NamedTuple):
    """What an expert sends.

    Attributes:
        value: [B, E, M], the message.
        key: [B, E, K], what the message is about; of width 0: all messages are alike to a listener.
        query: [B, E, K], what this expert listens for next; of width 0: it hears all alike.
    """

    value: Tensor
    key: Tensor
    query: Tensor

    @classmethod
    def alike(cls, value: Float[Tensor, "B E M"]) -> "Emission":
        """Messages without keys: all hear the mean of their neighbours."""
        return cls(value, value[..., :0], value[..., :0])


class ExpertPolicy(nn.Module):
    """Base of expert policies: what a user replaces.

    A round of communication is `emit`, what each expert tells the others, then `update`, what it makes of
    what it hears. A subclass takes `reading_size` (numbers an expert reads from the membrane per step) as its
    first argument and its own settings by keyword, and says nothing about how many experts there are: every
    tensor is [batch, experts, features], and the same weights serve all experts. The names, annotations and
    defaults of those keywords are the keys, types and defaults of [agent.policy] in a recipe (see
    `badger_agents.badger.policies.policy_settings`).

    Attributes:
        message_size: M, width of a message.
        key_size: K, width of keys and queries; 0 for a policy that sends none.
        draw_size: S, how many random numbers per expert `initial_state` gets; 0 for none.
        halts: whether experts vote on when to stop talking (`vote`); else all rounds of a step are used.
    """

    message_size: int
    key_size: int = 0
    draw_size: int = 0
    halts: bool = False

    def initial_state(self, draws: Float[Tensor, "B E S"]) -> Any:
        """States at the start of a trial, from standard normal draws (S = `draw_size`): the draws themselves.

        Returns:
            A tensor [B, E, ...] or a tuple of such tensors.
        """
        return draws

    def emit(self, state: Any, reading: Float[Tensor, "B E R"]) -> Tensor | Emission:
        """What the experts send in a round, before they hear anything in it.

        Args:
            state: the experts' states, as the last round left them.
            reading: what each expert reads from the membrane at this step.

        Returns:
            Messages, a tensor [B, E, M] or an `Emission`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define emit")

    def update(
        self, state: Any, inbox: Float[Tensor, "B E M"], reading: Float[Tensor, "B E R"]
    ) -> tuple[Any, Float[Tensor, "B E 1"]]:
        """What the experts make of a round.

        Args:
            state: the experts' states, as the last round left them.
            inbox: what each expert hears; zeros without neighbours.
            reading: as for `emit`.

        Returns:
            The next states, and the writings [B, E, 1]; those of a step's last round count.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    def vote(self, state: Any) -> Float[Tensor, "B E 1"]:
        """Log-odds that this step's talking should stop now, if the policy `halts`.

        Args:
            state: the experts' states after a round.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define vote")


def silent_linear(size: int) -> nn.Linear:
    """A linear map to a writing that starts at 0: outputs that drift into their limits have no gradient."""
    made = nn.Linear(size, 1)
    nn.init.zeros_(made.weight)
    nn.init.zeros_(made.bias)
    return made
