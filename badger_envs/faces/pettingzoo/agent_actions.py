"""Actions of the PettingZoo faces' agents: a Box of a writing and a message, or the same as choices."""

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from badger_envs.faces.actions import check_indices, check_values
from badger_envs.faces.pettingzoo.channel import Channel
from badger_envs.family import Family

KINDS = ("box", "discrete", "multi_discrete")
"""What the keyword `actions` may be."""


class AgentActions:
    """One expert's actions and what they mean: a writing and M numbers of a message, all in [-1, 1].

    Args:
        family: the family.
        channel: the channel; where actions are choices, messages must be symbols or numbers of a few bits.
        kind: "box": the numbers themselves. "multi_discrete": a choice of -1 or +1 for the writing, and of a
            symbol or level for each part of the message. "discrete": the same as one number, in C order.

    Raises:
        ValueError: another kind, or one that the family or the channel do not go with.
    """

    def __init__(self, family: Family, channel: Channel, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"actions is {kind!r}; it must be one of {', '.join(KINDS)}")
        self.kind, self._dtype, self._size = kind, family.dtype, 1 + channel.size
        self._outputs, self._vocabulary = family.slots.outputs, channel.settings.vocabulary
        self._sizes: tuple[int, ...] = (2,)
        if kind != "box":
            if family.action_kind == "continuous":
                raise ValueError(f"actions is {kind!r}; {type(family).__name__} is continuous: use 'box'")
            levels = self._vocabulary or (2**channel.settings.bits if channel.settings.bits else 0)
            if channel.size and not levels:
                wanted = "give the channel a vocabulary or bits, or message_size=0"
                raise ValueError(f"actions is {kind!r}, but messages are any numbers; {wanted}")
            self._sizes += (levels,) * (channel.size // (self._vocabulary or 1))

    def space(self) -> spaces.Space[Any]:
        """An action space of its own for an agent."""
        if self.kind == "discrete":
            return spaces.Discrete(math.prod(self._sizes))
        if self.kind == "multi_discrete":
            return spaces.MultiDiscrete(list(self._sizes))
        return spaces.Box(-1, 1, (self._size,), dtype=np.dtype(self._dtype).type)

    def numbers(self, action: Any, name: str) -> np.ndarray:
        """Writing and message, fresh [1 + M]; ValueError or TypeError if the action is none."""
        if self.kind == "box":
            return check_values(action, (self._size,), self._dtype, name)
        if self.kind == "discrete":
            index = check_indices(action, (), math.prod(self._sizes), name)
            choices = np.array(np.unravel_index(int(index), self._sizes))
        else:
            choices = check_indices(action, (len(self._sizes),), max(self._sizes), name)
            if (choices >= self._sizes).any():
                raise ValueError(f"{name} is {choices.tolist()}; its numbers must be below {self._sizes}")
        writing, message = 2 * choices[:1] - 1, choices[1:]
        if self._vocabulary:
            scores = np.eye(self._vocabulary)[message].reshape(-1)  # the symbol's is the highest
        else:
            scores = message / (np.array(self._sizes[1:]) - 1) * 2 - 1
        return np.concatenate([writing, scores]).astype(self._dtype)

    def mask(self, in_use: bool) -> np.ndarray:
        """Of "discrete" actions, int8 [n]: 0 for those that write +1 where the expert has no slot in use."""
        mask = np.ones(self._sizes, np.int8)
        mask[1] = in_use
        return mask.reshape(-1)
