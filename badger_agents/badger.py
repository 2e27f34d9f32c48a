"""The Badger agent: many experts with one policy, behind a membrane, talking over a channel."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from badger_agents.agent import LearnedAgent, Settings, load_class
from badger_agents.attentional import AttentionalMembrane
from badger_agents.choosing import draw, is_drawn, logits_of
from badger_agents.experts import Emission, ExpertPolicy
from badger_agents.membrane import FeedbackTo, HardwiredMembrane, Membrane, Writing
from badger_agents.sparse_channel import as_edges
from badger_agents.wiring import Links, Wiring
from badger_envs import random
from badger_envs.family import ActionKind, Family, Observation

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
        rounds: rounds of communication per step, R.
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
    policy: str = "badger_agents.experts:GRUPolicy"
    policy_settings: dict[str, Any] = Field(default_factory=dict)
    topology: str | tuple[tuple[int, ...], ...] = "all"
    rounds: int = Field(default=1, ge=1)
    feedback_to: FeedbackTo = "all"
    writing: Writing = "increment"
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
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
        links: who can hear whom, where that is drawn per trial; () elsewhere.
        born: how many experts there ever were in these trials, if more than there are now.
        kind: of the family's actions.
        time: steps done.
    """

    experts: Any
    emission: Emission
    membrane: Any
    identity: Tensor
    links: Links = ()
    born: int = 0
    kind: ActionKind = "continuous"
    time: int = 0


class BadgerAgent(LearnedAgent):
    """Experts that share one policy and differ in their states (contract 4).

    A step is: read from the membrane; R rounds of deliver, update, emit; write. What an expert reads
    at step t reaches the others at step t + 1 when R = 1.

    Args:
        family: a family of the kind it will live in, for the widths of what is read.
        settings: see `BadgerSettings`.
    """

    Settings = BadgerSettings

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
        self.wiring = Wiring(settings.topology, settings.experts)

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> BadgerState:
        """Experts' states from the stream "experts" of the trials' keys; no messages yet.

        Raises:
            ValueError: the weights do not fit the family, or it has more outputs than there are experts, or
                scores are to be written where actions are continuous.
        """
        self.check_fits(self.membrane.slots, family, ("input_size", "feedback", "output_feedback"))
        is_drawn(family.action_kind, self.settings.writing)
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
            self.draw_identities(keys, family.dtype, experts),
            self.wiring.draw(keys),
            kind=family.action_kind,
        )

    def act(
        self, state: BadgerState, observation: Observation, keys: Int[Tensor, "B 4"]
    ) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
        """Read, communicate, write; records what went on inside (see `badger_agents.whitebox.trace`)."""
        experts, emission = state.experts, state.emission
        membrane, reading = self.membrane.read(
            state.membrane, observation, self.settings.experts
        )  # (B, E, R)
        if self.settings.identities != "none":
            reading = torch.cat([reading, state.identity], dim=-1)  # (B, E, R+S)
        for _ in range(self.settings.rounds):
            inbox, attention = self.deliver(emission, state.links)  # (B, E, M), (B, E, E or c)
            read = reading
            if self.settings.echo:
                read = torch.cat([reading, self.wiring.echo(attention, state.links)], dim=-1)  # (B, E, R+1)
            experts, sent, writing = self.policy(experts, inbox, read)
            emission = sent if isinstance(sent, Emission) else Emission(sent)
        if writing.shape[-1] != 1:
            raise ValueError(
                f"the policy's writing has shape {tuple(writing.shape)}; its last axis must be 1"
            )
        record = {"messages": emission.value, "writing": writing, "inbox": inbox}
        if is_drawn(state.kind, self.settings.writing):
            scores, used = self.membrane.scores(membrane, observation, writing), observation.output_mask
            logits = logits_of(state.kind, scores, used, self.settings.temperature)  # (B, O)
            action = draw(state.kind, logits, used, keys, state.time)  # (B,) or (B, O)
            record |= {"logits": logits, "choice": action}
        else:
            action = self.membrane.write(membrane, observation, writing)  # (B, O)
        record |= {**self.wiring.record(attention, state.links), "readings": read, **named_states(experts)}
        after = state._replace(experts=experts, emission=emission, membrane=membrane, time=state.time + 1)
        return after, action, record

    @property
    def edges(self) -> Bool[Tensor, "E E"]:
        """[i, j]: i can hear j. Made on demand over lists: E**2 entries.

        Raises:
            ValueError: that is drawn anew in each trial, and is in the state.
        """
        links = self.wiring.links()
        return links if isinstance(links, Tensor) else as_edges(links)

    def deliver(
        self, emission: Emission, links: Links = ()
    ) -> tuple[Float[Tensor, "B E M"], Float[Tensor, "B E c"]]:
        """Messages as they arrive, over the agent's topology, and the attention paid to each sender.

        Args:
            emission: what was sent last.
            links: the state's, where the topology is drawn per trial.

        Returns:
            Inboxes [B, E, M]; attention [B, E, E], or [B, E, c] where it is over lists (see `Wiring`).
        """
        return self.wiring.deliver(emission, links)

    def draw_identities(
        self, keys: Int[Tensor, "B 4"], dtype: str, count: int, first: int = 0
    ) -> Float[Tensor, "B N S"]:
        """What tells experts apart through a whole trial; random ones from the stream "identity".

        Args:
            keys: of the trials.
            dtype: "float32" or "float64".
            count: N, of how many experts.
            first: number of the first of them.
        """
        if self.identities is not None:
            rows = torch.arange(first, first + count, device=keys.device) % len(self.identities)
            return self.identities[rows].expand(len(keys), -1, -1)  # (B, N, S)
        size = self.settings.identity_size * (self.settings.identities == "random")
        numbers = random.normal(keys, "identity", count * size, first * size, dtype)  # (B, N*S)
        return numbers.view(len(keys), count, size)  # (B, N, S), or S = 0

    def grow(
        self,
        state: BadgerState,
        keys: Int[Tensor, "B 4"],
        *,
        add: int = 0,
        clone: Sequence[int] = (),
        clone_noise: float = 0.0,
        remove: Sequence[int] = (),
        replace: Sequence[int] = (),
        topology: str | Sequence[Sequence[int]] | None = None,
    ) -> tuple["BadgerAgent", BadgerState]:
        """Another number of experts in mid-trial, the same weights: see `badger_agents.growth.grow`."""
        from badger_agents.growth import Change, grow  # which needs this module

        return grow(self, state, keys, Change(add, clone, clone_noise, remove, replace, topology))


def named_states(experts: Any) -> dict[str, Tensor]:
    """The experts' states by name: "states", or where they are a tuple "states.0" or "states.FIELD" each."""
    if isinstance(experts, Tensor):
        return {"states": experts}
    names = getattr(experts, "_fields", range(len(experts)))
    return {f"states.{name}": part for name, part in zip(names, experts, strict=True)}


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
