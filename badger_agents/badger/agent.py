"""The Badger agent: many experts with one policy, behind a membrane, talking over a channel."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_agents.action_distribution import draw, is_drawn, logits_of
from badger_agents.agent import LearnedAgent
from badger_agents.badger.channel.channel import Channel, Delivery, silence_like
from badger_agents.badger.halting import Stopping, talk_on
from badger_agents.badger.membrane.base import Membrane, widened
from badger_agents.badger.policies.expert_policy import Emission, ExpertPolicy
from badger_agents.badger.settings import BadgerSettings, make_membrane
from badger_envs import keyed_random
from badger_envs.family import ActionKind, Family, Observation


class BadgerState(NamedTuple):
    """What an agent keeps of a trial: nested tuples of tensors.

    Attributes:
        experts: the policy's states [B, E, ...].
        received: [B, E, 1], attention that each expert got in the last round; [B, E, 0] where none reads it.
        membrane: its state.
        channel: its state.
        identity: [B, E, S]; S is 0 for experts without identities.
    """

    experts: Any
    received: Tensor
    membrane: Any
    channel: Any
    identity: Tensor


class Parts(NamedTuple):
    """What an agent is made of. Agents with the same policy, membrane and identities have the same weights.

    Attributes:
        membrane: between slots and experts.
        policy: of all experts.
        identities: [N, S], the table of learned ones; None for others.
        channel: between experts.
    """

    membrane: Membrane
    policy: ExpertPolicy
    identities: torch.nn.Parameter | None
    channel: Channel


class Round(NamedTuple):
    """What holds after a round of communication; nested tuples of tensors.

    Attributes:
        emission: sent in it, as it left the speakers.
        channel: the channel's state.
        delivery: what arrived in it.
        reading: [B, E, R], what the policy updated from, this round's received attention included.
    """

    emission: Emission
    channel: Any
    delivery: Delivery
    reading: Tensor


class BadgerAgent(LearnedAgent):
    """Experts that share one policy and differ in their states (contract 4).

    Experts talk first. A step is: read from the membrane; R rounds of emit, deliver, update; write. So what
    an expert reads at step t is in its message of step t, and the others know it before they write there.

    Args:
        family: a family of the kind it will act in, for the widths of what is read; in others, narrower
            ones, what they lack reads as zeros.
        settings: see `BadgerSettings`.
        action_kind: of the families that it will act in, if not of this one's kind.

    Attributes:
        settings: those.
        membrane, policy, identities, channel: its parts.
        born: how many experts there ever were in its trials: E, unless it has grown.
    """

    Settings = BadgerSettings

    def __init__(
        self, family: Family, settings: BadgerSettings, *, action_kind: ActionKind | None = None
    ) -> None:
        super().__init__(family, action_kind)
        membrane = make_membrane(family.slots, settings)
        size = membrane.reading_size + settings.channel.received_attention
        policy = settings.policy.make(size + settings.identity_size * (settings.identities != "none"))
        table = None
        if settings.identities == "learned":
            table = torch.nn.Parameter(torch.randn(settings.identity_rows, settings.identity_size))
        channel = Channel(settings.channel, settings.experts, policy.message_size)
        self._set(settings, Parts(membrane, policy, table, channel), settings.experts)

    def _set(self, settings: BadgerSettings, parts: Parts, born: int) -> None:
        self.settings, self.born = settings, born
        self.membrane, self.policy, self.identities, self.channel = parts

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return Parts(self.membrane, self.policy, self.identities, self.channel)

    def with_parts(
        self, settings: BadgerSettings | None = None, born: int | None = None, **parts: Any
    ) -> "BadgerAgent":
        """Another agent of the same weights, in which some parts are others; this one stays as it is.

        Args:
            settings: if not this one's.
            born: how many experts there ever were, if not as many as in this one.
            parts: by name, as in `Parts`: a channel or a membrane around this one's, say.
        """
        made = BadgerAgent.__new__(BadgerAgent)
        LearnedAgent.__init__(made, None, self.action_kind)
        made._set(
            self.settings if settings is None else settings,
            self.parts._replace(**parts),
            self.born if born is None else born,
        )
        return made

    def memory(self, state: BadgerState) -> Any:
        """The experts' states."""
        return state.experts

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> BadgerState:
        """Experts' states from the stream "experts" of the trials' keys; no messages yet.

        Raises:
            ValueError: the weights do not fit the family, or it has more outputs than there are experts, or
                scores are to be written where actions are continuous.
        """
        sizes = ("input_size", "feedback", "output_feedback")
        self.check_fits(self.membrane.slots, family, sizes, padded=True)
        is_drawn(self.action_kind, self.settings.writing)
        batch, experts = len(keys), self.settings.experts
        size, dtype = self.policy.draw_size, getattr(torch, family.dtype)
        draws = keyed_random.normal(keys, "experts", experts * size, dtype=family.dtype)  # (B, E*S)
        nothing = torch.zeros(batch, experts, self.policy.message_size, dtype=dtype, device=keys.device)
        silence = silence_like(nothing, self.policy.key_size)  # (B, E, M), (B, E, K), (B, E, K)
        heard = int(self.settings.channel.received_attention)
        return BadgerState(
            experts=self.policy.initial_state(draws.view(batch, experts, size)),
            received=nothing.new_zeros(batch, experts, heard),
            membrane=self.membrane.initial_state(family, keys, experts),
            channel=self.channel.initial_state(keys, silence),
            identity=self.draw_identities(keys, family.dtype, experts),
        )

    def act(
        self, state: BadgerState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[BadgerState, Tensor, dict[str, Tensor]]:
        """Read, communicate, write; records what went on inside (see `badger_agents.whitebox.trace`)."""
        observation = widened(observation, self.membrane.slots)
        membrane, reading = self.membrane.read(
            state.membrane, observation, step, self.settings.experts
        )  # (B, E, R)
        if self.settings.identities != "none":
            reading = torch.cat([reading, state.identity], dim=-1)  # (B, E, R+S)
        experts, last, writing, rounds = self.communicate(state, reading, keys, step)
        record = {"messages": last.emission.value, "writing": writing, "inbox": last.delivery.inbox}
        if is_drawn(self.action_kind, self.settings.writing):
            scores, used = self.membrane.scores(membrane, observation, writing), observation.output_mask
            logits = logits_of(self.action_kind, scores, used, self.settings.temperature)  # (B, O)
            action = draw(self.action_kind, logits, used, keys, step)  # (B,) or (B, O)
            record |= {"logits": logits, "choice": action}
        else:
            action = self.membrane.write(membrane, observation, writing)  # (B, O)
        record |= self.channel.record(last.channel, last.delivery.attention)
        record |= {"readings": last.reading, **named_states(experts), **rounds}
        after = BadgerState(experts, last.delivery.received, membrane, last.channel, state.identity)
        return after, action, record

    def communicate(
        self, state: BadgerState, reading: Float[Tensor, "B E R"], keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Any, Round, Float[Tensor, "B E 1"], dict[str, Tensor]]:
        """A step's rounds of communication: emit from state and reading, deliver, update from what arrived.

        Args:
            state: as the step before left it.
            reading: what the experts read at this step.
            keys: of the trials.
            step: steps done.

        Returns:
            The experts' states; what holds after the last round; the writings; and if experts vote on when to
            stop, the rounds used and their cost, each [B] (see `badger_agents.badger.halting`).
        """
        experts, received, channel, stopping = state.experts, state.received, state.channel, None
        for number in range(self.settings.rounds):
            position = step * self.settings.rounds + number  # of this round in the trial
            said = self._sent(self.policy.emit(experts, _with(reading, received)))  # (B, E, M), keys, queries
            emission = self.channel.encode(said, keys, position)
            channel, delivery = self.channel.deliver(channel, emission, keys, position)  # inbox (B, E, M)
            received, read = delivery.received, _with(reading, delivery.received)  # (B, E, 1 or 0), (B, E, R)
            experts, writing = self.policy.update(experts, delivery.inbox, read)  # (B, E, ...), (B, E, 1)
            if writing.shape[-1] != 1:
                raise ValueError(
                    f"the policy's writing has shape {tuple(writing.shape)}; its last axis must be 1"
                )
            last = Round(emission, channel, delivery, read)
            if self.policy.halts:
                final = number == self.settings.rounds - 1
                stopping = talk_on(stopping, self.policy.vote(experts), experts, writing, last, final=final)
        return (experts, last, writing, {}) if stopping is None else _agreed(stopping)

    def _sent(self, said: Tensor | Emission) -> Emission:
        """What a policy sends, if it is as wide as the policy says; a tensor is messages without keys."""
        emission = said if isinstance(said, Emission) else Emission.alike(said)
        if emission.value.shape[-1] != self.policy.message_size:
            raise ValueError(
                f"the policy's messages have shape {tuple(emission.value.shape)}; their last axis must be its"
                f" message_size, {self.policy.message_size}"
            )
        if emission.key.shape[-1] != self.policy.key_size or emission.query.shape != emission.key.shape:
            raise ValueError(
                f"the policy sends keys and queries of shapes {tuple(emission.key.shape)} and"
                f" {tuple(emission.query.shape)}; both must be key_size = {self.policy.key_size} wide: set"
                " key_size in the policy"
            )
        return emission

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
        numbers = keyed_random.normal(keys, "identity", count * size, first * size, dtype)  # (B, N*S)
        return numbers.view(len(keys), count, size)  # (B, N, S), or S = 0


def _with(reading: Float[Tensor, "B E R"], received: Float[Tensor, "B E C"]) -> Float[Tensor, "B E D"]:
    """What is read, with the attention that each expert got, where experts read it."""
    return torch.cat([reading, received], dim=-1) if received.shape[-1] else reading  # (B, E, R+1 or R)


def _agreed(stopping: Stopping) -> tuple[Any, Round, Float[Tensor, "B E 1"], dict[str, Tensor]]:
    """What `communicate` returns where experts voted on when to stop."""
    rounds = {"rounds": stopping.rounds[:, 0, 0], "rounds_cost": stopping.cost[:, 0, 0]}  # each (B,)
    return stopping.states, stopping.last, stopping.writing, rounds


def named_states(experts: Any, name: str = "states") -> dict[str, Tensor]:
    """The experts' states by name: "states", or where they are tuples "states.0" or "states.FIELD" each."""
    if isinstance(experts, Tensor):
        return {name: experts}
    fields = getattr(experts, "_fields", range(len(experts)))
    found: dict[str, Tensor] = {}
    for field, part in zip(fields, experts, strict=True):
        found |= named_states(part, f"{name}.{field}")
    return found
