"""Edges: an agent's topology in the form that is cheapest, dense or sparse, fixed or drawn per trial."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from badger_agents.badger.channel import dense, sparse
from badger_agents.badger.policies.expert_policy import Emission
from badger_envs import keyed_random
from badger_envs.family import check_integer
from badger_envs.neighbours import Neighbours
from badger_envs.topology import Topology, adjacency, is_sparse, neighbours, parse

Drawn = Tensor | Neighbours | tuple[()]
"""Edges drawn per trial: bool [B, E, E] or lists [B, E, c]; () where an agent's topology is fixed."""

SMALL = 64
"""Up to so many experts, delivery is dense (save for top-k)."""

THIN = 32
"""Delivery is sparse if there are so many times more experts than entries in a list: there it is faster."""


class Edges(torch.nn.Module):
    """Who can hear whom in one agent. It has no weights.

    Args:
        topology: see `badger_envs.topology`.
        experts: E.

    Attributes:
        per_trial: whether edges are drawn anew in each trial.
        k: how many of their candidates experts hear; None: all that they can.

    Raises:
        ValueError, TypeError: no topology.
    """

    matrix: Tensor | None
    index: Tensor | None
    mask: Tensor | None
    barrier: Tensor | None
    hears: Tensor | None

    def __init__(self, topology: Topology, experts: int) -> None:
        super().__init__()
        check_integer("experts", experts, low=1)
        self.topology, self.experts = topology, experts
        named = parse(topology)
        self.per_trial = named is not None and named.per_trial
        self.k = None if named is None else named.k
        matrix = lists = None
        if not is_sparse(topology):
            matrix = torch.from_numpy(adjacency(topology, experts))  # (E, E)
        elif not self.per_trial:
            lists = Neighbours(*map(torch.from_numpy, neighbours(topology, experts)))  # (E, c)
            if not self._thin(lists):
                matrix, lists = sparse.as_edges(lists), None  # (E, E)
        self.register_buffer("matrix", matrix, persistent=False)
        scores = hears = None
        if matrix is not None:
            like = torch.zeros((), dtype=torch.float32, device="cpu")
            scores, hears = dense.barrier_of(matrix, like)  # (E, E), (E, 1)
            hears = None if matrix.any(-1).all() else hears
        self.register_buffer("barrier", scores, persistent=False)
        self.register_buffer("hears", hears, persistent=False)
        self.register_buffer("index", None if lists is None else lists.index, persistent=False)
        self.register_buffer("mask", None if lists is None else lists.mask, persistent=False)

    def draw(self, keys: Int[Tensor, "B 4"]) -> Drawn:
        """The edges of these trials, for the agent's state; () if they are not drawn per trial."""
        if not self.per_trial:
            return ()
        lists = neighbours(self.topology, self.experts, keys)  # (B, E, c)
        return lists if self._thin(lists) else sparse.as_edges(lists)

    def of(self, drawn: Drawn = ()) -> Tensor | Neighbours:
        """Edges as they are used: those drawn, or else the agent's own."""
        if isinstance(drawn, Tensor | Neighbours):
            return drawn
        if self.matrix is not None:
            return self.matrix
        if self.index is None or self.mask is None:
            raise ValueError(f"topology {self.topology!r} is drawn anew in each trial; give what `draw` gave")
        return Neighbours(self.index, self.mask)

    def as_matrix(self) -> Bool[Tensor, "E E"]:
        """[i, j]: i can hear j. Made on demand over lists: E**2 entries.

        Raises:
            ValueError: that is drawn anew in each trial, and is in the state.
        """
        own = self.of()
        return own if isinstance(own, Tensor) else sparse.as_edges(own)

    def deliver(
        self, emission: Emission, edges: Tensor | Neighbours
    ) -> tuple[Float[Tensor, "B E M"], Float[Tensor, "B E c"]]:
        """Messages as they arrive, and the attention paid: [B, E, E], or [B, E, c] over lists."""
        if isinstance(edges, Tensor):
            return dense.deliver(emission, edges, self._barrier_of(edges, emission.query))
        return sparse.deliver(emission, edges, self.k)

    def senders(self, edges: Tensor | Neighbours) -> Int[Tensor, "*trials E 1"]:
        """How many each expert hears."""
        mask = edges if isinstance(edges, Tensor) else edges.mask  # ([B], E, c)
        senders = mask.sum(-1, keepdim=True)  # ([B], E, 1)
        return senders if self.k is None else senders.clamp(max=self.k)

    def _barrier_of(self, edges: Tensor, like: Tensor) -> dense.Barrier:
        """What the agent's own edges are to attention, as it was made once; of others."""
        if edges is not self.matrix or self.barrier is None:
            return dense.barrier_of(edges, like)
        return dense.Barrier(self.barrier.to(like.dtype), self.hears)

    def _thin(self, lists: Neighbours) -> bool:
        """Whether delivery over these lists [..., E, c] is to be sparse."""
        if self.k is not None:
            return True
        return self.experts > SMALL and self.experts >= THIN * lists.index.shape[-1]


def without_lost(
    edges: Tensor | Neighbours, dropout: float, keys: Int[Tensor, "B 4"], position: int
) -> Tensor | Neighbours:
    """The edges that do not fail at one delivery: each fails with the same chance, by itself.

    Args:
        edges: of all that can be heard.
        dropout: the chance.
        keys: of the trials.
        position: rounds before this one in the trial: where its draws stand in the stream.
    """
    mask = edges if isinstance(edges, Tensor) else edges.mask  # ([B], E, c)
    size = mask.shape[-2] * mask.shape[-1]
    drawn = keyed_random.uniform(keys, "channel dropout", size, position * size)  # (B, E*c)
    kept = mask & (drawn.view(len(keys), *mask.shape[-2:]) >= dropout)  # (B, E, c)
    return kept if isinstance(edges, Tensor) else Neighbours(edges.index.expand(kept.shape), kept)


def sharpened(emission: Emission, edges: Tensor | Neighbours, usual: int) -> Emission:
    """Queries as sharp as it takes to pick one of n senders: times log(n) / log(usual).

    The scores of n senders that are alike but for one leave that one less attention the more they are, unless
    scores grow with log(n) (Chiang and Cholak 2022, https://arxiv.org/abs/2202.12172).

    Args:
        emission: what every expert sent.
        edges: n of each listener is the number of those whom it can hear.
        usual: number of senders of which queries are as they are.
    """
    mask = edges if isinstance(edges, Tensor) else edges.mask  # ([B], E, c)
    senders = mask.sum(-1, keepdim=True).clamp(min=1).to(emission.query.dtype)  # ([B], E, 1)
    return emission._replace(query=emission.query * (senders.log() / math.log(usual)))  # (B, E, K)


def received_attention(
    attention: Float[Tensor, "B E c"], edges: Tensor | Neighbours
) -> Float[Tensor, "B E 1"]:
    """Attention that each expert gets, as a mean over those who can hear it: from 0 to 1."""
    if isinstance(edges, Tensor):
        return dense.received_attention(attention, edges)
    return sparse.received_attention(attention, edges)
