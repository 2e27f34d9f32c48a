"""The channel between experts: what is sent at one step arrives at once or some steps later, over edges."""

import dataclasses
import math
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from badger_envs import keyed_random
from badger_envs.family import check_integer, check_number
from badger_envs.topology import Topology, adjacency

Inbox = Literal["mean", "each"]

_LARGEST_NORMAL = 5.8
"""No draw of `keyed_random.normal` is larger: its uniforms are multiples of 2**-24, sqrt(48 ln 2) = 5.77."""

_BLOCK = 1024
"""Numbers of one stream drawn at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChannelSettings:
    """What becomes of messages on their way; the words mean what they mean in a recipe's [agent.channel].

    Args:
        vocabulary: V; every V numbers of a message are scores of V symbols, of which the highest is sent
            (the lowest index on ties), as a vector of a 1 and zeros. 0: messages are numbers.
        bits: each number is sent as the nearest of 2**bits levels from -1 to 1, at most 16; 0: as it is.
        noise: standard deviation of Gaussian noise on each number sent; all listeners hear the same.
        dropout: chance that an edge fails, at each step anew: nothing is heard over it.
        delay: steps that messages arrive late.

    Raises:
        ValueError, TypeError: an impossible setting.
    """

    vocabulary: int = 0
    bits: int = 0
    noise: float = 0.0
    dropout: float = 0.0
    delay: int = 0

    def __post_init__(self) -> None:
        """Check the settings, and keep them as Python's numbers."""
        checked = {
            "vocabulary": check_integer("vocabulary", self.vocabulary, low=0),
            "bits": check_integer("bits", self.bits, low=0, high=16),
            "noise": float(check_number("noise", self.noise, 0, math.inf)),
            "dropout": float(check_number("dropout", self.dropout, 0, 1)),
            "delay": check_integer("delay", self.delay, low=0),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.vocabulary == 1:
            raise ValueError("a vocabulary of 1 symbol says nothing; it must be 2 or more (0: numbers)")
        if self.vocabulary and self.bits:
            raise ValueError("vocabulary and bits exclude each other: symbols are not numbers to be rounded")

    @classmethod
    def of(cls, settings: Mapping[str, Any] | None) -> "ChannelSettings":
        """From a mapping; None: nothing becomes of messages."""
        if not isinstance(settings, Mapping | None):
            raise TypeError(f"channel is {settings!r}; it must be a dict of settings, or None")
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [name for name in settings or {} if name not in known]
        if unknown:
            raise TypeError(f"channel has no setting {unknown[0]!r}, but {', '.join(known)}")
        return cls(**(settings or {}))


class Channel:
    """Carries messages of M numbers between E experts.

    A message sent with the action of step t (counted from 0) is in the inbox of the observation after step
    t + delay, so with a delay of 0 in the very next one. First it becomes symbols or is rounded, then noise
    is added, which is not clipped; both happen at the sender. Then edges may fail. Noise and failing edges
    are drawn from the trial's key and the step of sending, whatever the other settings are, so that runs
    with other settings are paired.

    Args:
        experts: E.
        settings: see `ChannelSettings`.
        message_size: M, numbers per message, from -1 to 1; 0 for no messages (default 4, or the vocabulary).
        topology: see `badger_envs.topology`.
        inbox: "mean": M numbers, the mean of the messages that arrived; "each": E * M numbers, a block per
            sender. Zeros where nothing arrived.
        dtype: "float32" or "float64".

    Raises:
        ValueError, TypeError: an impossible setting.
    """

    def __init__(
        self,
        experts: int,
        settings: ChannelSettings,
        *,
        message_size: int | None = None,
        topology: Topology = "all",
        inbox: Inbox = "mean",
        dtype: str = "float32",
    ) -> None:
        usual = settings.vocabulary or 4
        self.size = usual if message_size is None else check_integer("message_size", message_size, low=0)
        if settings.vocabulary and self.size % settings.vocabulary:
            wanted = f"it must be a multiple of the vocabulary, {settings.vocabulary}"
            raise ValueError(f"message_size is {self.size}; {wanted}")
        self.settings = settings
        if inbox not in ("mean", "each"):
            raise ValueError(f"inbox is {inbox!r}; it must be 'mean' or 'each'")
        self.edges = adjacency(topology, experts)  # [E, E]
        self.each = inbox == "each"
        self.inbox_size = self.size * experts if self.each else self.size
        self._experts, self._dtype = experts, dtype
        self._keys: np.ndarray  # [1, 4]
        self._time = 0
        self._drawn: dict[str, np.ndarray] = {}
        self._delayed: deque[np.ndarray] = deque()  # inboxes to come, the next one first

    @property
    def bounds(self) -> tuple[float, float]:
        """No number in an inbox lies outside."""
        spread = self.settings.noise * _LARGEST_NORMAL
        return (0.0 if self.settings.vocabulary else -1.0) - spread, 1.0 + spread

    def reset(self, keys: np.ndarray) -> np.ndarray:
        """Start a trial of key [1, 4]; returns empty inboxes, [E, inbox_size]."""
        self._keys, self._time = keys, 0
        empty = np.zeros((self._experts, self.inbox_size), self._dtype)
        self._delayed = deque([empty] * self.settings.delay)
        return empty.copy()

    def send(self, messages: np.ndarray) -> np.ndarray:
        """Send a message of every expert, [E, M]; returns what is heard after this step, [E, inbox_size]."""
        self._delayed.append(self._deliver(self._coded(messages)))
        self._time += 1
        return self._delayed.popleft()

    def _coded(self, messages: np.ndarray) -> np.ndarray:
        """What leaves the senders, [E, M]: symbols or rounded numbers, and noise."""
        if self.settings.vocabulary:
            scores = messages.reshape(self._experts, -1, self.settings.vocabulary)
            symbols = np.eye(self.settings.vocabulary, dtype=self._dtype)[np.argmax(scores, axis=-1)]
            messages = symbols.reshape(self._experts, self.size)
        elif self.settings.bits:
            steps = 2**self.settings.bits - 1
            messages = np.floor((messages + 1) / 2 * steps + 0.5) / steps * 2 - 1
        if self.settings.noise and self.size:
            drawn = self._draw(keyed_random.normal, "channel noise", self._experts * self.size)
            messages = messages + self.settings.noise * drawn.reshape(self._experts, self.size)
        return messages

    def _deliver(self, messages: np.ndarray) -> np.ndarray:
        """Inboxes [E, inbox_size] that these messages make."""
        experts, arrived = self._experts, self.edges
        if self.settings.dropout:
            drawn = self._draw(keyed_random.uniform, "channel dropout", experts * experts)
            arrived = arrived & (drawn.reshape(experts, experts) >= self.settings.dropout)
        if self.each:
            heard = messages[None] * arrived[:, :, None]  # [listener, sender, M]
            return heard.reshape(experts, -1).astype(self._dtype)
        heard = (messages[None] * arrived[:, :, None]).sum(1)  # [E, M]
        return (heard / np.maximum(arrived.sum(1), 1)[:, None]).astype(self._dtype)

    def _draw(self, draw: Any, name: str, count: int) -> np.ndarray:
        """This step's `count` numbers of a stream, made some steps ahead: cheaper, and bit-equal."""
        steps = max(1, _BLOCK // count)
        row = self._time % steps
        if row == 0:
            numbers = draw(self._keys, name, steps * count, self._time * count, self._dtype)
            self._drawn[name] = numbers.reshape(steps, count)
        return self._drawn[name][row]
