"""Small recipes, agents and policies that several tests here use."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from badger_agents.agent import Agent, LearnedAgent
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.policies.expert_policy import ExpertPolicy
from badger_agents.badger.settings import BadgerSettings
from badger_agents.class_loading import Trust
from badger_agents.estimators import GradientEstimator, Memory, Trials, Update, Weights
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.training.state import trained_weights
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family, Observation

HORIZON = 4
TRUST = Trust.of("tests")
"""Of recipes here: policies of the tests."""


def keys(rows: int, seed: int = 0, step: int = 0) -> Tensor:
    return keyed_random.outer_keys(seed, step, rows, like=torch.zeros(()))


def small_tables(**tables: dict[str, Any] | str) -> dict[str, Any]:
    """Tables of a recipe that trains within a moment, with whole keys of them changed."""
    start: dict[str, Any] = {
        "name": "small",
        "env": {"id": "Badger/GuessingGame-v0", "horizon": HORIZON},
        "agent": {"feedback_to": "one", "policy": {"hidden_size": 8, "message_size": 4}},
        "training": {"outer_steps": 6, "batch_size": 8, "checkpoint_every": 2, "log_every": 1},
    }
    for key, change in tables.items():
        start[key] = {**start.get(key, {}), **change} if isinstance(change, dict) else change
    return start


ESTIMATOR_SETTINGS: dict[str, list[dict[str, Any]]] = {
    "backpropagation": [{}, {"keep_every": 3}, {"keep_every": 2, "last_steps": 3}],
    "truncated_backpropagation": [{"window": 3}],
    "evolution": [{"pairs": 4}, {"pairs": 4, "window": 3}],
    "persistent_evolution": [{"pairs": 4, "window": 3}],
}
"""Estimators that need no draws, each in settings that small recipes can be trained with."""

EVERY_ESTIMATOR = [(name, settings) for name, each in ESTIMATOR_SETTINGS.items() for settings in each]


def small_recipe(trust: Trust = TRUST, **tables: dict[str, Any] | str) -> Recipe:
    return check_recipe(small_tables(**tables), "small.toml", trust)


TOML = """
name = "small"
[env]
id = "Badger/GuessingGame-v0"
horizon = 4
[agent]
feedback_to = "one"
[agent.policy]
hidden_size = 8
message_size = 4
[training]
outer_steps = {outer_steps}
batch_size = 8
checkpoint_every = {checkpoint_every}
log_every = 1
"""


def small_toml(folder: Path, outer_steps: int = 6, checkpoint_every: int = 2) -> Path:
    path = folder / "small.toml"
    path.write_text(TOML.format(outer_steps=outer_steps, checkpoint_every=checkpoint_every))
    return path


def small_family(**settings: Any) -> GuessingGame:
    return GuessingGame(**{"horizon": HORIZON, "dtype": "float64", **settings})


def badger_settings(**settings: Any) -> BadgerSettings:
    """Settings of a Badger agent; of the channel's and membrane's tables some keys may be given alone.

    Args:
        settings: as of `BadgerSettings`; `topology` and `received_attention` are the channel's, and a name of
            a membrane is its kind.
    """
    tables = dict(settings)
    talk = {name: tables.pop(name) for name in ("topology", "received_attention") if name in tables}
    if talk:
        tables["channel"] = {**tables.get("channel", {}), **talk}
    if isinstance(tables.get("membrane"), str):
        tables["membrane"] = {"kind": tables["membrane"]}
    return BadgerSettings.model_validate(tables, context={"trust": Trust.of("tests")})


def random_agent(family: Family, scale: float = 0.5, **settings: Any) -> BadgerAgent:
    """A Badger agent none of whose weights are zero, so that all that can influence does."""
    policy = {"hidden_size": 6, "message_size": 3, "key_size": 2}
    agent = BadgerAgent(family, badger_settings(**{"policy": policy, **settings}))
    agent.to(getattr(torch, family.dtype))
    shake(agent, scale)
    return agent


def shake(agent: torch.nn.Module, scale: float = 0.5) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in agent.parameters():
            weight.copy_(scale * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))


class ConstantAgent:
    """Writes one number everywhere, at every step: an agent without weights or state."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def initial_state(self, family: Family, keys: Tensor) -> tuple[()]:
        return ()

    def act(
        self, state: tuple[()], observation: Any, keys: Tensor, step: int
    ) -> tuple[tuple[()], Tensor, dict[str, Tensor]]:
        return state, torch.full_like(observation.outputs, self.value), {}


assert isinstance(ConstantAgent(), Agent)


class FaultyPolicy(ExpertPolicy):
    """A linear policy whose writing is not a number in the outer steps listed in `bad`."""

    bad: frozenset[int] = frozenset()
    calls = 0

    def __init__(self, reading_size: int) -> None:
        super().__init__()
        self.message_size = 2
        self.linear = torch.nn.Linear(reading_size + 2, 3)

    @classmethod
    def restart(cls, bad: set[int], step: int = 0) -> None:
        cls.bad, cls.calls = frozenset(bad), step * HORIZON

    def initial_state(self, draws: Tensor) -> Tensor:
        return draws

    def out(self, inbox: Tensor, reading: Tensor) -> Tensor:
        return self.linear(torch.cat([inbox, reading], dim=-1))  # (B, E, 3)

    def emit(self, state: Tensor, reading: Tensor) -> Tensor:
        return self.out(reading[..., :2] * 0, reading)[..., 1:].tanh()

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        now, FaultyPolicy.calls = self.calls // HORIZON, self.calls + 1
        return state, self.out(inbox, reading)[..., :1] * (torch.nan if now in self.bad else 1.0)


class LookingPolicy(FaultyPolicy):
    """Looks at a value, which no agents side by side can."""

    def __init__(self, reading_size: int, **_: int) -> None:
        super().__init__(reading_size)

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        assert float(reading.sum().detach()) < 1e9
        return super().update(state, inbox, reading)


def one_round(policy: ExpertPolicy, state: Any, inbox: Tensor, reading: Tensor) -> tuple[Any, Any, Tensor]:
    """What a policy makes of a round: states after it, what was sent, writings."""
    after, writing = policy.update(state, inbox, reading)
    return after, policy.emit(state, reading), writing


def seen_at(family: Family, names: Tensor, time: int = 0) -> Observation:
    """What a family shows of fresh trials after `time` steps of random writing."""
    task = family.sample_task(names)
    world, noise = family.initial_state(task), family.noise(names, family.horizon)
    generator = torch.Generator().manual_seed(time)
    for step in range(time):
        action = 2 * torch.rand(len(names), family.slots.outputs, generator=generator) - 1
        world = family.step(task, world, action.to(getattr(torch, family.dtype)), noise[:, step]).state
    return family.observe(task, world)


def updates_of(
    estimator: GradientEstimator,
    agent: LearnedAgent,
    trials: Trials,
    memory: Memory | None = None,
    weights: Weights | None = None,
) -> list[Update]:
    """What an estimator yields while nobody moves the weights."""
    weights = trained_weights(agent) if weights is None else weights
    updates = estimator.updates(
        agent, weights, trials, estimator.initial_memory(weights) if memory is None else memory
    )
    found = [next(updates)]
    with suppress(StopIteration):
        while True:
            found.append(updates.send(weights))
    return found
