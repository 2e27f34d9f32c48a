"""Exact answers to XOR's functions: read all bits and compute; or remember every example."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.xor import XOR
from badger_envs.family import Family, Observation


class Bits(NamedTuple):
    """What has been read.

    Attributes:
        bits: [B, I], those of the first step; empty before it.
        parity: bool [B], whether parity is asked for, and not the majority.
    """

    bits: Tensor
    parity: Tensor


class ReadAll:
    """Computes the parity, or the majority, of all bits shown at the first step; no weights."""

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Bits:
        """Nothing read.

        Raises:
            ValueError: the family is not `XOR` with a function that is known beforehand.
        """
        if not isinstance(family, XOR) or family.function == "table":
            raise ValueError(f"ReadAll knows parity and majority; {type(family).__name__} asks for another")
        dtype = getattr(torch, family.dtype)
        parity = torch.full((len(keys),), family.function == "parity", device=keys.device)
        return Bits(torch.zeros(len(keys), 0, dtype=dtype, device=keys.device), parity)

    def act(
        self, state: Bits, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Bits, Float[Tensor, "B O"], dict[str, Tensor]]:
        """The answer, at every step."""
        bits = state.bits if state.bits.shape[1] else observation.inputs[:, :, 0]  # (B, I)
        parity = torch.where(bits == 0, 1, bits).prod(dim=-1)  # (B,), 0 is an unused slot
        majority = 2 * (bits.sum(dim=-1) >= 0).to(bits.dtype) - 1  # (B,)
        answer = torch.where(state.parity, parity, majority)  # (B,)
        return Bits(bits, state.parity), answer[:, None] * observation.output_mask, {}


class Table(NamedTuple):
    """What has been remembered.

    Attributes:
        table: [B, 2**I], the answers to all bits, 0 where unknown.
        shown: int64 [B, 1], which bits were shown last.
    """

    table: Tensor
    shown: Tensor


class Memoriser:
    """Remembers the right answer to all bits met, and guesses +1 for others; no weights.

    No agent does better on "table": a random function's answers tell nothing about each other.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Table:
        """Nothing known.

        Raises:
            ValueError: the family is not `XOR` with function "table".
        """
        if not isinstance(family, XOR) or family.function != "table":
            raise ValueError(f"Memoriser learns tables; {type(family).__name__} does not ask for one")
        entries = 2**family.slots.inputs
        table = torch.zeros(len(keys), entries, dtype=getattr(torch, family.dtype), device=keys.device)
        return Table(table, torch.zeros(len(keys), 1, dtype=torch.int64, device=keys.device))

    def act(
        self, state: Table, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Table, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Note the answer that has been revealed, answer the bits shown now."""
        told = observation.output_feedback[:, :, 0].sum(dim=-1, keepdim=True).sign()  # (B, 1), 0 at the start
        known = state.table.gather(1, state.shown)
        table = state.table.scatter(1, state.shown, torch.where(told == 0, known, told))  # (B, 2**I)
        bits = observation.inputs[:, :, 0]  # (B, I)
        digits = 2 ** torch.arange(bits.shape[1], device=keys.device)
        shown = ((bits > 0) * digits).sum(dim=-1, keepdim=True)  # (B, 1)
        answer = table.gather(1, shown)
        answer = torch.where(answer == 0, 1, answer)
        return Table(table, shown), answer * observation.output_mask, {}
