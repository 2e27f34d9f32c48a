"""Delivery over lists of neighbours: the same as over a matrix, at a cost linear in the edges."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from badger_agents.badger.policies.expert_policy import Emission
from badger_envs.neighbours import Neighbours


def deliver(
    emission: Emission, edges: Neighbours, k: int | None = None
) -> tuple[Float[Tensor, "B E M"], Float[Tensor, "B E c"]]:
    """Messages as they arrive (see `badger_agents.badger.channel.dense.deliver`).

    Args:
        emission: what every expert sent.
        edges: tensors [E, c] or [B, E, c]: whom each expert can hear.
        k: each hears no more than so many, those with the highest scores; the gradient flows through
            the scores of the chosen. With keys or queries of width 0 all score alike, and it hears them all.

    Returns:
        Inboxes [B, E, M] (zeros without neighbours) and the attention [B, E, c] that the experts of
        `edges.index` get; 0 on padding.
    """
    value, key, query = emission
    index, mask = (part.expand(len(value), -1, -1) for part in edges)  # (B, E, c)
    if key.shape[-1] == 0 or query.shape[-1] == 0:
        weights = mask.to(value.dtype) / mask.sum(-1, keepdim=True).clamp(min=1)  # (B, E, c)
        return _weighted(weights, _of(value, index)), weights
    hears = mask.any(-1, keepdim=True)  # (B, E, 1)
    scores = (_of(key, index) * query[:, :, None]).sum(-1) / math.sqrt(key.shape[-1])  # (B, E, c)
    scores = scores.masked_fill(~mask & hears, -math.inf)  # (B, E, c), rows of padding finite: no NaN
    if k is None or k >= index.shape[-1]:
        weights = torch.softmax(scores, dim=-1) * hears  # (B, E, c)
        return _weighted(weights, _of(value, index)), weights
    best, place = scores.topk(k, dim=-1)  # (B, E, k)
    chosen = torch.softmax(best, dim=-1) * hears  # (B, E, k)
    inbox = _weighted(chosen, _of(value, index.gather(-1, place)))  # (B, E, M)
    return inbox, torch.zeros_like(scores).scatter(-1, place, chosen)


def received_attention(attention: Float[Tensor, "B E c"], edges: Neighbours) -> Float[Tensor, "B E 1"]:
    """Attention that each expert gets, as a mean over those who can hear it: from 0 to 1."""
    index, mask = (part.expand(attention.shape).flatten(1) for part in edges)  # (B, E*c)
    nothing = attention.new_zeros(attention.shape[:2])  # (B, E)
    got = nothing.scatter_add(1, index, attention.flatten(1))  # (B, E)
    listeners = nothing.scatter_add(1, index, mask.to(attention.dtype))  # (B, E)
    return (got / listeners.clamp(min=1))[..., None]  # (B, E, 1)


def as_edges(lists: Neighbours) -> Bool[Tensor, "*B E E"]:
    """Lists [E, c] or [B, E, c] as edges: [..., i, j] says that i hears j."""
    return _spread(lists.mask, lists.index)


def as_matrix(attention: Float[Tensor, "*B E c"], senders: Tensor) -> Float[Tensor, "*B E E"]:
    """Attention over lists as a matrix: [..., i, j] is what i gives j.

    Args:
        attention: what `deliver` gives, or a record or trace of it.
        senders: int64, of the same shape: whom it is given.
    """
    return _spread(attention, senders)


def _spread(values: Tensor, index: Tensor) -> Tensor:
    """Values [..., E, c] where `index` says in rows of E; zero elsewhere."""
    experts = values.shape[-2]
    numbers = values if values.is_floating_point() else values.to(torch.uint8)  # (..., E, c)
    matrix = numbers.new_zeros(*values.shape[:-1], experts)  # (..., E, E)
    matrix = matrix.scatter_add(-1, index, numbers)  # (..., E, E), padding adds nothing
    return matrix.to(values.dtype)


def _of(tensor: Float[Tensor, "B E F"], index: Tensor) -> Float[Tensor, "B E c F"]:
    """What the experts of `index` [B, E, c] have in `tensor`."""
    batch, experts, size = tensor.shape
    start = torch.arange(0, batch * experts, experts, device=index.device)[:, None, None]  # (B, 1, 1)
    rows = tensor.flatten(0, 1).index_select(0, (index + start).flatten())  # (B*E*c, F)
    return rows.view(*index.shape, size)  # (B, E, c, F)


def _weighted(weights: Float[Tensor, "B E c"], values: Float[Tensor, "B E c M"]) -> Float[Tensor, "B E M"]:
    return (weights[..., None] * values).sum(-2)  # (B, E, M): faster than many small matrix products
