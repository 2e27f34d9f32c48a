"""The local rule of each puzzle of deliberation: one hop per step, as parts that see one slot each could."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.deliberation import NAME_BITS, Deliberation
from badger_envs.family import Family, Observation


class Known(NamedTuple):
    """answers: [B, I], -1 or +1 where known, else 0."""

    answers: Tensor


class LocalRule:
    """Looks at every slot and at what it depends on, once per step; no weights.

    Exact where the horizon is as long as the longest way; elsewhere it answers what news can know that goes
    one hop per step. Squares of a maze that nothing has reached yet are answered with -1.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Known:
        """Nothing known.

        Raises:
            ValueError: the family is not `Deliberation`.
        """
        if not isinstance(family, Deliberation):
            raise ValueError(f"LocalRule solves Deliberation; {type(family).__name__} asks for another thing")
        shape, dtype = (len(keys), family.slots.outputs), getattr(torch, family.dtype)
        return Known(torch.zeros(shape, dtype=dtype, device=keys.device))

    def act(
        self, state: Known, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Known, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Answers after one hop more."""
        rule = RULES[observation.inputs.shape[-1]]
        answers = rule(state.answers, observation.inputs) * observation.output_mask  # (B, O)
        return Known(answers), answers, {}


def multiply(answers: Float[Tensor, "B I"], inputs: Float[Tensor, "B I 1"]) -> Float[Tensor, "B I"]:
    """Own bit times the answer of the slot before; the first answers with its bit, and is heard at once."""
    bits = inputs[..., 0]  # (B, I)
    known = torch.cat([bits[:, :1], answers[:, 1:]], dim=1)  # (B, I)
    return torch.cat([known[:, :1], bits[:, 1:] * known[:, :-1]], dim=1)


def follow(answers: Float[Tensor, "B I"], inputs: Float[Tensor, "B I F"]) -> Float[Tensor, "B I"]:
    """The answer of the slot whose name is pointed to."""
    own, other, bit = inputs.split([NAME_BITS, NAME_BITS, 1], dim=-1)  # (B, I, N), (B, I, N), (B, I, 1)
    match = (other @ own.mT > NAME_BITS - 0.5).to(inputs.dtype)  # (B, I, I)
    known = torch.where(answers == 0, bit[..., 0], answers)  # (B, I)
    return (match @ known[..., None])[..., 0]  # (B, I)


def spread(answers: Float[Tensor, "B I"], inputs: Float[Tensor, "B I 2"]) -> Float[Tensor, "B I"]:
    """+1 for open squares that are the start or beside one that is known to be reached."""
    side = math.isqrt(inputs.shape[1])
    open_, start = inputs.view(len(inputs), side, side, 2).unbind(dim=-1)  # (B, S, S) each
    reached = torch.maximum(answers.view_as(start), start).clamp(min=0)  # (B, S, S)
    around = torch.nn.functional.pad(reached, (1, 1, 1, 1))  # (B, S+2, S+2)
    beside = around[:, :-2, 1:-1] + around[:, 2:, 1:-1] + around[:, 1:-1, :-2] + around[:, 1:-1, 2:]
    found = (reached + beside > 0) & (open_ > 0)  # (B, S, S)
    return 2 * found.flatten(1).to(inputs.dtype) - 1


RULES = {1: multiply, 2 * NAME_BITS + 1: follow, 2: spread}
"""By numbers per slot, which tell the kind: from answers [B, I], 0 where not known, to those a hop later."""
