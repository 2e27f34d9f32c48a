"""Monoliths: one network with a memory (GRU, LSTM, Transformer) that sees and writes every slot."""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor, nn

from badger_agents.agent import LearnedAgent, Settings, feedback_and_change
from badger_agents.choosing import draw, is_drawn, logits_of
from badger_agents.membrane import Writing
from badger_envs.family import FLAGS, ActionKind, Family, Observation, Slots
from baselines.cores import CORES, Core, Memory


class MonolithSettings(Settings):
    """Settings of a monolith.

    Attributes:
        core: its memory, "gru", "lstm" or "transformer".
        core_settings: keyword arguments of the memory (see `baselines.cores`): those of a Transformer.
        hidden_size: H, features that it writes from.
        writing: it writes an "increment" of each output, its "absolute" value, or a "score", by which binary
            actions are drawn. What it writes is always a score where actions are categorical.
        temperature: of the draw by scores: near 0 the highest score, or the sign of each, is certain.
    """

    core: Literal["gru", "lstm", "transformer"] = "gru"
    core_settings: dict[str, Any] = Field(default_factory=dict)
    hidden_size: int = Field(default=48, ge=1)
    writing: Writing = "increment"
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class MonolithState(NamedTuple):
    """memory: of the core; feedback: [B, G], of the last step, to tell its change; kind of actions; time."""

    memory: Memory
    feedback: Tensor
    kind: ActionKind
    time: int


class Monolith(LearnedAgent):
    """One network over all slots laid side by side; it reads what Badger's experts read.

    Its weights fit one number of slots: it cannot live in another size (that is the comparison's point).

    Args:
        family: the family it will live in.
        settings: see `MonolithSettings`.

    Raises:
        ValueError: the core does not take its settings.
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
        made = CORES[settings.core]
        try:
            self.cell: Any = made(reading_size, settings.hidden_size, **settings.core_settings)
        except TypeError as error:
            raise ValueError(f"core {settings.core!r} does not take these settings: {error}") from error
        self.write = nn.Linear(settings.hidden_size, slots.outputs)
        nn.init.zeros_(self.write.weight)  # starts by writing nothing: increments that only pile up against
        nn.init.zeros_(self.write.bias)  # the outputs' limits have no gradient

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> MonolithState:
        """All zeros.

        Raises:
            ValueError: the family has other sizes than the one it was made for, or scores are to be written
                where actions are continuous.
        """
        self.check_fits(self.slots, family, Slots._fields)
        is_drawn(family.action_kind, self.settings.writing)
        zeros = torch.zeros(len(keys), 1, dtype=getattr(torch, family.dtype), device=keys.device)
        core: Core = self.cell
        memory, feedback = core.begin(zeros, family.horizon), zeros.expand(-1, self.slots.feedback)
        return MonolithState(memory, feedback, family.action_kind, 0)

    def act(
        self, state: MonolithState, observation: Observation, keys: Int[Tensor, "B 4"]
    ) -> tuple[MonolithState, Tensor, dict[str, Tensor]]:
        """Read everything, update, write everything; records its features as the state of one expert."""
        first = observation.flags[:, :1]  # (B, 1)
        feedback = feedback_and_change(observation.feedback, state.feedback, first)  # (B, 2G)
        slots = [observation.inputs, observation.input_mask, observation.outputs, observation.output_mask]
        parts = [*slots, observation.output_feedback, feedback, observation.flags]
        reading = torch.cat([part.flatten(1) for part in parts], dim=-1)  # (B, R)
        core: Core = self.cell
        hidden, memory = core.step(reading, state.memory)  # (B, H)
        written = self.write(hidden)  # (B, O)
        after = MonolithState(memory, observation.feedback, state.kind, state.time + 1)
        record = {"states": hidden[:, None]}  # (B, 1, H)
        if is_drawn(state.kind, self.settings.writing):
            used = observation.output_mask  # (B, O)
            logits = logits_of(state.kind, written, used, self.settings.temperature)  # (B, O)
            action = draw(state.kind, logits, used, keys, state.time)  # (B,) or (B, O)
            return after, action, {**record, "logits": logits, "choice": action}
        if self.settings.writing == "increment":
            written = observation.outputs + written  # (B, O)
        return after, written.clamp(-1, 1), record
