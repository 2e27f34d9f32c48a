"""Measures that need the agent itself, running: who influences whom, and whether experts are exchangeable."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents import tree
from badger_agents.agent import Keys
from badger_agents.badger.agent import BadgerAgent, BadgerState
from badger_agents.badger.channel.channel import (
    Channel,
    Delivery,
    WrappedChannel,
    WrappedState,
    silence_like,
)
from badger_agents.badger.membrane.base import Membrane, WrappedMembrane
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.rollout import rollout
from badger_agents.whitebox.interventions import STREAM, Intervened
from badger_agents.whitebox.metrics import equivariance_residual
from badger_agents.whitebox.surgery import take_experts, transplant
from badger_envs import keyed_random
from badger_envs.family import Family, Observation


@torch.no_grad()
def influence(
    agent: BadgerAgent | Intervened,
    family: Family,
    keys: Int[Tensor, "B 4"],
    *,
    counterfactuals: int = 1,
    speakers: int | None = None,
) -> Float[np.ndarray, "B E S"]:
    """Causal influence of each expert's messages on each expert's writing, trial by trial.

    At every step of a trial, what arrives from expert j (message and key, in every round) is replaced by
    what arrives from it in another trial at the same time, all else being equal, and the step is taken
    again: how far does the writing of expert i move? The trial then goes on as if nothing had been.

    Formula: `metrics.causal_effect`, the mean squared change over steps and counterfactuals.
    Range: 0 up, in units of the writing squared. Null: 0, exactly, for i who does not hear j (nor, if a
    step has several rounds, somebody who does); unless experts read the attention that they received, in
    which those who compete for attention feel each other, and each itself.

    Args:
        agent: the agent, or one with an intervention.
        family: where it acts.
        keys: int64 [B, 4], at least 2 trials.
        counterfactuals: other trials to take messages from, fewer than B.
        speakers: S, the first so many experts' messages are replaced, one after the other; None: all.

    Returns:
        [B, E, S], entry [b, i, j]: of speaker j on listener i in trial b.

    Raises:
        ValueError: too few trials.
    """
    if not 1 <= counterfactuals < len(keys):
        raise ValueError(f"{counterfactuals} counterfactuals need more trials than {len(keys)}")
    experts = (agent.agent if isinstance(agent, Intervened) else agent).settings.experts
    asked = experts if speakers is None else min(speakers, experts)
    effects = rollout(_Asking(agent, counterfactuals, asked), family, keys, record=("effect",)).trace[
        "effect"
    ]
    return (effects.sum(dim=0) / (family.horizon * counterfactuals)).cpu().numpy()


class _Asking:
    """An agent that asks at every step what would have been written, had a speaker said something else.

    Args:
        agent: the agent, or one with an intervention.
        counterfactuals: other trials to take messages from.
        speakers: S.
    """

    def __init__(self, agent: BadgerAgent | Intervened, counterfactuals: int, speakers: int) -> None:
        self.agent, self.counterfactuals, self.speakers = agent, counterfactuals, speakers

    def initial_state(self, family: Family, keys: Keys) -> Any:
        """The agent's."""
        return self._with(lambda channel: Recording(channel, [])).initial_state(family, keys)

    def act(
        self, state: Any, observation: Observation, keys: Keys, step: int
    ) -> tuple[Any, Tensor, dict[str, Tensor]]:
        """The agent's step; records "effect", the squared change of each writing [B, E, S], summed."""
        arrived: list[Emission] = []
        recording = self._with(lambda channel: Recording(channel, arrived))
        after, action, record = recording.act(state, observation, keys, step)
        effects = []
        for speaker in range(self.speakers):
            effect = torch.zeros_like(record["writing"][..., 0], dtype=torch.float64)  # (B, E)
            for donor in self._donors(keys):
                told = self._with(partial(Retelling, arrived=arrived, speaker=speaker, donor=donor))
                _, _, other = told.act(state, observation, keys, step)
                effect += (other["writing"] - record["writing"])[..., 0].double() ** 2  # (B, E)
            effects.append(effect)
        return after, action, {"effect": torch.stack(effects, dim=-1)}

    def _with(self, wrap: Callable[[Channel], WrappedChannel]) -> BadgerAgent | Intervened:
        """The agent with a wrapper around its own channel, within the intervention if there is one."""
        agent = self.agent
        inner = agent.agent if isinstance(agent, Intervened) else agent
        inner = inner.with_parts(channel=wrap(inner.channel))
        return Intervened(inner, agent.intervention) if isinstance(agent, Intervened) else inner

    def _donors(self, keys: Keys) -> Iterator[Int[Tensor, "B"]]:
        """For each counterfactual another trial for each."""
        order = keyed_random.words(keys, f"{STREAM} influence", 1)[:, 0].argsort(stable=True)  # (B,)
        for shift in range(1, self.counterfactuals + 1):
            donor = torch.empty_like(order)
            donor[order] = order.roll(shift)
            yield donor


class Recording(WrappedChannel):
    """A channel that appends what arrives in each round to a list.

    Args:
        channel: the channel within.
        arrived: the list.
    """

    def __init__(self, channel: Channel, arrived: list[Emission]) -> None:
        super().__init__(channel)
        self.arrived = arrived

    def hear(self, state: WrappedState, arriving: Emission, keys: Keys, position: int) -> Delivery:
        """As within."""
        self.arrived.append(arriving)
        return super().hear(state, arriving, keys, position)


class Retelling(WrappedChannel):
    """A channel in which what arrives from one speaker in a step is what arrived from it in other trials.

    Args:
        channel: the channel within.
        arrived: what did, round by round.
        speaker: whose words.
        donor: [B], in which trial.
    """

    def __init__(
        self, channel: Channel, arrived: list[Emission], speaker: int, donor: Int[Tensor, "B"]
    ) -> None:
        super().__init__(channel)
        self.arrived, self.speaker, self.donor = arrived, speaker, donor

    def hear(self, state: WrappedState, arriving: Emission, keys: Keys, position: int) -> Delivery:
        """As within, with the words of the same round."""
        kept = self.arrived[position % len(self.arrived)]
        value, key = self._swapped(arriving.value, kept.value), self._swapped(arriving.key, kept.key)
        return super().hear(state, Emission(value, key, arriving.query), keys, position)

    def _swapped(self, part: Float[Tensor, "B E M"], kept: Float[Tensor, "B E M"]) -> Float[Tensor, "B E M"]:
        here = torch.arange(part.shape[1], device=part.device) == self.speaker  # (E,)
        return torch.where(here[:, None], kept[self.donor], part)  # (B, E, M)


@torch.no_grad()
def equivariance(agent: BadgerAgent, family: Family, keys: Int[Tensor, "B 4"]) -> float:
    """Whether experts are exchangeable: `metrics.equivariance_residual` of an agent and its permutation.

    Experts' states, identities and messages change places, and the ties of membrane and topology with
    them, in an order drawn anew for each trial; both agents see the same observations. What is left is
    a policy that treats places differently.

    Args:
        agent: the agent.
        family: where it acts.
        keys: int64 [B, 4].
    """
    own = keyed_random.agent_keys(keys)  # (B, 4)
    order = keyed_random.permutation(own, f"{STREAM} equivariance", agent.settings.experts)  # (B, E)
    trace = rollout(_BesidePermuted(agent, order), family, keys, record=("writing", "permuted")).trace
    writing, permuted = (trace[name][..., 0].cpu().numpy() for name in ("writing", "permuted"))
    return equivariance_residual(writing, permuted, order.cpu().numpy())


class _BesidePermuted:
    """An agent, and beside it the same one with its experts in other places, which sees what the first does.

    Args:
        agent: the agent.
        order: [B, E], which expert comes to each place.
    """

    def __init__(self, agent: BadgerAgent, order: Int[Tensor, "B E"]) -> None:
        self.agent, self.order = agent, order
        self.permuted = agent.with_parts(
            channel=PermutedChannel(agent.channel, order), membrane=PermutedMembrane(agent.membrane, order)
        )

    def initial_state(self, family: Family, keys: Keys) -> tuple[BadgerState, BadgerState]:
        """The agent's state, and the same with experts' own parts permuted."""
        state = self.agent.initial_state(family, keys)
        moved = transplant(state, state, self.order)  # the channel's own places stay what they are
        return state, moved._replace(channel=WrappedState(state.channel, ()))

    def act(
        self, state: tuple[BadgerState, BadgerState], observation: Observation, keys: Keys, step: int
    ) -> tuple[tuple[BadgerState, BadgerState], Tensor, dict[str, Tensor]]:
        """The agent's step; records "writing" of the agent and, as "permuted", of the other."""
        one, other = state
        one, action, record = self.agent.act(one, observation, keys, step)
        other, _, seen = self.permuted.act(other, observation, keys, step)
        return (one, other), action, {"writing": record["writing"], "permuted": seen["writing"]}


class PermutedMembrane(WrappedMembrane):
    """A membrane whose ties lead to other places: to e what led to order[e].

    Args:
        membrane: the membrane within.
        order: [B, E].
    """

    def __init__(self, membrane: Membrane, order: Int[Tensor, "B E"]) -> None:
        super().__init__(membrane)
        self.order, self.back = order, order.argsort(dim=1)  # (B, E)

    def read(
        self, state: Any, observation: Observation, step: int, experts: int
    ) -> tuple[Any, Float[Tensor, "B E R"]]:
        """As within, in the other order."""
        state, reading = self.membrane.read(state, observation, step, experts)
        return state, take_experts(reading, self.order)

    def scores(
        self, state: Any, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """As within, of what comes back from the other places."""
        return self.membrane.scores(state, observation, take_experts(writing, self.back))

    def write(
        self, state: Any, observation: Observation, writing: Float[Tensor, "B E 1"]
    ) -> Float[Tensor, "B O"]:
        """As within, of what comes back from the other places."""
        return self.membrane.write(state, observation, take_experts(writing, self.back))


class PermutedChannel(WrappedChannel):
    """A channel whose edges, noise and delay lead to other places; attention stays in the old ones.

    Args:
        channel: the channel within.
        order: [B, E], what led to order[e] leads to e.
    """

    def __init__(self, channel: Channel, order: Int[Tensor, "B E"]) -> None:
        super().__init__(channel)
        self.order, self.back = order, order.argsort(dim=1)  # (B, E)

    def encode(self, emission: Emission, keys: Keys, position: int) -> Emission:
        """As within, in the old places."""
        sent = self.channel.encode(self._moved(emission, self.back), keys, position)
        return self._moved(sent, self.order)

    def arrive(
        self, state: WrappedState, sent: Emission, keys: Keys, position: int
    ) -> tuple[WrappedState, Emission]:
        """As within, in the old places."""
        state, arriving = super().arrive(state, self._moved(sent, self.back), keys, position)
        return state, self._moved(arriving, self.order)

    def hear(self, state: WrappedState, arriving: Emission, keys: Keys, position: int) -> Delivery:
        """As within, in the old places."""
        delivery = super().hear(state, self._moved(arriving, self.back), keys, position)
        inbox, received = (take_experts(part, self.order) for part in (delivery.inbox, delivery.received))
        return Delivery(inbox, delivery.attention, received)

    @staticmethod
    def _moved(emission: Emission, order: Int[Tensor, "B E"]) -> Emission:
        moved: Emission = tree.map(lambda part: take_experts(part, order), emission)
        return moved


@torch.no_grad()
def bits_per_step(agent: BadgerAgent, family: Family) -> float:
    """The most bits that an expert can tell the others in a step: messages and keys of all rounds.

    Numbers that are sent as they are count with all of their bits; symbols and rounded numbers as
    `badger.channel.codec.CodecSettings` says. With received attention a number comes back in each round; it
    is counted too. Nothing is told where nobody hears another. Where experts vote on when to stop, these are
    the bits of all rounds that they may use.

    Args:
        agent: the agent.
        family: where it acts.
    """
    settings = agent.settings
    if settings.channel.topology in ("none", "self") or settings.experts == 1:
        return 0.0
    like = torch.zeros(1, 1, agent.policy.message_size, dtype=getattr(torch, family.dtype))
    sent = silence_like(like, agent.policy.key_size)
    received = 8 * sent.value.element_size() * settings.channel.received_attention
    return settings.rounds * (agent.channel.codec.bits(sent) + received)
