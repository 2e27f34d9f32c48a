"""What the benchmark of topologies times and weighs: inner steps with any number of experts."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch

from badger_agents.badger.agent import BadgerAgent, BadgerSettings
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.topology import is_sparse
from leaderboards.bench.faces import finished
from leaderboards.bench.memory import peak_memory
from leaderboards.bench.timing import in_turns

STEPS = 5
"""Inner steps in a cycle."""

OUTPUTS = 3
"""Outputs of the guessing game, whatever the number of experts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """What is the same for all topologies and numbers of experts.

    Attributes:
        hidden_size: numbers in an expert's state, H.
        rounds: rounds of communication per step, R.
        membrane: the agent's membrane; hardwired, experts beyond the outputs have none.
        batch_size: trials side by side, B.
    """

    hidden_size: int = 32
    rounds: int = 1
    membrane: Literal["hardwired", "attentional"] = "attentional"
    batch_size: int = 1


class Cell(NamedTuple):
    """What was measured of a topology with so many experts.

    Attributes:
        topology: its name.
        experts: E.
        speeds: inner steps of one trial per second, in each round.
        memory: bytes in use at the peak of a step.
    """

    topology: str
    experts: int
    speeds: list[float]
    memory: int


class InnerSteps:
    """Inner steps as evaluation makes them: observe, read, communicate, write, let the world take a step.

    Each cycle goes on from the second step of the same trials, so that all have said something already.

    Args:
        topology: who hears whom.
        experts: E.
        kind: what else the agent is.
        device: a torch device.

    Raises:
        ValueError: no topology.
    """

    def __init__(self, topology: str, experts: int, kind: Kind, device: str) -> None:
        self.family, self.device = GuessingGame(dims=OUTPUTS, horizon=STEPS + 1), device
        settings = BadgerSettings(
            experts=experts,
            topology=topology,
            rounds=kind.rounds,
            membrane=kind.membrane,
            policy_settings={"hidden_size": kind.hidden_size},
        )
        self.agent = BadgerAgent(self.family, settings).to(device)
        keys = keyed_random.outer_keys(0, 0, kind.batch_size, like=torch.zeros((), device=device))  # (B, 4)
        self.keys = keyed_random.agent_keys(keys)  # (B, 4)
        self.task = self.family.sample_task(keys)
        self.noise = self.family.noise(keys, self.family.horizon)  # (B, T, N)
        with torch.no_grad():
            start = self.agent.initial_state(self.family, self.keys), self.family.initial_state(self.task)
            self.start = self._step(start, 0)

    @torch.no_grad()
    def __call__(self) -> int:
        """`STEPS` steps of each trial; returns how many that is once the device has done them."""
        now = self.start
        for time in range(1, STEPS + 1):
            now = self._step(now, time)
        return finished(STEPS * len(self.keys), self.device)

    def _step(self, now: tuple[Any, Any], time: int) -> tuple[Any, Any]:
        """Mind and world after a step."""
        mind, world = now
        mind, action, _ = self.agent.act(mind, self.family.observe(self.task, world), self.keys, time)
        return mind, self.family.step(self.task, world, action, self.noise[:, time]).state


def measure(cases: Sequence[tuple[str, int]], kind: Kind, device: str, seconds: float) -> list[Cell]:
    """Time inner steps of all cases in turns, then weigh a step of each.

    Args:
        cases: topologies and numbers of experts.
        kind: what else the agents are.
        device: a torch device.
        seconds: about how long the timing takes.
    """
    speeds = in_turns([InnerSteps(*case, kind, device) for case in cases], seconds)
    weights = [peak_memory(InnerSteps(*case, kind, device), device) for case in cases]
    return [Cell(*case, fast, heavy) for case, fast, heavy in zip(cases, speeds, weights, strict=True)]


def dense(topology: str) -> bool:
    """Whether a step costs of the order of E**2, as there are so many links.

    Raises:
        ValueError: no topology.
    """
    return not is_sparse(topology)
