"""Delivery over a matrix of edges: messages travel along it by attention."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from badger_agents.badger.policies.expert_policy import Emission


class Barrier(NamedTuple):
    """What edges are to attention.

    Attributes:
        scores: [..., E, E], added to scores: -inf where nothing is heard, unless that is so for a whole row.
        hears: bool [..., E, 1], who hears anybody; None: everybody does.
    """

    scores: Tensor
    hears: Tensor | None


def barrier_of(edges: Bool[Tensor, "*trials E E"], like: Tensor) -> Barrier:
    """What edges are to attention between keys like those; values of edges are not looked at."""
    hears = edges.any(-1, keepdim=True)  # ([B], E, 1)
    return Barrier(torch.where(edges | ~hears, like.new_zeros(()), -math.inf), hears)


def attention(
    query: Float[Tensor, "B E K"],
    key: Float[Tensor, "B E K"],
    edges: Bool[Tensor, "*trials E E"],
    barrier: Barrier | None = None,
) -> Float[Tensor, "B E E"]:
    """Who hears whom, and how much: softmax over the senders that each expert can hear.

    Rows sum to 1, or to 0 (with gradient 0) where an expert has no neighbours.

    Args:
        query: of the listeners.
        key: of the senders.
        edges: [i, j]: i hears j; one matrix, or one per trial.
        barrier: of these edges, where it is known.
    """
    known = barrier or barrier_of(edges, query)
    scores = torch.baddbmm(known.scores, query, key.mT, alpha=1 / math.sqrt(key.shape[-1]))  # (B, E, E)
    weights = torch.softmax(scores, dim=-1)  # (B, E, E)
    return weights if known.hears is None else weights * known.hears  # zeros, not NaN, without neighbours


def deliver(
    emission: Emission, edges: Bool[Tensor, "*trials E E"], barrier: Barrier | None = None
) -> tuple[Float[Tensor, "B E M"], Float[Tensor, "B E E"]]:
    """Messages as they arrive.

    With keys or queries of width 0 all are alike, and an expert hears the mean of its neighbours.

    Args:
        emission: what every expert sent.
        edges: [i, j]: i hears j; one matrix, or one per trial.
        barrier: of these edges, where it is known.

    Returns:
        Inboxes [B, E, M] (zeros without neighbours) and the attention [B, E, E].
    """
    value, key, query = emission
    if key.shape[-1] == 0 or query.shape[-1] == 0:
        weights = edges.to(value.dtype) / edges.sum(-1, keepdim=True).clamp(min=1)  # ([B], E, E)
        weights = weights.expand(value.shape[0], -1, -1)  # (B, E, E)
    else:
        weights = attention(query, key, edges, barrier)  # (B, E, E)
    return weights @ value, weights


def received_attention(
    attention: Float[Tensor, "B E E"], edges: Bool[Tensor, "*trials E E"]
) -> Float[Tensor, "B E 1"]:
    """Attention that each expert gets, as a mean over those who can hear it: from 0 to 1."""
    listeners = edges.sum(dim=-2).clamp(min=1)  # ([B], E)
    return (attention.sum(dim=-2) / listeners)[..., None]  # (B, E, 1)
