"""The settings of a Badger agent, and the parts that are made from them."""

from typing import Any, Literal

from pydantic import Field

from badger_agents.agent import Settings
from badger_agents.badger.channel.codec import ChannelSettings
from badger_agents.badger.membrane.attentional import AttentionalMembrane
from badger_agents.badger.membrane.hardwired import FeedbackTo, HardwiredMembrane, Membrane, Writing
from badger_agents.badger.policies.expert_policy import ExpertPolicy
from badger_agents.class_loading import PROJECT_ONLY, Trust, load_class
from badger_envs.family import Family

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
        topology: who can hear whom: a name, with arguments or without, as `badger_envs.topology` lists them,
            or a matrix of 0 and 1.
        rounds: rounds of communication per step, R; with a policy that `halts`, the most of them.
        channel: what becomes of messages on their way: symbols, few bits, noise, loss, delay (see
            `badger_agents.badger.channel.codec.ChannelSettings`).
        feedback_to: who hears the global feedback, "all" experts or "one"; or of categorical actions the one
            whose slot was "chosen" last.
        writing: experts write an "increment" of an output, its "absolute" value, or a "score", by which
            binary actions are drawn. What they write is always a score where actions are categorical.
        temperature: of the draw by scores: near 0 the highest score, or the sign of each, is certain.
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
    policy: str = "badger_agents.badger.policies.expert_policy:GRUPolicy"
    policy_settings: dict[str, Any] = Field(default_factory=dict)
    topology: str | tuple[tuple[int, ...], ...] = "all"
    rounds: int = Field(default=1, ge=1)
    channel: ChannelSettings = ChannelSettings()
    feedback_to: FeedbackTo = "all"
    writing: Writing = "increment"
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    membrane: Literal["hardwired", "attentional"] = "hardwired"
    membrane_settings: dict[str, Any] = Field(default_factory=dict)
    echo: bool = False
    identities: Literal["none", "random", "learned"] = "none"
    identity_size: int = Field(default=8, ge=1)
    identity_rows: int = Field(default=64, ge=1)


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


def make_policy(
    path: str, reading_size: int, settings: dict[str, Any], trust: Trust = PROJECT_ONLY
) -> ExpertPolicy:
    """Build the expert policy that `"module:Class"` names, if its code is trusted.

    Raises:
        ValueError: it cannot be loaded, is no `ExpertPolicy`, or does not take these settings.
    """
    policy = load_class(path, ExpertPolicy, "policy", trust)
    names_classes = {"trust": trust} if policy.made_of_others else {}
    try:
        made = policy(reading_size, **settings, **names_classes)
    except TypeError as error:
        raise ValueError(f"policy {path!r} does not take these settings: {error}") from error
    if not isinstance(getattr(made, "message_size", None), int):
        raise ValueError(f"policy {path!r} does not set message_size, the width of its messages")
    return made
