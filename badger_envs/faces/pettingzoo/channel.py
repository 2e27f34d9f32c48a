"""The channel between experts: what is sent at one step arrives at once or some steps later, over edges."""

import math
from collections import deque
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


class Channel:
    """Carries messages of M numbers between E experts.

    Its words mean what they mean in the channel of the Badger agent (`[agent.channel]`). A message sent
    with the action of step t (counted from 0) is in the inbox of the observation after step t + delay, so
    with a delay of 0 in the very next one. First it becomes symbols or is rounded, then noise is added,
    which is not clipped; both happen at the sender, so that all listeners hear the same. Then edges may
    fail. Noise and failing edges are drawn from the trial's key and the step of sending, whatever the
    other settings are, so that runs with other settings are paired.

    Args:
        experts: E.
        message_size: M, numbers per message, from -1 to 1; 0 for no messages (default 4, or `vocabulary`).
        vocabulary: V; every V numbers of a message are scores of V symbols, of which the highest is sent
            (the lowest index on ties), as a vector of a 1 and zeros. 0: messages are numbers.
        bits: each number is sent as the nearest of 2**bits levels from -1 to 1, at most 16; 0: as it is.
        noise: standard deviation of Gaussian noise on each number sent.
        dropout: chance that an edge fails, at each step anew: nothing is heard over it.
        delay: steps that messages arrive late.
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
        *,
        message_size: int | None = None,
        vocabulary: int = 0,
        bits: int = 0,
        noise: float = 0.0,
        dropout: float = 0.0,
        delay: int = 0,
        topology: Topology = "all",
        inbox: Inbox = "mean",
        dtype: str = "float32",
    ) -> None:
        self.vocabulary = check_integer("vocabulary", vocabulary, low=0)
        self.bits = check_integer("bits", bits, low=0, high=16)
        self.noise = float(check_number("noise", noise, 0, math.inf))
        self.dropout = float(check_number("dropout", dropout, 0, 1))
        self.delay = check_integer("delay", delay, low=0)
        usual = self.vocabulary or 4
        self.size = usual if message_size is None else check_integer("message_size", message_size, low=0)
        if self.vocabulary == 1:
            raise ValueError("a vocabulary of 1 symbol says nothing; it must be 2 or more (0: numbers)")
        if self.vocabulary and self.bits:
            raise ValueError("vocabulary and bits exclude each other: symbols are not numbers to be rounded")
        if self.vocabulary and self.size % self.vocabulary:
            raise ValueError(
                f"message_size is {self.size}; it must be a multiple of the vocabulary, {self.vocabulary}"
            )
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
        spread = self.noise * _LARGEST_NORMAL
        return (0.0 if self.vocabulary else -1.0) - spread, 1.0 + spread

    def reset(self, keys: np.ndarray) -> np.ndarray:
        """Start a trial of key [1, 4]; returns empty inboxes, [E, inbox_size]."""
        self._keys, self._time = keys, 0
        empty = np.zeros((self._experts, self.inbox_size), self._dtype)
        self._delayed = deque([empty] * self.delay)
        return empty.copy()

    def send(self, messages: np.ndarray) -> np.ndarray:
        """Send a message of every expert, [E, M]; returns what is heard after this step, [E, inbox_size]."""
        self._delayed.append(self._deliver(self._coded(messages)))
        self._time += 1
        return self._delayed.popleft()

    def _coded(self, messages: np.ndarray) -> np.ndarray:
        """What leaves the senders, [E, M]: symbols or rounded numbers, and noise."""
        if self.vocabulary:
            scores = messages.reshape(self._experts, -1, self.vocabulary)
            symbols = np.eye(self.vocabulary, dtype=self._dtype)[np.argmax(scores, axis=-1)]
            messages = symbols.reshape(self._experts, self.size)
        elif self.bits:
            steps = 2**self.bits - 1
            messages = np.floor((messages + 1) / 2 * steps + 0.5) / steps * 2 - 1
        if self.noise and self.size:
            drawn = self._draw(keyed_random.normal, "channel noise", self._experts * self.size)
            messages = messages + self.noise * drawn.reshape(self._experts, self.size)
        return messages

    def _deliver(self, messages: np.ndarray) -> np.ndarray:
        """Inboxes [E, inbox_size] that these messages make."""
        experts, arrived = self._experts, self.edges
        if self.dropout:
            drawn = self._draw(keyed_random.uniform, "channel dropout", experts * experts)
            arrived = arrived & (drawn.reshape(experts, experts) >= self.dropout)
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
