"""Relatives of Badger: a gate that is shut says nothing, weights of one's own, sets without memory."""

from typing import Any

import pytest
import torch

from badger_agents.badger.policies.averaging import AveragingPolicy
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.badger.policies.gru import GRUPolicy
from badger_agents.recipe.loading import load_recipe
from badger_agents.rollout import rollout
from badger_agents.whitebox import equivariance
from baselines.related.policies import GatedPolicy, IndependentAveragingPolicy, IndependentPolicy, SetPolicy
from tests.badger_agents.small import keys, one_round, random_agent, shake, small_family

RECIPES = (
    "guessing-commnet",
    "guessing-ic3net",
    "guessing-independent",
    "guessing-deep-sets",
    "guessing-no-communication",
    "guessing-self-loop",
    "guessing-lstm",
    "guessing-transformer",
)
GATED, SETS = "baselines.related.policies:GatedPolicy", "baselines.related.policies:SetPolicy"
INDEPENDENT = "baselines.related.policies:IndependentPolicy"


@pytest.mark.parametrize("name", RECIPES)
def test_every_weight_gets_a_gradient_and_a_few_steps_help(name: str) -> None:
    recipe = load_recipe(name)
    family, agent, names = recipe.family(horizon=4), recipe.make_agent(), keys(8)
    assert isinstance(agent, torch.nn.Module)
    start = float(rollout(agent, family, names).loss.mean().detach())
    shake(agent, 0.3)
    rollout(agent, family, names).loss.mean().backward()
    flowing = {
        key: weight.grad is not None and bool(weight.grad.any()) for key, weight in agent.named_parameters()
    }
    silent = {"guessing-no-communication", "guessing-self-loop"}  # nobody's keys matter there
    assert all(flowing.values()) or name in silent, flowing
    agent = recipe.make_agent()
    assert isinstance(agent, torch.nn.Module)
    optimiser = torch.optim.Adam(agent.parameters(), lr=8e-3)
    for _ in range(12):
        optimiser.zero_grad()
        rollout(agent, family, names).loss.mean().backward()
        optimiser.step()
    assert float(rollout(agent, family, names).loss.mean().detach()) < 0.97 * start


def test_commnet_hears_the_mean_of_the_others() -> None:
    family, agent = load_recipe("guessing-commnet").family(), load_recipe("guessing-commnet").make_agent()
    shake(agent)  # type: ignore[arg-type]
    trace = rollout(agent, family, keys(4), record=True).trace
    said = trace["messages"][0]  # (B, E, M)
    mean = (said.sum(dim=1, keepdim=True) - said) / 2  # (B, E, M)
    torch.testing.assert_close(trace["inbox"][0], mean)


def gated(score: float, **settings: Any) -> tuple[GatedPolicy, Emission]:
    torch.manual_seed(0)
    policy = GatedPolicy(4, hidden_size=6, message_size=3, **settings)
    if policy.talk is not None:
        with torch.no_grad():
            policy.talk.weight.zero_()
            policy.talk.bias.fill_(score)
    torch.manual_seed(1)
    sent = policy.emit(torch.randn(2, 5, 6), torch.randn(2, 5, 4))
    return policy, sent


def test_a_gate_is_open_or_shut_and_always_has_a_gradient() -> None:
    _, always = gated(0.0, always_talk=True)
    opened, loud = gated(2.0)
    shut, silent = gated(-2.0)
    assert torch.equal(loud.value, always.value)
    assert not silent.value.any()
    for policy, sent in ((opened, loud), (shut, silent)):
        assert policy.talk is not None
        (slope,) = torch.autograd.grad(sent.value.sum(), (policy.talk.bias,))
        torch.testing.assert_close(slope, (0.1049936 * always.value.sum())[None])  # s(2) * (1 - s(2))


def test_gates_differ_from_expert_to_expert() -> None:
    family = small_family()
    agent = random_agent(family, policy={"kind": GATED, "hidden_size": 6, "message_size": 3}, experts=5)
    spoken = rollout(agent, family, keys(20), record=True).trace["messages"].any(dim=-1)
    assert spoken.any()
    assert not spoken.all()
    assert equivariance(agent, family, keys(4)) < 1e-9


def test_independent_experts_are_gru_policies_side_by_side() -> None:
    torch.manual_seed(0)
    policy = IndependentPolicy(4, places=3, hidden_size=6, message_size=3, key_size=2)
    state, inbox, reading = torch.randn(2, 3, 6), torch.randn(2, 3, 3), torch.randn(2, 3, 4)
    after, sent, writing = one_round(policy, state, inbox, reading)
    for place in range(3):
        alone = GRUPolicy(4, hidden_size=6, message_size=3, key_size=2)
        parts = {"read": "cell.{}_ih", "recall": "cell.{}_hh", "say": "say.{}", "write": "write.{}"}
        alone.load_state_dict(
            {
                parts[name.partition(".")[0]].format(name.partition(".")[2]): weight[place]
                for name, weight in policy.state_dict().items()
            }
        )
        one = slice(place, place + 1)
        expected, said, written = one_round(alone, *(part[:, one] for part in (state, inbox, reading)))
        torch.testing.assert_close(after[:, one], expected)
        torch.testing.assert_close(writing[:, one], written)
        for part, whole in zip(said, sent, strict=True):
            torch.testing.assert_close(whole[:, one], part)


def test_independent_averaging_experts_are_averaging_policies_side_by_side() -> None:
    torch.manual_seed(0)
    sizes = {"heads": 3, "hidden_size": 5, "message_size": 2, "key_size": 2}
    policy = IndependentAveragingPolicy(4, places=3, **sizes)
    shake(policy, 0.3)
    state, inbox, reading = torch.rand(2, 3, 6), torch.randn(2, 3, 2), torch.randn(2, 3, 4)
    after, sent, writing = one_round(policy, state, inbox, reading)
    assert writing.std() > 0
    for place in range(3):
        alone = AveragingPolicy(4, **sizes)
        alone.load_state_dict({name: weight[place] for name, weight in policy.state_dict().items()})
        one = slice(place, place + 1)
        expected, said, written = one_round(alone, *(part[:, one] for part in (state, inbox, reading)))
        torch.testing.assert_close(after[:, one], expected)
        torch.testing.assert_close(writing[:, one], written)
        for part, whole in zip(said, sent, strict=True):
            torch.testing.assert_close(whole[:, one], part)
    with pytest.raises(ValueError, match="3 experts have weights of their own, and there are 2"):
        policy.initial_state(torch.zeros(1, 2, 1))


def test_independent_experts_are_not_exchangeable_and_their_number_is_fixed() -> None:
    family, names = small_family(), keys(4)
    settings = {"places": 3, "hidden_size": 6, "message_size": 3}
    agent = random_agent(family, policy={"kind": INDEPENDENT, **settings})
    assert equivariance(agent, family, names) > 1e-3
    more = random_agent(family, policy={"kind": INDEPENDENT, **settings}, experts=4)
    with pytest.raises(ValueError, match="3 experts have weights of their own, and there are 4"):
        rollout(more, family, names)


def test_a_set_network_remembers_nothing() -> None:
    """What it writes follows from what it reads now: two worlds that look alike now are answered alike."""
    torch.manual_seed(0)
    family, names = small_family(), keys(4)
    settings = {"hidden_size": 6, "message_size": 3}
    agent = random_agent(family, policy={"kind": SETS, **settings}, rounds=2)
    assert equivariance(agent, family, names) < 1e-9
    lived = rollout(agent, family, names, record=True).trace
    now = lived["readings"][2]  # (B, E, R)
    policy = agent.policy
    assert isinstance(policy, SetPolicy)
    code = policy.code(now)  # (B, E, M)
    heard = (code.sum(dim=1, keepdim=True) - code) / 2
    _, written = policy.update(now[..., :0], heard, now)
    torch.testing.assert_close(lived["writing"][2], written)


def test_bad_settings_say_what_would_do() -> None:
    with pytest.raises(ValueError, match=r"policy.places\n.*greater than or equal to 1"):
        random_agent(small_family(), policy={"kind": INDEPENDENT, "places": 0})
