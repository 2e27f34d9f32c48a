"""Delivery over lists of neighbours: the same as over a matrix, and top-k."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from badger_agents.badger.channel import dense, sparse
from badger_agents.badger.channel.sparse import as_edges, as_matrix
from badger_agents.badger.policies.expert_policy import Emission
from badger_envs import keyed_random
from badger_envs.neighbours import Neighbours
from badger_envs.topology import neighbours

TOPOLOGIES = [
    "none", "self", "ring", "grid", "tree", "clusters", "random", "small-world:rewired=0.5",
    "random:degree=2,seed=trial", "small-world:seed=trial", "top-k:candidates=5,k=3",
]  # fmt: skip
BATCH = 2


def lists_of(topology: str, experts: int, seed: int = 0) -> Neighbours:
    keys = keyed_random.outer_keys(seed, 0, BATCH, like=torch.zeros(()))
    return Neighbours(*map(torch.as_tensor, neighbours(topology, experts, keys)))


def emissions(experts: int, seed: int = 0, scale: float = 1.0) -> Emission:
    generator = torch.Generator().manual_seed(seed)
    parts = (
        scale * torch.randn(BATCH, experts, size, generator=generator, dtype=torch.float64)
        for size in (3, 4, 4)
    )
    return Emission(*(part.requires_grad_() for part in parts))


def gradients(inbox: Tensor, weights: Tensor, emission: Emission) -> list[Tensor]:
    parts = list(emission)
    loss = (inbox * torch.arange(3.0)).sum() + (weights**2).sum()
    found = torch.autograd.grad(loss, parts, retain_graph=True, allow_unused=True, materialize_grads=True)
    return list(found)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("keyless", [False, True])
@settings(max_examples=15)
@given(experts=st.integers(1, 25), seed=st.integers(0, 99))
def test_it_is_the_dense_delivery(topology: str, keyless: bool, experts: int, seed: int) -> None:
    lists, emission = lists_of(topology, experts, seed), emissions(experts, seed)
    if keyless:
        emission = Emission.alike(emission.value)
    edges = as_edges(lists)
    inbox, weights = sparse.deliver(emission, lists)
    expected, attention = dense.deliver(emission, edges)
    senders = lists.index.expand(weights.shape)
    torch.testing.assert_close(inbox, expected)
    torch.testing.assert_close(as_matrix(weights, senders), attention)
    torch.testing.assert_close(
        sparse.received_attention(weights, lists), dense.received_attention(attention, edges)
    )
    ours = gradients(inbox, as_matrix(weights, senders), emission)
    theirs = gradients(expected, attention, emission)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
@settings(max_examples=20)
@given(experts=st.integers(1, 25), seed=st.integers(0, 99))
def test_the_k_best_candidates_are_heard_and_no_others(k: int, experts: int, seed: int) -> None:
    lists, emission = lists_of("top-k:candidates=9", experts, seed), emissions(experts, seed)
    inbox, weights = sparse.deliver(emission, lists, k)
    edges = as_edges(lists)
    scores = (emission.query @ emission.key.mT).masked_fill(~edges, -torch.inf)  # (B, E, E)
    worst = scores.sort(dim=-1, descending=True).values[..., min(k, experts) - 1, None]
    heard = (scores >= worst) & edges
    expected, attention = dense.deliver(emission, heard)
    torch.testing.assert_close(inbox, expected)
    torch.testing.assert_close(as_matrix(weights, lists.index), attention)
    ours = gradients(inbox, as_matrix(weights, lists.index), emission)
    torch.testing.assert_close(ours, gradients(expected, attention, emission))
    count = min(k, lists.index.shape[-1])
    assert ((weights > 0).sum(-1) == count).all()
    if experts > 1:
        torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, experts, dtype=torch.float64))


@pytest.mark.parametrize("topology", TOPOLOGIES)
@settings(max_examples=10)
@given(order=st.permutations(range(9)), seed=st.integers(0, 99), k=st.sampled_from([None, 2]))
def test_permuting_experts_and_lists_permutes_what_arrives(
    topology: str, order: list[int], seed: int, k: int | None
) -> None:
    lists, emission, place = lists_of(topology, 9, seed), emissions(9, seed), torch.tensor(order)
    inbox, weights = sparse.deliver(emission, lists, k)
    moved = Neighbours(place.argsort()[lists.index[..., place, :]], lists.mask[..., place, :])
    value, key, query = emission
    other = sparse.deliver(Emission(value[:, place], key[:, place], query[:, place]), moved, k)
    torch.testing.assert_close(other, (inbox[:, place], weights[:, place]))
    back = sparse.received_attention(weights, lists)[:, place]
    torch.testing.assert_close(sparse.received_attention(other[1], moved), back)


@pytest.mark.parametrize("k", [None, 1, 2])
def test_experts_without_neighbours_hear_zeros_and_gradients_are_finite(k: int | None) -> None:
    index = torch.tensor([[1, 2, 3], [1, 1, 1], [0, 1, 2], [3, 3, 3]])
    mask = torch.tensor([[1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=torch.bool)
    emission = emissions(4, scale=30.0)
    inbox, weights = sparse.deliver(emission, Neighbours(index, mask), k)
    deaf = ~mask.any(-1)
    assert (inbox[:, deaf] == 0).all()
    assert (weights[:, ~mask] == 0).all()
    torch.testing.assert_close(weights.sum(-1), (~deaf).double().expand(BATCH, -1))
    assert all(part.isfinite().all() for part in gradients(inbox, weights, emission))
    (gradient,) = torch.autograd.grad(
        inbox[:, deaf].sum(), [emission.query]
    )  # nothing flows where nothing is heard
    assert (gradient == 0).all()


def test_float32_scores_of_any_size_give_no_nan() -> None:
    lists = lists_of("grid", 9)
    value, huge = torch.ones(BATCH, 9, 2), torch.full((BATCH, 9, 1), 1e19)
    inbox, weights = sparse.deliver(Emission(value, huge, -huge), lists)
    torch.testing.assert_close(inbox, value)
    assert weights.isfinite().all()


def test_top_k_without_scores_hears_all_candidates_alike() -> None:
    lists, value = lists_of("top-k:candidates=4", 9), emissions(9).value
    _, weights = sparse.deliver(Emission.alike(value), lists, 2)
    torch.testing.assert_close(weights, torch.full((BATCH, 9, 4), 0.25, dtype=torch.float64))


def test_experts_learn_whom_to_choose() -> None:
    """Gradients through the scores of the chosen lead listeners to the one who knows."""
    batch, experts = 16, 9
    generator = torch.Generator().manual_seed(0)
    lists = Neighbours(
        *neighbours("top-k:candidates=8", experts, keyed_random.outer_keys(0, 0, batch, like=torch.zeros(())))
    )
    kind = torch.nn.functional.one_hot(torch.arange(experts) % 3, 3).float()  # 0, 3 and 6 know
    value = (kind[:, :1]).expand(batch, -1, -1)
    to_key, to_query = torch.zeros(3, 2, requires_grad=True), torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.Adam([to_key, to_query], lr=0.2)

    def heard() -> Tensor:
        noise = torch.randn(batch, experts, 2, generator=generator)  # of random states: all are tried
        sent = Emission(value, (kind @ to_key).expand(batch, -1, -1) + 0.1 * noise, to_query + noise)
        return sparse.deliver(sent, lists, 2)[0]

    before = float(heard().mean().detach())
    for _ in range(60):
        optimiser.zero_grad()
        (1 - heard()).square().mean().backward()
        optimiser.step()
    assert before < 0.5
    assert heard().mean() > 0.9
