"""The attentional membrane: slots and experts meet by random addresses, any number of either."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_agents.badger.membrane.hardwired import FeedbackTo, Membrane, Writing, limited
from badger_agents.badger.membrane.readings import reading_widths
from badger_agents.badger.membrane.slot_assignment import one_to_one, redeal
from badger_envs import keyed_random
from badger_envs.family import Family, Observation, Slots, check_integer

Matching = Literal["one-to-one", "soft"]

USUAL = 16
"""Numbers of slots are read as fractions of this."""
LEVEL = 4
"""The feedback itself, a sum over outputs, is read as a fraction of this; its changes as they are."""

SPAN = 20
"""Steps of the longest sitting, unless told otherwise: the paper's trial."""


class AttentionalState(NamedTuple):
    """What the membrane keeps of a trial.

    Attributes:
        writers: [B, O, E], whose writing goes to which output, and how much of it; before the first
            step: how alike addresses and identities are.
        readers: [B, I, E], who reads which input; before the first step as above.
        hearers: [B, 1, E], who hears the global feedback.
        turn: [B, O], when an output is in its writer's focus: its place among that expert's outputs.
        input_turn: [B, I], the same for inputs and readers.
        turns: [B, 1], the most outputs that an expert has.
        input_turns: [B, 1], the most inputs that an expert has.
        sitting: [B, 1], the present sitting, counted from 0; -1 before the first step.
        since: [B, 1], the step from which sittings are counted: 0, or when growth changed the turns.
        start: [B, G], the feedback at the start of the present sitting.
        last: [B, G], the feedback of the last step.
        identities: [B, E, K], what the addresses of slots are compared with.
        time: steps done.
        horizon: steps in a trial.
    """

    writers: Tensor
    readers: Tensor
    hearers: Tensor
    turn: Tensor
    input_turn: Tensor
    turns: Tensor
    input_turns: Tensor
    sitting: Tensor
    since: Tensor
    start: Tensor
    last: Tensor
    identities: Tensor
    time: int
    horizon: int


class AttentionalMembrane(Membrane):
    """Any number of inputs, outputs and experts meet by attention between random addresses.

    At the start of a trial every slot and the feedback get a random unit vector as address, every expert
    one as identity. Attention by cosine similarity says who reads and writes which slot:

    - "one-to-one": a slot goes, whole, to the expert most like it among those that have fewest.
    - "soft": a softmax over experts at a learned inverse temperature (every slot is shared, sharply at
      the start), as in the paper's demonstration.

    A trial is cut into equal **sittings** of `span` steps at the most. With fewer experts than outputs an
    expert has several and gives its attention to one of them per sitting, in turn; outputs in nobody's
    focus stay as they are. Of several inputs an expert reads one per step, in turn. A life longer than
    `span` is several sittings one after the other, so that experts meet no clock that they never learned.

    Global feedback is multiplied by the number of outputs in use, so that what one output does to a mean
    over outputs reads the same however many there are.

    Args:
        slots: the family's sizes; only the widths of slots and feedback matter.
        feedback_to: "all" experts hear the global feedback, or "one", the expert most like its address, or
            of categorical actions the one whose slot was "chosen" last.
        writing: what an expert writes is an "increment" of its output, its "absolute" value, or a "score"
            by which an action is drawn.
        matching: "one-to-one" or "soft".
        feedback_scale: factor of the global feedback, to bring one output's effect near 1.
        span: steps of the longest sitting.
        address_size: width of addresses and identities.
        address_seed: draw addresses and identities from this seed instead of the trial's keys, the same in
            all trials (the paper's training starts with fixed addresses).
        blind: experts that get nothing of any input, to see what each one's is worth.
        inverse_temperature: of soft matching, at the start of training.
    """

    def __init__(
        self,
        slots: Slots,
        feedback_to: FeedbackTo = "all",
        writing: Writing = "increment",
        *,
        matching: Matching = "one-to-one",
        feedback_scale: float = 1.0,
        span: int = SPAN,
        address_size: int = 8,
        address_seed: int | None = None,
        blind: tuple[int, ...] = (),
        inverse_temperature: float = 8.0,
    ) -> None:
        super().__init__(slots, feedback_to, writing)
        check_integer("address_size", address_size, low=1)
        check_integer("span", span, low=1)
        if address_seed is not None:
            check_integer("address_seed", address_seed, low=0)
        if matching not in ("one-to-one", "soft"):
            raise ValueError(f"matching is {matching!r}; it must be 'one-to-one' or 'soft'")
        for name, value in (("feedback_scale", feedback_scale), ("inverse_temperature", inverse_temperature)):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value < math.inf:
                raise ValueError(f"{name} is {value!r}; it must be a finite number above 0")
        if not isinstance(blind, tuple) or not all(type(expert) is int for expert in blind):
            raise ValueError(f"blind is {blind!r}; it must be a list of experts' numbers, such as [0]")
        self.feedback_scale = feedback_scale
        self.span = span
        self.address_size = address_size
        self.address_seed = address_seed
        self.blind = blind
        self.sharpness = (
            nn.Parameter(torch.tensor(float(inverse_temperature)).log()) if matching == "soft" else None
        )

    @property
    def reading_size(self) -> int:
        """R, numbers an expert reads: the parts of a `badger_agents.badger.membrane.readings.Reading`."""
        return sum(reading_widths(self.slots))

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"], experts: int) -> AttentionalState:
        """Addresses from the streams "identities", "outputs", "inputs" and "feedback"; nothing heard yet."""
        slots = family.slots
        identities = self._unit_vectors(keys, "identities", experts, family.dtype)  # (B, E, K)
        outputs, inputs, feedback = self._likeness(keys, identities, slots.outputs, slots.inputs)
        hearers = torch.ones_like(feedback)  # (B, 1, E)
        if self.feedback_to == "one":
            hearers = one_to_one(feedback, hearers[:, :, 0])[0]  # (B, 1, E)
        silence = identities.new_zeros(len(keys), self.slots.feedback)  # (B, G)
        nothing, unknown = identities.new_zeros(len(keys), 1), outputs[:, :0, 0]
        return AttentionalState(
            outputs, inputs, hearers, unknown, unknown, nothing, nothing, nothing - 1, nothing, silence,
            silence, identities, time=0, horizon=family.horizon,
        )  # fmt: skip

    def read(
        self, state: AttentionalState, observation: Observation, experts: int
    ) -> tuple[AttentionalState, Float[Tensor, "B E R"]]:
        """What each expert reads, in the order of `Reading`."""
        used, shown = observation.output_mask, observation.input_mask  # (B, O), (B, I)
        if state.time == 0:
            state = self._meet(state, used, shown)
        steps = state.horizon - state.since  # (B, 1), to cut into sittings
        sittings = state.turns * (steps / (self.span * state.turns)).ceil()  # (B, 1)
        gone = (state.time - state.since) * sittings / steps  # (B, 1), sittings gone
        sitting = gone.floor()  # (B, 1)
        begins = (sitting != state.sitting).to(gone.dtype)  # (B, 1)
        feedback = observation.feedback  # (B, G)
        last = feedback if state.time == 0 else state.last  # (B, G)
        start = torch.where(begins > 0, feedback, state.start)  # (B, G)
        state = state._replace(sitting=sitting, start=start, last=feedback, time=state.time + 1)
        writers = state.writers * self._focus(state)[..., None]  # (B, O, E)
        hearers = state.hearers  # (B, 1, E)
        if self.feedback_to == "chosen":
            hearers = observation.outputs[:, None] @ state.writers  # (B, 1, E)
        input_now = (state.time - 1) % state.input_turns  # (B, 1)
        readers = state.readers * (state.input_turn == input_now)[..., None]  # (B, I, E)
        if self.blind:
            if max(self.blind) >= experts or min(self.blind) < 0:
                raise ValueError(f"blind is {list(self.blind)}; experts are numbered 0 to {experts - 1}")
            numbers = torch.arange(experts, device=readers.device)  # (E,)
            for number in self.blind:
                readers = readers * (numbers != number)  # (B, I, E)
        own_output = torch.cat(
            [observation.outputs[..., None], torch.ones_like(used)[..., None], observation.output_feedback],
            -1,
        )  # (B, O, 2+P)
        own_input = torch.cat([observation.inputs, torch.ones_like(shown)[..., None]], dim=-1)  # (B, I, F+1)
        count, shown_count = used.sum(-1, keepdim=True), shown.sum(-1, keepdim=True)  # (B, 1)
        changes = (
            torch.cat([feedback - last, feedback - start], dim=-1) * count * self.feedback_scale
        )  # (B, 2G)
        level = feedback * count * self.feedback_scale / LEVEL  # (B, G)
        heard = torch.cat([level, changes, torch.ones_like(count)], dim=-1)  # (B, 3G+1)
        sizes = [count / USUAL, 1 / count, shown_count / USUAL, 1 / shown_count]
        clock = [begins, gone - sitting, steps / (sittings * self.span) - 1]
        everyone = torch.cat([*sizes, *clock, observation.flags[:, :-1]], dim=-1)  # (B, 4+3+2)
        reading = torch.cat(
            [
                writers.mT @ own_output,
                readers.mT @ own_input,
                hearers.mT @ heard[:, None],
                everyone[:, None].expand(-1, experts, -1),
            ],
            dim=-1,
        )  # (B, E, R)
        return state, reading

    def write(
        self, state: AttentionalState, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """Outputs in [-1, 1] from the experts' writings; those in nobody's focus stay as they are."""
        focus = self._focus(state)  # (B, O)
        written = self.scores(state, observation, writing)  # (B, O)
        if self.writing == "absolute":
            return observation.outputs * (1 - focus) + limited(written) * focus  # (B, O)
        return (observation.outputs + written).clamp(-1, 1)  # (B, O)

    def scores(
        self, state: AttentionalState, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """What is written to the outputs in somebody's focus; 0 for the others."""
        return (state.writers @ writing)[..., 0] * self._focus(state)  # (B, O)

    def grow(
        self, state: AttentionalState, keys: Int[Tensor, "B 4"], order: Sequence[int], first: int
    ) -> AttentionalState:
        """Slots stay with experts if turns allow (`redeal`); where turns change, sittings begin anew."""
        before = state.identities.shape[1]
        dtype = str(state.identities.dtype).removeprefix("torch.")
        fresh = self._unit_vectors(
            keys, "identities", sum(i >= before for i in order), dtype, first
        )  # (B, N, K)
        identities = torch.cat([state.identities, fresh], dim=1)[:, list(order)]  # (B, E, K)
        writers, readers, hearers = (
            nn.functional.pad(part, (0, fresh.shape[1]))[..., list(order)]
            for part in (state.writers, state.readers, state.hearers)
        )  # (B, O, E), (B, I, E), (B, 1, E)
        outputs, inputs, feedback = self._likeness(keys, identities, writers.shape[1], readers.shape[1])
        state = state._replace(identities=identities, hearers=torch.ones_like(hearers))
        if self.feedback_to == "one":
            zero = state.since * 0  # (B, 1)
            state = state._replace(hearers=redeal(feedback, hearers, zero + 1, zero, zero + 1, zero)[0])
        if state.time == 0:
            return state._replace(writers=outputs, readers=inputs)
        used, shown = state.writers.sum(-1).round(), state.readers.sum(-1).round()  # (B, O), (B, I)
        if self.sharpness is not None:
            return state._replace(writers=self._soft(outputs, used)[0], readers=self._soft(inputs, shown)[0])
        now = state.sitting % state.turns  # (B, 1)
        writers, turn, turns, changed = redeal(outputs, writers, used, state.turn, state.turns, now)
        now = (state.time - 1) % state.input_turns  # (B, 1)
        readers, input_turn, input_turns, _ = redeal(
            inputs, readers, shown, state.input_turn, state.input_turns, now
        )
        return state._replace(
            writers=writers, readers=readers, turn=turn, input_turn=input_turn, turns=turns,
            input_turns=input_turns, sitting=torch.where(changed, -1, state.sitting),
            since=torch.where(changed, state.time, state.since),
        )  # fmt: skip

    def _focus(self, state: AttentionalState) -> Float[Tensor, "B O"]:
        """1 for outputs whose turn it is in this sitting."""
        return (state.turn == state.sitting % state.turns).to(state.writers.dtype)  # (B, O)

    def _meet(
        self, state: AttentionalState, used: Float[Tensor, "B O"], shown: Float[Tensor, "B I"]
    ) -> AttentionalState:
        """From similarities to who reads and writes what, once it is known which slots are in use."""
        match = one_to_one if self.sharpness is None else self._soft
        writers, turn = match(state.writers, used)  # (B, O, E), (B, O)
        readers, input_turn = match(state.readers, shown)  # (B, I, E), (B, I)
        turns, input_turns = turn.amax(-1, keepdim=True) + 1, input_turn.amax(-1, keepdim=True) + 1  # (B, 1)
        return state._replace(
            writers=writers, readers=readers, turn=turn, input_turn=input_turn, turns=turns,
            input_turns=input_turns,
        )  # fmt: skip

    def _soft(
        self, similarity: Float[Tensor, "B N E"], used: Float[Tensor, "B N"]
    ) -> tuple[Float[Tensor, "B N E"], Float[Tensor, "B N"]]:
        """Every slot in use shared among all experts, all the time."""
        assert self.sharpness is not None  # only soft matching gets here
        weights = torch.softmax(self.sharpness.exp() * similarity, dim=-1) * used[..., None]  # (B, N, E)
        return weights, torch.zeros_like(used)

    def _likeness(
        self, keys: Int[Tensor, "B 4"], identities: Float[Tensor, "B E K"], outputs: int, inputs: int
    ) -> tuple[Float[Tensor, "B O E"], Float[Tensor, "B I E"], Float[Tensor, "B 1 E"]]:
        """How alike the addresses of outputs, inputs and feedback are to the experts' identities."""
        dtype = str(identities.dtype).removeprefix("torch.")
        output, input_, feedback = (
            self._unit_vectors(keys, name, count, dtype) @ identities.mT
            for name, count in (("outputs", outputs), ("inputs", inputs), ("feedback", 1))
        )  # (B, O, E), (B, I, E), (B, 1, E)
        return output, input_, feedback

    def _unit_vectors(
        self, keys: Int[Tensor, "B 4"], name: str, count: int, dtype: str, first: int = 0
    ) -> Float[Tensor, "B N K"]:
        """Those numbered from `first` on, of the trials' keys or of a seed."""
        if self.address_seed is not None:
            fixed = keyed_random.outer_keys(self.address_seed, 0, 1, like=keys)  # (1, 4)
            keys = fixed.expand(len(keys), -1)  # (B, 4)
        size = self.address_size
        draws = keyed_random.normal(keys, name, count * size, first * size, dtype)  # (B, N*K)
        return nn.functional.normalize(draws.view(len(keys), count, self.address_size), dim=-1)  # (B, N, K)
