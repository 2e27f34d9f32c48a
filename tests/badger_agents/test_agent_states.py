"""Agents: their kinds of states, and that these can be stored."""

from typing import Any

import pytest
import torch
from torch import Tensor

from badger_agents import tree
from badger_agents.agent import Agent, feedback_and_change, magnified
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growing import Growing
from badger_agents.badger.growth import Change
from badger_agents.recipe.loading import load_recipe, recipe_files
from badger_agents.whitebox import INTERVENTIONS, Intervened, Transplanted
from badger_agents.whitebox.controls import Forgetful
from badger_envs import keyed_random
from badger_envs.family import Family
from baselines.optimisers.triangulation import Triangulation
from tests.badger_agents.small import keys, random_agent, small_family

# Finding classes by name, also in a user's own file, and what any agent must be.


def test_change_of_feedback_is_zero_at_the_first_step() -> None:
    feedback, previous = torch.tensor([[5.0], [5.0]]), torch.tensor([[2.0], [2.0]])
    first = torch.tensor([[0.0], [1.0]])
    assert feedback_and_change(feedback, previous, first).tolist() == [[5.0, 3.0], [5.0, 0.0]]


def test_small_errors_are_magnified_and_0_and_1_stay() -> None:
    values = torch.tensor([0.0, 1.0, -1.0, 1e-3])
    made = magnified(values, 30.0)
    torch.testing.assert_close(made[:3], values[:3])
    assert 7.0 < made[3] / values[3] < 7.5  # 30 / asinh(30) = 7.3
    first = torch.zeros(1, 1)
    heard = feedback_and_change(torch.tensor([[0.5]]), torch.tensor([[0.25]]), first, 30.0)
    torch.testing.assert_close(heard[:, 2:], magnified(heard[:, :2], 30.0))


def test_what_is_an_agent() -> None:
    assert isinstance(random_agent(small_family()), Agent)
    assert isinstance(Triangulation(), Agent)
    assert not isinstance(torch.nn.Linear(1, 1), Agent)


# States of all agents are nested tuples of tensors [B, ...]; a step depends on its arguments alone.


BATCH = 3


def check_state(state: Any, where: str) -> None:
    """Nested tuples of tensors with a leading batch axis, and nothing else."""
    if isinstance(state, tuple):
        for number, part in enumerate(state):
            check_state(part, f"{where}.{number}")
        return
    assert isinstance(state, Tensor), f"{where} is {state!r}"
    assert state.dim() > 0, where
    assert len(state) == BATCH, where


def check_agent(agent: Agent, family: Family) -> None:
    """Two steps; then the first again, of which the state and all else are as they were."""
    names = keys(BATCH)
    own = keyed_random.agent_keys(names)
    task = family.sample_task(names)
    env_state, noise = family.initial_state(task), family.noise(names, 2)
    start = state = agent.initial_state(family, own)
    check_state(start, "state")
    kept, seen, firsts = tree.map(Tensor.clone, start), family.observe(task, env_state), []
    for step in range(2):
        shown = family.observe(task, env_state)
        state, action, record = agent.act(state, shown, own, step)
        check_state(state, f"state after {step + 1} steps")
        env_state = family.step(task, env_state, action, noise[:, step]).state
        firsts.append((state, action, tuple(record.values())))
        if step + 1 == family.horizon:
            break
    assert start == () or same(start, kept), "a step writes into the state that it was given"
    again, action, record = agent.act(start, seen, own, 0)
    assert same((again, action, tuple(record.values())), firsts[0])


def same(one: Any, other: Any) -> bool:
    """Whether two trees are equal, tensor by tensor; NaN equals NaN."""
    found: list[bool] = []

    def compare(a: Tensor, b: Tensor) -> Tensor:
        found.append(a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)))
        return a

    tree.map(compare, one, other)
    return bool(found) and all(found)


@pytest.mark.parametrize("name", sorted(recipe_files()))
def test_agents_of_all_recipes(name: str) -> None:
    recipe = load_recipe(name)
    with torch.no_grad():
        check_agent(recipe.make_agent(), recipe.family())


FAMILY = small_family(horizon=4)
TALKING = {"experts": 4, "channel": {"delay": 1, "noise": 0.1, "topology": "random:seed=trial"}, "rounds": 2}
WRAPPED = {
    "forgetful": lambda agent: Forgetful(agent),
    "growing": lambda agent: Growing(agent, {1: Change(add=1)}),
    "transplanted": lambda agent: Transplanted(agent, agent, 1),
    **{name: (lambda agent, made=made: Intervened(agent, made())) for name, made in INTERVENTIONS.items()},
}


@pytest.mark.parametrize("membrane", ["hardwired", "attentional"])
@pytest.mark.parametrize("wrapper", WRAPPED)
def test_agents_around_agents(wrapper: str, membrane: str) -> None:
    agent = random_agent(FAMILY, membrane=membrane, **TALKING)
    assert isinstance(agent, BadgerAgent)
    with torch.no_grad():
        check_agent(WRAPPED[wrapper](agent), FAMILY)


def test_a_family_with_other_actions_is_refused() -> None:
    agent, bandit = random_agent(FAMILY), load_recipe("bandit").family(dtype="float64")
    with pytest.raises(ValueError, match=r"Bandit has categorical actions, .* made for continuous ones"):
        agent.initial_state(bandit, keys(2))
