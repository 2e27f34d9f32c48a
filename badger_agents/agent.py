"""What an agent is: a pure step on batched trials (contract 4)."""

import math
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel
from torch import Tensor

from badger_agents.settings import Settings as Settings
from badger_envs.family import ActionKind, Family, Observation, Slots

Keys = Int[Tensor, "B 4"]
"""The agent's keys of the trials (`badger_envs.keyed_random.agent_keys`), from which no task can be made."""


@runtime_checkable
class Agent(Protocol):
    """Anything that can act in a family: Badger, monoliths, handcrafted and classical algorithms.

    An agent holds weights at most. What it remembers of a trial is in the state, nested tuples of
    tensors with a leading batch axis B, so that no information can pass between rows or trials.

    A control that looks answers up has `knows_trials = True`: its `initial_state` gets the trials' own keys
    in rollouts (see `badger_agents.rollout.keys_at_start`). No other agent gets them.
    """

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """State at the start of the trials named by `keys` (int64 [B, 4])."""
        ...

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """One step.

        Args:
            state: from `initial_state` or the last call.
            observation: what the family shows, arrays [B, ...].
            keys: the trials' keys, the same at every step.
            step: steps done in the trials, the same in all.

        Returns:
            The next state; the action ([B, O], or int64 [B] where the family's actions are
            categorical); and tensors worth recording, by name, each [B, ...].
        """
        ...


class LearnedAgent(torch.nn.Module):
    """Base of agents with weights: a torch module built from a family and settings.

    Args:
        family: a family of the kind the agent will act in; it sets the sizes of what is read, and
            nothing of it is kept but those sizes and the kind of action.
        action_kind: of the families it will act in, if not of this one's kind: weights made for one family
            may serve in another.

    Attributes:
        Settings: class of the settings; a subclass takes family, settings and, by keyword, action_kind.
        action_kind: of the families it can act in.
        sequence_major: whether `unroll` takes less time than as many calls of `act`.
        knows_trials: see `Agent`.
    """

    Settings: ClassVar[type[BaseModel]]
    sequence_major: ClassVar[bool] = False
    knows_trials: ClassVar[bool] = False
    action_kind: ActionKind

    def __init__(self, family: Family | None, action_kind: ActionKind | None = None) -> None:
        super().__init__()
        if action_kind is None:
            if family is None:
                raise TypeError("an agent needs a family or the kind of its actions")
            action_kind = family.action_kind
        self.action_kind = action_kind

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """See `Agent.initial_state`."""
        raise NotImplementedError

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """See `Agent.act`."""
        raise NotImplementedError

    def memory(self, state: Any) -> Any:
        """The part of a state in which the agent learns within a trial: what agents are matched by.

        Not in it, where an agent says so: what stays the same in a trial, messages on their way, and the
        feedback of the last step.
        """
        return state

    def unroll(
        self, state: Any, observations: Observation, keys: Keys
    ) -> tuple[Any, dict[str, Float[Tensor, "T B ..."]]]:
        """See again what was seen in several steps, with the weights of the moment.

        Args:
            state: before the first step of the trials.
            observations: of the steps from the first on, sequence-major: arrays [T, B, ...].
            keys: the trials' keys.

        Returns:
            The state after the last, as `act` makes it step by step, to rounding; and what is recorded, each
            [T, B, ...]. An agent that is not asked for actions need not draw them.
        """
        records = []
        for step, seen in enumerate(zip(*(part.unbind() for part in observations), strict=True)):
            state, _, record = self.act(state, Observation(*seen), keys, step)
            records.append(record)
        return state, {name: torch.stack([record[name] for record in records]) for name in records[0]}

    def check_fits(
        self, slots: Slots, family: Family, sizes: tuple[str, ...], *, padded: bool = False
    ) -> None:
        """Check that weights and kind of action fit a family.

        Args:
            slots: sizes for which the weights were made.
            family: where the agent is to act.
            sizes: names of the sizes in `Slots` on which the weights depend.
            padded: whether smaller sizes fit too, as what is missing reads as zeros.

        Raises:
            ValueError: the kind of action, a size or the dtype differs.
        """
        name = type(family).__name__
        if family.action_kind != self.action_kind:
            raise ValueError(
                f"{name} has {family.action_kind} actions, this agent was made for {self.action_kind} ones;"
                f" make it with action_kind = {family.action_kind!r}"
            )
        for size in sizes:
            here, there = getattr(slots, size), getattr(family.slots, size)
            if there > here or (there < here and not padded):
                raise ValueError(
                    f"{type(self).__name__}'s weights are for {name} with {size} = {here}, not {there}:"
                    " leave the environment's settings as in training, or train another"
                )
        dtypes = {weight.dtype for weight in self.parameters()}
        if dtypes - {getattr(torch, family.dtype)}:
            raise ValueError(
                f"the weights are {dtypes.pop()}, {name} is {family.dtype}; leave its dtype as in training"
            )


def feedback_and_change(
    feedback: Float[Tensor, "*B G"],
    previous: Float[Tensor, "*B G"],
    first: Float[Tensor, "*B 1"],
    magnification: float = 0.0,
) -> Float[Tensor, "*B N"]:
    """Feedback beside its change since the last step (0 at the first step of a trial): 2G numbers.

    Args:
        feedback: of this step.
        previous: of the step before.
        first: 1 at the first step of a trial.
        magnification: above 0, both once more, `magnified`: 4G numbers.
    """
    heard = torch.cat([feedback, (feedback - previous) * (1 - first)], dim=-1)  # (*B, 2G)
    if not magnification:
        return heard
    return torch.cat([heard, magnified(heard, magnification)], dim=-1)  # (*B, 4G)


def magnified(value: Tensor, magnification: float) -> Tensor:
    """Small numbers made large, on a scale that keeps 0 and 1: asinh(m x) / asinh(m).

    Near 0 it is steep, m / asinh(m); far from 0 it grows as a logarithm. What is left of an error late in a
    search so reads as clearly as the error at its start.
    """
    return torch.asinh(magnification * value) / math.asinh(magnification)
