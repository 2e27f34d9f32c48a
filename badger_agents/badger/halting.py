"""Learned halting: experts agree on when to stop talking (adaptive computation time)."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_agents import tree

EPSILON = 0.01
"""Talking ends where no more than this is left of the weight that rounds share; so one round can do."""


class Stopping(NamedTuple):
    """What the rounds of a step have come to.

    Attributes:
        left: [B, 1, 1], weight not yet shared out; 0 once experts have agreed to stop.
        rounds: [B, 1, 1], rounds used.
        cost: [B, 1, 1], rounds used and what was left for the last one: the part of it with a gradient.
        states: the experts' states, as a mean over rounds.
        writing: [B, E, 1], likewise.
        last: what holds of the last round used.
    """

    left: Tensor
    rounds: Tensor
    cost: Tensor
    states: Any
    writing: Tensor
    last: Any


def talk_on(
    sofar: Stopping | None,
    votes: Float[Tensor, "B E 1"],
    states: Any,
    writing: Float[Tensor, "B E 1"],
    last: Any,
    *,
    final: bool,
) -> Stopping:
    """Count a round in: adaptive computation time (Graves 2016, equations 4 to 13), with one vote for all.

    The chance of stopping is the sigmoid of the experts' mean vote. It is a round's weight too, until the
    weights come to 1: what is left then is the weight of the last round. States and writings are means by
    these weights, so that gradients reach the votes. In trials that have ended nothing changes any more.

    Args:
        sofar: what the rounds before came to; None at the first.
        votes: log-odds of stopping.
        states: experts' states after this round, a tensor [B, E, ...] or nested tuples of such.
        writing: what they would write now.
        last: other things of this round, nested tuples of tensors [B, ...].
        final: no further round is allowed.
    """
    if sofar is None:
        whole = torch.ones_like(writing[:, :1])  # (B, 1, 1)
        nothing = torch.zeros_like(whole)  # (B, 1, 1)
        zeros = tree.map(torch.zeros_like, states)
        sofar = Stopping(whole, nothing, nothing, zeros, torch.zeros_like(writing), last)
    goes_on = sofar.left > 0  # (B, 1, 1)
    chance = torch.sigmoid(votes.mean(dim=1, keepdim=True))  # (B, 1, 1)
    ends = (sofar.left - chance <= EPSILON) | final  # (B, 1, 1)
    weight = torch.where(ends, sofar.left, chance)  # (B, 1, 1), 0 where talking had ended
    used = goes_on.to(writing.dtype)  # (B, 1, 1)

    def current(before: Tensor, now: Tensor) -> Tensor:
        return torch.where(goes_on.view(-1, *[1] * (now.dim() - 1)), now, before)  # (B, ...)

    def mean(before: Tensor, now: Tensor) -> Tensor:
        if not now.is_floating_point():
            return current(before, now)
        return before + weight.view(-1, *[1] * (now.dim() - 1)) * now  # (B, ...)

    return Stopping(
        left=sofar.left - weight,
        rounds=sofar.rounds + used,
        cost=sofar.cost + used + torch.where(ends, weight, 0),
        states=tree.map(mean, sofar.states, states),
        writing=sofar.writing + weight * writing,
        last=tree.map(current, sofar.last, last),
    )
