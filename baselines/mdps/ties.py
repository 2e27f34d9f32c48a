"""Which of several actions that seem equally good is taken: one of them at random."""

from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import keyed_random

ALIKE = 1e-9
"""Scores that differ by no more, or by this share of the best, are ties: sums may be in another order."""


def best(scores: Float[Tensor, "B A"], keys: Int[Tensor, "B 4"], step: int) -> Int[Tensor, "B"]:
    """The action of the highest score [B]; of ties each as likely.

    Not the first: where nothing nearby pays, all actions are worth the same, and who always takes the first
    may go round in circles for ever.

    Args:
        scores: of actions; those that cannot be taken have -inf.
        keys: of the trials.
        step: of the trial.
    """
    count = scores.shape[1]
    drawn = keyed_random.uniform(keys, "ties", count, step * count, "float64")  # (B, A)
    highest = scores.amax(-1, keepdim=True)  # (B, 1)
    tied = scores >= highest - ALIKE * highest.abs().clamp(min=1)  # (B, A)
    return drawn.masked_fill(~tied, -1.0).argmax(-1)
