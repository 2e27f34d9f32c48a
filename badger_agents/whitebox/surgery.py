"""Operations on single experts within a trial: remove, freeze, and transplant their states elsewhere."""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from badger_agents.agent import Keys
from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.tree import by_parts
from badger_agents.whitebox.interventions import STREAM, Deliver, Intervention, other_experts
from badger_envs.family import Family, Observation

Moved = Literal["states", "shuffled states", "nothing"]


class OnExpert(Intervention):
    """Base of interventions on one expert.

    Args:
        expert: its number, from 0.
    """

    def __init__(self, expert: int) -> None:
        self.expert = expert

    def initial_state(self, agent: BadgerAgent, mind: BadgerState, keys: Keys) -> tuple[()]:
        """Nothing to remember.

        Raises:
            ValueError: the agent has no expert of that number.
        """
        check_expert(self.expert, agent)
        return ()


class Remove(OnExpert):
    """An expert is gone: what it would write is 0, and what it would send, message and key, is 0.

    Listeners still can give it attention; its slots are left to nobody.
    """

    def deliver(self, deliver: Deliver, emission: Emission, state: Any, keys: Keys) -> tuple[Any, Any]:
        """Zeros in place of what it sends."""
        value, key, query = emission
        return deliver(Emission(self._without(value), None if key is None else self._without(key), query)), ()

    def write(self, writing: Tensor) -> Tensor:
        """Zeros in place of what it writes."""
        return self._without(writing)

    def _without(self, part: Tensor) -> Tensor:
        here = torch.arange(part.shape[1], device=part.device) == self.expert  # (E,)
        return part.masked_fill(here[:, None], 0)


class Freeze(OnExpert):
    """An expert's state stays as it is at the start of the trial: it reacts, and remembers nothing.

    With several rounds per step it remembers from round to round, and forgets at the end of the step.
    """

    def end_step(self, before: BadgerState, after: BadgerState) -> BadgerState:
        """The state of before for this expert."""
        return after._replace(experts=by_parts(self._keep, before.experts, after.experts))

    def _keep(self, before: Tensor, after: Tensor) -> Tensor:
        here = torch.arange(after.shape[1], device=after.device) == self.expert  # (E,)
        return torch.where(here.view(1, -1, *[1] * (after.ndim - 2)), before, after)


def check_expert(expert: int, agent: BadgerAgent) -> None:
    """ValueError unless the agent has an expert of that number."""
    if not 0 <= expert < agent.settings.experts:
        raise ValueError(f"no expert {expert}; the agent has 0 to {agent.settings.experts - 1}")


def transplant(
    into: BadgerState, source: BadgerState, order: Int[Tensor, "B E"] | None = None
) -> BadgerState:
    """The paper's skills cloning: another agent's experts get the states of these.

    What belongs to an expert moves: its state, what it sent and has under way, its identity. The membrane,
    which wires places to slots, is the receiver's own.

    Args:
        into: the receiver's mind.
        source: the donor's.
        order: which of the donor's experts comes to each place; None: each to its own.
    """

    def pick(part: Tensor) -> Tensor:
        return part if order is None else take_experts(part, order)

    return into._replace(
        experts=by_parts(pick, source.experts),
        emission=by_parts(pick, source.emission),
        line=by_parts(pick, source.line),
        identity=pick(source.identity),
    )


class TransplantedState(NamedTuple):
    """What is kept of a trial.

    Attributes:
        mind: of the agent that lives now.
        fresh: of the receiver, before it has lived; None afterwards.
        time: steps done.
    """

    mind: BadgerState
    fresh: BadgerState | None
    time: int


class Transplanted:
    """One agent lives until a step, then another goes on in its place (contract 4).

    The receiver is fresh: its own mind is that of the start of a trial, but for what is moved. The
    membrane (who is wired to what, the time, the last feedback) goes on in every case, so that cases
    differ by the experts alone.

    Args:
        donor: the agent that lives first.
        receiver: the agent that goes on; it may be the same one.
        after: how many steps the donor lives.
        moved: the donor's "states", each expert's to the same place; "shuffled states", each to another
            expert's place; or "nothing": the receiver's experts start anew.
    """

    def __init__(
        self, donor: BadgerAgent, receiver: BadgerAgent, after: int, moved: Moved = "states"
    ) -> None:
        if after < 0:
            raise ValueError(f"after is {after}; the donor lives 0 steps or more")
        if donor.settings.experts != receiver.settings.experts:
            raise ValueError(
                f"the donor has {donor.settings.experts} experts, the receiver {receiver.settings.experts};"
                " states move from expert to expert"
            )
        self.donor = donor
        self.receiver = receiver
        self.after = after
        self.moved = moved

    def initial_state(self, family: Family, keys: Keys) -> TransplantedState:
        """The donor's mind; the receiver's waits."""
        return TransplantedState(
            self.donor.initial_state(family, keys), self.receiver.initial_state(family, keys), 0
        )

    def act(
        self, state: TransplantedState, observation: Observation, keys: Keys, step: int
    ) -> tuple[TransplantedState, Tensor, dict[str, Tensor]]:
        """A step of the one or the other."""
        mind, fresh, time = state
        if time == self.after:
            assert fresh is not None  # it waits until this step
            mind, fresh = self._change_over(mind, fresh, keys), None
        living = self.donor if time < self.after else self.receiver
        mind, action, record = living.act(mind, observation, keys, step)
        return TransplantedState(mind, fresh, time + 1), action, record

    def _change_over(self, donor: BadgerState, fresh: BadgerState, keys: Keys) -> BadgerState:
        ready = fresh._replace(membrane=donor.membrane)
        if self.moved == "nothing":
            return ready
        order = other_experts(keys, f"{STREAM} transplant", self.donor.settings.experts)
        return transplant(ready, donor, None if self.moved == "states" else order)


def take_experts(part: Shaped[Tensor, "B E ..."], order: Int[Tensor, "B E"]) -> Shaped[Tensor, "B E ..."]:
    """A tensor with its experts in another order, trial by trial."""
    rows = torch.arange(len(part), device=part.device)[:, None]  # (B, 1)
    return part[rows, order]  # (B, E, ...)
