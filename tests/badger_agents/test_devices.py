"""Agents of all recipes are where they are asked to be, whatever torch's default device is.

torch's "meta" device stands for a GPU: it has shapes and no values.
"""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from badger_agents.agent import LearnedAgent
from badger_agents.recipe.loading import load_recipe, recipe_files
from badger_agents.rollout import make_task_batch, rollout_segment, start
from badger_envs import keyed_random
from baselines.optimisers.library import LibraryOptimiser

NAMES = list(recipe_files())


@pytest.fixture
def _elsewhere() -> Iterator[None]:
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


def devices(name: str, device: str) -> set[str]:
    """Where everything is after two steps of a recipe's agent."""
    recipe = load_recipe(name)
    agent, family = recipe.make_agent(0), recipe.family()
    keys = keyed_random.outer_keys(0, 0, 2, like=torch.zeros((), device="cpu")).to(device)
    if isinstance(agent, LearnedAgent):
        agent.to(device)
    batch = make_task_batch(family, keys)
    segment, carry = rollout_segment(agent, batch, start(agent, batch), min(2, family.horizon))
    tensors = [segment.loss, segment.reward, *tree_leaves((carry.agent_state, carry.env_state))]
    return {tensor.device.type for tensor in tensors if isinstance(tensor, Tensor)}


@pytest.mark.parametrize("name", NAMES)
def test_the_agent_of_every_recipe_is_where_its_trials_are(name: str) -> None:
    if isinstance(load_recipe(name).make_agent(0), LibraryOptimiser):
        pytest.skip("a library's optimiser plans on the host; its actions go back to where the trials are")
    assert devices(name, "meta") == {"meta"}


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize("name", NAMES)
def test_no_agent_asks_for_torch_s_default_device(name: str) -> None:
    assert devices(name, "cpu") == {"cpu"}
