"""Policies that ignore what they see: the floors of scoring."""

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.family import Family, Observation


class ConstantPolicy:
    """Base of policies whose actions depend on the step alone: agents under contract 4, without weights."""

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> tuple[()]:
        """Nothing known."""
        return ()


@dataclasses.dataclass(frozen=True)
class Constant(ConstantPolicy):
    """Writes one number into every output slot.

    Attributes:
        value: the number, in [-1, 1].
    """

    value: float = 0.0

    def act(
        self, state: tuple[()], observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[tuple[()], Float[Tensor, "B O"], dict[str, Tensor]]:
        """The number."""
        return state, torch.full_like(observation.outputs, self.value), {}


@dataclasses.dataclass(frozen=True)
class FirstSlot(ConstantPolicy):
    """Names the first output slot at every step: for categorical families."""

    def act(
        self, state: tuple[()], observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[tuple[()], Int[Tensor, "B"], dict[str, Tensor]]:
        """Slot 0."""
        return state, torch.zeros(len(keys), dtype=torch.int64, device=keys.device), {}


@dataclasses.dataclass(frozen=True)
class Spread(ConstantPolicy):
    """Visits points that fill a cube evenly: the additive recurrence of the generalised golden ratio.

    The best one can do about a hidden minimum without listening, where the best of all points counts
    (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences").

    Attributes:
        radius: the cube is [-radius, radius] ** O; in (0, 1].
    """

    radius: float = 1.0

    def act(
        self, state: tuple[()], observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[tuple[()], Float[Tensor, "B O"], dict[str, Tensor]]:
        """The next point."""
        outputs = observation.outputs.shape[1]
        ratio = 2.0  # the positive root of x ** (O + 1) = x + 1
        for _ in range(50):
            ratio = (1 + ratio) ** (1 / (outputs + 1))
        place = torch.arange(1, outputs + 1, dtype=torch.float64, device=keys.device)
        fraction = (0.5 + (step + 1) * ratio**-place) % 1  # (O,)
        point = ((2 * fraction - 1) * self.radius).to(observation.outputs.dtype)  # (O,)
        return state, point.expand(len(keys), -1), {}
