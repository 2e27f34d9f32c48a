"""Topologies: what the named ones say, and what matrices are taken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badger_envs.topology import BUILDERS, adjacency

SIZES = st.integers(1, 20)


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


@pytest.mark.parametrize("name", BUILDERS)
@given(experts=SIZES)
def test_every_builder_gives_fresh_booleans(name: str, experts: int) -> None:
    edges = adjacency(name, experts)
    assert edges.dtype == bool
    assert edges.shape == (experts, experts)
    expected = edges.copy()
    edges[:] = ~edges
    np.testing.assert_array_equal(adjacency(name, experts), expected)


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
