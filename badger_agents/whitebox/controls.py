"""Controls of learning within a trial: an agent that hears nothing, that remembers nothing, or little."""

import dataclasses
from collections.abc import Callable
from typing import Any

from torch import Tensor

from badger_agents.agent import Agent, Keys
from badger_envs.family import Family, Observation


class _Controlled:
    """An agent around another one, which is used, not copied."""

    def __init__(self, agent: Agent) -> None:
        self.agent, self.knows_trials = agent, getattr(agent, "knows_trials", False)

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """The agent's. Raises what the agent raises where it does not fit."""
        return self.agent.initial_state(family, keys)


class WithheldFeedback(_Controlled):
    """An agent that is never told how it did: all feedback reads as zeros (Wang et al. 2016).

    What it earns then it owes to nothing learned within the trial: on bandits, whose arms are alike
    beforehand, chance; in the guessing game no less error than zeros written all along. An agent under
    contract 4; weights, tasks and noise stay what they are.

    Args:
        agent: the agent; it is used, not copied.
    """

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """The agent's, on an observation without feedback."""
        told, apart = observation.feedback * 0, observation.output_feedback * 0  # (B, G), (B, O, P)
        deaf = observation._replace(feedback=told, output_feedback=apart)
        return self.agent.act(state, deaf, keys, step)


class Forgetful(_Controlled):
    """An agent that is born anew at every step: it knows what it sees now, and what time it is.

    The step is told it as every agent: it says no more than the observation's flags do, and draws differ from
    step to step by it. So it can do no better than the best agent without memory. On bandits that is well
    below what memory earns; where outputs are continuous they are a memory outside of it, in which everything
    can be kept, and what the control takes away is what this agent has not written down. An agent under
    contract 4.

    Args:
        agent: the agent; it is used, not copied.
    """

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """What the agent does at this step in the state of the trial's start, which stays as it was."""
        _, action, record = self.agent.act(state, observation, keys, step)
        return state, action, record


class BornAnew(_Controlled):
    """An agent that is born anew every so many steps: each part of a long life is a life of its own to it.

    Its memory is that of a life's start, and its clock starts again; what it has written stays. Whatever an
    agent makes of time, with this all have the same. An agent under contract 4.

    Args:
        agent: the agent; it is used, not copied.
        every: steps of a life.
    """

    def __init__(self, agent: Agent, every: int) -> None:
        super().__init__(agent)
        self.every = every

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """The agent's twice: as it goes on, and as it will be born again."""
        born = self.agent.initial_state(dataclasses.replace(family, horizon=self.every), keys)
        return born, born

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """What the agent does in this life of its, at the step of that."""
        now, (living, born) = step % self.every, state
        flags = observation.flags.clone()  # (B, 3)
        flags[:, 0], flags[:, -1] = float(now == 0), now / self.every
        seen = observation._replace(flags=flags)
        after, action, record = self.agent.act(born if now == 0 else living, seen, keys, now)
        return (after, born), action, record


CONTROLS: dict[str, Callable[[Agent], Agent]] = {"withheld": WithheldFeedback, "forgetful": Forgetful}
"""Controls by name: what `badger evaluate --control` knows."""
