"""What an expert reads through the attentional membrane, part by part: the one place that knows the order."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from badger_envs.family import Slots


class Reading(NamedTuple):
    """What an expert reads, part by part, in this order; each part is [B, E, its width].

    Attributes:
        output: the output in its focus.
        output_share: how much of that output is this expert's; 0 for an expert without.
        output_feedback: that output's own feedback, P wide.
        input: the input that it reads now, F wide.
        input_share: how much of that input is this expert's.
        feedback: global feedback, times the number of outputs in use and the membrane's `feedback_scale`,
            in units of `LEVEL`, G wide; as all that follows up to `hears`, 0 for those who do not hear it.
        change: its change since the last step, times both; 0 at the first step.
        since_start: the same since the start of the attention window.
        magnified: feedback (over `LEVEL`), change and change since the start once more, `magnified`; 3G wide,
            or 0 where the membrane magnifies nothing.
        hears: 1 for those who hear the global feedback.
        outputs: number of outputs in use, in units of `USUAL`.
        per_output: 1 over that number.
        inputs: number of inputs in use, in units of `USUAL`.
        per_input: 1 over that number.
        begins: 1 at the first step of an attention window.
        gone: how much of the window is gone, in [0, 1).
        length: of a window, over the membrane's `window_length`, less 1: in (-1, 0].
        first: 1 at the first step of the trial.
        query: the family's flag.
    """

    output: Tensor
    output_share: Tensor
    output_feedback: Tensor
    input: Tensor
    input_share: Tensor
    feedback: Tensor
    change: Tensor
    since_start: Tensor
    magnified: Tensor
    hears: Tensor
    outputs: Tensor
    per_output: Tensor
    inputs: Tensor
    per_input: Tensor
    begins: Tensor
    gone: Tensor
    length: Tensor
    first: Tensor
    query: Tensor


def reading_widths(slots: Slots, magnified: bool = False) -> tuple[int, ...]:
    """How many numbers each part of a `Reading` has, in its order.

    Args:
        slots: the family's sizes.
        magnified: whether the membrane magnifies feedback.
    """
    heard = slots.feedback
    own = (1, 1, slots.output_feedback, slots.input_size, 1)
    told = (heard, heard, heard, 3 * heard * magnified)
    return (*own, *told, *(1 for _ in Reading._fields[len(own) + len(told) :]))


def split_reading(reading: Float[Tensor, "B E R"], slots: Slots, magnified: bool = False) -> Reading:
    """The parts of what an attentional membrane lets experts read."""
    return Reading(*reading.split(reading_widths(slots, magnified), dim=-1))
