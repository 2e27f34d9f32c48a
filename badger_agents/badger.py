"""The Badger agent: many experts with one policy, behind a membrane, talking over a channel."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from badger_agents.agent import LearnedAgent, Settings, load_class
from badger_agents.channel import deliver
from badger_agents.experts import Emission, ExpertPolicy
from badger_agents.membrane import FeedbackTo, HardwiredMembrane, MembraneState, Writing
from badger_envs import random
from badger_envs.family import Family, Observation
from badger_envs.topology import adjacency


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
    """

    experts: int = Field(default=3, ge=1)
    policy: str = "badger_agents.experts:GRUPolicy"
    policy_settings: dict[str, Any] = Field(default_factory=dict)
    topology: str | tuple[tuple[int, ...], ...] = "all"
    rounds: int = Field(default=1, ge=1)
    feedback_to: FeedbackTo = "all"
    writing: Writing = "increment"


class BadgerState(NamedTuple):
    """experts: the policy's states [B, E, ...]; emission: what was sent last; membrane: its state."""

    experts: Any
    emission: Emission
    membrane: MembraneState


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
        self.membrane = HardwiredMembrane(family.slots, settings.feedback_to, settings.writing)
        self.policy = make_policy(settings.policy, self.membrane.reading_size, settings.policy_settings)
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
        )

    def act(
        self, state: BadgerState, observation: Observation, keys: Int[Tensor, "B 4"]
    ) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
        """Read, communicate, write; records messages [B, E, M] and attention [B, E, E]."""
        experts, emission = state.experts, state.emission
        membrane, reading = self.membrane.read(
            state.membrane, observation, self.settings.experts
        )  # (B, E, R)
        for _ in range(self.settings.rounds):
            inbox, attention = deliver(emission, self.edges)  # (B, E, M), (B, E, E)
            experts, sent, writing = self.policy(experts, inbox, reading)
            emission = sent if isinstance(sent, Emission) else Emission(sent)
        if writing.shape[-1] != 1:
            raise ValueError(
                f"the policy's writing has shape {tuple(writing.shape)}; its last axis must be 1"
            )
        action = self.membrane.write(membrane, observation, writing)  # (B, O)
        record = {"messages": emission.value, "attention": attention, "writing": writing, "inbox": inbox}
        return BadgerState(experts, emission, membrane), action, record


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
