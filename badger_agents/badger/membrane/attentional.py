"""The attentional membrane: slots and experts meet by random addresses, any number of either."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from badger_agents.badger.membrane.base import FeedbackTo, Membrane, Writing, limited
from badger_agents.badger.membrane.readings import reading_widths
from badger_agents.badger.membrane.slot_assignment import one_to_one, reassign
from badger_agents.badger.membrane.windows import WINDOW_LENGTH, clock, sizes, told
from badger_agents.settings import Settings
from badger_envs import keyed_random
from badger_envs.family import Family, Observation, Slots

Matching = Literal["one-to-one", "soft"]


class AttentionalSettings(Settings):
    """Settings of an attentional membrane, [agent.membrane].

    Attributes:
        matching: "one-to-one" or "soft".
        feedback_scale: factor of the global feedback, to bring one output's effect near 1.
        magnification: above 0, experts also read the global feedback and its changes `magnified` by so much
            (see `badger_agents.agent.magnified`): for errors that become small.
        window_length: steps of the longest attention window.
        address_size: width of addresses and identities.
        address_seed: draw addresses and identities from this seed instead of the trial's keys, the same in
            all trials (the paper's training starts with fixed addresses).
        blind: experts that get nothing of any input, to see what each one's is worth.
        inverse_temperature: of soft matching, at the start of training.
    """

    kind: Literal["attentional"] = "attentional"
    matching: Matching = "one-to-one"
    feedback_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    magnification: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    window_length: int = Field(default=WINDOW_LENGTH, ge=1)
    address_size: int = Field(default=8, ge=1)
    address_seed: int | None = Field(default=None, ge=0)
    blind: tuple[int, ...] = ()
    inverse_temperature: float = Field(default=8.0, gt=0, allow_inf_nan=False)


USUAL_SETTINGS = AttentionalSettings()


class Addresses(NamedTuple):
    """What is compared at the start of a trial: unit vectors.

    Attributes:
        identities: [B, E, K], of experts.
        outputs: [B, O, K], of output slots.
        inputs: [B, I, K], of input slots.
        feedback: [B, 1, K], of the global feedback.
    """

    identities: Tensor
    outputs: Tensor
    inputs: Tensor
    feedback: Tensor


Match = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From likeness [B, N, E] and which slots are in use [B, N] to weights and places, as `one_to_one`."""


class AttentionalState(NamedTuple):
    """What the membrane keeps of a trial.

    Attributes:
        writers: [B, O, E], whose writing goes to which output, and how much of it; before the first
            step: how alike addresses and identities are.
        readers: [B, I, E], who reads which input; before the first step as above.
        hearers: [B, 1, E], who hears the global feedback.
        place: [B, O], when an output is in its writer's focus: its place in the schedule of that expert's
            outputs; [B, 0] before the first reading, by which it is known which slots are in use.
        input_place: [B, I], the same for inputs and readers.
        places: [B, 1], the most outputs that an expert has.
        input_places: [B, 1], the most inputs that an expert has.
        window: [B, 1], the present attention window, counted from 0; -1 before the first step.
        since: [B, 1], the step from which windows are counted: 0, or when growth changed the schedule.
        start: [B, G], the feedback at the start of the present window.
        last: [B, G], the feedback of the last step.
        identities: [B, E, K], what the addresses of slots are compared with.
        horizon: [B, 1], steps in a trial.
    """

    writers: Tensor
    readers: Tensor
    hearers: Tensor
    place: Tensor
    input_place: Tensor
    places: Tensor
    input_places: Tensor
    window: Tensor
    since: Tensor
    start: Tensor
    last: Tensor
    identities: Tensor
    horizon: Tensor


class AttentionalMembrane(Membrane):
    """Any number of inputs, outputs and experts meet by attention between random addresses.

    At the start of a trial every slot and the feedback get a random unit vector as address, every expert
    one as identity. Attention by cosine similarity says who reads and writes which slot:

    - "one-to-one": a slot goes, whole, to the expert most like it among those that have fewest.
    - "soft": a softmax over experts at a learned inverse temperature (every slot is shared, sharply at
      the start), as in the paper's demonstration.

    A trial is cut into equal **attention windows** of `window_length` steps at the most. With fewer experts
    than outputs an expert has several and gives its attention to one of them per window, by a schedule;
    outputs in nobody's focus stay as they are. Of several inputs an expert reads one per step, one after the
    other. A trial longer than `window_length` is several windows, so that experts meet no clock that they
    never learned.

    Global feedback is multiplied by the number of outputs in use, so that what one output does to a mean
    over outputs reads the same however many there are.

    Args:
        slots: the family's sizes; only the widths of slots and feedback matter.
        feedback_to: "all" experts hear the global feedback, or "one", the expert most like its address, or
            of categorical actions the one whose slot was "chosen" last.
        writing: what an expert writes is an "increment" of its output, its "absolute" value, or a "score"
            by which an action is drawn.
        settings: see `AttentionalSettings`.
    """

    def __init__(
        self,
        slots: Slots,
        feedback_to: FeedbackTo = "all",
        writing: Writing = "increment",
        settings: AttentionalSettings = USUAL_SETTINGS,
    ) -> None:
        super().__init__(slots, feedback_to, writing)
        self.settings = settings
        sharpness = torch.tensor(settings.inverse_temperature).log()
        self.sharpness = nn.Parameter(sharpness) if settings.matching == "soft" else None

    @property
    def reading_size(self) -> int:
        """R, numbers an expert reads: the parts of a `badger_agents.badger.membrane.readings.Reading`."""
        return sum(reading_widths(self.slots, self.settings.magnification > 0))

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"], experts: int) -> AttentionalState:
        """Addresses from the streams "identities", "outputs", "inputs" and "feedback"; nothing heard yet."""
        slots = family.slots
        counts = (experts, slots.outputs, slots.inputs, 1)
        drawn = (
            self._unit_vectors(keys, name, count, family.dtype)
            for name, count in zip(Addresses._fields, counts, strict=True)
        )
        return self.state_of(Addresses(*drawn), family.horizon)

    def state_of(
        self, addresses: Addresses, horizon: int | Tensor, match: Match = one_to_one
    ) -> AttentionalState:
        """State at the start of trials with these addresses.

        Args:
            addresses: unit vectors.
            horizon: steps in a trial.
            match: assigns slots to experts one to one.
        """
        identities = addresses.identities  # (B, E, K)
        outputs, inputs, feedback = (part @ identities.mT for part in addresses[1:])  # (B, O/I/1, E)
        hearers = torch.ones_like(feedback)  # (B, 1, E)
        if self.feedback_to == "one":
            hearers = match(feedback, hearers[:, :, 0])[0]  # (B, 1, E)
        silence = identities.new_zeros(identities.shape[0], self.slots.feedback)  # (B, G)
        zero = identities.new_zeros(identities.shape[0], 1)  # (B, 1)
        return AttentionalState(
            writers=outputs,
            readers=inputs,
            hearers=hearers,
            place=outputs[:, :0, 0],
            input_place=inputs[:, :0, 0],
            places=zero,
            input_places=zero,
            window=zero - 1,
            since=zero,
            start=silence,
            last=silence,
            identities=identities,
            horizon=zero + horizon,
        )

    def read(
        self, state: AttentionalState, observation: Observation, step: int | Tensor, experts: int
    ) -> tuple[AttentionalState, Float[Tensor, "B E R"]]:
        """What each expert reads, in the order of `Reading`; steps done may be a tensor [B, 1]."""
        used, shown = observation.output_mask, observation.input_mask  # (B, O), (B, I)
        first = not state.place.shape[1]  # nothing was read yet
        if first:
            state = self.meet(state, used, shown)
        steps = state.horizon - state.since  # (B, 1), to cut into windows
        time = clock(step - state.since, steps, self.settings.window_length, state.places)
        begins = (time.window != state.window).to(steps.dtype)  # (B, 1)
        feedback = observation.feedback  # (B, G)
        last = feedback if first else state.last  # (B, G)
        start = torch.where(begins > 0, feedback, state.start)  # (B, G)
        state = state._replace(window=time.window, start=start, last=feedback)
        writers = state.writers * self._focus(state)[..., None]  # (B, O, E)
        hearers = state.hearers  # (B, 1, E)
        if self.feedback_to == "chosen":
            hearers = observation.outputs[:, None] @ state.writers  # (B, 1, E)
        input_now = step % state.input_places  # (B, 1)
        readers = state.readers * (state.input_place == input_now)[..., None]  # (B, I, E)
        if self.settings.blind:
            if max(self.settings.blind) >= experts or min(self.settings.blind) < 0:
                raise ValueError(
                    f"blind is {list(self.settings.blind)}; experts are numbered 0 to {experts - 1}"
                )
            numbers = torch.arange(experts, device=readers.device)  # (E,)
            for number in self.settings.blind:
                readers = readers * (numbers != number)  # (B, I, E)
        own_output = torch.cat(
            [observation.outputs[..., None], torch.ones_like(used)[..., None], observation.output_feedback],
            -1,
        )  # (B, O, 2+P)
        own_input = torch.cat([observation.inputs, torch.ones_like(shown)[..., None]], dim=-1)  # (B, I, F+1)
        count = used.sum(-1, keepdim=True)  # (B, 1)
        settings = self.settings
        heard = told(feedback, last, start, count, settings.feedback_scale, settings.magnification)
        heard = torch.cat([heard, torch.ones_like(count)], dim=-1)  # (B, 3G+1 or 6G+1)
        counts = [*sizes(used), *sizes(shown)]
        everyone = torch.cat(
            [*counts, begins, time.gone, time.length, observation.flags[:, :-1]], dim=-1
        )  # (B, 4+3+2)
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
        self, state: AttentionalState, keys: Int[Tensor, "B 4"], order: Sequence[int], first: int, step: int
    ) -> AttentionalState:
        """Slots stay with experts if the schedule allows (`reassign`); if not, windows begin anew."""
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
            hearers = reassign(feedback, hearers, zero + 1, zero, zero + 1, zero)[0]  # (B, 1, E)
            state = state._replace(hearers=hearers)
        if not state.place.shape[1]:
            return state._replace(writers=outputs, readers=inputs)
        used, shown = state.writers.sum(-1).round(), state.readers.sum(-1).round()  # (B, O), (B, I)
        if self.sharpness is not None:
            return state._replace(writers=self._soft(outputs, used)[0], readers=self._soft(inputs, shown)[0])
        now = state.window % state.places  # (B, 1)
        writers, place, places, changed = reassign(outputs, writers, used, state.place, state.places, now)
        now = (step - 1) % state.input_places  # (B, 1)
        readers, input_place, input_places, _ = reassign(
            inputs, readers, shown, state.input_place, state.input_places, now
        )
        return state._replace(
            writers=writers,
            readers=readers,
            place=place,
            input_place=input_place,
            places=places,
            input_places=input_places,
            window=torch.where(changed, -1, state.window),
            since=torch.where(changed, step, state.since),
        )

    def _focus(self, state: AttentionalState) -> Float[Tensor, "B O"]:
        """1 for outputs whose place in the schedule is that of this window."""
        return (state.place == state.window % state.places).to(state.writers.dtype)  # (B, O)

    def meet(
        self,
        state: AttentionalState,
        used: Float[Tensor, "B O"],
        shown: Float[Tensor, "B I"],
        match: Match = one_to_one,
    ) -> AttentionalState:
        """From likeness to who reads and writes what, once it is known which slots are in use.

        Args:
            state: before the first reading.
            used: outputs in use.
            shown: inputs in use.
            match: assigns slots to experts, if it is done one to one.
        """
        match = match if self.sharpness is None else self._soft
        writers, place = match(state.writers, used)  # (B, O, E), (B, O)
        readers, input_place = match(state.readers, shown)  # (B, I, E), (B, I)
        return state._replace(
            writers=writers,
            readers=readers,
            place=place,
            input_place=input_place,
            places=place.amax(-1, keepdim=True) + 1,  # (B, 1)
            input_places=input_place.amax(-1, keepdim=True) + 1,  # (B, 1)
        )

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
        if self.settings.address_seed is not None:
            fixed = keyed_random.outer_keys(self.settings.address_seed, 0, 1, like=keys)  # (1, 4)
            keys = fixed.expand(len(keys), -1)  # (B, 4)
        size = self.settings.address_size
        draws = keyed_random.normal(keys, name, count * size, first * size, dtype)  # (B, N*K)
        return nn.functional.normalize(
            draws.view(len(keys), count, self.settings.address_size), dim=-1
        )  # (B, N, K)
