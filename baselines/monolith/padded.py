"""A monolith for several families: one network over as many slots as the widest of them has."""

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from badger_envs.combinators.parts import wide_observation
from badger_envs.family import Family, Observation
from baselines.monolith.monolith import Monolith, MonolithState

SIZES = ("inputs", "outputs", "input_size", "feedback", "output_feedback")


class PaddedMonolith(Monolith):
    """A monolith that acts in all families that are no wider than the one it was made for.

    Slots and numbers that a family lacks read as zeros that are not in use, and what is written to them is
    dropped. So a recipe's mixture can train one network on several families, as it trains one expert policy.
    """

    sequence_major = False

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> MonolithState:
        """All zeros.

        Raises:
            ValueError: the family is wider, or has other actions than the agent was made for.
        """
        self.check_fits(self.slots, family, SIZES, padded=True)
        dtype = getattr(torch, family.dtype)
        zeros = torch.zeros(len(keys), 1, dtype=dtype, device=keys.device)
        feedback = zeros.expand(-1, self.slots.feedback)  # (B, G)
        chance = zeros[..., None].expand(-1, -1, self.slots.outputs)[:, :0]  # (B, 0, O)
        start = feedback[:, :0] if self.settings.windows is None else feedback  # (B, 0) or (B, G)
        memory = self.cell.initial_state(zeros, family.horizon)
        return MonolithState(memory, feedback, start, zeros + family.horizon, chance)

    def act(
        self, state: MonolithState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[MonolithState, Tensor, dict[str, Tensor]]:
        """As a monolith in the widest family; what it says of slots that are not there is dropped."""
        there = observation.outputs.shape[1]
        after, action, record = super().act(state, wide_observation(observation, self.slots), keys, step)
        if self.action_kind != "categorical":
            action = action[:, :there]  # (B, o)
        return after, action, {name: _cut(name, part, there) for name, part in record.items()}

    def unroll(self, *arguments: Any, **named: Any) -> Any:
        """Refused: it would see observations that are not padded."""
        raise NotImplementedError("a padded monolith acts step by step; train it by imitation")


def _cut(name: str, part: Tensor, there: int) -> Tensor:
    """What is recorded of outputs, without those that are not there."""
    return part[:, :there] if name in ("logits", "choice") and part.dim() > 1 else part
