"""Classical learners from a stream of labelled examples, for digits: neighbours, prototypes, a linear map."""

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs.families.digits import Digits
from badger_envs.family import Family, Observation


class Stream(NamedTuple):
    """What is remembered of a stream.

    Attributes:
        examples: [B, T, D], images so far.
        labels: [B, T, O], 1 at the class of each.
        weights: [B, D, O], of the linear map.
        shown: [B, D], shown last; its class is not known yet.
    """

    examples: Tensor
    labels: Tensor
    weights: Tensor
    shown: Tensor


class StreamLearner(ABC):
    """Answers with 1 at the class that it holds for the likeliest, else -1.

    An agent under contract 4 for `Digits`; it has no weights but those that it learns in a trial. Of classes
    as likely as each other it takes the first.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Stream:
        """Nothing known.

        Raises:
            ValueError: the family is not `Digits`.
        """
        if not isinstance(family, Digits):
            raise ValueError(
                f"{type(self).__name__} learns from Digits; {type(family).__name__} is no stream"
            )
        slots, dtype = family.slots, getattr(torch, family.dtype)
        size = slots.inputs * slots.input_size
        weights = torch.zeros(len(keys), size, slots.outputs, dtype=dtype, device=keys.device)
        return Stream(weights.mT[:, :0], weights[:, :0], weights, weights[:, :, 0])

    def act(
        self, state: Stream, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Stream, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Note the class that was told, answer the image shown now."""
        label = observation.output_feedback[..., 0]  # (B, O)
        shown = observation.inputs.flatten(1)  # (B, D)
        if step > 0:
            state = self.learn(state, label, observation.output_mask)
        state = state._replace(shown=shown)
        scores = self.scores(state).masked_fill(observation.output_mask == 0, -torch.inf)  # (B, O)
        best = torch.zeros_like(scores).scatter(1, scores.argmax(dim=-1, keepdim=True), 1)  # (B, O)
        return state, (2 * best - 1) * observation.output_mask, {}

    def learn(self, state: Stream, label: Float[Tensor, "B O"], used: Float[Tensor, "B O"]) -> Stream:
        """Learn that `state.shown` was of the class `label`: usually, remember both."""
        return state._replace(
            examples=torch.cat([state.examples, state.shown[:, None]], dim=1),
            labels=torch.cat([state.labels, label[:, None]], dim=1),
        )

    @abstractmethod
    def scores(self, state: Stream) -> Float[Tensor, "B O"]:
        """How likely each class of `state.shown` is, in any units."""


class NearestNeighbour(StreamLearner):
    """The class of the example at the smallest distance (Fix and Hodges 1951)."""

    def scores(self, state: Stream) -> Float[Tensor, "B O"]:
        """See class."""
        if state.examples.shape[1] == 0:
            return state.weights[:, 0]
        squares = (state.examples**2).sum(dim=-1)  # (B, T)
        distance = (
            squares - 2 * (state.examples @ state.shown[..., None])[..., 0]
        )  # (B, T), but for a constant
        nearest = distance.argmin(dim=-1)[:, None, None].expand(-1, 1, state.labels.shape[-1])  # (B, 1, O)
        return state.labels.gather(1, nearest)[:, 0]


@dataclasses.dataclass(frozen=True)
class KernelRidge(StreamLearner):
    """Ridge regression on classes with a Gaussian kernel (Saunders et al. 1998).

    Attributes:
        ridge: what is added to the kernel's diagonal.
        width: of the kernel, in mean squared distances of the examples from the image shown.
    """

    ridge: float = 0.03
    width: float = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        for name, value in (("ridge", self.ridge), ("width", self.width)):
            if not isinstance(value, int | float) or not 0 < value < math.inf:
                raise ValueError(f"{name} is {value!r}; it must be a number above 0")

    def scores(self, state: Stream) -> Float[Tensor, "B O"]:
        """See class."""
        seen = state.examples.shape[1]
        if seen == 0:
            return state.weights[:, 0]
        points = torch.cat([state.examples, state.shown[:, None]], dim=1)  # (B, T + 1, D)
        squares = torch.cdist(points, points) ** 2  # (B, T + 1, T + 1)
        scale = self.width * squares[:, -1:, :-1].mean(dim=-1, keepdim=True)  # (B, 1, 1)
        kernel = torch.exp(-squares / scale.clamp(min=1e-6))
        kept = kernel[:, :-1, :-1] + self.ridge * torch.eye(
            seen, dtype=kernel.dtype, device=kernel.device
        )  # (B, T, T)
        return (kernel[:, -1:, :-1] @ torch.linalg.solve(kept, state.labels))[:, 0]


class Prototypes(StreamLearner):
    """The class whose examples have the nearest mean; not one of which nothing was seen."""

    def learn(self, state: Stream, label: Float[Tensor, "B O"], used: Float[Tensor, "B O"]) -> Stream:
        """Sums of examples in `weights`, numbers of them in `labels`."""
        count = state.labels.sum(dim=1, keepdim=True)  # (B, 1, O)
        weights = state.weights + state.shown[..., None] * label[:, None]  # (B, D, O)
        return state._replace(labels=count + label[:, None], weights=weights)

    def scores(self, state: Stream) -> Float[Tensor, "B O"]:
        """See class."""
        count = state.labels.sum(dim=1)  # (B, O)
        means = state.weights / count.clamp(min=1)[:, None]  # (B, D, O)
        distance = ((means - state.shown[..., None]) ** 2).sum(dim=1)  # (B, O)
        return -distance.masked_fill(count == 0, torch.inf)


@dataclasses.dataclass(frozen=True)
class OnlineLinear(StreamLearner):
    """Softmax regression, a step down the gradient for each example (Robbins and Monro 1951).

    Attributes:
        rate: length of a step, over the number of inputs.
    """

    rate: float = 2.0

    def __post_init__(self) -> None:
        """Check the setting."""
        if not 0 < self.rate < math.inf:
            raise ValueError(f"rate is {self.rate!r}; it must be a number above 0")

    def learn(self, state: Stream, label: Float[Tensor, "B O"], used: Float[Tensor, "B O"]) -> Stream:
        """See class."""
        chances = self.scores(state).masked_fill(used == 0, -torch.inf).softmax(dim=-1)  # (B, O)
        rate = self.rate / state.shown.shape[1]
        step = rate * state.shown[..., None] * (label - chances)[:, None]  # (B, D, O)
        return state._replace(weights=state.weights + step)

    def scores(self, state: Stream) -> Float[Tensor, "B O"]:
        """See class."""
        return (state.shown[:, None] @ state.weights)[:, 0]
