"""The PettingZoo AEC face: the parallel one, played agent by agent."""

from typing import Any

import gymnasium as gym
from pettingzoo.utils.conversions import parallel_to_aec_wrapper
from pettingzoo.utils.wrappers import OrderEnforcingWrapper


class FamilyAECEnv(parallel_to_aec_wrapper):
    """A `FamilyParallelEnv` whose agents act one after the other; nothing happens before the last has.

    An agent's observation, reward and the rest are of the last full step.
    """

    def step(self, action: Any) -> None:
        """Take the action of `agent_selection`; None from an agent that has ended.

        Raises:
            gymnasium.error.ResetNeeded: all agents have ended.
            ValueError, TypeError: the action is not in the agent's space; nothing has changed.
        """
        if not self.agents:
            raise gym.error.ResetNeeded("the trial has ended; call reset() first")
        agent = self.agent_selection
        if not (self.terminations[agent] or self.truncations[agent]):
            action = self.env.check_action(agent, action)
        elif action is not None:
            raise ValueError(f"{agent} has ended; its action must be None")
        super().step(action)


class Ordered(OrderEnforcingWrapper):
    """PettingZoo's wrapper for the order of calls, with an error where it only warns."""

    def step(self, action: Any) -> None:
        """As `FamilyAECEnv.step`."""
        if self._has_reset and not self.agents:
            raise gym.error.ResetNeeded("the trial has ended; call reset() first")
        super().step(action)

    def __str__(self) -> str:
        return str(self.env)
