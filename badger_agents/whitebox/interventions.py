"""Interventions on a Badger agent: its weights, tasks and noise stay what they are."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.agent import Agent, Keys
from badger_agents.badger.agent import BadgerAgent, BadgerState, named_states
from badger_agents.badger.channel.channel import Channel, Delivery, WrappedChannel, WrappedState
from badger_agents.badger.membrane.base import Membrane, WrappedMembrane
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.badger.settings import BadgerSettings
from badger_envs import keyed_random
from badger_envs.family import Family, Observation

STREAM = "whitebox"
"""Beginning of the names of streams from which interventions draw, under the trials' keys."""

GROUP = 100
"""Trials side by side among which an intervention may mix what is sent: from row 0 on, so many at a time.
What it does to a trial so follows from its group, whatever else is in the batch."""


class Intervention:
    """Base of interventions: what they may change, each as it was unless a subclass says otherwise.

    An intervention holds its settings only. What it draws or remembers within a trial is in the channel's
    state, as tensors [B, ...].
    """

    needs_trials: int = 1
    """Fewest trials side by side for which it means anything; above 1, `GROUP` of them are mixed."""

    def own_state(self, settings: BadgerSettings, keys: Keys, silence: Emission) -> Any:
        """What it remembers, at the start of the trials.

        Args:
            settings: of the agent.
            keys: of the trials.
            silence: zeros, as wide as what is sent.
        """
        return ()

    def arrive(self, own: Any, arriving: Emission, keys: Keys, position: int) -> tuple[Any, Emission]:
        """One delivery: what it remembers then, and what arrives in place of what would.

        Args:
            own: what it remembers.
            arriving: what would arrive.
            keys: of the trials.
            position: rounds before this one in the trial.
        """
        return own, arriving

    def hear(self, delivery: Delivery) -> Delivery:
        """What reaches listeners, in place of what would."""
        return delivery

    def write(self, writing: Float[Tensor, "B E 1"]) -> Float[Tensor, "B E 1"]:
        """Writings as they reach the membrane."""
        return writing

    def keep(self, before: Any, after: Any) -> Any:
        """The experts' states that are kept of a step, from those before and after it."""
        return after


class ChangedChannel(WrappedChannel):
    """A channel with an intervention.

    Args:
        channel: the channel within.
        intervention: what is changed.
        settings: of the agent.
    """

    def __init__(self, channel: Channel, intervention: Intervention, settings: BadgerSettings) -> None:
        super().__init__(channel)
        self.intervention = intervention
        self.agent_settings = settings

    def own_state(self, keys: Keys, silence: Emission) -> Any:
        """The intervention's."""
        return self.intervention.own_state(self.agent_settings, keys, silence)

    def arrive(
        self, state: WrappedState, sent: Emission, keys: Keys, position: int
    ) -> tuple[WrappedState, Emission]:
        """What the intervention lets arrive of what does within."""
        within, arriving = self.channel.arrive(state.channel, sent, keys, position)
        own, arriving = self.intervention.arrive(state.own, arriving, keys, position)
        return WrappedState(within, own), arriving

    def hear(self, state: WrappedState, arriving: Emission, keys: Keys, position: int) -> Delivery:
        """What the intervention lets be heard."""
        return self.intervention.hear(self.channel.hear(state.channel, arriving, keys, position))


class ChangedMembrane(WrappedMembrane):
    """A membrane with an intervention on what is written.

    Args:
        membrane: the membrane within.
        intervention: what is changed.
    """

    def __init__(self, membrane: Membrane, intervention: Intervention) -> None:
        super().__init__(membrane)
        self.intervention = intervention

    def scores(
        self, state: Any, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """As within, of what the intervention lets be written."""
        return self.membrane.scores(state, observation, self.intervention.write(writing))

    def write(
        self, state: Any, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """As within, of what the intervention lets be written."""
        return self.membrane.write(state, observation, self.intervention.write(writing))


class Intervened:
    """A Badger agent with an intervention (contract 4); the agent itself stays as it is.

    Args:
        agent: the agent; its weights are used, not copied.
        intervention: what is changed.

    Attributes:
        group: trials are mixed in groups of so many rows; `evaluate` fills the last one.
    """

    def __init__(self, agent: Agent, intervention: Intervention) -> None:
        if not isinstance(agent, BadgerAgent):
            raise TypeError(f"interventions are for Badger agents; {type(agent).__name__} has no channel")
        self.agent = agent
        self.intervention = intervention
        self.group = GROUP if intervention.needs_trials > 1 else 1
        self.changed = agent.with_parts(
            channel=ChangedChannel(agent.channel, intervention, agent.settings),
            membrane=ChangedMembrane(agent.membrane, intervention),
        )

    def initial_state(self, family: Family, keys: Keys) -> BadgerState:
        """State at the start of the trials.

        Raises:
            ValueError: too few trials side by side for this intervention.
        """
        needed, left = self.intervention.needs_trials, len(keys) % self.group
        if 0 < left < needed:
            name = type(self.intervention).__name__
            raise ValueError(
                f"{name} needs at least {needed} trials side by side, not {left}"
                + (
                    f": {len(keys)} trials make groups of {self.group} and of {left}"
                    if left < len(keys)
                    else ""
                )
            )
        return self.changed.initial_state(family, keys)

    def act(
        self, state: BadgerState, observation: Observation, keys: Keys, step: int
    ) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
        """One step; writing and states in the record are those after the intervention."""
        after, action, record = self.changed.act(state, observation, keys, step)
        after = after._replace(experts=self.intervention.keep(state.experts, after.experts))
        written = self.intervention.write(record["writing"])
        return after, action, {**record, "writing": written, **named_states(after.experts)}


class Silence(Intervention):
    """Nothing arrives, exactly as with topology = "none".

    That is unlike anything met in training: nothing is to be concluded from it alone.
    """

    def hear(self, delivery: Delivery) -> Delivery:
        """Inboxes and attention of zeros."""
        return Delivery(*(torch.zeros_like(part) for part in delivery))


class ShuffleTasks(Intervention):
    """Listeners hear what experts in the same places said in another trial, from its start to its end.

    All that was sent moves, messages and keys; queries are the listeners' own. So what is heard is as
    usual in every respect but that it is of another task, one of the trial's group.
    """

    needs_trials = 2

    def own_state(self, settings: BadgerSettings, keys: Keys, silence: Emission) -> Int[Tensor, "B"]:
        """Which trial is heard in each."""
        return other_rows(keys, f"{STREAM} tasks")

    def arrive(self, own: Tensor, arriving: Emission, keys: Keys, position: int) -> tuple[Any, Emission]:
        """Messages and keys of the other trial."""
        return own, Emission(arriving.value[own], arriving.key[own], arriving.query)


class ShuffleExperts(Intervention):
    """Listeners attend as they would, and hear what some other expert said, the same one all the trial.

    Only messages move: with their keys, a listener that finds speakers by their keys would hear the same.
    """

    def own_state(self, settings: BadgerSettings, keys: Keys, silence: Emission) -> Int[Tensor, "B E"]:
        """Whose message arrives in whose place."""
        return other_experts(keys, f"{STREAM} experts", settings.experts)

    def arrive(self, own: Tensor, arriving: Emission, keys: Keys, position: int) -> tuple[Any, Emission]:
        """Messages with the others' keys."""
        value = arriving.value.gather(1, own[..., None].expand_as(arriving.value))  # (B, E, M)
        return own, arriving._replace(value=value)


class Delay(Intervention):
    """All that is sent arrives one more step late (after as many more deliveries as a step has rounds).

    Args:
        steps: how many more steps, at least 1.
    """

    def __init__(self, steps: int = 1) -> None:
        if steps < 1:
            raise ValueError(f"steps is {steps}; a delay is at least 1 step")
        self.steps = steps

    def own_state(
        self, settings: BadgerSettings, keys: Keys, silence: Emission
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        """What is waiting: silence, as before the first step."""
        return ((silence.value, silence.key),) * (self.steps * settings.rounds)

    def arrive(self, own: Any, arriving: Emission, keys: Keys, position: int) -> tuple[Any, Emission]:
        """What was sent longest ago arrives, to listeners with the queries of now."""
        value, key = own[0]
        return (*own[1:], (arriving.value, arriving.key)), Emission(value, key, arriving.query)


class Noise(Intervention):
    """Noise arrives with mean and variance of every number that every expert sends, over the trials.

    The moments are those of this very delivery over the trial's group, so that they follow the trial's
    course: what is always said at this time by this expert stays, and what depends on the task is lost. Keys
    are replaced too.

    Args:
        scale: standard deviation of the noise in units of the message's own; 0 leaves the mean alone.
    """

    needs_trials = 2

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def arrive(self, own: Any, arriving: Emission, keys: Keys, position: int) -> tuple[Any, Emission]:
        """Moments of what arrives, and normal numbers."""
        value = self._noise(arriving.value, keys, "values", position)
        key = self._noise(arriving.key, keys, "keys", position) if arriving.key.shape[-1] else arriving.key
        return own, Emission(value, key, arriving.query)

    def _noise(
        self, part: Float[Tensor, "B E M"], keys: Keys, name: str, position: int
    ) -> Float[Tensor, "B E M"]:
        groups = part.split(GROUP)  # each (G, E, M)
        mean = torch.cat([group.mean(0, keepdim=True).expand_as(group) for group in groups])  # (B, E, M)
        spread = torch.cat(
            [group.std(0, correction=0, keepdim=True).expand_as(group) for group in groups]
        )  # (B, E, M)
        size, dtype = part[0].numel(), str(part.dtype).removeprefix("torch.")
        draws = keyed_random.normal(keys, f"{STREAM} {name}", size, position * size, dtype)  # (B, E*M)
        return mean + self.scale * spread * draws.view_as(part)  # (B, E, M)


class UniformAttention(Intervention):
    """Listeners hear the mean of all whom they can hear; messages stay what they are."""

    def arrive(self, own: Any, arriving: Emission, keys: Keys, position: int) -> tuple[Any, Emission]:
        """Without queries all are alike."""
        return own, arriving._replace(query=arriving.query[..., :0])


def other_rows(keys: Keys, name: str) -> Int[Tensor, "B"]:
    """For each trial another one of its group, at random, each used once: the one before in a random order.

    A trial's place in the order is drawn from its own key.
    """
    rows = torch.arange(len(keys), device=keys.device)  # (B,)
    group = rows // GROUP  # (B,)
    order = keyed_random.words(keys, name, 1)[:, 0].argsort(stable=True)  # (B,)
    order = order[group[order].argsort(stable=True)]  # (B,), group after group
    last = ((group + 1) * GROUP).clamp(max=len(keys)) - 1  # (B,), of each group
    before = torch.where(rows % GROUP == 0, last, rows - 1)  # (B,)
    partner = torch.empty_like(order)
    partner[order] = order[before]
    return partner


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
