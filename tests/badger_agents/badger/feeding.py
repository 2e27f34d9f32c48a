"""Feeding an exported step: what goes in at the start of trials and at a step, as an agent would draw it."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.exporting import ExportedStep
from badger_envs import keyed_random
from badger_envs.family import Family, Observation


def keys_of(trials: int) -> Tensor:
    return torch.as_tensor(keyed_random.trial_keys(np.arange(trials), 0, "test"))


ROOT = Path(__file__).parents[3]


def python(*words: object) -> str:
    """What an interpreter prints in which types are not checked: torch cannot trace a checker."""
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def exported(name: str, file: Path) -> str:
    """What `badger export` prints of a pretrained policy."""
    return python("-m", "leaderboards.cli", "export", name, file, "--json")


class Feed:
    """Inputs of an exported step by name, for the trials of some keys.

    Args:
        step: whose.
        agent: the same agent, with as many experts as there are to be.
        family: what it plays.
        keys: the agent's.
    """

    def __init__(self, step: ExportedStep, agent: BadgerAgent, family: Family, keys: Tensor) -> None:
        self.step, self.keys, experts = step, keys, agent.settings.experts
        self.sizes = {
            "batch": len(keys),
            "experts": experts,
            "outputs": family.slots.outputs,
            "inputs": family.slots.inputs,
        }
        self.now = {
            name: torch.full([self.sizes[size] if isinstance(size, str) else size for size in shape], 7.0).to(
                kind
            )
            for name, (shape, kind) in step.inputs.items()
        }
        for name in step.draws:
            if name != "choice":
                shape = self.now[f"draw.{name}"].shape
                drawn = keyed_random.normal(keys, name, math.prod(shape[1:]))
                self.now[f"draw.{name}"] = drawn.view(shape)
        self.now["edges"] = agent.channel.edges.as_matrix().expand(len(keys), -1, -1)
        self.now["order"] = torch.arange(experts).expand(len(keys), -1)
        if "horizon" in self.now:
            self.now["horizon"] = torch.tensor(float(family.horizon))

    def see(self, observation: Observation, step: int) -> dict[str, Tensor]:
        """What goes in at a step."""
        self.now |= {name: part for name, part in observation._asdict().items() if name in self.now}
        if "draw.choice" in self.now:
            slots = self.sizes["outputs"]
            self.now["draw.choice"] = keyed_random.uniform(self.keys, "choice", slots, step * slots)
        return self.now

    def go_on(self, made: dict[str, Tensor]) -> None:
        """Keep the state that a step left."""
        self.now |= {f"state{name[4:]}": part for name, part in made.items() if name.startswith("next.")}

    def run(self, observation: Observation, step: int) -> dict[str, Tensor]:
        """One step by torch, by name."""
        fed = self.see(observation, step)
        made = dict(zip(self.step.outputs, self.step(*fed.values()), strict=True))
        self.go_on(made)
        return made
