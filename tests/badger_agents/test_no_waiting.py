"""Other devices: all tensors are there, and nothing waits for them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from badger_agents.agent import LearnedAgent
from badger_agents.estimators.base import leaves
from badger_agents.estimators.objectives import OBJECTIVES
from badger_agents.estimators.trials import Trials
from badger_agents.functional import FunctionalAgent
from badger_agents.recipe.loading import load_recipe, recipe_files
from badger_agents.rollout import make_task_batch, rollout, rollout_segment, start
from badger_agents.training.curriculum import Curriculum, Place
from badger_agents.training.state import trained_weights
from badger_envs import keyed_random
from baselines.optimisers.library import LibraryOptimiser
from tests.badger_agents.small import (
    EVERY_ESTIMATOR,
    LookingPolicy,
    keys,
    random_agent,
    small_family,
    small_recipe,
    updates_of,
)

# No trial waits for a device: nothing in it looks at values, whatever the family, agent and estimator.


STEPS = 2
SENT = (torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy, Tensor.new_tensor)
LEARNED = [name for name in recipe_files() if load_recipe(name).training is not None]


class NothingSent(TorchFunctionMode):
    """An error where a tensor is made of numbers that the host has."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = args[1] if func is Tensor.new_tensor else args[0] if args else None
        assert func not in SENT or isinstance(given, Tensor), f"{func} of {given}"
        return func(*args, **(kwargs or {}))


def names(rows: int) -> Tensor:
    """Names of trials, without values."""
    return keys(rows).to("meta")


@pytest.mark.parametrize("name", LEARNED)
def test_trials_of_every_recipe_run_without_values(name: str) -> None:
    recipe = load_recipe(name)
    agent, training = recipe.make_agent(0), recipe.training
    assert isinstance(agent, LearnedAgent)
    assert training is not None
    curriculum = Curriculum(recipe, agent.to("meta"), 0)
    for stage in {0, len(curriculum.stages) - 1}:
        place = Place(stage)
        sampled = curriculum.sample(place, 0)
        trials = Trials(
            sampled.family,
            names(2),
            OBJECTIVES[training.objective],
            sampled.penalties,
            gradient_limit=training.clip_trial,
            draw_key=keyed_random.outer_keys(0, 0, 1),
        )
        weights = leaves(trained_weights(agent))
        acting = FunctionalAgent(sampled.agent, weights)
        steps, start = min(STEPS, trials.horizon), trials.start(acting)
        with torch.set_grad_enabled(training.estimator != "policy_gradient"), NothingSent():
            loss, carry = trials.loss(acting, start, steps)
        assert loss.device.type == "meta"
        assert carry.step == steps
        if loss.requires_grad:
            gradients = torch.autograd.grad(loss.sum(), tuple(weights.values()), allow_unused=True)
            assert any(gradient is not None for gradient in gradients)


@pytest.mark.parametrize(("name", "settings"), EVERY_ESTIMATOR)
def test_updates_of_every_estimator_are_found_without_values(name: str, settings: dict[str, Any]) -> None:
    recipe = small_recipe(training={"estimator": name, "estimator_settings": settings})
    check_updates(recipe)


@pytest.mark.parametrize("settings", [{"epochs": 2, "value_size": 4}, {"expected_reward": True}])
def test_updates_of_policy_gradients_are_found_without_values(settings: dict[str, Any]) -> None:
    recipe = small_recipe(
        env={"id": "Badger/Bandit-k5-n10-v0"},
        agent={"membrane": {"kind": "attentional"}, "feedback_to": "all"},
        training={"estimator": "policy_gradient", "estimator_settings": settings},
    )
    check_updates(recipe)


def check_updates(recipe: Any) -> None:
    agent, training = recipe.make_agent(0), recipe.training
    agent.to("meta")
    estimator = training.make_estimator()
    draw = keyed_random.outer_keys(0, 0, 1)
    trials = Trials(recipe.family(), names(8), OBJECTIVES[training.objective], draw_key=draw)
    updates = updates_of(estimator, agent, trials)
    assert updates
    for update in updates:
        assert all(part.device.type == "meta" for part in (update.loss, *update.gradients.values()))


def looks() -> None:
    agent = small_recipe().make_agent(0)
    agent.policy = LookingPolicy(agent.membrane.reading_size)  # type: ignore[union-attr]
    rollout(agent.to("meta"), small_family(dtype="float32"), names(2))  # type: ignore[union-attr]


def lists() -> None:
    names(2).tolist()


def picks() -> None:
    names(2)[names(2) > 0]


def copies() -> None:
    random_agent(small_family()).to("meta").state_dict()["policy.say.bias"].cpu()


def sends() -> None:
    with NothingSent():
        names(2).new_tensor([1.0, 2.0])


def test_to_send_is_an_error_there() -> None:
    with pytest.raises(AssertionError, match="new_tensor"):
        sends()


@pytest.mark.parametrize("wait", [looks, lists, picks, copies])
def test_to_look_is_an_error_there(wait: Callable[[], None]) -> None:
    with pytest.raises((RuntimeError, NotImplementedError), match=r"(?i)meta"):
        wait()


# Agents of all recipes are where they are asked to be, whatever torch's default device is.


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
