"""Monoliths: one sequence model (GRU, LSTM, Transformer) that sees and writes every slot."""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from badger_agents.action_distribution import choose, draws, is_drawn, logits_of
from badger_agents.agent import LearnedAgent, Settings, feedback_and_change
from badger_agents.badger.membrane.base import Writing
from badger_agents.badger.membrane.windows import WINDOW_LENGTH, Clock, clock, sizes, told
from badger_envs.family import FLAGS, ActionKind, Family, Observation, Slots
from baselines.monolith.sequence_models import SEQUENCE_MODELS, Memory, SequenceModel, unroll

BLOCK = 16
"""Steps for which chance is drawn at once."""


class TransformerSettings(Settings):
    """Settings that only a Transformer has (see `sequence_models.Transformer`).

    Attributes:
        layers: L.
        heads: of attention in each layer.
        window: steps that it sees back, this one included; None: the whole trial.
    """

    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=2, ge=1)
    window: int | None = Field(default=None, ge=1)


WITH_GRU = ("gru", "fast_weights")
"""Sequence models that are a GRU, or have one."""


class WindowSettings(Settings):
    """Settings of a monolith that reads time and feedback as experts behind an attentional membrane do.

    A trial is cut into equal windows. In place of the trial's clock and the feedback as it is, the monolith
    reads the clock of the window, how many slots are in use, and the feedback times the number of outputs in
    use, with its changes since the last step and since the window began.

    Attributes:
        window_length: steps of the longest window.
        feedback_scale: factor of the feedback, to bring one output's effect near 1.
    """

    window_length: int = Field(default=WINDOW_LENGTH, ge=1)
    feedback_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class MonolithSettings(Settings):
    """Settings of a monolith.

    Attributes:
        sequence_model: "gru", "lstm", "fast_weights" or "transformer".
        transformer: what a Transformer needs beside `hidden_size`; refused where there is none.
        hidden_size: H, features that it writes from.
        writing: it writes an "increment" of each output, its "absolute" value, or a "score", by which binary
            actions are drawn. What it writes is always a score where actions are categorical.
        temperature: of the draw by scores: near 0 the highest score, or the sign of each, is certain.
        feedback_to: with "chosen" the feedback also stands at the output that was chosen last, as Badger's
            experts hear it, so that what an arm paid is one number and not a product to be learned; with
            "all" it is there for all once.
        magnification: above 0, it also reads feedback and its change `magnified` by so much, as experts do
            (see `badger_agents.agent.magnified`).
        windows: it reads time and feedback by windows, see `WindowSettings`; None: by trials.
        noise: standard deviation of what is added to continuous actions, so that they can be learned by
            reward alone (`policy_gradient`); 0: nothing is.
        update_bias: of a GRU, alone or beside fast weights, added to the bias of its update gate at the start
            (see `GRUCell`); refused where there is none.
    """

    sequence_model: Literal["gru", "lstm", "fast_weights", "transformer"] = "gru"
    transformer: TransformerSettings = TransformerSettings()
    hidden_size: int = Field(default=48, ge=1)
    writing: Writing = "increment"
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    feedback_to: Literal["all", "chosen"] = "all"
    magnification: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    windows: WindowSettings | None = None
    noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    update_bias: float = Field(default=0.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_own(self) -> "MonolithSettings":
        """Settings that nothing would read are a mistake."""
        if self.sequence_model != "transformer" and self.transformer != TransformerSettings():
            raise ValueError(
                f"transformer is set, and sequence_model is {self.sequence_model!r}; leave it out, or set"
                " sequence_model = 'transformer'"
            )
        if self.sequence_model not in WITH_GRU and self.update_bias:
            raise ValueError(
                f"update_bias is set, and sequence_model is {self.sequence_model!r}; only"
                f" {' and '.join(map(repr, WITH_GRU))} have it"
            )
        return self


class MonolithState(NamedTuple):
    """Where a monolith is in trials.

    Attributes:
        memory: of the sequence model.
        feedback: [B, G], of the last step, to tell its change.
        start: [B, G], of the start of the present window; [B, 0] for a monolith without windows.
        horizon: [B, 1], steps in a trial.
        chance: [B, BLOCK, O], what chance says at these steps and their neighbours; before it is drawn, and
            where it never is, [B, 0, O].
    """

    memory: Memory
    feedback: Tensor
    start: Tensor
    horizon: Tensor
    chance: Tensor


class Time(NamedTuple):
    """The clock of windows at a step, or at several, and what was heard when the present one began.

    Attributes:
        clock: see `badger_agents.badger.membrane.windows.Clock`.
        begins: bool [*T, B, 1], whether a window begins.
        start: [*T, B, G], feedback at the start of the present window.
    """

    clock: Clock
    begins: Tensor
    start: Tensor


class Monolith(LearnedAgent):
    """One network over all slots laid side by side; it reads what Badger's experts read.

    Its weights fit one number of slots: it cannot act at another size (that is the comparison's point).

    Args:
        family: the family it will act in.
        settings: see `MonolithSettings`.

    Raises:
        ValueError: `feedback_to` is "chosen" and nothing is ever chosen, or scores are to be written where
            actions are continuous.
    """

    Settings = MonolithSettings
    sequence_major = True

    def __init__(
        self, family: Family, settings: MonolithSettings, *, action_kind: ActionKind | None = None
    ) -> None:
        super().__init__(family, action_kind)
        self.settings = settings
        self.draws_actions = is_drawn(self.action_kind, settings.writing, settings.noise)  # or ValueError
        slots = self.slots = family.slots
        if settings.feedback_to == "chosen" and self.action_kind != "categorical":
            raise ValueError("feedback_to is 'chosen', and actions choose no output; set it to 'all'")
        heard, clocks = (2, len(FLAGS)) if settings.windows is None else (3, len(FLAGS) - 1 + 3 + 4)
        reading_size = (
            slots.inputs * (slots.input_size + 1)
            + slots.outputs * (2 + slots.output_feedback)
            + heard * (2 if settings.magnification else 1) * slots.feedback
            + clocks
            + slots.outputs * slots.feedback * (settings.feedback_to == "chosen")
        )
        made, own = SEQUENCE_MODELS[settings.sequence_model], {}
        if settings.sequence_model == "transformer":
            own = settings.transformer.model_dump()
        elif settings.sequence_model in WITH_GRU:
            own = {"update_bias": settings.update_bias}
        self.cell: Any = made(reading_size, settings.hidden_size, **own)
        self.write = nn.Linear(settings.hidden_size, slots.outputs)
        nn.init.zeros_(self.write.weight)  # starts by writing nothing: increments that only pile up against
        nn.init.zeros_(self.write.bias)  # the outputs' limits have no gradient

    def memory(self, state: MonolithState) -> Memory:
        """The sequence model's."""
        return state.memory

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> MonolithState:
        """All zeros.

        Raises:
            ValueError: the family has other sizes or actions than the one it was made for.
        """
        self.check_fits(self.slots, family, Slots._fields)
        zeros = torch.zeros(len(keys), 1, dtype=getattr(torch, family.dtype), device=keys.device)
        model: SequenceModel = self.cell
        memory, feedback = model.initial_state(zeros, family.horizon), zeros.expand(-1, self.slots.feedback)
        chance = zeros[..., None].expand(-1, -1, self.slots.outputs)[:, :0]  # (B, 0, O)
        start = feedback[:, :0] if self.settings.windows is None else feedback  # (B, 0) or (B, G)
        return MonolithState(memory, feedback, start, zeros + family.horizon, chance)

    def act(
        self, state: MonolithState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[MonolithState, Tensor, dict[str, Tensor]]:
        """Read everything, update, write everything; records its features as the state of one expert."""
        time = None if self.settings.windows is None else self._time(observation, state)
        reading = self._reading(observation, state.feedback, time)  # (B, R)
        model: SequenceModel = self.cell
        hidden, memory = model.step(reading, state.memory)  # (B, H)
        written = self._written(observation, hidden)  # (B, O)
        start = state.start if time is None else time.start  # (B, G)
        after = state._replace(memory=memory, feedback=observation.feedback, start=start)
        record = {"states": hidden[:, None]}  # (B, 1, H)
        if not self.draws_actions:
            return after, written.clamp(-1, 1), record
        used, place = observation.output_mask, step % BLOCK  # (B, O)
        chance = state.chance  # (B, BLOCK, O)
        if place == 0 or not chance.shape[1]:
            dtype, first = str(written.dtype).removeprefix("torch."), step - place
            chance = draws(self.action_kind, keys, used.shape[-1], first, BLOCK, dtype)
        logits = logits_of(self.action_kind, written, used, self._spread)  # (B, O)
        choice = choose(self.action_kind, logits, used, chance[:, place])  # (B,) or (B, O)
        action = (choice * self.settings.noise).clamp(-1, 1) if self.action_kind == "continuous" else choice
        return after._replace(chance=chance), action, {**record, "logits": logits, "choice": choice}

    def unroll(
        self,
        state: MonolithState,
        observations: Observation,
        keys: Int[Tensor, "B 4"],
        starts: Bool[Tensor, "T B"] | None = None,
    ) -> tuple[MonolithState, dict[str, Tensor]]:
        """See again what was seen in several steps, in one call of the sequence model; draws no actions.

        Args:
            state: before the first of them.
            observations: of all steps, sequence-major: arrays [T, B, ...].
            keys: not needed, as nothing is drawn.
            starts: where a trial starts, the memory is emptied (see `sequence_models.unroll`), and nowhere
                else; None: nowhere.

        Returns:
            The state after the last, and what `act` would record of each step, but for choices.
        """
        before = torch.cat([state.feedback[None], observations.feedback[:-1]])  # (T, B, G)
        time = None if self.settings.windows is None else self._time(observations, state)
        reading = self._reading(observations, before, time)  # (T, B, R)
        model: SequenceModel = self.cell
        hidden, memory = unroll(model, reading, state.memory, starts)  # (T, B, H)
        start = state.start if time is None else time.start[-1]  # (B, G)
        after = state._replace(
            memory=memory, feedback=observations.feedback[-1], start=start, chance=state.chance[:, :0]
        )
        record = {"states": hidden[..., None, :]}  # (T, B, 1, H)
        if self.draws_actions:
            written = self._written(observations, hidden)  # (T, B, O)
            used = observations.output_mask  # (T, B, O)
            record["logits"] = logits_of(self.action_kind, written, used, self._spread)  # (T, B, O)
        return after, record

    @property
    def _spread(self) -> float:
        """What logits are counted in."""
        return self.settings.noise if self.action_kind == "continuous" else self.settings.temperature

    def _time(self, observation: Observation, state: MonolithState) -> Time:
        """The clock of windows at a step after a state, or at several, [*T, B, ...]."""
        assert self.settings.windows is not None  # only who reads by windows gets here
        longest, feedback = self.settings.windows.window_length, observation.feedback  # (*T, B, G)
        gone = observation.flags[..., -1:]  # (*T, B, 1), of the trial
        steps = state.horizon.expand_as(gone)  # (*T, B, 1)
        step = (gone * steps).round()  # (*T, B, 1)
        now = clock(step, steps, longest)
        begins = now.window != clock(step - 1, steps, longest).window  # (*T, B, 1)
        if feedback.dim() == 2:  # one step
            return Time(now, begins, torch.where(begins, feedback, state.start))
        place = torch.arange(len(feedback), device=feedback.device)[:, None, None]  # (T, 1, 1)
        last = torch.where(begins, place, -1).cummax(0).values  # (T, B, 1), where the window began
        there = feedback.gather(0, last.clamp(min=0).expand_as(feedback))  # (T, B, G)
        return Time(now, begins, torch.where(last < 0, state.start, there))

    def _reading(
        self, observation: Observation, before: Float[Tensor, "*T B G"], time: Time | None
    ) -> Float[Tensor, "*T B R"]:
        """All slots side by side, with time and feedback, by windows or by trials."""
        slots = [observation.inputs, observation.input_mask, observation.outputs, observation.output_mask]
        parts, flags, windows = (
            [*slots, observation.output_feedback],
            observation.flags,
            self.settings.windows,
        )
        if windows is None or time is None:
            feedback = feedback_and_change(
                observation.feedback, before, flags[..., :1], self.settings.magnification
            )  # (*T, B, 2G or 4G)
            parts += [feedback, flags]
        else:
            used, shown = observation.output_mask, observation.input_mask  # (*T, B, O), (*T, B, I)
            outputs = used.sum(-1, keepdim=True)  # (*T, B, 1)
            last = torch.where(flags[..., :1] > 0, observation.feedback, before)  # (*T, B, G)
            scale, magnification = windows.feedback_scale, self.settings.magnification
            parts.append(told(observation.feedback, last, time.start, outputs, scale, magnification))
            parts += [*sizes(used), *sizes(shown)]
            begins = time.begins.to(flags.dtype)  # (*T, B, 1)
            parts += [begins, time.clock.gone, time.clock.length, flags[..., :-1]]
        lead = flags.dim() - 1
        if self.settings.feedback_to == "chosen":  # outputs are 1 there, and 0 elsewhere
            parts.append(observation.outputs[..., None] * observation.feedback[..., None, :])
        return torch.cat([part.flatten(lead) for part in parts], dim=-1)  # (*T, B, R)

    def _written(self, observation: Observation, hidden: Float[Tensor, "*T B H"]) -> Float[Tensor, "*T B O"]:
        """Scores, or the outputs' values before they are limited."""
        written: Tensor = self.write(hidden)  # (*T, B, O)
        if self.settings.writing == "increment" and self.action_kind != "categorical":
            return observation.outputs + written
        return written
