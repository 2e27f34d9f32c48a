"""Several policies in one agent: each expert runs its own, and all talk with each other."""

from typing import Any

import pytest
import torch

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growth import Change, grow
from badger_agents.rollout import rollout
from badger_agents.whitebox import equivariance
from badger_envs.families.xor import XOR
from tests.badger_agents.small import badger_settings, keys, random_agent, shake, small_family

GRU = {"kind": "gru", "hidden_size": 5, "message_size": 3}
LARGE = {"kind": "gru", "hidden_size": 7, "message_size": 3}
MIXED = "badger_agents.badger.policies.mixed:MixedPolicy"


def mixed(*policies: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": MIXED, "policies": policies, **more}


def test_one_policy_alone_is_that_policy() -> None:
    family, names = small_family(), keys(4)
    plain = random_agent(family, policy=GRU)
    alone = random_agent(family, policy=mixed(GRU))
    state = {f"policy.policies.0.{name.removeprefix('policy.')}": w for name, w in plain.state_dict().items()}
    alone.load_state_dict(state)
    assert torch.equal(rollout(alone, family, names).loss, rollout(plain, family, names).loss)


def test_every_expert_runs_its_own_policy() -> None:
    family, names = small_family(), keys(4)
    agent = random_agent(family, policy=mixed(GRU, LARGE, pattern=(0, 1, 1)), topology="none")
    before = rollout(agent, family, names, record=True).trace["writing"]
    with torch.no_grad():
        for weight in agent.policy.policies[1].parameters():
            weight.add_(1.0)
    after = rollout(agent, family, names, record=True).trace["writing"]
    assert torch.equal(after[0, :, 0], before[0, :, 0])
    assert not torch.isclose(after[0, :, 1:], before[0, :, 1:]).any()


def test_experts_of_two_kinds_are_exchangeable_with_their_kind() -> None:
    family = small_family()
    agent = random_agent(family, policy=mixed(GRU, LARGE, pattern=(0, 1, 1)), experts=5)
    assert equivariance(agent, family, keys(4)) < 1e-9


def test_a_clone_has_its_originals_policy_and_a_new_expert_that_of_its_place() -> None:
    family, names = small_family(), keys(4)
    agent = random_agent(family, policy=mixed(GRU, LARGE), experts=4)
    _, state = grow(agent, agent.initial_state(family, names), names, Change(clone=[1], add=1), 0)
    assert state.experts[0][0, :, 0].tolist() == [0, 1, 0, 1, 1, 1]


def parity(bits: int, experts: int, policies: list[dict[str, Any]]) -> tuple[XOR, BadgerAgent]:
    family = XOR(bits=bits, dtype="float64")
    settings = {"experts": experts, "rounds": 2, "membrane": "attentional", "writing": "absolute"}
    agent = BadgerAgent(family, badger_settings(**settings, policy=mixed(*policies)))
    return family, agent.to(torch.float64)


HANDCRAFTED = {"kind": "badger_agents.badger.policies.handcrafted:ParityPolicy"}


def test_handcrafted_experts_understand_each_other_across_policies() -> None:
    family, agent = parity(5, 5, [HANDCRAFTED, HANDCRAFTED])
    assert rollout(agent, family, keys(50)).info["accuracy"].min() == 1.0


def test_a_learned_policy_gets_gradients_through_handcrafted_ones() -> None:
    learner = {**GRU, "message_size": 1, "key_size": 1}
    family, agent = parity(3, 4, [HANDCRAFTED, learner])
    shake(agent)
    loss = rollout(agent, family, keys(20)).loss[-1].mean()
    gradients = torch.autograd.grad(loss, tuple(agent.parameters()))
    assert all(float(gradient.abs().max()) > 0 for gradient in gradients)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"policies": ()}, "empty"),
        ({"policies": ({"hidden": 3},)}, "hidden: unknown key"),
        ({"policies": (GRU, LARGE), "pattern": (0, 0)}, "must name each policy"),
        ({"policies": (GRU, {"kind": "gru"})}, "messages of the policies are .* must be alike"),
        ({"policies": (GRU, {**GRU, "key_size": 2})}, "keys of the policies are .* must be alike"),
        ({"policies": ({"halts": True},)}, "cannot be mixed"),
    ],
)
def test_what_cannot_be_mixed(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        random_agent(small_family(), policy={"kind": MIXED, **changes})
