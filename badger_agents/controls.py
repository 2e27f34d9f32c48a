"""Controls of learning within a trial: an agent that hears nothing, an agent that remembers nothing."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from badger_agents.agent import Agent, Keys
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

    def act(self, state: Any, observation: Observation, keys: Keys) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """The agent's, on an observation without feedback."""
        told, apart = observation.feedback * 0, observation.output_feedback * 0  # (B, G), (B, O, P)
        deaf = observation._replace(feedback=told, output_feedback=apart)
        return self.agent.act(state, deaf, keys)


class Moment(NamedTuple):
    """What is kept of a trial: the family, and what the agent's clocks read (its last state; None at first)."""

    family: Family
    last: Any


class Forgetful:
    """An agent that is born anew at every step: it knows what it sees now, and what time it is.

    Only its clocks go on, the fields called `time` in its state: they say no more than the observation's
    flags do, and draws differ from step to step by them. It can do no better than the best agent without
    memory. On bandits that is not far above chance (`baselines.memoryless.WinStayLoseShift`); where outputs are
    continuous they are a memory outside of it, in which everything can be kept
    (`baselines.memoryless.MemorylessTriangulation`). An agent under contract 4.

    Args:
        agent: the agent; it is used, not copied.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def initial_state(self, family: Family, keys: Keys) -> Moment:
        """Nothing known. Raises what the agent raises where it does not fit."""
        return Moment(family, self.agent.initial_state(family, keys))

    def act(
        self, state: Moment, observation: Observation, keys: Keys
    ) -> tuple[Moment, Tensor, dict[str, Tensor]]:
        """The agent's first step, at this time."""
        fresh = with_clocks(self.agent.initial_state(state.family, keys), state.last)
        last, action, record = self.agent.act(fresh, observation, keys)
        return state._replace(last=last), action, record


def with_clocks(fresh: Any, last: Any) -> Any:
    """A state with the fields `time` of another, at any depth of named tuples."""
    names = getattr(fresh, "_fields", None)
    if names is None or names != getattr(last, "_fields", None):
        return fresh
    pairs = {name: (getattr(fresh, name), getattr(last, name)) for name in names}
    return fresh._replace(
        **{name: old if name == "time" else with_clocks(new, old) for name, (new, old) in pairs.items()}
    )


CONTROLS: dict[str, Callable[[Agent], Agent]] = {"withheld": WithheldFeedback, "forgetful": Forgetful}
"""Controls by name: what `badger evaluate --control` knows."""
