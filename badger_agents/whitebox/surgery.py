"""Operations on single experts within a trial: remove, freeze, and transplant their states elsewhere."""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from badger_agents import tree
from badger_agents.agent import Keys
from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.badger.settings import BadgerSettings
from badger_agents.whitebox.interventions import STREAM, Intervention, other_experts
from badger_envs.family import Family, Observation

Moved = Literal["states", "shuffled states", "nothing"]


class OnExpert(Intervention):
    """Base of interventions on one expert.

    Args:
        expert: its number, from 0.
    """

    def __init__(self, expert: int) -> None:
        self.expert = expert

    def own_state(self, settings: BadgerSettings, keys: Keys, silence: Emission) -> tuple[()]:
        """Nothing to remember.

        Raises:
            ValueError: the agent has no expert of that number.
        """
        check_expert(self.expert, settings.experts)
        return ()


class Remove(OnExpert):
    """An expert is gone: what it would write is 0, and what it would send, message and key, is 0.

    Listeners still can give it attention; its slots are left to nobody.
    """

    def arrive(self, own: Any, arriving: Emission, keys: Keys, position: int) -> tuple[Any, Emission]:
        """Zeros in place of what it sends."""
        return own, Emission(self._without(arriving.value), self._without(arriving.key), arriving.query)

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

    def keep(self, before: Any, after: Any) -> Any:
        """The state of before for this expert."""
        return tree.map(self._keep, before, after)

    def _keep(self, before: Tensor, after: Tensor) -> Tensor:
        here = torch.arange(after.shape[1], device=after.device) == self.expert  # (E,)
        return torch.where(here.view(1, -1, *[1] * (after.ndim - 2)), before, after)


def check_expert(expert: int, experts: int) -> None:
    """ValueError unless there is an expert of that number among so many."""
    if not 0 <= expert < experts:
        raise ValueError(f"no expert {expert}; the agent has 0 to {experts - 1}")


def transplant(
    into: BadgerState, source: BadgerState, order: Int[Tensor, "B E"] | None = None
) -> BadgerState:
    """The paper's skills cloning: another agent's experts get the states of these.

    What belongs to an expert moves: its state, the attention it got, what it sent and has not arrived, its
    identity. The membrane, which ties places to slots, is the receiver's own.

    Args:
        into: the receiver's state.
        source: the donor's.
        order: which of the donor's experts comes to each place; None: each to its own.
    """

    def pick(part: Tensor) -> Tensor:
        return part if order is None else take_experts(part, order)

    waiting = tree.map(pick, source.channel.delay_buffer)
    return into._replace(
        experts=tree.map(pick, source.experts),
        received=pick(source.received),
        channel=into.channel._replace(delay_buffer=waiting),
        identity=pick(source.identity),
    )


class TransplantedState(NamedTuple):
    """What is kept of a trial.

    Attributes:
        current: state of the agent that acts now.
        fresh: of the receiver at the start of a trial.
    """

    current: BadgerState
    fresh: BadgerState


class Transplanted:
    """One agent acts until a step, then another goes on in its place (contract 4).

    The receiver is fresh: its own state is that of the start of a trial, but for what is moved. The
    membrane (who is tied to what, the last feedback) goes on in every case, so that cases
    differ by the experts alone.

    Args:
        donor: the agent that acts first.
        receiver: the agent that goes on; it may be the same one.
        after: how many steps the donor acts.
        moved: the donor's "states", each expert's to the same place; "shuffled states", each to another
            expert's place; or "nothing": the receiver's experts start anew.
    """

    def __init__(
        self, donor: BadgerAgent, receiver: BadgerAgent, after: int, moved: Moved = "states"
    ) -> None:
        if after < 0:
            raise ValueError(f"after is {after}; the donor acts for 0 steps or more")
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
        """The donor's state; the receiver's waits."""
        return TransplantedState(
            self.donor.initial_state(family, keys), self.receiver.initial_state(family, keys)
        )

    def act(
        self, state: TransplantedState, observation: Observation, keys: Keys, step: int
    ) -> tuple[TransplantedState, Tensor, dict[str, Tensor]]:
        """A step of the one or the other."""
        current, fresh = state
        if step == self.after:
            current = self._change_over(current, fresh, keys)
        agent = self.donor if step < self.after else self.receiver
        current, action, record = agent.act(current, observation, keys, step)
        return TransplantedState(current, fresh), action, record

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
