"""The Badger agent: many experts with one policy, behind a membrane, talking over a channel."""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from badger_agents.agent import LearnedAgent, Settings, load_class
from badger_agents.attentional import AttentionalMembrane
from badger_agents.channel import deliver
from badger_agents.experts import Emission, ExpertPolicy
from badger_agents.membrane import FeedbackTo, HardwiredMembrane, Membrane, Writing
from badger_envs import random
from badger_envs.family import Family, Observation
from badger_envs.topology import adjacency

MEMBRANES: dict[str, type[Membrane]] = {
    "hardwired": HardwiredMembrane,
    "attentional": AttentionalMembrane,
}
"""Membranes by the name that a recipe uses."""


class BadgerSettings(Settings):
    """Settings of a Badger agent.

    Attributes:
        experts: number of experts, E.
        policy: the expert policy, "module:Class".
        policy_settings: keyword arguments of the policy.
        topology: who can hear whom: a name in `badger_envs.topology`, or a matrix of 0 and 1.
        rounds: rounds of communication per step, R.
        feedback_to: who hears the global feedback, "all" experts or "one".
        writing: experts write an "increment" of an output or its "absolute" value.
        membrane: "hardwired" (expert i has slot i) or "attentional" (any number of either).
        membrane_settings: further keyword arguments of the membrane.
        echo: experts also read how much attention their last message got, as a mean over those who can
            hear it: 1 if all hear nothing else. By it they can agree on whose turn it is.
        identities: what experts read at every step to tell themselves apart: nothing ("none"), "random"
            numbers drawn per trial, or "learned" ones: expert i has row i of a table with weights, counted
            round where there are more experts than rows.
        identity_size: numbers in an identity.
        identity_rows: rows of the table of learned identities.
    """

    experts: int = Field(default=3, ge=1)
    policy: str = "badger_agents.experts:GRUPolicy"
    policy_settings: dict[str, Any] = Field(default_factory=dict)
    topology: str | tuple[tuple[int, ...], ...] = "all"
    rounds: int = Field(default=1, ge=1)
    feedback_to: FeedbackTo = "all"
    writing: Writing = "increment"
    membrane: Literal["hardwired", "attentional"] = "hardwired"
    membrane_settings: dict[str, Any] = Field(default_factory=dict)
    echo: bool = False
    identities: Literal["none", "random", "learned"] = "none"
    identity_size: int = Field(default=8, ge=1)
    identity_rows: int = Field(default=64, ge=1)


class BadgerState(NamedTuple):
    """What an agent keeps of a trial.

    Attributes:
        experts: the policy's states [B, E, ...].
        emission: what was sent last.
        membrane: its state.
        identity: [B, E, S]; S is 0 for experts without identities.
    """

    experts: Any
    emission: Emission
    membrane: Any
    identity: Tensor


class BadgerAgent(LearnedAgent):
    """Experts that share one policy and differ in their states (contract 4).

    A step is: read from the membrane; R rounds of deliver, update, emit; write. What an expert reads
    at step t reaches the others at step t + 1 when R = 1.

    Args:
        family: a family of the kind it will live in, for the widths of what is read.
        settings: see `BadgerSettings`.
    """

    Settings = BadgerSettings
    edges: Tensor

    def __init__(self, family: Family, settings: BadgerSettings) -> None:
        super().__init__()
        self.settings = settings
        self.membrane = make_membrane(family, settings)
        reading_size = self.membrane.reading_size + settings.echo
        reading_size += settings.identity_size * (settings.identities != "none")
        self.policy = make_policy(settings.policy, reading_size, settings.policy_settings)
        self.identities = (
            torch.nn.Parameter(torch.randn(settings.identity_rows, settings.identity_size))
            if settings.identities == "learned"
            else None
        )
        self.register_buffer("edges", torch.from_numpy(adjacency(settings.topology, settings.experts)), False)

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> BadgerState:
        """Experts' states from the stream "experts" of the trials' keys; no messages yet.

        Raises:
            ValueError: the weights do not fit the family, or it has more outputs than there are experts.
        """
        self.check_fits(self.membrane.slots, family, ("input_size", "feedback", "output_feedback"))
        batch, experts = len(keys), self.settings.experts
        size = self.policy.draw_size
        draws = random.normal(keys, "experts", experts * size, dtype=family.dtype)  # (B, E*S)
        silence = torch.zeros(
            batch, experts, self.policy.message_size, dtype=getattr(torch, family.dtype), device=keys.device
        )  # (B, E, M)
        return BadgerState(
            self.policy.initial_state(draws.view(batch, experts, size)),
            Emission(silence),
            self.membrane.initial_state(family, keys, experts),
            self._identity(family, keys),
        )

    def act(
        self, state: BadgerState, observation: Observation, keys: Int[Tensor, "B 4"]
    ) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
        """Read, communicate, write; records messages [B, E, M] and attention [B, E, E]."""
        experts, emission = state.experts, state.emission
        membrane, reading = self.membrane.read(
            state.membrane, observation, self.settings.experts
        )  # (B, E, R)
        if self.settings.identities != "none":
            reading = torch.cat([reading, state.identity], dim=-1)  # (B, E, R+S)
        for _ in range(self.settings.rounds):
            inbox, attention = self.deliver(emission)  # (B, E, M), (B, E, E)
            read = (
                torch.cat([reading, echo(attention, self.edges)], dim=-1) if self.settings.echo else reading
            )
            experts, sent, writing = self.policy(experts, inbox, read)
            emission = sent if isinstance(sent, Emission) else Emission(sent)
        if writing.shape[-1] != 1:
            raise ValueError(
                f"the policy's writing has shape {tuple(writing.shape)}; its last axis must be 1"
            )
        action = self.membrane.write(membrane, observation, writing)  # (B, O)
        record = {"messages": emission.value, "attention": attention, "writing": writing, "inbox": inbox}
        return BadgerState(experts, emission, membrane, state.identity), action, record

    def deliver(self, emission: Emission) -> tuple[Float[Tensor, "B E M"], Float[Tensor, "B E E"]]:
        """Messages as they arrive, over the agent's topology, and the attention paid to each sender."""
        return deliver(emission, self.edges)

    def _identity(self, family: Family, keys: Int[Tensor, "B 4"]) -> Float[Tensor, "B E S"]:
        """What tells experts apart through a whole trial; random ones from the stream "identity"."""
        experts, size = self.settings.experts, self.settings.identity_size
        if self.identities is not None:
            rows = torch.arange(experts, device=keys.device) % len(self.identities)
            return self.identities[rows].expand(len(keys), -1, -1)  # (B, E, S)
        drawn = experts * size * (self.settings.identities == "random")
        numbers = random.normal(keys, "identity", drawn, dtype=family.dtype)  # (B, E*S)
        return numbers.view(len(keys), experts, drawn // experts)  # (B, E, S), or S = 0


def echo(attention: Float[Tensor, "B E E"], edges: Bool[Tensor, "E E"]) -> Float[Tensor, "B E 1"]:
    """Attention that each expert gets, as a mean over those who can hear it: from 0 to 1."""
    listeners = edges.sum(dim=0).clamp(min=1)  # (E,)
    return (attention.sum(dim=-2) / listeners)[..., None]  # (B, E, 1)


def make_membrane(family: Family, settings: BadgerSettings) -> Membrane:
    """Build the membrane that the settings name.

    Raises:
        ValueError: it does not take its settings.
    """
    kind = MEMBRANES[settings.membrane]
    try:
        return kind(family.slots, settings.feedback_to, settings.writing, **settings.membrane_settings)
    except TypeError as error:
        raise ValueError(f"membrane {settings.membrane!r} does not take these settings: {error}") from error


def make_policy(path: str, reading_size: int, settings: dict[str, Any]) -> ExpertPolicy:
    """Build the expert policy that `"module:Class"` names.

    Raises:
        ValueError: it cannot be loaded, is no `ExpertPolicy`, or does not take these settings.
    """
    policy = load_class(path, "policy")
    if not issubclass(policy, ExpertPolicy):
        raise ValueError(f"policy {path!r} is not a subclass of badger_agents.ExpertPolicy")
    try:
        made = policy(reading_size, **settings)
    except TypeError as error:
        raise ValueError(f"policy {path!r} does not take these settings: {error}") from error
    if not isinstance(getattr(made, "message_size", None), int):
        raise ValueError(f"policy {path!r} does not set message_size, the width of its messages")
    return made
