"""Transmission: what becomes of a message between speaker and listener, and how many bits that leaves."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor

from badger_agents.agent import Settings
from badger_agents.badger.channel.edges import Links
from badger_agents.badger.policies.expert_policy import Emission
from badger_envs import keyed_random
from badger_envs.neighbours import Neighbours


class ChannelSettings(Settings):
    """Settings of a channel, [agent.channel]; by default messages arrive at once and as they were sent.

    Attributes:
        vocabulary: V; messages are symbols: every V numbers of a message are the log-odds of V symbols, one
            of which is sent, as a vector of a 1 and zeros (straight-through Gumbel-softmax: Jang et al. 2017,
            Maddison et al. 2017). Of each number of a key its sign is sent. 0: messages are numbers.
        sampling: factor of the Gumbel noise with which symbols are drawn; 0: the likeliest is sent.
        temperature: of the softmax through which gradients of symbols flow.
        bits: each number of message and key is sent as the nearest of 2**bits levels between -1 and 1,
            after a tanh (the gradient is tanh's); 0: as it is.
        noise: standard deviation of noise on each number sent; all listeners hear the same.
        dropout: chance that a link fails, at each delivery anew: nothing is heard over it.
        delay: rounds that messages arrive late.
    """

    vocabulary: int = Field(default=0, ge=0)
    sampling: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    bits: int = Field(default=0, ge=0, le=16)
    noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    dropout: float = Field(default=0.0, ge=0, le=1)
    delay: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_code(self) -> "ChannelSettings":
        if self.vocabulary == 1:
            raise ValueError("a vocabulary of 1 symbol says nothing; it must be 2 or more (0: numbers)")
        if self.vocabulary and self.bits:
            raise ValueError("vocabulary and bits exclude each other: symbols are not numbers to be rounded")
        return self


class Line(NamedTuple):
    """What is on its way.

    Attributes:
        under_way: what was sent, the oldest first, and has not arrived; as many as the delay has rounds.
        sent: rounds so far, which says where in a trial's draws the next ones stand.
    """

    under_way: tuple[Emission, ...] = ()
    sent: int = 0


class Transmission:
    """What becomes of messages on their way, by the settings of a channel.

    Args:
        settings: see `ChannelSettings`.
        message_size: M.

    Raises:
        ValueError: the message is no whole number of symbols.
    """

    def __init__(self, settings: ChannelSettings, message_size: int) -> None:
        if settings.vocabulary and message_size % settings.vocabulary:
            raise ValueError(
                f"a message of {message_size} numbers is no whole number of symbols of a vocabulary of"
                f" {settings.vocabulary}: make the policy's message_size a multiple of it"
            )
        self.settings = settings
        self.message_size = message_size

    def begin(self, silence: Emission) -> Line:
        """The line at the start of a trial: silence is under way."""
        return Line((silence,) * self.settings.delay)

    def send(self, line: Line, emission: Emission, keys: Int[Tensor, "B 4"]) -> tuple[Line, Emission]:
        """What leaves the speakers: symbols, rounded numbers, noise. Queries are listeners' own and stay."""
        settings, (value, key, query) = self.settings, emission
        if settings.vocabulary:
            value = self._symbols(value, keys, line.sent)  # (B, E, M)
            key = None if key is None else rounded(key, 1)  # (B, E, K)
        elif settings.bits:
            value = rounded(value, settings.bits)  # (B, E, M)
            key = None if key is None else rounded(key, settings.bits)  # (B, E, K)
        if settings.noise:
            value = value + settings.noise * self.draws(keys, "message noise", value, line.sent)  # (B, E, M)
            if key is not None:
                key = key + settings.noise * self.draws(keys, "key noise", key, line.sent)
        return line._replace(sent=line.sent + 1), Emission(value, key, query)

    def arrive(self, line: Line, emission: Emission) -> tuple[Line, Emission]:
        """What reaches listeners, who have the queries of now, when this is the last that was sent."""
        if not line.under_way:
            return line, emission
        late = line.under_way[0]
        line = line._replace(under_way=(*line.under_way[1:], emission))
        return line, Emission(late.value, late.key, emission.query)

    def links(self, line: Line, links: Tensor | Neighbours, keys: Int[Tensor, "B 4"]) -> Links:
        """The links that do not fail at this delivery."""
        if not self.settings.dropout:
            return links
        mask = links if isinstance(links, Tensor) else links.mask  # ([B], E, c)
        size = mask.shape[-2] * mask.shape[-1]
        draws = keyed_random.uniform(keys, "channel dropout", size, line.sent * size)  # (B, E*c)
        kept = mask & (draws.view(len(keys), *mask.shape[-2:]) >= self.settings.dropout)  # (B, E, c)
        if isinstance(links, Tensor):
            return kept
        return Neighbours(links.index.expand(kept.shape), kept)

    def bits(self, emission: Emission) -> float:
        """Bits of one message with its key; of a number that is sent as it is, all of its bits.

        Args:
            emission: something that was sent.
        """
        value, key, _ = emission
        numbers = 0 if key is None else key.shape[-1]  # of the key
        if self.settings.vocabulary:
            symbols = value.shape[-1] // self.settings.vocabulary
            return symbols * math.log2(self.settings.vocabulary) + numbers
        return float((value.shape[-1] + numbers) * (self.settings.bits or 8 * value.element_size()))

    def draws(self, keys: Int[Tensor, "B 4"], name: str, like: Tensor, sent: int) -> Float[Tensor, "B E N"]:
        """Uniform numbers in [0, 1) or, if the name ends in "noise", normal ones, for all sent in a round.

        Args:
            keys: of the trials.
            name: of the stream.
            like: [B, E, N], what is sent.
            sent: rounds before this one.
        """
        size, dtype = like[0].numel(), str(like.dtype).removeprefix("torch.")
        draw = keyed_random.normal if name.endswith("noise") else keyed_random.uniform
        return draw(keys, f"channel {name}", size, sent * size, dtype).view_as(like)  # (B, E, N)

    def _symbols(
        self, scores: Float[Tensor, "B E M"], keys: Int[Tensor, "B 4"], sent: int
    ) -> Float[Tensor, "B E M"]:
        """One of each V symbols, drawn by their log-odds, as a 1 among zeros."""
        if self.settings.sampling:
            tiny = torch.finfo(scores.dtype).tiny
            draws = self.draws(keys, "symbols", scores, sent).clamp(min=tiny)  # (B, E, M)
            gumbel = -(-draws.log()).clamp(min=tiny).log()  # (B, E, M)
            scores = scores + self.settings.sampling * gumbel  # (B, E, M)
        options = scores.unflatten(-1, (-1, self.settings.vocabulary))  # (B, E, M/V, V)
        soft = torch.softmax(options / self.settings.temperature, dim=-1)  # (B, E, M/V, V)
        hard = torch.zeros_like(soft).scatter(-1, options.argmax(-1, keepdim=True), 1.0)  # (B, E, M/V, V)
        return (hard + (soft - soft.detach())).flatten(-2)  # (B, E, M)


def rounded(value: Float[Tensor, "B E N"], bits: int) -> Float[Tensor, "B E N"]:
    """The nearest of 2**bits levels from -1 to 1 to tanh(value); the gradient is that of tanh."""
    soft, steps = torch.tanh(value), 2**bits - 1  # (B, E, N)
    hard = ((soft + 1) / 2 * steps + 0.5).floor() / steps * 2 - 1  # (B, E, N)
    return soft + (hard - soft).detach()
