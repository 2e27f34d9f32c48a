"""The channel: codec, delay, edges and attention; what experts send becomes what they hear."""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from badger_agents.badger.channel.codec import Codec, CodecSettings
from badger_agents.badger.channel.edges import (
    Drawn,
    Edges,
    received_attention,
    sharpened,
    without_lost,
)
from badger_agents.badger.policies.expert_policy import Emission
from badger_envs.neighbours import Neighbours


class ChannelSettings(CodecSettings):
    """Settings of a channel, [agent.channel]: those of its codec (`CodecSettings`), and how messages travel.

    Attributes:
        topology: who can hear whom: a name, with arguments or without, as `badger_envs.topology` lists them,
            or a matrix of 0 and 1.
        received_attention: experts also read how much attention their message got, as a mean over those who
            can hear it: 1 if all hear nothing else. By it they can agree on whose turn it is. When they speak
            they read that of the round before.
        usual_senders: above 1, attention over n senders is sharper by log(n) / log of this: a softmax blurs
            as senders grow (see `badger_agents.badger.channel.edges.sharpened`). 0: as sharp over any number.
        aggregation: an inbox is the "mean" of what is heard, weighted by attention; or the "sum": that mean
            times the number of senders, as in Deep Sets, so that more senders count for more.
        dropout: chance that an edge fails, at each delivery anew: nothing is heard over it.
        delay: rounds that messages arrive late.
    """

    topology: str | tuple[tuple[int, ...], ...] = "all"
    received_attention: bool = False
    usual_senders: int = Field(default=0, ge=0)
    aggregation: Literal["mean", "sum"] = "mean"
    dropout: float = Field(default=0.0, ge=0, le=1)
    delay: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _some_senders(self) -> "ChannelSettings":
        if self.usual_senders == 1:
            raise ValueError("usual_senders is 1, whose logarithm is 0; it must be 2 or more (0: not scaled)")
        return self


class ChannelState(NamedTuple):
    """What a channel keeps of a trial.

    Attributes:
        drawn: edges, where the topology is drawn per trial; () elsewhere.
        delay_buffer: messages and keys that were sent, the oldest first, and have not arrived: as many as the
            delay has rounds.
    """

    drawn: Drawn
    delay_buffer: tuple[tuple[Tensor, Tensor], ...]


class Delivery(NamedTuple):
    """What arrives in a round.

    Attributes:
        inbox: [B, E, M], zeros for experts without neighbours.
        attention: [B, E, E], or [B, E, c] over lists.
        received: [B, E, 1], attention that each expert got; [B, E, 0] where experts do not read it.
    """

    inbox: Tensor
    attention: Tensor
    received: Tensor


class Channel(nn.Module):
    """From what experts send to what they hear. It has no weights, and all it remembers is in its state.

    A round on the channel is `encode`, what leaves the speakers, then `deliver`: `arrive`, what is due, and
    `hear`, what of it reaches listeners. Calling the channel does all. Wrappers (`WrappedChannel`) change one
    of the three.

    Args:
        settings: see `ChannelSettings`.
        experts: E.
        message_size: M.

    Raises:
        ValueError, TypeError: no topology, or messages are no whole number of symbols.
    """

    def __init__(self, settings: ChannelSettings, experts: int, message_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.edges = Edges(settings.topology, experts)
        self.codec = Codec(settings, message_size)

    def initial_state(self, keys: Int[Tensor, "B 4"], silence: Emission) -> Any:
        """State at the start of the trials: the delay buffer holds silence.

        Args:
            keys: of the trials.
            silence: zeros, as wide as what will be sent.
        """
        return ChannelState(self.edges.draw(keys), ((silence.value, silence.key),) * self.settings.delay)

    def encode(self, emission: Emission, keys: Int[Tensor, "B 4"], position: int) -> Emission:
        """What leaves the speakers: see `Codec.encode`.

        Args:
            emission: what experts send.
            keys: of the trials.
            position: rounds before this one in the trial; draws stand there in their streams.
        """
        return self.codec.encode(emission, keys, position)

    def arrive(
        self, state: Any, sent: Emission, keys: Int[Tensor, "B 4"], position: int
    ) -> tuple[Any, Emission]:
        """What is due by now, to listeners with queries of now: the last that was sent, or something late.

        Args:
            state: the channel's.
            sent: what left the speakers last, encoded.
            keys: of the trials.
            position: rounds before this one in the trial; draws stand there in their streams.

        Returns:
            The channel's next state, and what arrives.
        """
        if not state.delay_buffer:
            return state, sent
        value, key = state.delay_buffer[0]
        waiting = (*state.delay_buffer[1:], (sent.value, sent.key))
        return state._replace(delay_buffer=waiting), Emission(value, key, sent.query)

    def hear(self, state: Any, arriving: Emission, keys: Int[Tensor, "B 4"], position: int) -> Delivery:
        """What reaches listeners of what arrives: over the edges that do not fail, by attention.

        Args:
            state: the channel's.
            arriving: from `arrive`.
            keys: of the trials.
            position: as for `arrive`.
        """
        edges = self.edges.of(state.drawn)
        if self.settings.dropout:
            edges = without_lost(edges, self.settings.dropout, keys, position)
        return self.over(arriving, edges)

    def over(self, arriving: Emission, edges: Tensor | Neighbours) -> Delivery:
        """What reaches listeners over given edges; `hear` calls it, and whoever knows other edges than it.

        Args:
            arriving: from `arrive`, [B, E, ...].
            edges: who can hear whom: bool [B, E, E] or [E, E], or lists.
        """
        if self.settings.usual_senders:
            arriving = sharpened(arriving, edges, self.settings.usual_senders)
        inbox, attention = self.edges.deliver(arriving, edges)  # (B, E, M), (B, E, E or c)
        if self.settings.aggregation == "sum":
            inbox = inbox * self.edges.senders(edges).to(inbox.dtype)  # (B, E, M)
        received = inbox[..., :0]  # (B, E, 0)
        if self.settings.received_attention:
            received = received_attention(attention, edges)  # (B, E, 1)
        return Delivery(inbox, attention, received)

    def deliver(
        self, state: Any, sent: Emission, keys: Int[Tensor, "B 4"], position: int
    ) -> tuple[Any, Delivery]:
        """The channel's next state, and what reaches listeners: `arrive`, then `hear`."""
        state, arriving = self.arrive(state, sent, keys, position)
        return state, self.hear(state, arriving, keys, position)

    def forward(
        self, state: Any, emission: Emission, keys: Int[Tensor, "B 4"], position: int
    ) -> tuple[Any, Delivery]:
        """A whole round: encode, then deliver."""
        return self.deliver(state, self.encode(emission, keys, position), keys, position)

    def record(self, state: Any, attention: Float[Tensor, "B E c"]) -> dict[str, Tensor]:
        """What to record: "attention" [B, E, E], or where it is over lists [B, E, c] beside "senders".

        Senders, int64 [B, E, c], say to whom it is given;
        `badger_agents.badger.channel.sparse.as_matrix` makes the matrix of the two.
        """
        edges = self.edges.of(state.drawn)
        if isinstance(edges, Neighbours):
            return {"attention": attention, "senders": edges.index.expand(attention.shape)}
        return {"attention": attention}


class WrappedState(NamedTuple):
    """channel: the state of the channel within; own: what the wrapper keeps, nested tuples of tensors."""

    channel: Any
    own: Any


class WrappedChannel(Channel):
    """A channel around another one: by itself it changes nothing. Base of interventions and controls.

    Args:
        channel: the channel within; it is used, not copied.
    """

    def __init__(self, channel: Channel) -> None:
        nn.Module.__init__(self)
        self.channel = channel
        self.settings = channel.settings
        self.edges = channel.edges
        self.codec = channel.codec

    def initial_state(self, keys: Int[Tensor, "B 4"], silence: Emission) -> WrappedState:
        """The state within, and one's own."""
        return WrappedState(self.channel.initial_state(keys, silence), self.own_state(keys, silence))

    def own_state(self, keys: Int[Tensor, "B 4"], silence: Emission) -> Any:
        """What the wrapper remembers at the start of the trials: nothing."""
        return ()

    def encode(self, emission: Emission, keys: Int[Tensor, "B 4"], position: int) -> Emission:
        """As within."""
        return self.channel.encode(emission, keys, position)

    def arrive(
        self, state: WrappedState, sent: Emission, keys: Int[Tensor, "B 4"], position: int
    ) -> tuple[WrappedState, Emission]:
        """As within."""
        within, arriving = self.channel.arrive(state.channel, sent, keys, position)
        return state._replace(channel=within), arriving

    def hear(
        self, state: WrappedState, arriving: Emission, keys: Int[Tensor, "B 4"], position: int
    ) -> Delivery:
        """As within."""
        return self.channel.hear(state.channel, arriving, keys, position)

    def record(self, state: WrappedState, attention: Float[Tensor, "B E c"]) -> dict[str, Tensor]:
        """As within."""
        return self.channel.record(state.channel, attention)


def silence_like(like: Float[Tensor, "B E M"], key_size: int) -> Emission:
    """Nothing said: zeros in place of messages, keys and queries."""
    nothing = like.new_zeros(*like.shape[:2], key_size)  # (B, E, K)
    return Emission(torch.zeros_like(like), nothing, nothing)
