"""Controls of learning within a trial: an agent that hears nothing, an agent that remembers nothing."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from badger_agents.agent import Agent, Keys
from badger_envs import keyed_random
from badger_envs.family import Family, Observation


class WithheldFeedback:
    """An agent that is never told how it did: all feedback reads as zeros (Wang et al. 2016).

    What it earns then it owes to nothing learned within the trial: on bandits, whose arms are alike
    beforehand, chance; in the guessing game no less error than zeros written all along. An agent under
    contract 4; weights, tasks and noise stay what they are.

    Args:
        agent: the agent; it is used, not copied.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """The agent's."""
        return self.agent.initial_state(family, keys)

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """The agent's, on an observation without feedback."""
        told, apart = observation.feedback * 0, observation.output_feedback * 0  # (B, G), (B, O, P)
        deaf = observation._replace(feedback=told, output_feedback=apart)
        return self.agent.act(state, deaf, keys, step)


class Forgetful:
    """An agent that is born anew at every step: it knows what it sees now, and nothing else.

    Every step is the first step of an agent in the state of a trial's start; its draws differ from step to
    step. So it can do no better than the best agent without memory. On bandits that is well below what memory
    earns (`baselines.memoryless.WinStayLoseShift`); where outputs are continuous they are a memory outside of
    it, in which everything can be kept (`baselines.memoryless.MemorylessTriangulation`), and what the control
    takes away is what this agent has not written down. An agent under contract 4.

    Args:
        agent: the agent; it is used, not copied.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """The agent's. Raises what the agent raises where it does not fit."""
        return self.agent.initial_state(family, keys)

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """The agent's first step, with draws of this one; the state stays what it was."""
        _, action, record = self.agent.act(state, observation, _keys_of(step, keys), 0)
        return state, action, record


def _keys_of(step: int, keys: Keys) -> Keys:
    """Other keys at every step but the first, so that draws differ."""
    if step == 0:
        return keys
    seed = keyed_random.words(keys, "forgetful", 2, 2 * step)  # (B, 2)
    return torch.cat([seed.to(keys.dtype), keys[:, 2:]], dim=-1)  # (B, 4)


CONTROLS: dict[str, Callable[[Agent], Agent]] = {"withheld": WithheldFeedback, "forgetful": Forgetful}
"""Controls by name: what `badger evaluate --control` knows."""
