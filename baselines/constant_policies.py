"""Policies that ignore what they see: the floors of scoring."""

import dataclasses
import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.family import Family, Observation, check_integer, check_number
from badger_envs.keyed_random import trial_keys
from baselines.oracle import answers

FAR, OTHERS = 2**40, 2_000
"""Tasks on which `UsualAnswer` finds what is usual: the first, which nobody is measured on, and how many."""


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

    A way to look for a hidden minimum without listening, where the best of all points counts (Roberts 2018,
    "The unreasonable effectiveness of quasirandom sequences").

    Attributes:
        radius: the cube is [-radius, radius] ** O; in [0, 1].
    """

    radius: float = 1.0

    def __post_init__(self) -> None:
        """Check the setting."""
        check_number("radius", self.radius, 0, 1)

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


@dataclasses.dataclass(frozen=True)
class Grid(ConstantPolicy):
    """Visits the centres of the cells of a grid over a cube, one per step; after the last it begins anew.

    Attributes:
        points: the most cells there may be: sides are as equal as that allows.
        radius: the cube is [-radius, radius] ** O; in [0, 1].
    """

    points: int
    radius: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_integer("points", self.points, low=1)
        check_number("radius", self.radius, 0, 1)

    def act(
        self, state: tuple[()], observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[tuple[()], Float[Tensor, "B O"], dict[str, Tensor]]:
        """The next centre."""
        sides = [1] * observation.outputs.shape[1]
        while True:
            wider = sorted(sides)
            wider[0] += 1
            if math.prod(wider) > self.points:
                break
            sides = wider
        number, centres = step % math.prod(sides), []
        for side in sides:
            number, place = divmod(number, side)
            centres.append(((2 * place + 1) / side - 1) * self.radius)
        like = observation.outputs
        return state, torch.tensor(centres, dtype=like.dtype, device=like.device).expand(len(keys), -1), {}


class UsualState(NamedTuple):
    """answers: [B, T, O], for each trial the same."""

    answers: Tensor


class UsualAnswer:
    """Writes in each slot at each step what is right most often there, on other tasks of the split."""

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> UsualState:
        """The signs of the mean answer.

        Raises:
            ValueError: the family has no solution that could be written.
        """
        others = trial_keys(range(FAR, FAR + OTHERS), 0, family.split)
        usual = answers(family, torch.as_tensor(others, device=keys.device)).mean(dim=0)  # (T, O)
        return UsualState((2.0 * (usual >= 0) - 1).to(usual.dtype).expand(len(keys), -1, -1))

    def act(
        self, state: UsualState, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[UsualState, Float[Tensor, "B O"], dict[str, Tensor]]:
        """The signs of this step."""
        return state, state.answers[:, step], {}
