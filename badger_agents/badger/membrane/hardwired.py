"""The membrane: what experts read of an observation and how their writings become outputs."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_agents.agent import feedback_and_change
from badger_envs.family import FLAGS, Family, Observation, Slots

FeedbackTo = Literal["all", "one", "chosen"]
Writing = Literal["increment", "absolute", "score"]


class MembraneState(NamedTuple):
    """feedback: [B, G], of the last step, to tell its change."""

    feedback: Tensor


class Membrane(nn.Module):
    """Base of membranes.

    Args:
        slots: the family's sizes; only the widths of slots and feedback matter to the weights.
        feedback_to: "all" experts hear the global feedback, or only "one", or of categorical actions the
            one whose slot was "chosen" last.
        writing: what an expert writes is an "increment" of its output, its "absolute" value, or a "score"
            by which an action is drawn (see `badger_agents.action_distribution`).
    """

    def __init__(self, slots: Slots, feedback_to: FeedbackTo = "all", writing: Writing = "increment") -> None:
        super().__init__()
        self.slots = slots
        self.feedback_to = feedback_to
        self.writing = writing

    @property
    def reading_size(self) -> int:
        """R, numbers an expert reads."""
        raise NotImplementedError

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"], experts: int) -> Any:
        """State at the start of the trials: a tuple of tensors with a leading batch axis."""
        raise NotImplementedError

    def read(self, state: Any, observation: Observation, experts: int) -> tuple[Any, Float[Tensor, "B E R"]]:
        """The next state, and what each expert reads."""
        raise NotImplementedError

    def scores(
        self, state: Any, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """What is written to each output slot, as it is; 0 where nobody writes."""
        raise NotImplementedError

    def write(
        self, state: Any, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """Outputs in [-1, 1] from the experts' writings."""
        raise NotImplementedError

    def grow(self, state: Any, keys: Int[Tensor, "B 4"], order: Sequence[int], first: int) -> Any:
        """The state once experts have come and gone (see `badger_agents.badger.growth`).

        Args:
            state: of the E experts before.
            keys: of the trials.
            order: by place, who is there now: below E one of those before, from E on a new one.
            first: number of the first new expert among all that there ever were in these trials.
        """
        raise NotImplementedError


class HardwiredMembrane(Membrane):
    """Expert i reads input slot i and output slot i and writes output slot i (the paper's figure 6).

    Experts beyond the slots read no slot and write nothing: they only hear and talk.

    Of global feedback, "one" is expert 0; "chosen" is told what its own output brought.
    """

    @property
    def reading_size(self) -> int:
        """R, numbers an expert reads.

        Own output, whether it is in use, its feedback; own input, whether it is in use; global feedback
        and its change, whether this expert hears it; flags.
        """
        slots = self.slots
        return 2 + slots.output_feedback + slots.input_size + 1 + 2 * slots.feedback + 1 + len(FLAGS)

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"], experts: int) -> MembraneState:
        """Nothing heard yet.

        Raises:
            ValueError: fewer experts than output slots: some output would have no writer.
        """
        _check_experts(experts, family.slots.outputs)
        dtype = getattr(torch, family.dtype)
        return MembraneState(torch.zeros(len(keys), self.slots.feedback, dtype=dtype, device=keys.device))

    def read(
        self, state: MembraneState, observation: Observation, experts: int
    ) -> tuple[MembraneState, Float[Tensor, "B E R"]]:
        """What each expert reads, in the order that `reading_size` lists."""
        _check_experts(experts, observation.outputs.shape[1])
        own_output = torch.cat(
            [observation.outputs[..., None], observation.output_mask[..., None], observation.output_feedback],
            dim=-1,
        )  # (B, O, 2+P)
        own_input = torch.cat([observation.inputs, observation.input_mask[..., None]], dim=-1)  # (B, I, F+1)
        first = observation.flags[:, :1]  # (B, 1)
        feedback = feedback_and_change(observation.feedback, state.feedback, first)  # (B, 2G)
        heard = torch.cat([feedback, torch.ones_like(first)], dim=-1)[:, None]  # (B, 1, 2G+1)
        if self.feedback_to == "one":
            heard = _pad_experts(heard, experts)  # (B, E, 2G+1), zeros but for expert 0
        else:
            heard = heard.expand(-1, experts, -1)  # (B, E, 2G+1)
        if self.feedback_to == "chosen":
            heard = heard * _pad_experts(observation.outputs[..., None], experts)  # (B, E, 2G+1)
        flags = observation.flags[:, None].expand(-1, experts, -1)  # (B, E, 3)
        slots = [_pad_experts(own_output, experts), _pad_experts(own_input, experts)]
        return MembraneState(observation.feedback), torch.cat([*slots, heard, flags], dim=-1)  # (B, E, R)

    def scores(
        self, state: MembraneState, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """What the experts that have an output write."""
        return writing[:, : observation.outputs.shape[1], 0]  # (B, O)

    def write(
        self, state: MembraneState, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """Outputs in [-1, 1] from the experts' writings."""
        own = self.scores(state, observation, writing)  # (B, O)
        if self.writing == "absolute":
            return limited(own)  # (B, O)
        return (observation.outputs + own).clamp(-1, 1)  # (B, O)

    def grow(
        self, state: MembraneState, keys: Int[Tensor, "B 4"], order: Sequence[int], first: int
    ) -> MembraneState:
        """The wires are fixed to places: who is at a place now has its slots."""
        return state


def widened(observation: Observation, slots: Slots) -> Observation:
    """An observation as wide as `slots`: zeros for numbers that its family does not have.

    So weights made for one family serve all that show no more numbers per slot and no more feedback.
    """
    wide = {"inputs": slots.input_size, "feedback": slots.feedback, "output_feedback": slots.output_feedback}
    missing = {name: size - getattr(observation, name).shape[-1] for name, size in wide.items()}
    return observation._replace(
        **{name: nn.functional.pad(getattr(observation, name), (0, n)) for name, n in missing.items() if n}
    )


def _check_experts(experts: int, outputs: int) -> None:
    """ValueError if some output would have no writer."""
    if experts < outputs:
        raise ValueError(
            f"{experts} experts for {outputs} outputs: a hardwired membrane needs one per output; set"
            f" experts={outputs} or more"
        )


def _pad_experts(features: Float[Tensor, "B N F"], experts: int) -> Float[Tensor, "B E F"]:
    """One row per expert: zeros for those beyond the slots, nothing for slots beyond the experts."""
    missing = experts - features.shape[1]
    if missing > 0:
        return torch.nn.functional.pad(features, (0, 0, 0, missing))
    return features[:, :experts]


class _Limited(torch.autograd.Function):
    """Clamp to [-1, 1] that passes the gradients by which descent leads back inside."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor) -> Tensor:
        return value.clamp(-1, 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (value,), (gradient,) = ctx.saved_tensors, gradients
        outwards = ((value > 1) & (gradient < 0)) | ((value < -1) & (gradient > 0))
        return gradient.masked_fill(outwards, 0)


def limited(value: Float[Tensor, "B O"]) -> Float[Tensor, "B O"]:
    """Clamp to [-1, 1]; a value beyond has a gradient where descent would bring it back.

    With a plain clamp an answer that has grown beyond the limits on the wrong side could never be
    unlearned. For increments the plain clamp is right: gradients that run on through outputs at their
    limits, step after step, explode.
    """
    return _Limited.apply(value)
