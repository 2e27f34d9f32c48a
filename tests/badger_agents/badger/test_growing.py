"""A growing agent in trials, and what growth is worth."""

from typing import Any

import pytest
import torch

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growing import Growing, measure_gain
from badger_agents.badger.growth import Change, grow
from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.xor import XOR
from tests.badger_agents.small import badger_settings, keys, random_agent, small_family


def test_a_growing_agent_lives_as_one_that_is_grown_by_hand() -> None:
    family = small_family(dims=3, horizon=6)
    agent = random_agent(family, experts=2, membrane="attentional", received_attention=True)
    change, last = Change(clone=(0, 1), clone_noise=0.1), Change(remove=(0,))
    names = keys(3)
    task = family.sample_task(names)
    world, noise, own = family.initial_state(task), family.noise(names, 6), keyed_random.agent_keys(names)
    living, state = agent, agent.initial_state(family, own)
    losses, sizes = [], []
    for time in range(6):
        if time == 2:
            living, state = grow(living, state, own, change, time)
        if time == 4:
            living, state = grow(living, state, own, last, time)
        state, action, _ = living.act(state, family.observe(task, world), own, time)
        world, _, loss, _ = family.step(task, world, action, noise[:, time])
        losses.append(loss)
        sizes.append(living.settings.experts)
    grown = rollout(Growing(agent, {4: last, 2: change}), family, names, record=True, gradient_limit=1.0)
    assert torch.equal(grown.loss, torch.stack(losses))
    assert sizes == [2, 2, 4, 4, 3, 3]
    assert grown.trace["present"][:, 0].sum(dim=-1).tolist() == sizes
    assert grown.trace["attention"].shape == (6, 3, 4, 4)
    assert (grown.trace["messages"][:2, :, 2:] == 0).all()
    assert (grown.trace["messages"][2:4] != 0).all()
    grown.loss[-1].mean().backward()
    assert all(weight.grad is not None for weight in agent.parameters())


def test_an_agent_that_never_grows_is_the_agent() -> None:
    family = small_family(dims=3)
    agent = random_agent(family)
    gain = measure_gain(agent, family, {}, 10)
    assert (gain.gain.outcomes == 0).all()
    assert torch.equal(evaluate(agent, family, 10).outcomes, gain.grown.outcomes)
    nothing = measure_gain(agent, family, {2: Change()}, 10)
    assert (nothing.gain.loss == 0).all()


def handcrafted(family: Any, policy: str, **settings: Any) -> BadgerAgent:
    return BadgerAgent(
        family,
        badger_settings(
            policy={"kind": f"badger_agents.badger.policies.handcrafted:{policy}"},
            rounds=2,
            membrane="attentional",
            **settings,
        ),
    )


def test_growth_pays_for_an_expert_with_too_many_outputs() -> None:
    """One expert has no time to probe six outputs in 8 steps one after the other; six take turns."""
    family = GuessingGame(dims=6, horizon=8)
    agent = handcrafted(family, "TriangulationPolicy", experts=1)
    result = measure_gain(agent, family, {2: Change(clone=(0,) * 5)}, 100)
    same_rank = result.grown.mean  # exact copies all have the same rank, and probe at the same time
    result = measure_gain(agent, family, {2: Change(add=5)}, 100)
    assert result.grown.outcomes.max() < 1e-6
    assert result.without.mean > 0.1
    assert result.gain.ci95[0] > 0.1
    torch.testing.assert_close(result.gain.outcomes, result.without.outcomes - result.grown.outcomes)
    assert same_rank > 0.1


def test_a_gain_counts_the_same_way_where_high_outcomes_are_better() -> None:
    """With too few experts, inputs are read one after the other, and parity is not known."""
    family = XOR(bits=4, horizon=8)
    agent = handcrafted(family, "ParityPolicy", experts=2, writing="absolute")
    result = measure_gain(agent, family, {2: Change(add=2)}, 200)
    assert family.higher_is_better
    assert result.grown.mean == 1
    assert result.without.mean < 0.9
    assert result.gain.ci95[0] > 0.1
    assert result.gain.loss[:2].abs().max() == 0
    assert result.gain.loss[-1] > 0


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({-1: Change(add=1)}, "growth at step -1: steps are whole numbers from 0 up"),
        ({4: Change(add=1)}, "growth at step 4: trials of GuessingGame have 4 steps, the last is 3"),
        ({1: Change(add=1), 2: Change(remove=(4,))}, r"growth at step 2: remove is \[4\]; .* 0 to 3"),
        ({1: Change(remove=(0,))}, "2 experts for 3 outputs"),
    ],
)
def test_a_schedule_that_cannot_be_is_told_before_any_step(schedule: Any, message: str) -> None:
    family = small_family(dims=3)
    agent = random_agent(family)
    with pytest.raises(ValueError, match=message):
        Growing(agent, schedule).initial_state(family, keys(2))
