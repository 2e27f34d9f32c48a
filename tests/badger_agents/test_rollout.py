"""The inner loop: what a rollout returns, and that gradients through it are right."""

import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from badger_agents.estimators.objectives import OBJECTIVES
from badger_agents.recipe.loading import load_recipe
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.families.bandit import Bandit
from tests.badger_agents.small import ConstantAgent, keys, random_agent, small_family


@pytest.mark.parametrize("settings", [{}, {"dims": (1, 3), "shuffle_slots": True}, {"horizon": 1}])
def test_losses_are_those_of_the_family_s_own_steps(settings: dict) -> None:
    family = small_family(**settings)
    agent = random_agent(family, experts=6)
    names = keys(5)
    lived = rollout(agent, family, names, record=True)
    task = family.sample_task(names)
    world, noise = family.initial_state(task), family.noise(names, family.horizon)
    for time in range(family.horizon):
        transition = family.step(task, world, lived.trace["action"][time], noise[:, time])
        world = transition.state
        assert torch.equal(lived.loss[time], transition.loss)
        assert torch.equal(lived.reward[time], transition.reward)
        assert torch.equal(lived.trace["outputs"][time], family.observe(task, world).outputs)
        assert torch.equal(lived.trace["solution"][time], task.target)
    assert transition.terminated.all()
    assert torch.equal(lived.info["error"], world.error)
    assert lived.loss.shape == (family.horizon, 5)


def test_recording_changes_nothing() -> None:
    family = small_family()
    agent = random_agent(family)
    plain, recorded = rollout(agent, family, keys(3)), rollout(agent, family, keys(3), record=True)
    assert torch.equal(plain.loss, recorded.loss)
    assert plain.trace == {}
    assert {"messages", "attention", "inbox", "writing", "outputs", "feedback", "solution"} <= set(
        recorded.trace
    )


def test_noise_is_drawn_in_blocks_and_what_happens_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    family, names = Bandit(arms=3, horizon=11), keys(7)
    agent = load_recipe("bandit-random").make_agent()
    whole, longest = rollout(agent, family, names), []
    drawn = Bandit.noise

    def counted(self: Bandit, names: torch.Tensor, steps: int, start: int = 0) -> Any:
        longest.append(steps)
        return drawn(self, names, steps, start)

    monkeypatch.setattr(sys.modules[rollout.__module__], "NOISE_STEPS", 4)
    monkeypatch.setattr(Bandit, "noise", counted)
    parts = rollout(agent, family, names)
    assert longest == [4, 4, 3]
    assert torch.equal(parts.reward, whole.reward)


def test_an_agent_without_weights_lives_too() -> None:
    family = small_family()
    lived = rollout(ConstantAgent(), family, keys(3))
    expected = (family.sample_task(keys(3)).target ** 2).sum(-1)  # 3 * mean over 3 numbers
    torch.testing.assert_close(lived.loss, expected.expand(family.horizon, -1))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("topology", ["all", "self", "none"])
def test_gradients_agree_with_finite_differences(objective: str, topology: str) -> None:
    family = small_family()
    agent = random_agent(family, scale=0.3, topology=topology, rounds=2, feedback_to="one")
    names = keys(2)

    def loss() -> torch.Tensor:
        return OBJECTIVES[objective](rollout(agent, family, names).loss)

    gradients = torch.autograd.grad(loss(), tuple(agent.parameters()), materialize_grads=True)
    generator = torch.Generator().manual_seed(0)
    seen = 0
    for weight, gradient in zip(agent.parameters(), gradients, strict=True):
        direction = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        step, values = 1e-6, []
        with torch.no_grad():
            for sign in (1, -2, 1):  # there, to the other side, back
                weight += sign * step * direction
                values.append(float(loss()))
        numeric = (values[0] - values[1]) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(numeric, rel=1e-5, abs=1e-8)
        seen += bool(gradient.any())
    assert seen >= 4  # neither a trivial loss nor one at the outputs' limits


class Cheat(ConstantAgent):
    """Draws under the name by which the family draws its targets."""

    def act(
        self, state: tuple[()], observation: Any, keys: Tensor, step: int
    ) -> tuple[tuple[()], Tensor, dict[str, Tensor]]:
        return state, 2 * keyed_random.uniform(keys, "target", 3, dtype="float64") - 1, {}


def test_no_name_that_an_agent_draws_under_shows_it_the_task() -> None:
    family = small_family()
    names = keys(50)
    assert (rollout(Cheat(), family, names).loss[-1] > 0.01).all()
    direct = family.initial_state(task := family.sample_task(names))
    action = Cheat().act((), family.observe(task, direct), names, 0)[
        1
    ]  # what the trials' own keys would show
    torch.testing.assert_close(action, task.target)
