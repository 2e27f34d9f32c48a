"""Classical optimisers for hot/cold: random search, bisection, a hill climber."""

import dataclasses
import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import keyed_random
from badger_envs.families.hot_cold import HotCold
from badger_envs.family import Family, Observation


class Search(NamedTuple):
    """What a search remembers.

    Attributes:
        best: [B, O], best point known.
        value: float64 [B], value there; with "delta" less that of the start, with "sign" unknown: zeros.
        last: float64 [B], value of the point written last, likewise: a sum of all changes heard.
        moved: bool [B], whether that was a new point and not the best again, to compare with.
        width: [B], of the next move; random search has no use for it.
        horizon: [B], steps in a trial.
        signs: bool [B], whether only signs of changes are heard.
        changes: bool [B], whether changes are heard, and not values.
    """

    best: Tensor
    value: Tensor
    last: Tensor
    moved: Tensor
    width: Tensor
    horizon: Tensor
    signs: Tensor
    changes: Tensor


def check_hot_cold(agent: object, family: Family, feedback: tuple[str, ...] = ()) -> HotCold:
    """The family, if the agent can act in it; else ValueError."""
    name = type(agent).__name__
    if not isinstance(family, HotCold):
        raise ValueError(f"{name} looks for the minimum in hot/cold; {type(family).__name__} has none")
    if feedback and family.feedback not in feedback:
        raise ValueError(
            f"{name} needs feedback {' or '.join(feedback)}; the family gives {family.feedback!r}"
        )
    return family


def _begin(family: HotCold, keys: Int[Tensor, "B 4"], width: float) -> Search:
    """At the point 0, which was not moved to."""
    dtype = getattr(torch, family.dtype)
    best = torch.zeros(len(keys), family.slots.outputs, dtype=dtype, device=keys.device)  # (B, O)
    zero = best[:, 0]
    never = zero > 0
    signs, changes = (never | (family.feedback == kind) for kind in ("sign", "delta"))
    unknown = zero.double()  # (B,)
    return Search(best, unknown, unknown, never, zero + width, zero + family.horizon, signs, changes)


def _hear(state: Search, observation: Observation, step: int) -> tuple[Search, Tensor]:
    """The state with the point written last, and whether that is the best so far, bool [B].

    With "sign" it is compared with the point before, whichever that was.
    """
    heard = observation.feedback[:, 0]  # (B,)
    value = torch.where(state.changes, state.last + heard, heard.double())  # (B,)
    value = torch.where(state.signs, state.last, value)
    better = torch.where(state.signs, heard > 0, value < state.value)  # (B,)
    better = better & state.moved if step > 0 else torch.ones_like(state.moved)
    best = torch.where(better[:, None], observation.outputs, state.best)
    known = state._replace(best=best, value=torch.where(better, value, state.value), last=value)
    return known, better


class RandomSearch:
    """Writes uniform random points, and at the last step the best of them.

    With "sign" the best is taken to be the last point that was hotter than the one before. What it
    writes before the last step does not depend on what it hears. An agent under contract 4; no weights.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Search:
        """Nothing known. Raises ValueError if the family is not hot/cold."""
        return _begin(check_hot_cold(self, family), keys, 1.0)

    def act(
        self, state: Search, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Search, Float[Tensor, "B O"], dict[str, Tensor]]:
        """A fresh point, or the best."""
        known, better = _hear(state, observation, step)
        slots, dtype = known.best.shape[1], str(known.best.dtype)[6:]
        point = 2 * keyed_random.uniform(keys, "random search", slots, step * slots, dtype) - 1  # (B, O)
        action = torch.where((step < state.horizon - 1)[:, None], point, known.best)
        return known._replace(moved=torch.ones_like(better)), action, {}


@dataclasses.dataclass(frozen=True)
class HillClimber:
    """Moves from the best point at random, wider after a success, narrower after a failure.

    A (1 + 1) evolution strategy with the one-fifth rule (Kern et al. 2004). With "sign" it must go back
    to the best point after every failure, so that the next point is compared with that: twice the steps.
    An agent under contract 4; no weights.

    Attributes:
        width: standard deviation of the first move in every coordinate, above 0.
        growth: factor of the width at a success, above 1; a failure takes its fourth root back.
    """

    width: float = 0.5
    growth: float = 1.5

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 0 < self.width < math.inf or not 1 < self.growth < math.inf:
            raise ValueError(f"width is {self.width}, growth {self.growth}; they must be above 0 and above 1")

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Search:
        """At the point 0. Raises ValueError if the family is not hot/cold."""
        return _begin(check_hot_cold(self, family), keys, self.width)

    def act(
        self, state: Search, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Search, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Judge the last move, then make the next, or go back."""
        known, better = _hear(state, observation, step)
        factor = torch.where(better, self.growth, self.growth**-0.25)
        width = torch.where(state.moved, state.width * factor, state.width)  # (B,)
        slots, dtype = known.best.shape[1], str(known.best.dtype)[6:]
        move = keyed_random.normal(keys, "hill climber", slots, step * slots, dtype)  # (B, O)
        back = state.moved & ~better & state.signs  # (B,)
        moved = (known.best + width[:, None] * move).clamp(-1, 1)
        action = torch.where(back[:, None], known.best, moved)
        return known._replace(moved=~back, width=width), action, {}


class Interval(NamedTuple):
    """What bisection remembers.

    Attributes:
        low: [B, O], least that the optimum's coordinates can be.
        high: [B, O], most that they can be.
        before: [B, O], the point before the one written last.
        horizon: [B, 1], steps in a trial.
        signs: bool [B, 1], whether only signs of changes are heard.
    """

    low: Tensor
    high: Tensor
    before: Tensor
    horizon: Tensor
    signs: Tensor


class Bisection:
    """Moves one coordinate a step so that hotter or colder halves what is left of it, or nearly.

    Of two points that differ in one coordinate, the optimum is nearer to the hotter one: so it is if the
    value depends on the distance in every coordinate apart ("sphere", "absolute"); for the other kinds
    it is a guess. Coordinates are moved one after the other; the last step writes the middles. Needs the
    sign of changes alone. An agent under contract 4; no weights.
    """

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> Interval:
        """Nothing known. Raises ValueError if the family is not hot/cold with feedback "sign" or "delta"."""
        search = _begin(check_hot_cold(self, family, ("sign", "delta")), keys, 1.0)
        zero = search.best  # (B, O)
        return Interval(zero - 1, zero + 1, zero, search.horizon[:, None], search.signs[:, None])

    def act(
        self, state: Interval, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[Interval, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Cut the intervals by what was heard, then move the next coordinate across its middle."""
        here, used, heard = observation.outputs, observation.output_mask, observation.feedback[:, :1]
        hotter = torch.where(state.signs, heard > 0, heard < 0)  # (B, 1)
        cut = (here + state.before) / 2  # (B, O)
        upper = (here > state.before) == hotter  # (B, O), the optimum lies above the cut
        moved = here != state.before
        low = torch.where(moved & upper, torch.maximum(state.low, cut), state.low)
        high = torch.where(moved & ~upper, torch.minimum(state.high, cut), state.high)
        known = state._replace(low=low, high=high, before=here)
        middle = (low + high) / 2
        across = (2 * middle - here).clamp(-1, 1)
        aside = here + (high - low) / 2  # where the middle is here already: a quarter is cut off
        aside = torch.where(aside > 1, here - (high - low) / 2, aside)
        goal = torch.where((across - here).abs() < (high - low) / 4, aside, across)
        rank = used.cumsum(dim=-1) * used - 1  # (B, O), place among the slots in use; -1: not in use
        chosen = rank == step % used.sum(dim=-1, keepdim=True)  # (B, O)
        last = state.horizon - 1 == step  # (B, 1)
        return known, torch.where(last, middle * used, torch.where(chosen, goal, here)), {}
