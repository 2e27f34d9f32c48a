"""Causal influence and equivariance of living agents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badger_agents.whitebox import Delay, Intervened, Remove, Silence, equivariance, influence, record_trace
from badger_envs.families.xor import XOR
from tests.badger_agents.small import HORIZON, keys, random_agent, small_family
from tests.badger_agents.whitebox.handmade import FACTOR, Parrot, Seated, made_of


@settings(max_examples=10)
@given(
    st.integers(2, 4).flatmap(
        lambda e: st.lists(st.lists(st.integers(0, 1), min_size=e, max_size=e), min_size=e, max_size=e)
    )
)
def test_the_deaf_are_not_influenced_at_all_and_the_others_are(matrix: list[list[int]]) -> None:
    family = small_family(dims=2)
    agent = random_agent(family, experts=len(matrix), topology=tuple(map(tuple, matrix)))
    found = influence(agent, family, keys(4)).mean(0)
    np.testing.assert_array_equal(found > 0, np.array(matrix, bool))
    assert (found[~np.array(matrix, bool)] == 0).all()  # exactly


def test_what_follows_from_one_message_has_the_known_influence() -> None:
    family = small_family(dims=2)
    agent = made_of(Parrot, family, experts=2)  # writes a quarter of the other's message
    names = keys(2)  # each trial is the other's counterfactual
    said = record_trace(agent, family, names).tensors["messages"][0, :, :, 0].numpy()  # [B, E]
    difference = (FACTOR * (said[0] - said[1])) ** 2  # [E], by speaker
    expected = np.array([[0, difference[1]], [difference[0], 0]])
    np.testing.assert_allclose(influence(agent, family, names), [expected, expected])
    many = influence(agent, family, keys(4000), counterfactuals=2).mean(0)
    assert many[0, 1] == pytest.approx(2 * FACTOR**2, rel=0.1)  # 2 a^2 Var(m), Var(m) = 1


def test_one_of_several_neighbours_has_its_share() -> None:
    family = small_family()
    pair, three = (made_of(Parrot, small_family(dims=n), experts=n) for n in (2, 3))
    alone = influence(pair, small_family(dims=2), keys(2000)).mean(0)[0, 1]
    shared = influence(three, family, keys(2000)).mean(0)[0, 1]
    assert shared / alone == pytest.approx(1 / 4, rel=0.2)  # half the weight, squared


def test_influence_under_interventions() -> None:
    family = small_family()
    agent = random_agent(family)
    assert (influence(Intervened(agent, Silence()), family, keys(5)) == 0).all()
    removed = influence(Intervened(agent, Remove(1)), family, keys(5))
    assert (removed[:, :, 1] == 0).all()
    assert (removed[:, 2, 0] > 0).all()
    late = influence(Intervened(made_of(Parrot, family), Delay()), family, keys(5))
    prompt = influence(made_of(Parrot, family), family, keys(5))
    np.testing.assert_allclose(late, prompt * (HORIZON - 1) / HORIZON)  # of what arrives, a step less


def test_influence_counts_every_round_of_a_step() -> None:
    """Parity: each bit flips every writing from -1 to 1 or back, and half of the others' bits differ."""
    xor = XOR(bits=3, horizon=3, dtype="float64")
    settings = {
        "membrane": "attentional",
        "policy": {"kind": "badger_agents.badger.policies.handcrafted:ParityPolicy"},
    }
    agent = random_agent(xor, experts=3, rounds=2, writing="absolute", **settings)
    found = influence(agent, xor, keys(1000)).mean(0)
    np.testing.assert_allclose(found, 2 * (1 - np.eye(3)), atol=0.3)


def test_some_of_the_speakers() -> None:
    family = small_family()
    agent = random_agent(family)
    some = influence(agent, family, keys(5), speakers=2)
    np.testing.assert_array_equal(some, influence(agent, family, keys(5))[:, :, :2])
    with pytest.raises(ValueError, match="1 counterfactuals need more trials than 1"):
        influence(agent, family, keys(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"experts": 4, "topology": "ring", "feedback_to": "one", "rounds": 2},
        {"experts": 5, "membrane": "attentional", "received_attention": True, "identities": "random"},
        {"experts": 4, "identities": "learned"},
    ],
)
def test_experts_are_exchangeable(changes: dict) -> None:
    family = small_family(horizon=6)
    assert equivariance(random_agent(family, **changes), family, keys(5)) < 1e-12


def test_a_policy_that_knows_its_place_is_found_out() -> None:
    family = small_family()
    assert equivariance(made_of(Seated, family), family, keys(5)) > 0.1
    assert equivariance(made_of(Parrot, family), family, keys(5)) < 1e-12
