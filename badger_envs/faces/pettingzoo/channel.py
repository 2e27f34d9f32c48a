"""The channel between experts: what is sent at one step arrives some steps later, over a topology."""

import math
from collections import deque
from typing import Any, Literal

import numpy as np

from badger_envs import keyed_random
from badger_envs.family import check_integer
from badger_envs.topology import Topology, adjacency

Inbox = Literal["mean", "each"]

_LARGEST_NORMAL = 5.8
"""No draw of `keyed_random.normal` is larger: its uniforms are multiples of 2**-24, sqrt(48 ln 2) = 5.77."""

_BLOCK = 1024
"""Numbers of one stream drawn at once."""


class Channel:
    """Carries messages of M numbers between E experts.

    A message sent with the action of step t (counted from 0) is in the inbox of the observation after
    step t + delay - 1, so with a delay of 1 in the very next one. On its way over every edge it may be
    lost (dropout) or blurred (Gaussian noise, not clipped); both are drawn per edge from the trial's key
    and the step of sending, whatever the topology, so that runs with other settings are paired.

    Args:
        experts: E.
        message_size: M, numbers per message, from -1 to 1; 0 for no messages (default 4).
        symbols: instead of `message_size`: a message is one of this many symbols. An expert writes a score
            per symbol, the highest is sent (the lowest index on ties) and heard as a one-hot vector.
        topology: see `badger_envs.topology`.
        noise: standard deviation of the noise on every number heard.
        dropout: probability that a message is lost on an edge, from 0 to 1.
        delay: steps from sending to hearing, at least 1.
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
        symbols: int | None = None,
        topology: Topology = "all",
        noise: float = 0.0,
        dropout: float = 0.0,
        delay: int = 1,
        inbox: Inbox = "mean",
        dtype: str = "float32",
    ) -> None:
        if symbols is not None:
            check_integer("symbols", symbols, low=2)
            if message_size is not None:
                raise ValueError("message_size and symbols are both given; a message is numbers or a symbol")
        if message_size is not None:
            check_integer("message_size", message_size, low=0)
        check_integer("message_delay", delay, low=1)
        _check_number("message_noise", noise, math.inf)
        _check_number("message_dropout", dropout, 1)
        if inbox not in ("mean", "each"):
            raise ValueError(f"inbox is {inbox!r}; it must be 'mean' or 'each'")
        self.edges = adjacency(topology, experts)  # [E, E]
        numbers = 4 if message_size is None else message_size
        self.size = numbers if symbols is None else symbols
        self.symbols, self.noise, self.dropout, self.delay = symbols, float(noise), float(dropout), delay
        self.each = inbox == "each"
        self.inbox_size = self.size * experts if self.each else self.size
        self._experts, self._dtype = experts, dtype
        self._keys: np.ndarray  # [1, 4]
        self._time = 0
        self._drawn: dict[str, np.ndarray] = {}
        self._travelling: deque[np.ndarray] = deque()  # inboxes to come, the next one first

    @property
    def bounds(self) -> tuple[float, float]:
        """No number in an inbox lies outside."""
        spread = self.noise * _LARGEST_NORMAL
        return (0.0 if self.symbols else -1.0) - spread, 1.0 + spread

    def reset(self, keys: np.ndarray) -> np.ndarray:
        """Start a trial of key [1, 4]; returns empty inboxes, [E, inbox_size]."""
        self._keys, self._time = keys, 0
        empty = np.zeros((self._experts, self.inbox_size), self._dtype)
        self._travelling = deque([empty] * (self.delay - 1))
        return empty.copy()

    def send(self, messages: np.ndarray) -> np.ndarray:
        """Send a message of every expert, [E, M]; returns what is heard at the next step, [E, inbox_size]."""
        self._travelling.append(self._deliver(messages))
        self._time += 1
        return self._travelling.popleft()

    def _deliver(self, messages: np.ndarray) -> np.ndarray:
        """Inboxes that these messages, sent now, will make."""
        experts, size = self._experts, self.size
        if self.symbols:
            messages = np.eye(size, dtype=self._dtype)[np.argmax(messages, axis=-1)]
        arrived = self.edges
        if self.dropout:
            drawn = self._draw(keyed_random.uniform, "message_dropout", experts * experts)
            arrived = arrived & (drawn.reshape(experts, experts) >= self.dropout)
        heard = np.broadcast_to(messages, (experts, experts, size))  # [listener, sender, M]
        if self.noise and size:
            drawn = self._draw(keyed_random.normal, "message_noise", experts * experts * size)
            heard = heard + self.noise * drawn.reshape(experts, experts, size)
        heard = heard * arrived[:, :, None]
        if self.each:
            return heard.reshape(experts, -1).astype(self._dtype)
        return (heard.sum(1) / np.maximum(arrived.sum(1), 1)[:, None]).astype(self._dtype)

    def _draw(self, draw: Any, name: str, count: int) -> np.ndarray:
        """This step's `count` numbers of a stream, made some steps ahead: cheaper, and bit-equal."""
        steps = max(1, _BLOCK // count)
        row = self._time % steps
        if row == 0:
            numbers = draw(self._keys, name, steps * count, self._time * count, self._dtype)
            self._drawn[name] = numbers.reshape(steps, count)
        return self._drawn[name][row]


def _check_number(name: str, value: Any, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    if not (0 <= value <= high and value < math.inf):
        limits = "finite and at least 0" if high == math.inf else f"from 0 to {high:g}"
        raise ValueError(f"{name} is {value}; it must be {limits}")
