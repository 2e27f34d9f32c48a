"""Measures that need the living agent: who influences whom, and whether experts are exchangeable."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.agent import Agent
from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.tree import by_parts
from badger_agents.whitebox.interventions import STREAM, Hooked, Intervened, shadow
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
    step has several rounds, somebody who does); unless experts read their echo, in which those who
    compete for attention feel each other, and each itself.

    Args:
        agent: the agent, or one with an intervention.
        family: where it lives.
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
    badger = agent.agent if isinstance(agent, Intervened) else agent
    line = _Line(badger)
    living: Agent = shadow(badger, deliver=line.deliver)
    if isinstance(agent, Intervened):
        living = Intervened(living, agent.intervention)
    own = keyed_random.agent_keys(keys)  # (B, 4)
    order = keyed_random.words(own, f"{STREAM} influence", 1)[:, 0].argsort(stable=True)  # (B,)
    task, mind = family.sample_task(keys), living.initial_state(family, own)
    world, noise = family.initial_state(task), family.noise(keys, family.horizon)
    experts = badger.settings.experts
    speakers = experts if speakers is None else min(speakers, experts)
    total = torch.zeros(len(keys), experts, speakers, dtype=torch.float64, device=keys.device)  # (B, E, S)
    for time in range(family.horizon):
        observation = family.observe(task, world)
        line.listen()
        after, action, record = living.act(mind, observation, own, time)
        for shift in range(1, counterfactuals + 1):
            donor = torch.empty_like(order)
            donor[order] = order.roll(shift)
            for speaker in range(speakers):
                line.retell(speaker, donor)
                _, _, other = living.act(mind, observation, own, time)
                change = (other["writing"] - record["writing"])[..., 0].double()  # (B, E)
                total[:, :, speaker] += change**2
        mind, world = after, family.step(task, world, action, noise[:, time]).state
    return (total / (family.horizon * counterfactuals)).cpu().numpy()


class _Line:
    """A line between experts that keeps what is sent in a step, and can put one speaker's words in again."""

    def __init__(self, agent: BadgerAgent) -> None:
        self.agent = agent
        self.sent: list[Emission] = []
        self.retold: Iterator[Emission] | None = None

    def listen(self) -> None:
        """From now on keep what is sent, anew."""
        self.sent, self.retold = [], None

    def retell(self, speaker: int, donor: Int[Tensor, "B"]) -> None:
        """In the next step, let arrive from a speaker what was kept of it in the donor's trial."""
        self.speaker, self.donor, self.retold = speaker, donor, iter(self.sent)

    def deliver(self, emission: Emission, *links: Any) -> tuple[Tensor, Tensor]:
        """In place of `BadgerAgent.deliver`."""
        if self.retold is None:
            self.sent.append(emission)
            return self.agent.deliver(emission, *links)
        value, key, query = emission
        kept = next(self.retold)
        told = Emission(self._swap(value, kept.value), key, query)
        if key is not None and kept.key is not None:
            told = told._replace(key=self._swap(key, kept.key))
        return self.agent.deliver(told, *links)

    def _swap(self, part: Tensor, kept: Tensor) -> Tensor:
        part = part.clone()
        part[:, self.speaker] = kept[self.donor, self.speaker]
        return part


@torch.no_grad()
def equivariance(agent: BadgerAgent, family: Family, keys: Int[Tensor, "B 4"]) -> float:
    """Whether experts are exchangeable: `metrics.equivariance_residual` of an agent and its permutation.

    Experts' states, identities and messages change places, and the wires of membrane and topology with
    them, in an order drawn anew for each trial; both agents see the same observations. What is left is
    a policy that treats places differently.

    Args:
        agent: the agent.
        family: where it lives.
        keys: int64 [B, 4].
    """
    own = keyed_random.agent_keys(keys)  # (B, 4)
    order = keyed_random.permutation(own, f"{STREAM} equivariance", agent.settings.experts)  # (B, E)
    rewired = _rewired(agent, order)
    task, mind = family.sample_task(keys), agent.initial_state(family, own)
    world, noise = family.initial_state(task), family.noise(keys, family.horizon)
    other = transplant(mind, mind, order)
    writings, others = [], []
    for time in range(family.horizon):
        observation = family.observe(task, world)
        mind, action, record = agent.act(mind, observation, own, time)
        other, _, seen = rewired.act(other, observation, own, time)
        writings.append(record["writing"][..., 0].cpu().numpy())
        others.append(seen["writing"][..., 0].cpu().numpy())
        world = family.step(task, world, action, noise[:, time]).state
    return equivariance_residual(np.stack(writings), np.stack(others), order.cpu().numpy())


def _rewired(agent: BadgerAgent, order: Int[Tensor, "B E"]) -> BadgerAgent:
    """The agent with the wires of membrane and topology led to other places: to e what led to order[e]."""
    membrane, wiring, channel = agent.membrane, agent.wiring, agent.transmission
    back = order.argsort(dim=1)  # (B, E)

    def read(state: Any, observation: Observation, experts: int) -> Any:
        state, reading = membrane.read(state, observation, experts)
        return state, take_experts(reading, order)

    def write(state: Any, observation: Observation, writing: Tensor) -> Tensor:
        return membrane.write(state, observation, take_experts(writing, back))

    def scores(state: Any, observation: Observation, writing: Tensor) -> Tensor:
        return membrane.scores(state, observation, take_experts(writing, back))

    def deliver(emission: Emission, *links: Any) -> tuple[Tensor, Tensor]:
        inbox, attention = wiring.deliver(by_parts(lambda part: take_experts(part, back), emission), *links)
        return take_experts(inbox, order), attention  # which echo and record understand as it is

    def echo(attention: Tensor, *links: Any) -> Tensor:
        return take_experts(wiring.echo(attention, *links), order)

    def draws(*args: Any) -> Tensor:
        return take_experts(channel.draws(*args), order)

    return shadow(
        agent,
        transmission=shadow(channel, draws=draws),
        membrane=Hooked(membrane, read=read, write=write, scores=scores),
        wiring=Hooked(wiring, deliver=deliver, echo=echo),
    )


@torch.no_grad()
def bits_per_step(agent: BadgerAgent, family: Family) -> float:
    """The most bits that an expert can tell the others in a step: messages and keys of all rounds.

    Numbers that are sent as they are count with all of their bits; symbols and rounded numbers as
    `badger.channel.codec.ChannelSettings` says. With echo a number comes back in each round; it is
    counted too. Nothing is told where nobody hears another. Where experts vote on when to stop, these are
    the bits of all rounds that they may use.

    Args:
        agent: the agent.
        family: where it lives.
    """
    settings = agent.settings
    if settings.topology in ("none", "self") or settings.experts == 1:
        return 0.0
    keys = keyed_random.outer_keys(0, 0, 1, like=next(agent.parameters(), torch.zeros(())))  # (1, 4)
    task, mind = family.sample_task(keys), agent.initial_state(family, keys)
    sent = agent.act(mind, family.observe(task, family.initial_state(task)), keys, 0)[0].emission
    echo = 8 * sent.value.element_size() * settings.echo
    return settings.rounds * (agent.transmission.bits(sent) + echo)
