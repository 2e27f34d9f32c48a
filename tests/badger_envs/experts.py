"""What the tests of the PettingZoo faces share: acting for all experts, and reading what they see."""

from typing import Any

import numpy as np
from gymnasium.utils.env_checker import data_equivalence

from badger_envs.faces.pettingzoo import FamilyParallelEnv

GAME = "Badger/GuessingGame-v0"


def acts(env: FamilyParallelEnv, writing: Any = 0.0, message: Any = 0.0) -> dict[str, np.ndarray]:
    """Actions of all experts: writing, a number or [E]; message, a number or [E] or [E, M]."""
    actions = np.zeros((env.num_agents, env.action_slices["message"].stop), np.float32)
    actions[:, 0] = writing
    message = np.asarray(message, np.float32)
    actions[:, 1:] = message[:, None] if message.ndim == 1 else message
    return dict(zip(env.agents, actions, strict=True))


def part(env: FamilyParallelEnv, observations: dict[str, np.ndarray], name: str) -> np.ndarray:
    """One part of the observations of all experts, [E, numbers]."""
    return np.stack([observations[agent][env.observation_slices[name]] for agent in env.possible_agents])


def sampled(env: FamilyParallelEnv) -> dict[str, np.ndarray]:
    return {agent: env.action_space(agent).sample() for agent in env.agents}


def play(env: FamilyParallelEnv, seed: int | None) -> list[Any]:
    """A whole trial of actions drawn afresh: everything that it returned."""
    rng = np.random.default_rng(7)
    out: list[Any] = [env.reset(seed=seed)]
    while env.agents:
        writings = rng.uniform(-1, 1, env.num_agents)
        out.append(env.step(acts(env, writings, rng.uniform(-1, 1, env.num_agents))))
    return out


def same(left: Any, right: Any) -> bool:
    return data_equivalence(left, right, exact=True)
