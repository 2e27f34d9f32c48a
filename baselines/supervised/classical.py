"""Classical learners from examples, for variable IO: mean, least squares, ridge, nearest prototype, Bayes."""

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.variable_io import VariableIO
from badger_envs.family import Family, Observation
from baselines.tuned_settings import TUNED, tuned_setting

RIDGE = 1e-6
"""Weight of the squared coefficients in least squares: picks the smallest of many that fit."""


class Examples(NamedTuple):
    """The examples of a trial so far, and what they were drawn with.

    Attributes:
        inputs: [B, T, I], one per step done; zeros in unused slots.
        targets: [B, T, O], right outputs, zeros where not revealed.
        revealed: [B, T], 1 where the right output was revealed, else 0.
        shown: [B, I], inputs shown last.
        blur: float64 [B, 1], the family's.
        weight: float64 [B, 1], of the squared coefficients, where the algorithm has one; else 0.
    """

    inputs: Tensor
    targets: Tensor
    revealed: Tensor
    shown: Tensor
    blur: Tensor
    weight: Tensor


class SupervisedAlgorithm(ABC):
    """Collects the examples that are revealed and answers from them.

    An agent under contract 4 for `VariableIO`; it has no weights. Answers are held within [-1, 1].
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Examples:
        """No examples.

        Raises:
            ValueError: the family reveals no right outputs.
        """
        if not isinstance(family, VariableIO):
            raise ValueError(f"{type(self).__name__} learns from examples; {type(family).__name__} has none")
        slots = family.slots
        shown = torch.zeros(len(keys), slots.inputs, dtype=getattr(torch, family.dtype), device=keys.device)
        none = shown[:, None, :1].expand(-1, -1, slots.outputs)[:, :0]  # (B, 0, O)
        zero = torch.zeros(len(keys), 1, dtype=torch.float64, device=keys.device)
        return Examples(shown[:, None][:, :0], none, none[:, :, 0], shown, zero + family.blur, zero)

    def act(
        self, state: Examples, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Examples, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Note the example that has just been revealed, answer the inputs shown now."""
        target, revealed = observation.output_feedback.unbind(dim=-1)  # (B, O) each
        known = state._replace(
            inputs=torch.cat([state.inputs, state.shown[:, None]], dim=1),
            targets=torch.cat([state.targets, target[:, None]], dim=1),
            revealed=torch.cat([state.revealed, revealed.amax(dim=-1, keepdim=True)], dim=1),
            shown=observation.inputs[:, :, 0],
        )  # the first, of step 0, is empty: nothing was revealed
        answer = self.answer(known, observation.input_mask, observation.output_mask)
        return known, answer.clamp(-1, 1) * observation.output_mask, {}

    @abstractmethod
    def answer(
        self, known: Examples, input_mask: Float[Tensor, "B I"], output_mask: Float[Tensor, "B O"]
    ) -> Float[Tensor, "B O"]:
        """The outputs for `known.shown`."""


class MeanPredictor(SupervisedAlgorithm):
    """The mean of the right outputs seen so far, whatever the inputs; zeros before the first."""

    def answer(
        self, known: Examples, input_mask: Float[Tensor, "B I"], output_mask: Float[Tensor, "B O"]
    ) -> Float[Tensor, "B O"]:
        """See class."""
        return known.targets.sum(dim=1) / known.revealed.sum(dim=1, keepdim=True).clamp(min=1)


class LeastSquares(SupervisedAlgorithm):
    """The affine map of the least squared error on the examples, the smallest where there are many.

    Solved by the normal equations in float64, with a ridge of `RIDGE`. Exact for the kinds without
    noise ("identity", "permutation", "affine", "sparse_linear") from one example more than inputs.
    """

    def answer(
        self, known: Examples, input_mask: Float[Tensor, "B I"], output_mask: Float[Tensor, "B O"]
    ) -> Float[Tensor, "B O"]:
        """See class."""
        return _affine(known, torch.full_like(known.weight, RIDGE))


@dataclasses.dataclass(frozen=True)
class Ridge(SupervisedAlgorithm):
    """Ridge regression: least squares that pays for coefficients, the constant included.

    The smallest of the sum of squared errors and `weight` times the sum of squared coefficients (Hoerl and
    Kennard 1970): with fewer examples than numbers to learn, or none that is exact, it guesses nearer to 0.

    Attributes:
        weight: above 0; or "tuned": what was best on the id's validation split (`baselines.tuning`).
    """

    weight: float | Literal["tuned"] = "tuned"

    def __post_init__(self) -> None:
        """Check the setting."""
        if self.weight != TUNED and (isinstance(self.weight, str) or not 0 < self.weight < math.inf):
            raise ValueError(f"weight is {self.weight!r}; it must be a number above 0, or {TUNED!r}")

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Examples:
        """No examples.

        Raises:
            ValueError: the family reveals no right outputs, or the weight is "tuned" and none is known.
        """
        none = super().initial_state(family, keys)
        tuned = self.weight == TUNED
        weight = tuned_setting("Ridge", "weight", family) if tuned else float(self.weight)
        return none._replace(weight=none.weight + weight)

    def answer(
        self, known: Examples, input_mask: Float[Tensor, "B I"], output_mask: Float[Tensor, "B O"]
    ) -> Float[Tensor, "B O"]:
        """See class."""
        return _affine(known, known.weight)


def _affine(known: Examples, weight: Float[Tensor, "B 1"]) -> Float[Tensor, "B O"]:
    """What the affine map of ridge regression says of the inputs shown last."""
    one = torch.ones_like(known.inputs[:, :, :1])
    rows = torch.cat([known.inputs, one], dim=-1).double() * known.revealed[:, :, None]  # (B, T, I + 1)
    square = rows.mT @ rows + weight[..., None] * torch.eye(
        rows.shape[-1], dtype=rows.dtype, device=rows.device
    )
    weights = torch.linalg.solve(square, rows.mT @ known.targets.double())  # (B, I + 1, O)
    shown = torch.cat([known.shown, torch.ones_like(known.shown[:, :1])], dim=-1).double()
    return (shown[:, None] @ weights)[:, 0].to(known.shown.dtype)


class NearestPrototype(SupervisedAlgorithm):
    """The class whose examples have the nearest mean (of the squared distance); zeros before the first."""

    def answer(
        self, known: Examples, input_mask: Float[Tensor, "B I"], output_mask: Float[Tensor, "B O"]
    ) -> Float[Tensor, "B O"]:
        """See class."""
        member = (known.targets > 0).to(known.shown.dtype)  # (B, T, O)
        count = member.sum(dim=1)  # (B, O)
        means = member.mT @ known.inputs / count.clamp(min=1)[:, :, None]  # (B, O, I)
        distance = ((known.shown[:, None] - means) ** 2).sum(dim=-1)  # (B, O)
        nearest = distance.masked_fill(count == 0, torch.inf).argmin(dim=-1, keepdim=True)  # (B, 1)
        chosen = torch.zeros_like(distance).scatter(1, nearest, 1)
        return (2 * chosen - 1) * (count.sum(dim=-1, keepdim=True) > 0)


class BayesLookup(SupervisedAlgorithm):
    """The posterior mean of the right output of a "lookup": no answer has a smaller expected error.

    Examples of a class lie within `blur` of its centre, so that the centre is uniform, number by number, on
    what the examples leave of [-(1 - blur), 1 - blur]. The density of new inputs is the share of it that
    lies within `blur` of them. Queries take all classes alike. Of other kinds it knows nothing.
    """

    def answer(
        self, known: Examples, input_mask: Float[Tensor, "B I"], output_mask: Float[Tensor, "B O"]
    ) -> Float[Tensor, "B O"]:
        """See class."""
        blur = known.blur[..., None].clamp(min=1e-4)  # (B, 1, 1), wider than rounding
        edge = 1 - known.blur[..., None, None] + 1e-6  # (B, 1, 1, 1)
        inputs = known.inputs.double()[:, :, None]  # (B, T, 1, I)
        member = (known.targets > 0)[..., None]  # (B, T, O, 1)
        low = torch.where(member, inputs - blur[..., None], -edge).amax(dim=1)  # (B, O, I)
        high = torch.where(member, inputs + blur[..., None], edge).amin(dim=1)
        shown = known.shown.double()[:, None]  # (B, 1, I)
        overlap = torch.minimum(high, shown + blur) - torch.maximum(low, shown - blur)  # (B, O, I)
        share = (overlap / (high - low).clamp(min=1e-9)).clamp(min=1e-30)
        score = (share.log() * input_mask[:, None]).sum(dim=-1).masked_fill(output_mask == 0, -torch.inf)
        return (2 * score.softmax(dim=-1) - 1).to(known.shown.dtype)


class BestSupervised(SupervisedAlgorithm):
    """`BayesLookup` where all right outputs so far were -1 or 1, else `LeastSquares`: for mixed kinds."""

    def answer(
        self, known: Examples, input_mask: Float[Tensor, "B I"], output_mask: Float[Tensor, "B O"]
    ) -> Float[Tensor, "B O"]:
        """See class."""
        seen = known.revealed.sum(dim=1) > 0
        whole = ((known.targets.abs() == 1) | ((known.revealed[:, :, None] * output_mask[:, None]) == 0)).all(
            dim=1
        )
        lookup = (seen & whole.all(dim=-1))[:, None]  # (B, 1)
        bayes = BayesLookup().answer(known, input_mask, output_mask)
        return torch.where(lookup, bayes, LeastSquares().answer(known, input_mask, output_mask))
