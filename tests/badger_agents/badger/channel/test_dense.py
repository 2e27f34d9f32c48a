"""Delivery over a matrix: attention over a topology, and what arrives."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from badger_agents.badger.channel.dense import attention, deliver
from badger_agents.badger.policies.expert_policy import Emission
from badger_envs.topology import adjacency


def draw(*shape: int, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return scale * torch.randn(shape, generator=generator, dtype=torch.float64)


MATRICES = st.integers(1, 6).flatmap(
    lambda e: st.lists(st.lists(st.booleans(), min_size=e, max_size=e), min_size=e, max_size=e)
)


def attend(scores: Tensor, edges: Tensor) -> Tensor:
    """Attention of queries and keys that have these scores [B, E, E]."""
    experts = scores.shape[-1]
    keys = torch.eye(experts, dtype=scores.dtype).expand_as(scores)
    return attention(scores * math.sqrt(experts), keys, edges)


@given(MATRICES, st.sampled_from([0.0, 1.0, 1e3, 1e30]))
def test_rows_of_attention_sum_to_one_or_to_nothing(rows: list[list[bool]], scale: float) -> None:
    edges = torch.tensor(rows)
    weights = attend(draw(2, *edges.shape, scale=scale), edges)
    expected = edges.any(-1).double().expand(2, -1)
    torch.testing.assert_close(weights.sum(-1), expected)
    assert (weights[:, ~edges] == 0).all()
    assert (weights >= 0).all()


@given(MATRICES)
def test_gradients_are_finite_and_none_flows_along_a_missing_edge(rows: list[list[bool]]) -> None:
    edges = torch.tensor(rows)
    scores = draw(2, *edges.shape).requires_grad_()
    weights = draw(2, *edges.shape, scale=3.0)
    (attend(scores, edges) * weights).sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert (scores.grad[:, ~edges] == 0).all()


def test_where_all_hear_all_it_is_a_softmax() -> None:
    scores = draw(3, 4, 4)
    torch.testing.assert_close(attend(scores, torch.ones(4, 4, dtype=torch.bool)), scores.softmax(-1))


def test_float32_scores_of_any_size_give_no_nan_and_cross_no_missing_edge() -> None:
    scores = torch.tensor([[[2e38, -2e38, 0.0], [2e38, -2e38, 2e38], [-2e38, -2e38, -2e38]]])
    edges = torch.tensor([[True, True, True], [False, True, False], [False, False, False]])
    weights = attend(scores / 2, edges)  # the queries are greater
    torch.testing.assert_close(weights, torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]))


def test_attention_follows_the_scaled_dot_product() -> None:
    query, key = draw(2, 3, 4), draw(2, 3, 4) + 1
    edges = torch.from_numpy(adjacency("all", 3))
    weights = attention(query, key, edges).numpy()
    for row in range(2):
        for hearer in range(3):
            scores = np.array([float(query[row, hearer] @ key[row, j]) / 2 for j in range(3) if j != hearer])
            expected = np.exp(scores) / np.exp(scores).sum()
            np.testing.assert_allclose(np.delete(weights[row, hearer], hearer), expected)


@pytest.mark.parametrize("topology", ["all", "none", "self", "ring"])
@pytest.mark.parametrize("experts", [1, 2, 5])
def test_without_keys_everyone_hears_the_mean_of_its_neighbours(topology: str, experts: int) -> None:
    edges = adjacency(topology, experts)
    value = draw(2, experts, 3)
    for emission in (Emission.alike(value), Emission(value, value, value[..., :0])):
        inbox, weights = deliver(emission, torch.from_numpy(edges))
        for hearer in range(experts):
            heard = value[:, edges[hearer]]
            expected = heard.mean(1) if edges[hearer].any() else torch.zeros(2, 3, dtype=torch.float64)
            torch.testing.assert_close(inbox[:, hearer], expected, rtol=1e-14, atol=1e-14)
        assert weights.shape == (2, experts, experts)


def test_gradients_through_a_channel_without_neighbours_are_zero_and_finite() -> None:
    value, key, query = (draw(2, 3, 4).requires_grad_() for _ in range(3))
    inbox, _ = deliver(Emission(value, key, query), torch.zeros(3, 3, dtype=torch.bool))
    assert (inbox == 0).all()
    inbox.sum().backward()
    for tensor in (value, key, query):
        assert tensor.grad is not None
        assert (tensor.grad == 0).all()


def test_an_expert_hears_only_itself_over_a_self_loop() -> None:
    value, key, query = draw(2, 3, 4), draw(2, 3, 2), draw(2, 3, 2)
    inbox, weights = deliver(Emission(value, key, query), torch.eye(3, dtype=torch.bool))
    torch.testing.assert_close(inbox, value, rtol=0, atol=0)
    torch.testing.assert_close(weights, torch.eye(3, dtype=torch.float64).expand(2, -1, -1), rtol=0, atol=0)
