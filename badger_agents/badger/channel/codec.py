"""The channel's codec: what becomes of a message on its way, and how many bits that leaves."""

import math

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor

from badger_agents.badger.policies.expert_policy import Emission
from badger_agents.settings import Settings
from badger_envs import keyed_random


class CodecSettings(Settings):
    """What becomes of what is sent; by default it arrives as it was sent.

    Attributes:
        vocabulary: V; messages are symbols: every V numbers of a message are the log-odds of V symbols, one
            of which is sent, as a vector of a 1 and zeros (straight-through Gumbel-softmax: Jang et al. 2017,
            Maddison et al. 2017). Of each number of a key its sign is sent. 0: messages are numbers.
        sampling: factor of the Gumbel noise with which symbols are drawn; 0: the likeliest is sent.
        temperature: of the softmax through which gradients of symbols flow.
        bits: each number of message and key is sent as the nearest of 2**bits levels between -1 and 1,
            after a tanh (the gradient is tanh's); 0: as it is.
        noise: standard deviation of noise on each number sent; all listeners hear the same.
    """

    vocabulary: int = Field(default=0, ge=0)
    sampling: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    bits: int = Field(default=0, ge=0, le=16)
    noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_code(self) -> "CodecSettings":
        if self.vocabulary == 1:
            raise ValueError("a vocabulary of 1 symbol says nothing; it must be 2 or more (0: numbers)")
        if self.vocabulary and self.bits:
            raise ValueError("vocabulary and bits exclude each other: symbols are not numbers to be rounded")
        return self


class Codec:
    """Symbols, rounded numbers and noise, by settings: pure functions of what is sent and the trials' keys.

    Args:
        settings: see `CodecSettings`.
        message_size: M.

    Raises:
        ValueError: the message is no whole number of symbols.
    """

    def __init__(self, settings: CodecSettings, message_size: int) -> None:
        if settings.vocabulary and message_size % settings.vocabulary:
            raise ValueError(
                f"a message of {message_size} numbers is no whole number of symbols of a vocabulary of"
                f" {settings.vocabulary}: make the policy's message_size a multiple of it"
            )
        self.settings = settings

    def encode(self, emission: Emission, keys: Int[Tensor, "B 4"], position: int) -> Emission:
        """What leaves the speakers: symbols, rounded numbers, noise. Queries are listeners' own and stay.

        Args:
            emission: what experts send.
            keys: of the trials.
            position: rounds before this one in the trial: where its draws stand in the streams.
        """
        settings, (value, key, query) = self.settings, emission
        if settings.vocabulary:
            value = self._symbols(value, keys, position)  # (B, E, M)
            key = rounded(key, 1)  # (B, E, K)
        elif settings.bits:
            value, key = rounded(value, settings.bits), rounded(key, settings.bits)  # (B, E, M), (B, E, K)
        if settings.noise:
            value = value + settings.noise * draws(keys, "message noise", value, position)  # (B, E, M)
            if key.shape[-1]:
                key = key + settings.noise * draws(keys, "key noise", key, position)  # (B, E, K)
        return Emission(value, key, query)

    def bits(self, emission: Emission) -> float:
        """Bits of one message with its key; of a number that is sent as it is, all of its bits.

        Args:
            emission: something that was sent.
        """
        value, numbers = emission.value, emission.key.shape[-1]  # numbers of the key
        if self.settings.vocabulary:
            symbols = value.shape[-1] // self.settings.vocabulary
            return symbols * math.log2(self.settings.vocabulary) + numbers
        return float((value.shape[-1] + numbers) * (self.settings.bits or 8 * value.element_size()))

    def _symbols(
        self, scores: Float[Tensor, "B E M"], keys: Int[Tensor, "B 4"], position: int
    ) -> Float[Tensor, "B E M"]:
        """One of each V symbols, drawn by their log-odds, as a 1 among zeros."""
        if self.settings.sampling:
            tiny = torch.finfo(scores.dtype).tiny
            drawn = draws(keys, "symbols", scores, position).clamp(min=tiny)  # (B, E, M)
            gumbel = -(-drawn.log()).clamp(min=tiny).log()  # (B, E, M)
            scores = scores + self.settings.sampling * gumbel  # (B, E, M)
        options = scores.unflatten(-1, (-1, self.settings.vocabulary))  # (B, E, M/V, V)
        soft = torch.softmax(options / self.settings.temperature, dim=-1)  # (B, E, M/V, V)
        hard = torch.zeros_like(soft).scatter(-1, options.argmax(-1, keepdim=True), 1.0)  # (B, E, M/V, V)
        return (hard + (soft - soft.detach())).flatten(-2)  # (B, E, M)


def draws(keys: Int[Tensor, "B 4"], name: str, like: Tensor, position: int) -> Float[Tensor, "B E N"]:
    """Uniform numbers in [0, 1) or, if the name ends in "noise", normal ones, for all sent in a round.

    Args:
        keys: of the trials.
        name: of the stream.
        like: [B, E, N], what is sent.
        position: rounds before this one.
    """
    size, dtype = like[0].numel(), str(like.dtype).removeprefix("torch.")
    draw = keyed_random.normal if name.endswith("noise") else keyed_random.uniform
    return draw(keys, f"channel {name}", size, position * size, dtype).view_as(like)  # (B, E, N)


def rounded(value: Float[Tensor, "B E N"], bits: int) -> Float[Tensor, "B E N"]:
    """The nearest of 2**bits levels from -1 to 1 to tanh(value); the gradient is that of tanh."""
    soft, steps = torch.tanh(value), 2**bits - 1  # (B, E, N)
    hard = ((soft + 1) / 2 * steps + 0.5).floor() / steps * 2 - 1  # (B, E, N)
    return soft + (hard - soft).detach()
