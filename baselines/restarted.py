"""Agents for one task that play the visits of a sequence: begun anew at each, or recalling what was found."""

import dataclasses
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
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
        visit, into = _visit(self.family, step)
        part = self.family.parts[self.family.order[visit % len(self.family.order)]]
        if into == 0:
            state = self.agent.initial_state(part, keys)
        flags = observation.flags.clone()  # (B, 3)
        flags[:, 0], flags[:, 2] = float(into == 0), into / part.horizon
        observation = observation._replace(
            feedback=observation.feedback[:, : part.slots.feedback], flags=flags
        )
        return self.agent.act(state, observation, keys, into)


class RecallingState(NamedTuple):
    """state: of the agent in the visit; written: [B, O] for each task, what it wrote last there, 0 before."""

    state: Any
    written: tuple[Float[Tensor, "B O"], ...]


@dataclasses.dataclass(frozen=True)
class Recalling:
    """As `Restarted`, but where it was before it writes what it wrote there last.

    It is told which task a visit is to. So it is a bound: agents are told only that a visit begins.

    Attributes:
        restarted: what plays first visits.
    """

    restarted: Restarted

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> RecallingState:
        """Nothing written yet.

        Raises:
            ValueError: as `Restarted`.
        """
        state = self.restarted.initial_state(family, keys)
        nothing = keys.new_zeros(
            (len(keys), family.slots.outputs), dtype=getattr(torch, family.dtype)
        )  # (B, O)
        return RecallingState(state, (nothing,) * len(self.restarted.family.parts))

    def act(
        self, state: RecallingState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[RecallingState, Tensor, dict[str, Tensor]]:
        """What was written last in the task of the moment, or else the agent's action there."""
        order = self.restarted.family.order
        visit, _ = _visit(self.restarted.family, step)
        which = order[visit % len(order)]
        inner, action, extra = self.restarted.act(state.state, observation, keys, step)
        if which in order[:visit]:  # all of them, once the order has begun anew
            action = state.written[which]  # (B, O)
        written = (*state.written[:which], action, *state.written[which + 1 :])
        return RecallingState(inner, written), action, extra


def _visit(family: Sequence, step: int) -> tuple[int, int]:
    """The visit in which a step lies, and the step's number in it; after the last the first comes again."""
    visit, into = 0, step
    while into >= (lasts := family.parts[family.order[visit % len(family.order)]].horizon):
        visit, into = visit + 1, into - lasts
    return visit, into
