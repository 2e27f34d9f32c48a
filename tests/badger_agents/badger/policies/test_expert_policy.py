"""What an expert policy must be, and what is said of one that is not."""

import pytest
import torch

from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy
from badger_agents.rollout import rollout
from tests.badger_agents.small import keys, random_agent, small_family


def test_what_a_subclass_leaves_out_is_named() -> None:
    class Half(ExpertPolicy):
        message_size = 1

    assert Half().initial_state(torch.ones(1, 1, 2)).tolist() == [[[1.0, 1.0]]]  # the draws
    with pytest.raises(NotImplementedError, match="Half does not define emit"):
        Half().emit(None, torch.zeros(1, 1, 1))
    with pytest.raises(NotImplementedError, match="Half does not define update"):
        Half().update(None, torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))


def test_keys_that_a_policy_did_not_announce_are_refused() -> None:
    family = small_family()
    agent = random_agent(family)
    agent.policy.key_size = 5
    with pytest.raises(ValueError, match="key_size = 5 wide: set key_size"):
        rollout(agent, family, keys(2))


def test_messages_of_another_width_than_announced_are_refused() -> None:
    agent = random_agent(small_family())
    agent.policy.message_size = 5
    with pytest.raises(ValueError, match=r"messages have shape \(2, 3, 3\); .* message_size, 5"):
        rollout(agent, small_family(), keys(2))


def test_messages_without_keys_have_keys_of_no_width() -> None:
    emission = Emission.alike(torch.ones(2, 3, 4))
    assert [part.shape for part in emission] == [(2, 3, 4), (2, 3, 0), (2, 3, 0)]
