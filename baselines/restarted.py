"""An agent for one task that begins anew at each visit of a sequence: learns, and keeps nothing."""

import dataclasses
from typing import Any

from jaxtyping import Int
from torch import Tensor

from badger_agents.agent import Agent
from badger_envs.combinators.sequence import Sequence
from badger_envs.family import Family, Observation


@dataclasses.dataclass(frozen=True)
class Restarted:
    """Plays each visit of `Sequence` with an agent that is started then. Tasks must have equal slots.

    It is told where visits begin and end. Beside it, whoever does better on later visits has kept something.

    Attributes:
        agent: for one task.
        family: the sequence.
    """

    agent: Agent
    family: Sequence

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Any:
        """That of the agent in the first task.

        Raises:
            ValueError: the family is not the sequence it was made for, or its tasks are not alike.
        """
        if not isinstance(family, Sequence) or family.order != self.family.order:
            raise ValueError(f"Restarted was made for {self.family}, not for {family}")
        if len({part.slots for part in family.parts}) > 1:
            raise ValueError("the tasks of the sequence have other slots each; Restarted needs equal ones")
        return self.agent.initial_state(family.parts[family.order[0]], keys)

    def act(
        self, state: Any, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """The agent's action in the task of the moment."""
        into = step % sum(self.family.parts[which].horizon for which in self.family.order)
        for which in self.family.order:
            part = self.family.parts[which]
            if into < part.horizon:
                break
            into -= part.horizon
        if into == 0:
            state = self.agent.initial_state(part, keys)
        flags = observation.flags.clone()  # (B, 3)
        flags[:, 0], flags[:, 2] = float(into == 0), into / part.horizon
        observation = observation._replace(
            feedback=observation.feedback[:, : part.slots.feedback], flags=flags
        )
        return self.agent.act(state, observation, keys, into)
