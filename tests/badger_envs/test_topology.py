"""Topologies: what names and arguments say, and what matrices are taken."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badger_envs import keyed_random
from badger_envs.topology import BUILDERS, TRIAL, Named, adjacency, is_sparse, matrix_of, neighbours, parse

SIZES = st.integers(1, 20)
FIXED = [name for name in BUILDERS if name != "top-k"]


def reach_everyone(edges: np.ndarray) -> bool:
    """Whether what any expert knows comes to all others."""
    reached = np.eye(len(edges), dtype=bool)
    for _ in range(math.ceil(math.log2(len(edges) + 1))):
        hops = reached | edges
        reached = (hops.astype(np.float32) @ hops.astype(np.float32)) > 0
        edges = reached
    return bool(reached.all())


@given(SIZES)
def test_all_is_everyone_but_oneself(experts: int) -> None:
    edges = adjacency("all", experts)
    assert edges.sum() == experts * (experts - 1)
    assert not edges.diagonal().any()


@given(SIZES)
def test_none_and_self(experts: int) -> None:
    assert not adjacency("none", experts).any()
    np.testing.assert_array_equal(adjacency("self", experts), np.eye(experts, dtype=bool))


@pytest.mark.parametrize(("experts", "neighbours"), [(1, 0), (2, 1), (3, 2), (4, 2), (9, 2)])
def test_ring_has_two_neighbours_and_is_connected(experts: int, neighbours: int) -> None:
    edges = adjacency("ring", experts)
    assert (edges.sum(0) == neighbours).all()
    assert (edges == edges.T).all()
    assert not edges.diagonal().any()
    reached = np.linalg.matrix_power(edges.astype(int) + np.eye(experts, dtype=int), experts)
    assert (reached > 0).all()


def test_ring_joins_the_ends() -> None:
    expected = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]
    np.testing.assert_array_equal(adjacency("ring", 4), np.array(expected, dtype=bool))


@given(SIZES)
def test_a_chain_passes_news_on_one_way(experts: int) -> None:
    np.testing.assert_array_equal(adjacency("chain", experts), np.eye(experts, k=-1, dtype=bool))


@pytest.mark.parametrize("name", FIXED)
@given(experts=SIZES)
def test_every_name_gives_fresh_booleans(name: str, experts: int) -> None:
    edges = adjacency(name, experts)
    assert edges.dtype == bool
    assert edges.shape == (experts, experts)
    expected = edges.copy()
    edges[:] = ~edges
    np.testing.assert_array_equal(adjacency(name, experts), expected)


@pytest.mark.parametrize("name", ["ring", "grid", "tree", "clusters"])
@given(experts=st.integers(1, 150))
def test_links_both_ways_lead_everywhere(name: str, experts: int) -> None:
    edges = adjacency(name, experts)
    assert (edges == edges.T).all()
    assert not edges.diagonal().any()
    assert reach_everyone(edges)


@pytest.mark.parametrize("experts", [1, 2, 3, 4, 6, 7, 12, 30])
def test_grid_links_coordinates_at_distance_one(experts: int) -> None:
    row, column = np.divmod(np.arange(experts), math.ceil(math.sqrt(experts)))
    distance = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
    np.testing.assert_array_equal(adjacency("grid", experts), distance == 1)


@given(SIZES)
def test_tree_links_levels_and_nobody_has_more_than_two_children(experts: int) -> None:
    edges = adjacency("tree", experts)
    assert edges.sum() == 2 * (experts - 1)
    assert np.triu(edges).sum(1).max() <= 2
    level = np.floor(np.log2(np.arange(experts) + 1))
    assert (np.abs(level[:, None] - level)[edges] == 1).all()


@given(st.integers(1, 150))
def test_clusters_are_full_and_one_pair_links_each_to_the_next(experts: int) -> None:
    number = round(math.sqrt(experts))
    edges, cluster = adjacency("clusters", experts), np.arange(experts) * number // experts
    sizes = np.bincount(cluster)
    assert len(sizes) == number
    assert sizes.max() - sizes.min() <= 1
    same = cluster[:, None] == cluster
    assert edges[same & ~np.eye(experts, dtype=bool)].all()
    between = np.zeros((number, number), dtype=int)
    np.add.at(between, (cluster[:, None] + 0 * cluster, cluster + 0 * cluster[:, None]), edges & ~same)
    np.testing.assert_array_equal(between, adjacency("ring", number))


@given(st.integers(1, 40))
def test_layers_hear_the_layer_before(experts: int) -> None:
    edges = adjacency("layered", experts)
    hears, heard = edges.any(1), edges.any(0)
    layer = np.where(~hears, 0, np.where(heard, 1, 2))  # input experts hear nobody, nobody hears outputs
    assert (np.diff(layer) >= 0).all()
    if experts >= 3:
        sizes = np.bincount(layer)
        assert len(sizes) == 3
        assert sizes.max() - sizes.min() <= 1
        np.testing.assert_array_equal(edges, layer[:, None] == layer + 1)
    assert edges.sum() == (1 if experts == 2 else (layer[:, None] == layer + 1).sum())


@pytest.mark.parametrize("name", ["random:degree=3", "random:degree=50", "small-world:rewired=1"])
@given(experts=SIZES, seed=st.integers(0, 2**64 - 1))
def test_drawn_links_are_the_same_every_time_and_no_self_links(name: str, experts: int, seed: int) -> None:
    edges = adjacency(f"{name},seed={seed}", experts)
    np.testing.assert_array_equal(adjacency(f"{name},seed={seed}", experts), edges)
    assert not edges.diagonal().any()


@pytest.mark.parametrize("name", ["random", "small-world:rewired=0.5"])
def test_another_seed_is_another_draw(name: str) -> None:
    colon = "," if ":" in name else ":"
    first, second = (adjacency(f"{name}{colon}seed={seed}", 30) for seed in (0, 1))
    assert (first != second).any()
    np.testing.assert_array_equal(adjacency(name, 30), first)


@pytest.mark.parametrize("name", [*FIXED, "top-k:seed=3"])
@given(experts=st.integers(1, 60))
def test_lists_say_what_the_matrix_says_and_are_no_longer(name: str, experts: int) -> None:
    index, mask = neighbours(name, experts)
    assert index.dtype == np.int64
    assert mask.dtype == bool
    longest = int(mask.sum(1).max())
    assert index.shape == mask.shape == (experts, longest)
    assert (index[~mask] == np.nonzero(~mask)[0]).all()  # padding is oneself
    assert (mask == (np.arange(longest) < mask.sum(1)[:, None])).all()  # and comes last
    assert (np.diff(np.where(mask, index, experts + np.arange(longest)), axis=1) > 0).all()  # none twice
    if name in FIXED:
        np.testing.assert_array_equal(matrix_of(neighbours(name, experts)), adjacency(name, experts))


@given(
    st.integers(1, 8).flatmap(
        lambda e: st.lists(st.lists(st.booleans(), min_size=e, max_size=e), min_size=e, max_size=e)
    )
)
def test_lists_of_a_matrix_make_it_again(rows: list[list[bool]]) -> None:
    np.testing.assert_array_equal(matrix_of(neighbours(rows, len(rows))), rows)


def test_what_is_sparse() -> None:
    assert [name for name in BUILDERS if not is_sparse(name)] == ["all", "layered"]
    assert not is_sparse([[0, 1], [1, 0]])


def test_arguments_are_read_and_the_others_are_as_usual() -> None:
    assert parse([[0]]) is None
    assert parse("ring") == Named("ring")
    assert parse("random") == Named("random", {"degree": 4.0}, None, 0)
    assert parse("random:seed=trial,degree=2.5") == Named("random", {"degree": 2.5}, None, TRIAL)
    assert parse("small-world:rewired=1") == Named("small-world", {"neighbours": 4, "rewired": 1.0}, None, 0)
    assert parse("top-k:k=2") == Named("top-k", {"count": 16}, 2, TRIAL)
    assert [bool(named and named.per_trial) for named in map(parse, ("random", "top-k", "all"))] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        ("ring:degree=3", "'degree=3' is no argument of ring; write 'ring'"),
        ("random:", "'' is no argument of random; write 'random:degree=4,seed=0'"),
        ("random:deg=3", "'deg=3' is no argument of random"),
        ("random:4", "'4' is no argument of random"),
        ("random:degree=0", "degree must be a number above 0, as in 'random:degree=4,seed=0'"),
        ("random:degree=nan", "degree must be a number above 0"),
        ("random:degree=inf", "degree must be a number above 0"),
        ("random:degree=many", "degree must be a number above 0"),
        ("random:seed=each", "seed must be a number from 0 to 2..64 - 1, or trial"),
        ("random:seed=-1", "seed must be a number"),
        ("small-world:neighbours=3", "neighbours must be an even number, at least 4"),
        ("small-world:neighbours=2", "neighbours must be an even number, at least 4"),
        ("small-world:rewired=1.1", "rewired must be a number from 0 to 1"),
        ("top-k:k=0", "k must be a whole number, at least 1"),
        ("top-k:k=1.5", "k must be a whole number, at least 1"),
        ("top-k:k=17", "k must not be above candidates, as in 'top-k:k=4,candidates=16,seed=trial'"),
    ],
)
def test_wrong_arguments_are_one_clear_error(topology: str, message: str) -> None:
    for use in (parse, lambda wrong: adjacency(wrong, 5), lambda wrong: neighbours(wrong, 5)):
        with pytest.raises(ValueError, match=message) as caught:
            use(topology)
        assert f"topology is {topology!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        ("random:seed=trial", "drawn anew in each trial"),
        ("small-world:seed=trial", "drawn anew in each trial"),
        ("top-k", "experts choose"),
        ("top-k:seed=0", "experts choose"),
    ],
)
def test_what_has_no_one_matrix_is_refused(topology: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adjacency(topology, 5)


def test_a_draw_per_trial_needs_their_keys() -> None:
    with pytest.raises(ValueError, match="give their keys"):
        neighbours("random:seed=trial", 5)
    assert neighbours("random:seed=trial", 5, keyed_random.outer_keys(0, 0, 3)).index.shape[:2] == (3, 5)


@given(
    st.integers(1, 6).flatmap(
        lambda e: st.lists(st.lists(st.booleans(), min_size=e, max_size=e), min_size=e, max_size=e)
    )
)
def test_a_matrix_passes_as_it_is(rows: list[list[bool]]) -> None:
    matrix = np.array(rows)
    for form in (rows, matrix, matrix.astype(int).tolist(), matrix.astype(np.float32)):
        edges = adjacency(form, len(rows))
        assert edges.dtype == bool
        np.testing.assert_array_equal(edges, matrix)
    assert not np.shares_memory(adjacency(matrix, len(rows)), matrix)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'tours'; it must be one of all, none, self, ring"):
        adjacency("tours", 3)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0, 1], [1, 0]], r"shape \(2, 2\)"),
        (np.ones(3), r"shape \(3,\)"),
        ([[0, 1, 0], [1, 0]], "no matrix"),
        ([[0, 2, 0], [1, 0, 0], [0, 0, 0]], "other values"),
        ([[0, float("nan"), 0], [1, 0, 0], [0, 0, 0]], "other values"),
        ([["0", "1", "0"]] * 3, "other values"),
        (None, r"shape \(\)"),
    ],
)
def test_no_matrix_of_0_and_1(matrix: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        adjacency(matrix, 3)  # type: ignore[arg-type]
    assert "shape (3, 3)" in str(caught.value)


def test_number_of_experts() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        adjacency("all", 0)
    with pytest.raises(TypeError, match="integer"):
        adjacency("all", 2.0)  # type: ignore[arg-type]
