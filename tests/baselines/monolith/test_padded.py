"""Tests of the padded monolith: what a family lacks is not in use; in its own family nothing is padded."""

import pytest
import torch

from badger_agents.rollout import rollout
from badger_envs import family_of, keyed_random
from badger_envs.family import Family
from baselines.monolith.monolith import Monolith, MonolithSettings
from baselines.monolith.padded import PaddedMonolith

KEYS = keyed_random.outer_keys(0, 0, 5, like=torch.zeros(()))


def agents(family: Family, **kind: object) -> tuple[Monolith, PaddedMonolith]:
    """Both with the same random weights."""
    plain, wide = (
        made(family, MonolithSettings(hidden_size=5), **kind) for made in (Monolith, PaddedMonolith)
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for one, other in zip(plain.parameters(), wide.parameters(), strict=True):
            one.copy_(torch.randn(one.shape, generator=generator))
            other.copy_(one)
    return plain, wide


def test_in_its_own_family_it_is_a_monolith() -> None:
    family = family_of("Badger/VariableIO-v0", horizon=4, support=2)
    plain, wide = (rollout(agent, family, KEYS) for agent in agents(family))
    assert torch.equal(plain.loss, wide.loss)


@pytest.mark.parametrize("id", ["Badger/XOR-3-v0", "Badger/Bandit-k5-n10-v0", "Badger/GuessingGame-d3-v0"])
def test_one_network_acts_in_narrower_families(id: str) -> None:
    family = family_of(id)
    _, wide = agents(family_of("Badger/VariableIO-v0"), action_kind=family.action_kind)
    assert torch.isfinite(rollout(wide, family, KEYS).loss).all()


def test_wider_families_are_refused() -> None:
    _, wide = agents(family_of("Badger/GuessingGame-v0"))
    with pytest.raises(ValueError, match="outputs = 3, not 6"):
        wide.initial_state(family_of("Badger/GuessingGame-d6-v0"), KEYS)
