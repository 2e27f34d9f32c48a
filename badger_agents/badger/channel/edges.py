"""Wiring: an agent's topology in the form that is cheapest, dense or sparse, fixed or drawn per trial."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.badger.channel.dense import deliver, echo
from badger_agents.badger.channel.sparse import as_edges, deliver_sparsely, echo_sparsely
from badger_agents.badger.policies.expert_policy import Emission
from badger_envs.family import check_integer
from badger_envs.neighbours import Neighbours
from badger_envs.topology import Topology, adjacency, is_sparse, neighbours, parse

Links = Tensor | Neighbours | tuple[()]
"""Who can hear whom: edges (bool [E, E] or [B, E, E]), lists, or () for those of the wiring itself."""

SMALL = 64
"""Up to so many experts, delivery is dense (save for top-k)."""

THIN = 32
"""Delivery is sparse if there are so many times more experts than entries in a list: there it is faster."""


class Wiring(torch.nn.Module):
    """Who can hear whom in one agent, and what travels there. It has no weights.

    Args:
        topology: see `badger_envs.topology`.
        experts: E.

    Attributes:
        per_trial: whether links are drawn anew in each trial.
        k: how many of their candidates experts hear; None: all that they can.

    Raises:
        ValueError, TypeError: no topology.
    """

    edges: Tensor | None
    index: Tensor | None
    mask: Tensor | None

    def __init__(self, topology: Topology, experts: int) -> None:
        super().__init__()
        check_integer("experts", experts, low=1)
        self.topology, self.experts = topology, experts
        named = parse(topology)
        self.per_trial = named is not None and named.per_trial
        self.k = None if named is None else named.k
        edges = lists = None
        if not is_sparse(topology):
            edges = torch.from_numpy(adjacency(topology, experts))  # (E, E)
        elif not self.per_trial:
            lists = Neighbours(*map(torch.from_numpy, neighbours(topology, experts)))  # (E, c)
            if not self._thin(lists):
                edges, lists = as_edges(lists), None  # (E, E)
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("index", None if lists is None else lists.index, persistent=False)
        self.register_buffer("mask", None if lists is None else lists.mask, persistent=False)

    def draw(self, keys: Int[Tensor, "B 4"]) -> Links:
        """The links of these trials, for the agent's state; () if they are not drawn per trial."""
        if not self.per_trial:
            return ()
        lists = neighbours(self.topology, self.experts, keys)  # (B, E, c)
        return lists if self._thin(lists) else as_edges(lists)

    def links(self, drawn: Links = ()) -> Tensor | Neighbours:
        """Links as they are used: those drawn, or else the wiring's own."""
        if isinstance(drawn, Tensor | Neighbours):
            return drawn
        if self.edges is not None:
            return self.edges
        if self.index is None or self.mask is None:
            raise ValueError(f"topology {self.topology!r} is drawn anew in each trial; give what `draw` gave")
        return Neighbours(self.index, self.mask)

    def deliver(
        self, emission: Emission, drawn: Links = ()
    ) -> tuple[Float[Tensor, "B E M"], Float[Tensor, "B E c"]]:
        """Messages as they arrive, and the attention paid: [B, E, E], or [B, E, c] over lists."""
        links = self.links(drawn)
        if isinstance(links, Tensor):
            return deliver(emission, links)
        return deliver_sparsely(emission, links, self.k)

    def echo(self, attention: Float[Tensor, "B E c"], drawn: Links = ()) -> Float[Tensor, "B E 1"]:
        """Attention that each expert gets, as a mean over those who can hear it: from 0 to 1."""
        links = self.links(drawn)
        return echo(attention, links) if isinstance(links, Tensor) else echo_sparsely(attention, links)

    def record(self, attention: Float[Tensor, "B E c"], drawn: Links = ()) -> dict[str, Tensor]:
        """What to record: "attention" [B, E, E], or where it is over lists [B, E, c] beside "senders".

        Senders, int64 [B, E, c], say to whom it is given;
        `badger_agents.badger.channel.sparse.as_matrix` makes the matrix of the two.
        """
        links = self.links(drawn)
        if isinstance(links, Tensor):
            return {"attention": attention}
        return {"attention": attention, "senders": links.index.expand(attention.shape)}

    def _thin(self, lists: Neighbours) -> bool:
        """Whether delivery over these lists [..., E, c] is to be sparse."""
        if self.k is not None:
            return True
        return self.experts > SMALL and self.experts >= THIN * lists.index.shape[-1]
