"""The settings of a Badger agent, and the membrane that is made from them."""

from typing import Annotated, Literal

from pydantic import Field

from badger_agents.badger.channel.channel import ChannelSettings
from badger_agents.badger.membrane.attentional import AttentionalMembrane, AttentionalSettings
from badger_agents.badger.membrane.base import FeedbackTo, Membrane, Writing
from badger_agents.badger.membrane.hardwired import HardwiredMembrane, HardwiredSettings
from badger_agents.badger.policies.policy_settings import PolicySettings
from badger_agents.settings import Settings
from badger_envs.family import Slots

MembraneSettings = Annotated[HardwiredSettings | AttentionalSettings, Field(discriminator="kind")]
"""[agent.membrane]: `kind` says which."""


class BadgerSettings(Settings):
    """Settings of a Badger agent.

    Attributes:
        experts: number of experts, E.
        policy: the expert policy, [agent.policy]: its `kind`, and its own settings.
        membrane: [agent.membrane]: "hardwired" (expert i has slot i) or "attentional" (any number of either).
        channel: how messages travel, [agent.channel]: topology, and what becomes of messages on their
            way (see `badger_agents.badger.channel.channel.ChannelSettings`).
        rounds: rounds of communication per step, R; with a policy that `halts`, the most of them.
        feedback_to: who hears the global feedback, "all" experts or "one"; or of categorical actions the one
            whose slot was "chosen" last.
        writing: experts write an "increment" of an output, its "absolute" value, or a "score", by which
            binary actions are drawn. What they write is always a score where actions are categorical.
        temperature: of the draw by scores: near 0 the highest score, or the sign of each, is certain.
        identities: what experts read at every step to tell themselves apart: nothing ("none"), "random"
            numbers drawn per trial, or "learned" ones: expert i has row i of a table with weights, counted
            round where there are more experts than rows.
        identity_size: numbers in an identity.
        identity_rows: rows of the table of learned identities.
    """

    experts: int = Field(default=3, ge=1)
    policy: PolicySettings = PolicySettings()
    membrane: MembraneSettings = HardwiredSettings()
    channel: ChannelSettings = ChannelSettings()
    rounds: int = Field(default=1, ge=1)
    feedback_to: FeedbackTo = "all"
    writing: Writing = "increment"
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    identities: Literal["none", "random", "learned"] = "none"
    identity_size: int = Field(default=8, ge=1)
    identity_rows: int = Field(default=64, ge=1)


def make_membrane(slots: Slots, settings: BadgerSettings) -> Membrane:
    """Build the membrane that the settings describe, for a family's sizes."""
    if isinstance(settings.membrane, AttentionalSettings):
        return AttentionalMembrane(slots, settings.feedback_to, settings.writing, settings.membrane)
    return HardwiredMembrane(slots, settings.feedback_to, settings.writing, settings.membrane)
