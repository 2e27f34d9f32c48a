"""Interventions on the channel of a living agent: its weights, tasks and noise stay what they are."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

from badger_agents.agent import Agent, Keys
from badger_agents.badger.agent import BadgerAgent, BadgerState, named_states
from badger_agents.badger.policies.expert_policy import Emission
from badger_envs import keyed_random
from badger_envs.family import Family, Observation

Deliver = Callable[..., Any]
"""`BadgerAgent.deliver`: an emission to inboxes [B, E, M] and attention [B, E, E]."""

Whole = TypeVar("Whole")

STREAM = "whitebox"
"""Beginning of the names of streams from which interventions draw, under the trials' keys."""


class Intervention:
    """Base of interventions: what they may change, each as it was unless a subclass says otherwise.

    An intervention holds its settings only. What it draws or remembers within a trial is in its state.
    """

    needs_trials: int = 1
    """Fewest trials side by side for which it means anything."""

    def initial_state(self, agent: BadgerAgent, mind: BadgerState, keys: Keys) -> Any:
        """What it remembers, at the start of the trials."""
        return ()

    def deliver(self, deliver: Deliver, emission: Emission, state: Any, keys: Keys) -> tuple[Any, Any]:
        """One delivery: (what `deliver` returned, perhaps changed; the next state)."""
        return deliver(emission), state

    def write(self, writing: Tensor) -> Tensor:
        """Writings [B, E, 1] as they reach the membrane."""
        return writing

    def end_step(self, before: BadgerState, after: BadgerState) -> BadgerState:
        """What the agent keeps of a step."""
        return after


class IntervenedState(NamedTuple):
    """What is kept of a trial: the agent's mind, and what the intervention remembers."""

    mind: BadgerState
    own: Any


class Intervened:
    """A Badger agent with an intervention (contract 4); the agent itself stays as it is.

    Args:
        agent: the agent; its weights are used, not copied.
        intervention: what is changed.
    """

    def __init__(self, agent: Agent, intervention: Intervention) -> None:
        if not isinstance(agent, BadgerAgent):
            raise TypeError(f"interventions are for Badger agents; {type(agent).__name__} has no channel")
        self.agent = agent
        self.intervention = intervention

    def initial_state(self, family: Family, keys: Keys) -> IntervenedState:
        """State at the start of the trials.

        Raises:
            ValueError: too few trials side by side for this intervention.
        """
        needed = self.intervention.needs_trials
        if len(keys) < needed:
            name = type(self.intervention).__name__
            raise ValueError(f"{name} needs at least {needed} trials side by side, not {len(keys)}")
        mind = self.agent.initial_state(family, keys)
        return IntervenedState(mind, self.intervention.initial_state(self.agent, mind, keys))

    def act(
        self, state: IntervenedState, observation: Observation, keys: Keys, step: int
    ) -> tuple[IntervenedState, Tensor, dict[str, Tensor]]:
        """One step; writing and states in the record are those after the intervention."""
        mind, own = state
        written: list[Tensor] = []

        def deliver(emission: Emission, *others: Any, **more: Any) -> Any:
            nonlocal own
            usual = lambda sent: self.agent.deliver(sent, *others, **more)  # noqa: E731
            arrived, own = self.intervention.deliver(usual, emission, own, keys)
            return arrived

        def write(membrane: Any, shown: Observation, writing: Tensor) -> Tensor:
            written.append(self.intervention.write(writing))
            return self.agent.membrane.write(membrane, shown, written[-1])

        def scores(membrane: Any, shown: Observation, writing: Tensor) -> Tensor:
            written.append(self.intervention.write(writing))
            return self.agent.membrane.scores(membrane, shown, written[-1])

        hooked = Hooked(self.agent.membrane, write=write, scores=scores)
        body = shadow(self.agent, deliver=deliver, membrane=hooked)
        after, action, record = body.act(mind, observation, keys, step)
        after = self.intervention.end_step(mind, after)
        record = {**record, "writing": written[-1], **named_states(after.experts)}
        return IntervenedState(after, own), action, record


class Hooked:
    """An object with some of its attributes replaced; it is not changed itself."""

    def __init__(self, inner: Any, **replaced: Any) -> None:
        self._inner = inner
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def shadow(whole: Whole, **replaced: Any) -> Whole:
    """The same agent (weights and all) or part of one, with some attributes replaced in this copy only."""
    body = copy.copy(whole)
    body.__dict__.update(replaced)  # found before a module's parameters, buffers and submodules
    return body


class Silence(Intervention):
    """Nothing arrives, exactly as with topology = "none".

    That is unlike anything met in training: nothing is to be concluded from it alone.
    """

    def deliver(self, deliver: Deliver, emission: Emission, state: Any, keys: Keys) -> tuple[Any, Any]:
        """Inboxes and attention of zeros."""
        return tuple(torch.zeros_like(part) for part in deliver(emission)), state


class ShuffleTasks(Intervention):
    """Listeners hear what experts in the same places said in another trial, from its start to its end.

    All that was sent moves, messages and keys; queries are the listeners' own. So what is heard is as
    usual in every respect but that it is of another task.
    """

    needs_trials = 2

    def initial_state(self, agent: BadgerAgent, mind: BadgerState, keys: Keys) -> Int[Tensor, "B"]:
        """Which trial is heard in each."""
        return other_rows(keys, f"{STREAM} tasks")

    def deliver(self, deliver: Deliver, emission: Emission, state: Tensor, keys: Keys) -> tuple[Any, Any]:
        """Messages and keys of the other trial."""
        return deliver(_sent(emission, lambda part: part[state])), state


class ShuffleExperts(Intervention):
    """Listeners attend as they would, and hear what some other expert said, the same one all the trial.

    Only messages move: with their keys, a listener that finds speakers by their keys would hear the same.
    """

    def initial_state(self, agent: BadgerAgent, mind: BadgerState, keys: Keys) -> Int[Tensor, "B E"]:
        """Whose message arrives in whose place."""
        return other_experts(keys, f"{STREAM} experts", agent.settings.experts)

    def deliver(self, deliver: Deliver, emission: Emission, state: Tensor, keys: Keys) -> tuple[Any, Any]:
        """Messages with the others' keys."""
        value = emission.value.gather(1, state[..., None].expand_as(emission.value))  # (B, E, M)
        return deliver(emission._replace(value=value)), state


class Delay(Intervention):
    """All that is sent arrives one more step late (after as many more deliveries as a step has rounds).

    Args:
        steps: how many more steps, at least 1.
    """

    def __init__(self, steps: int = 1) -> None:
        if steps < 1:
            raise ValueError(f"steps is {steps}; a delay is at least 1 step")
        self.steps = steps

    def initial_state(self, agent: BadgerAgent, mind: BadgerState, keys: Keys) -> tuple[Emission, ...]:
        """What is under way: silence, as before the first step."""
        return (mind.emission,) * (self.steps * agent.settings.rounds)

    def deliver(self, deliver: Deliver, emission: Emission, state: Any, keys: Keys) -> tuple[Any, Any]:
        """What was sent longest ago arrives, to listeners with the queries of now."""
        under_way: tuple[Emission, ...] = (*state, emission)
        late = under_way[0]
        return deliver(Emission(late.value, late.key, emission.query)), under_way[1:]


class Noise(Intervention):
    """Noise arrives with mean and variance of every number that every expert sends, over the trials.

    The moments are those of this very delivery, so that they follow the trial's course: what is always
    said at this time by this expert stays, and what depends on the task is lost. Keys are replaced too.

    Args:
        scale: standard deviation of the noise in units of the message's own; 0 leaves the mean alone.
    """

    needs_trials = 2

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def initial_state(self, agent: BadgerAgent, mind: BadgerState, keys: Keys) -> int:
        """Deliveries so far."""
        return 0

    def deliver(self, deliver: Deliver, emission: Emission, state: int, keys: Keys) -> tuple[Any, Any]:
        """Moments of what was sent, and normal numbers."""
        sent = iter(("values", "keys"))

        def noise(part: Tensor) -> Tensor:
            mean, spread = part.mean(0), part.std(0, correction=0)  # (E, M)
            size, dtype = mean.numel(), str(part.dtype).removeprefix("torch.")
            draws = keyed_random.normal(keys, f"{STREAM} {next(sent)}", size, state * size, dtype)  # (B, E*M)
            return mean + self.scale * spread * draws.view_as(part)  # (B, E, M)

        return deliver(_sent(emission, noise)), state + 1


class UniformAttention(Intervention):
    """Listeners hear the mean of all whom they can hear; messages stay what they are."""

    def deliver(self, deliver: Deliver, emission: Emission, state: Any, keys: Keys) -> tuple[Any, Any]:
        """Without keys and queries all are alike."""
        return deliver(Emission(emission.value)), state


def _sent(emission: Emission, change: Callable[[Tensor], Tensor]) -> Emission:
    """The emission with its messages and keys changed."""
    key = emission.key
    value = change(emission.value)
    return Emission(value, None if key is None else change(key), emission.query)


def other_rows(keys: Keys, name: str) -> Int[Tensor, "B"]:
    """For each trial another one, at random, each used once: the next one in a random order.

    A trial's place in the order is drawn from its own key.
    """
    order = keyed_random.words(keys, name, 1)[:, 0].argsort(stable=True)  # (B,)
    following = torch.empty_like(order)
    following[order] = order.roll(1)
    return following


def other_experts(keys: Keys, name: str, experts: int) -> Int[Tensor, "B E"]:
    """For each expert another one, at random, each used once; [B, E]. An only expert keeps itself."""
    order = keyed_random.permutation(keys, name, experts)  # (B, E)
    return torch.empty_like(order).scatter_(1, order, order.roll(1, dims=1))


INTERVENTIONS: dict[str, Callable[[], Intervention]] = {
    "silence": Silence,
    "mean message": lambda: Noise(0.0),
    "moment-matched noise": Noise,
    "shuffle across tasks": ShuffleTasks,
    "shuffle across experts": ShuffleExperts,
    "delay by one step": Delay,
    "uniform attention": UniformAttention,
}
"""Interventions on the channel that every agent can be tried with, by name."""
