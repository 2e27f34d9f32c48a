"""What a membrane is: what experts read of an observation and how their writings become outputs."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_envs.family import Family, Observation, Slots

FeedbackTo = Literal["all", "one", "chosen"]
Writing = Literal["increment", "absolute", "score"]


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

    def read(
        self, state: Any, observation: Observation, step: int, experts: int
    ) -> tuple[Any, Float[Tensor, "B E R"]]:
        """The next state, and what each expert reads.

        Args:
            state: of the membrane.
            observation: what the family shows.
            step: steps done in the trials.
            experts: E.
        """
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

    def grow(self, state: Any, keys: Int[Tensor, "B 4"], order: Sequence[int], first: int, step: int) -> Any:
        """The state once experts have come and gone (see `badger_agents.badger.growth`).

        Args:
            state: of the E experts before.
            keys: of the trials.
            order: by place, who is there now: below E one of those before, from E on a new one.
            first: number of the first new expert among all that there ever were in these trials.
            step: steps done in the trials.
        """
        raise NotImplementedError


class WrappedMembrane(Membrane):
    """A membrane around another one: by itself it changes nothing. Base of interventions.

    Args:
        membrane: the membrane within; it is used, not copied.
    """

    def __init__(self, membrane: Membrane) -> None:
        super().__init__(membrane.slots, membrane.feedback_to, membrane.writing)
        self.membrane = membrane

    @property
    def reading_size(self) -> int:
        """As within."""
        return self.membrane.reading_size

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"], experts: int) -> Any:
        """As within."""
        return self.membrane.initial_state(family, keys, experts)

    def read(
        self, state: Any, observation: Observation, step: int, experts: int
    ) -> tuple[Any, Float[Tensor, "B E R"]]:
        """As within."""
        return self.membrane.read(state, observation, step, experts)

    def scores(
        self, state: Any, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """As within."""
        return self.membrane.scores(state, observation, writing)

    def write(
        self, state: Any, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """As within."""
        return self.membrane.write(state, observation, writing)

    def grow(self, state: Any, keys: Int[Tensor, "B 4"], order: Sequence[int], first: int, step: int) -> Any:
        """As within."""
        return self.membrane.grow(state, keys, order, first, step)


def widened(observation: Observation, slots: Slots) -> Observation:
    """An observation as wide as `slots`: zeros for numbers that its family does not have.

    So weights made for one family serve all that show no more numbers per slot and no more feedback.
    """
    wide = {"inputs": slots.input_size, "feedback": slots.feedback, "output_feedback": slots.output_feedback}
    missing = {name: size - getattr(observation, name).shape[-1] for name, size in wide.items()}
    if not any(missing.values()):
        return observation
    return observation._replace(
        **{name: nn.functional.pad(getattr(observation, name), (0, n)) for name, n in missing.items() if n}
    )


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
