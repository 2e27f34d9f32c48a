"""Optimisers of other libraries for hot/cold: CMA-ES (cma), Nelder-Mead and Powell (scipy), step by step."""

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_envs import keyed_random
from badger_envs.family import Family, Observation
from baselines.optimisers.classical import check_hot_cold
from baselines.optional_dependencies import check_installed


class History(NamedTuple):
    """What has been tried in a trial, on which the optimiser is run again.

    Attributes:
        values: float64 [B, T], of the start and of every point since; with "delta", less that of the start.
        plan: float64 [B, N, O], points to be tried next, whatever is heard of them.
        best: float64 [B, O], best point so far.
        changes: bool [B, 1], whether changes are heard, and not values.
    """

    values: Tensor
    plan: Tensor
    best: Tensor
    changes: Tensor


class Paused(Exception):
    """The optimiser asks for a value that is not known yet; `point` is where."""

    def __init__(self, point: np.ndarray) -> None:
        super().__init__()
        self.point = point


class LibraryOptimiser(ABC):
    """Lets a library's optimiser look for the minimum, a point a step.

    Such an optimiser calls the function when it likes, and cannot be stopped and gone on with. But it is a
    function of what it was told: at every step it is run from the start on the values heard so far, and
    left when it asks for one that is not known. So the state is plain tensors, and the points are those that
    it would try if it were run at once. It starts at the point 0, within [-1, 1]; when it has ended by
    itself, the best point is written. An agent under contract 4, trial after trial on the CPU; no weights.
    """

    requires: ClassVar[tuple[str, ...]] = ()
    """Packages that must be installed."""

    def __post_init__(self) -> None:
        """ValueError if a package is missing."""
        check_installed(self)

    def initial_state(self, family: Family, keys: Int[Tensor, "B 4"]) -> History:
        """Nothing known.

        Raises:
            ValueError: the family is not hot/cold, or tells signs alone.
        """
        told = check_hot_cold(self, family, ("value", "delta", "gradient")).feedback
        best = torch.zeros(len(keys), family.slots.outputs, dtype=torch.float64, device="cpu")  # (B, O)
        changes = torch.full((len(keys), 1), told == "delta", device="cpu")
        return History(best[:, :0], best[:, None][:, :0], best, changes)

    def act(
        self, state: History, observation: Observation, keys: Int[Tensor, "B 4"], step: int
    ) -> tuple[History, Float[Tensor, "B O"], dict[str, Tensor]]:
        """Note the value of the point written last, write the next of the plan, or make a new plan."""
        heard = observation.feedback[:, :1].double().cpu()  # (B, 1)
        outputs, used = observation.outputs.double().cpu(), observation.output_mask.cpu()  # (B, O) each
        before = state.values
        value = torch.where(state.changes, before[:, -1:] + heard, heard) if before.shape[1] else heard
        better = (value < before.amin(dim=1, keepdim=True)) if before.shape[1] else value == value  # (B, 1)
        known = torch.cat([before, value], dim=1)  # (B, T + 1)
        state = state._replace(values=known, best=torch.where(better, outputs, state.best))
        if not state.plan.shape[1]:
            seeds = keyed_random.words(keys, type(self).__name__, 1)[:, 0].tolist()
            plans = []
            for row, mask in enumerate(used.numpy() > 0):
                points = self.plan(known[row].numpy(), int(mask.sum()), len(mask), seeds[row])
                plans.append(np.tile(state.best[row].numpy(), (1 if points is None else len(points), 1)))
                if points is not None:
                    plans[-1][:, mask] = points
            longest = max(len(plan) for plan in plans)
            filled = [np.concatenate([plan, plan[-1:].repeat(longest - len(plan), axis=0)]) for plan in plans]
            state = state._replace(plan=torch.from_numpy(np.stack(filled)))
        action = state.plan[:, 0].clamp(-1, 1).to(observation.outputs)  # (B, O)
        return state._replace(plan=state.plan[:, 1:]), action * observation.output_mask, {}

    @abstractmethod
    def plan(self, values: np.ndarray, dims: int, slots: int, seed: int) -> np.ndarray | None:
        """The points to be tried next, [N, dims]; None if the optimiser has ended.

        Args:
            values: of the start, then of all points planned so far.
            dims: coordinates in use.
            slots: output slots: the same in all trials, as must be N.
            seed: of the trial's own, 32 bits.
        """


@dataclasses.dataclass(frozen=True)
class CMAES(LibraryOptimiser):
    """Covariance matrix adaptation (Hansen and Ostermeier 2001), as in the package cma, restarts left out.

    Draws come from the trial's key. A generation is a plan; its size is the package's default for as many
    coordinates as there are slots, 4 + floor(3 ln O).

    Attributes:
        width: standard deviation of the first generation, above 0.
    """

    width: float = 0.5
    requires: ClassVar[tuple[str, ...]] = ("cma",)

    def __post_init__(self) -> None:
        """Check the setting, and that cma is there."""
        check_width(self.width)
        super().__post_init__()

    def plan(self, values: np.ndarray, dims: int, slots: int, seed: int) -> np.ndarray | None:
        """The next generation."""
        import cma  # an extra

        size = 4 + math.floor(3 * math.log(slots))
        generator = np.random.default_rng(seed)
        options = {
            "bounds": [-1, 1],
            "popsize": size,
            "randn": lambda *shape: generator.standard_normal(shape),
            "seed": math.nan,  # NumPy's own generator is left alone
            "verbose": -9,
        }
        search = cma.CMAEvolutionStrategy([0.0] * max(dims, 2), self.width, options)
        told = values[1:]  # the start is no draw
        for first in range(0, len(told) - size + 1, size):
            points = search.ask()
            search.tell(points, told[first : first + size].tolist())
        return np.array(search.ask())[:, :dims]


@dataclasses.dataclass(frozen=True)
class NelderMead(LibraryOptimiser):
    """The simplex of Nelder and Mead 1965, as in scipy: the first corners are 0 and a step along each axis.

    Attributes:
        width: length of that step, in (0, 1].
    """

    width: float = 0.5
    requires: ClassVar[tuple[str, ...]] = ("scipy",)

    def __post_init__(self) -> None:
        """Check the setting, and that scipy is there."""
        check_width(self.width)
        super().__post_init__()

    def plan(self, values: np.ndarray, dims: int, slots: int, seed: int) -> np.ndarray | None:
        """The next corner that is tried."""
        corners = np.concatenate([np.zeros((1, dims)), self.width * np.eye(dims)])
        return replay(values, dims, "Nelder-Mead", initial_simplex=corners, xatol=1e-6, fatol=1e-12)


@dataclasses.dataclass(frozen=True)
class Powell(LibraryOptimiser):
    """Line searches along directions that are renewed (Powell 1964), as in scipy."""

    requires: ClassVar[tuple[str, ...]] = ("scipy",)

    def plan(self, values: np.ndarray, dims: int, slots: int, seed: int) -> np.ndarray | None:
        """The next point on the line."""
        return replay(values, dims, "Powell", xtol=1e-4, ftol=1e-12)


def replay(values: np.ndarray, dims: int, method: str, **options: Any) -> np.ndarray | None:
    """Run `scipy.optimize.minimize` from 0 on values known in the order of its calls.

    Returns:
        [1, dims], the first point whose value is not known; None if it has ended before.
    """
    from scipy import optimize  # an extra

    told = iter(values)

    def function(point: np.ndarray) -> float:
        value = next(told, None)
        if value is None:
            raise Paused(np.atleast_1d(point).copy())
        return float(value)

    try:
        bounds = [(-1.0, 1.0)] * dims
        optimize.minimize(function, np.zeros(dims), method=method, bounds=bounds, options=options)
    except Paused as paused:
        return paused.point[None]
    return None


def check_width(width: float) -> None:
    """ValueError unless it lies in (0, 1]."""
    if not 0 < width <= 1:
        raise ValueError(f"width is {width}; it must lie in (0, 1]")
