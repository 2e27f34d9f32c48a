"""Neighbour lists that are drawn: their distributions, backends and memory."""

import math
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from badger_envs import keyed_random
from badger_envs.neighbours import Neighbours, candidates, random_edges, small_world
from badger_envs.topology import neighbours

DRAWN = ["random:degree=3,seed=trial", "small-world:rewired=0.5,seed=trial", "top-k:candidates=5,k=2"]


def edges_of(lists: Neighbours) -> np.ndarray:
    """Lists [B, E, c] as bool [B, E, E]."""
    batch, experts, _ = lists.index.shape
    edges = np.zeros((batch, experts, experts), dtype=bool)
    trial, hearer, slot = np.nonzero(lists.mask)
    assert not edges[trial, hearer, lists.index[trial, hearer, slot]].any()
    edges[trial, hearer, lists.index[trial, hearer, slot]] = True
    assert edges.sum() == lists.mask.sum(), "someone is heard twice"
    return edges


@pytest.mark.parametrize("topology", DRAWN)
@given(experts=st.integers(1, 30), seed=st.integers(0, 99))
def test_rows_are_drawn_by_their_own_keys_alike_on_all_backends(
    topology: str, experts: int, seed: int
) -> None:
    keys = keyed_random.outer_keys(seed, 0, 4)
    index, mask = neighbours(topology, experts, keys)
    assert index.shape == mask.shape == (4, experts, index.shape[-1])
    edges = edges_of(Neighbours(index, mask))
    assert not edges[:, range(experts), range(experts)].any()
    own = np.broadcast_to(np.arange(experts)[:, None], index.shape)
    np.testing.assert_array_equal(index[~mask], own[~mask])
    same = neighbours(topology, experts, torch.from_numpy(keys))
    np.testing.assert_array_equal(same.index.numpy(), index)
    np.testing.assert_array_equal(same.mask.numpy(), mask)
    alone = neighbours(topology, experts, keys[2:3])
    np.testing.assert_array_equal(alone.index[0], index[2])
    if experts > 12:
        assert (edges[0] != edges[1]).any()


@pytest.mark.parametrize(("experts", "degree"), [(9, 2.0), (5, 3.9), (6, 0.5)])
def test_random_edges_are_independent_and_as_many_as_asked_for(experts: int, degree: float) -> None:
    trials = 4000
    edges = edges_of(random_edges(experts, keyed_random.outer_keys(0, 0, trials), degree))
    p = degree / (experts - 1)
    shares = edges.mean(0)[~np.eye(experts, dtype=bool)]
    assert np.abs(shares - p).max() < 4.5 * math.sqrt(p * (1 - p) / trials)
    off = edges[:, ~np.eye(experts, dtype=bool)]
    together = np.corrcoef(off.T)[~np.eye(off.shape[1], dtype=bool)]
    assert np.abs(together).max() < 5 / math.sqrt(trials)
    degrees = edges.sum(-1)  # binomial: also their variance is
    expected = (experts - 1) * p * (1 - p)
    assert abs(degrees.var() - expected) < 5 * expected * math.sqrt(2 / trials)


@pytest.mark.parametrize("degree", [4, 5, 100.5])
def test_random_edges_to_all_others_where_there_are_not_more(degree: float) -> None:
    assert edges_of(random_edges(5, keyed_random.outer_keys(0, 0, 2), degree)).sum((1, 2)).tolist() == [
        20,
        20,
    ]


def test_mean_degree_of_many_experts() -> None:
    mask = random_edges(20_000, keyed_random.outer_keys(0, 0, 1), 8.0).mask
    assert abs(mask.sum(-1).mean() - 8) < 5 * math.sqrt(8 / 20_000)


@given(st.integers(1, 40), st.sampled_from([4, 6]), st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 99))
def test_small_world_keeps_the_circle_and_rewires_the_rest(
    experts: int, near: int, rewired: float, seed: int
) -> None:
    edges = edges_of(small_world(experts, keyed_random.outer_keys(seed, 0, 2), near, rewired))
    own = np.arange(experts)
    steps = (own - own[:, None]) % experts
    away = np.minimum(steps, experts - steps)  # along the circle
    assert edges[:, away == 1].all()  # so that all reach all
    if rewired == 0:
        np.testing.assert_array_equal(edges[0], (away >= 1) & (away <= near // 2))
    assert (edges.sum(-1) <= near).all()


def test_as_many_links_are_rewired_as_asked_for() -> None:
    edges = edges_of(small_world(200, keyed_random.outer_keys(0, 0, 40), 6, 0.25))
    steps = (np.arange(200) - np.arange(200)[:, None]) % 200
    kept = edges[:, np.isin(np.minimum(steps, 200 - steps), (2, 3))].mean()
    chance = 0.75 + 0.25 * 4 / 199  # that a link is kept, or found again
    assert abs(kept - chance) < 5 * math.sqrt(0.75 * 0.25 / (40 * 200 * 4)) + 0.002


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 99))
def test_candidates_are_so_many_different_others(experts: int, count: int, seed: int) -> None:
    lists = candidates(experts, keyed_random.outer_keys(seed, 0, 3), count)
    assert lists.mask.all()
    assert (edges_of(lists).sum(-1) == min(count, experts - 1)).all()


def test_every_set_of_candidates_is_as_likely() -> None:
    keys = keyed_random.outer_keys(0, 0, 6000)
    edges = edges_of(candidates(6, keys, 2))[:, 1]  # whom expert 1 can hear: 10 pairs
    pairs, counts = np.unique(edges, axis=0, return_counts=True)
    assert len(pairs) == 10
    assert ((counts - 600) ** 2 / 600).sum() < 30  # chi-squared, 9 degrees of freedom: p < 0.0005


@pytest.mark.parametrize(
    "topology",
    ["ring", "chain", "grid", "tree", "clusters", "random", "small-world", "top-k:seed=0", "none", "self"],
)
def test_lists_of_many_experts_take_no_square_of_memory(topology: str) -> None:
    experts = 10_000
    tracemalloc.start()
    lists = neighbours(topology, experts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lists.index.shape[1] <= (102 if topology == "clusters" else 20)
    assert peak < experts**2 / 2  # bytes: half of a matrix of booleans
