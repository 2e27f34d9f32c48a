"""The PettingZoo AEC face: the parallel one, played agent by agent."""

from typing import Any

import gymnasium as gym
import numpy as np
from pettingzoo.utils.conversions import parallel_to_aec_wrapper
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

_RESET = "the trial has ended or none has begun; call reset() first"


class FamilyAECEnv(parallel_to_aec_wrapper):
    """A `FamilyParallelEnv` whose agents act one after the other; nothing happens before the last has.

    An agent's observation, reward and the rest are of the last full step.
    """

    @property
    def observation_spaces(self) -> dict[str, Any]:
        """Observation spaces by agent, as the parallel face has them."""
        return self.env.observation_spaces

    @property
    def action_spaces(self) -> dict[str, Any]:
        """Action spaces by agent, as the parallel face has them."""
        return self.env.action_spaces

    def step(self, action: Any) -> None:
        """Take the action of `agent_selection`; None from an agent that has ended.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`, or after all agents have ended.
            ValueError, TypeError: the action is not in the agent's space; nothing has changed.
        """
        if not getattr(self, "agents", None):  # PettingZoo's wrapper has none before its first reset
            raise gym.error.ResetNeeded(_RESET)
        agent = self.agent_selection
        if not (self.terminations[agent] or self.truncations[agent]):
            self.env.check_action(agent, action)
            action = np.array(action)  # a copy: what the caller does with theirs later is their business
        elif action is not None:
            raise ValueError(f"{agent} has ended; its action must be None")
        super().step(action)


class Ordered(OrderEnforcingWrapper):
    """PettingZoo's wrapper for the order of calls; `step` raises the same error as the other faces."""

    def step(self, action: Any) -> None:
        """As `FamilyAECEnv.step`."""
        if not (self._has_reset and self.agents):
            raise gym.error.ResetNeeded(_RESET)
        super().step(action)

    def __str__(self) -> str:
        return str(self.env)
