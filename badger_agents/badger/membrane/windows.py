"""Attention windows: a clock that no life is too long for, and the feedback that is heard by it."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_agents.agent import magnified

WINDOW_LENGTH = 20
"""Steps of the longest window, unless told otherwise: the paper's trial."""

USUAL = 16
"""Numbers of slots are read as fractions of this."""

LEVEL = 4
"""The feedback itself, a sum over outputs, is read as a fraction of this; its changes as they are."""


class Clock(NamedTuple):
    """Where a step is in its window; each is [*B, 1].

    Attributes:
        window: which window, counted from 0.
        gone: how much of it is gone, in [0, 1).
        length: its steps, over those of the longest window, less 1: in (-1, 0].
    """

    window: Tensor
    gone: Tensor
    length: Tensor


def clock(step: Tensor | int, steps: Float[Tensor, "*B 1"], longest: int, places: Tensor | int = 1) -> Clock:
    """The clock of a life that is cut into equal windows: as few as can be, and as many for each place.

    Args:
        step: steps done since windows are counted.
        steps: how many there are, to cut into windows.
        longest: steps of a window at the most.
        places: outputs of an expert, which it attends to in turn.
    """
    windows = places * (steps / (longest * places)).ceil()  # (*B, 1)
    gone = step * windows / steps  # (*B, 1), windows gone
    window = gone.floor()  # (*B, 1)
    return Clock(window, gone - window, steps / (windows * longest) - 1)


def told(
    feedback: Float[Tensor, "*B G"],
    last: Float[Tensor, "*B G"],
    start: Float[Tensor, "*B G"],
    outputs: Float[Tensor, "*B 1"],
    scale: float,
    magnification: float,
) -> Float[Tensor, "*B N"]:
    """Feedback, its change since the last step and since the window's start, as they are read.

    They are multiplied by the number of outputs, so that what one of them does to a mean over outputs reads
    the same however many there are.

    Args:
        feedback: of this step.
        last: of the step before; of the first step, its own.
        start: at the start of the window.
        outputs: number of outputs in use.
        scale: factor, to bring one output's effect near 1.
        magnification: above 0, all three once more, `magnified`.

    Returns:
        3G numbers, or 6G.
    """
    changes = torch.cat([feedback - last, feedback - start], dim=-1) * outputs * scale  # (*B, 2G)
    level = feedback * outputs * scale / LEVEL  # (*B, G)
    heard = torch.cat([level, changes], dim=-1)  # (*B, 3G)
    if not magnification:
        return heard
    return torch.cat([heard, magnified(heard, magnification)], dim=-1)  # (*B, 6G)


def sizes(used: Float[Tensor, "*B N"]) -> list[Float[Tensor, "*B 1"]]:
    """How many slots are in use, in units of `USUAL`, and 1 over that number."""
    count = used.sum(-1, keepdim=True)  # (*B, 1)
    return [count / USUAL, 1 / count]
