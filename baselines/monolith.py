"""A monolithic RNN: one GRU that sees every slot and writes every output."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from badger_agents.agent import LearnedAgent, Settings, feedback_and_change
from badger_agents.membrane import Writing
from badger_envs.family import FLAGS, Family, Observation, Slots


class MonolithSettings(Settings):
    """Settings of a monolith.

    Attributes:
        hidden_size: H, numbers in its state.
        writing: it writes an "increment" of each output or its "absolute" value.
    """

    hidden_size: int = Field(default=48, ge=1)
    writing: Writing = "increment"


class MonolithState(NamedTuple):
    """hidden: [B, H]; feedback: [B, G], of the last step, to tell its change."""

    hidden: Tensor
    feedback: Tensor


class Monolith(LearnedAgent):
    """One GRU cell over all slots laid side by side; it reads what Badger's experts read.

    Its weights fit one number of slots: it cannot live in another size (that is the comparison's point).

    Args:
        family: the family it will live in.
        settings: see `MonolithSettings`.
    """

    Settings = MonolithSettings

    def __init__(self, family: Family, settings: MonolithSettings) -> None:
        super().__init__()
        self.settings = settings
        slots = self.slots = family.slots
        reading_size = (
            slots.inputs * (slots.input_size + 1)
            + slots.outputs * (2 + slots.output_feedback)
            + 2 * slots.feedback
            + len(FLAGS)
        )
        self.cell = nn.GRUCell(reading_size, settings.hidden_size)
        self.write = nn.Linear(settings.hidden_size, slots.outputs)
        nn.init.zeros_(self.write.weight)  # starts by writing nothing: increments that only pile up against
        nn.init.zeros_(self.write.bias)  # the outputs' limits have no gradient

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> MonolithState:
        """All zeros.

        Raises:
            ValueError: the family has other sizes than the one it was made for.
        """
        self.check_fits(self.slots, family, Slots._fields)
        zeros = torch.zeros(len(keys), 1, dtype=getattr(torch, family.dtype), device=keys.device)
        return MonolithState(
            zeros.expand(-1, self.settings.hidden_size), zeros.expand(-1, family.slots.feedback)
        )

    def act(
        self, state: MonolithState, observation: Observation, keys: Int[Tensor, "B 4"]
    ) -> tuple[MonolithState, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Read everything, update, write everything."""
        first = observation.flags[:, :1]  # (B, 1)
        feedback = feedback_and_change(observation.feedback, state.feedback, first)  # (B, 2G)
        slots = [observation.inputs, observation.input_mask, observation.outputs, observation.output_mask]
        parts = [*slots, observation.output_feedback, feedback, observation.flags]
        reading = torch.cat([part.flatten(1) for part in parts], dim=-1)  # (B, R)
        hidden = self.cell(reading, state.hidden)  # (B, H)
        written = self.write(hidden)  # (B, O)
        if self.settings.writing == "increment":
            written = observation.outputs + written  # (B, O)
        return MonolithState(hidden, observation.feedback), written.clamp(-1, 1), {}
