"""Those who know the process: the best there is, and whoever sees one step ahead; they are ceilings."""

import dataclasses
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from badger_envs.families.random_mdp import RandomMDP
from badger_envs.family import Family, Observation
from baselines.mdps.ties import best


class Known(NamedTuple):
    """table: float64 [B, T, S, A], what actions are worth at each step of an episode, by slots."""

    table: Tensor


@dataclasses.dataclass(frozen=True)
class KnownProcess:
    """Takes the best action of a process that it knows, one of the best on ties.

    It knows the trials, as agents must not (see `Agent`): a reference, and no contestant. An episode that the
    horizon cuts short it plans as a whole one.

    Attributes:
        sees: "all" of an episode (value iteration), or "one step": the expected reward of an action, and not
            what it leads to.
    """

    sees: str = "all"

    knows_trials = True

    def __post_init__(self) -> None:
        """Check the setting."""
        if self.sees not in ("all", "one step"):
            raise ValueError(f"sees is {self.sees!r}; it must be 'all' or 'one step'")

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Known:
        """What actions are worth.

        Raises:
            ValueError: the family is not `RandomMDP`.
        """
        if not isinstance(family, RandomMDP):
            raise ValueError(f"{type(self).__name__} is for RandomMDP, not for {type(family).__name__}")
        task = family.sample_task(keys)
        by_number = task.value[:, 1:].flip(1)  # (B, T, S, A), steps left turned into steps done
        if self.sees == "one step":
            by_number = by_number[:, -1:].expand_as(by_number)
        by_action = family.action_sizes.spread(by_number, task.action_order)  # (B, T, S, O)
        by_state = family.state_sizes.spread(by_action.transpose(-1, -2), task.state_order)  # (B, T, O, I)
        return Known(by_state.transpose(-1, -2))

    def act(
        self, state: Known, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Known, Int[Tensor, "B"], dict[str, Tensor]]:
        """The best action here; records what each is worth [B, O]."""
        table = state.table[:, step % state.table.shape[1]]  # (B, S, A)
        place = observation.inputs[..., 0].argmax(-1)[:, None, None].expand(-1, 1, table.shape[2])
        worth = table.gather(1, place)[:, 0].masked_fill(observation.output_mask == 0, -torch.inf)  # (B, A)
        return state, best(worth, keys, step), {"scores": worth}
