"""What the benchmark of the outer loop times and counts: outer steps, stage by stage, and their floor."""

import importlib
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from badger_agents.recipe.loading import Recipe
from badger_agents.training.curriculum import Place
from badger_agents.training.run import Run
from badger_agents.training.stacked_step import outer_step
from leaderboards.bench.faces import finished
from leaderboards.bench.timing import Cycle

rollout = importlib.import_module("badger_agents.rollout")  # the package exports a function of that name

COUNTED = 4
"""Outer steps over which work is counted: where sizes are drawn no two are alike."""

LEAST_COPY = 2**18
"""Bytes: copies of less would time the call, not the move."""


Way = Literal["plain", "compiled", "bfloat16"]
"""How an outer step is computed: as in training; with the inner step compiled; or under autocast."""


class StageSteps:
    """Outer steps as `badger train` takes them in one stage of a recipe, without log and checkpoints.

    Args:
        recipe: the recipe.
        stage: which of its stages, counted from 0.
        folder: the run's folder; nothing is written there.
        device: a torch device.
        way: how they are computed.

    Attributes:
        first: seconds that the first took: what compiling takes, and one step.
    """

    def __init__(self, recipe: Recipe, stage: int, folder: Path, device: str, way: Way = "plain") -> None:
        self.run = Run(recipe, 0, folder, device=device)
        self.run.place = Place(stage)
        self.device, self.way = device, way
        self.first: float | None = None
        self._advance = torch.compile(rollout.advance) if way == "compiled" else rollout.advance

    def __call__(self) -> int:
        """One outer step; returns 1 once the device has done it."""
        start = time.perf_counter()
        with torch.random.fork_rng(devices=[]), self._computed():
            outer_step([self.run])
        self.run.step += 1
        done = finished(1, self.device)
        if self.first is None:
            self.first = time.perf_counter() - start
        return done

    @contextmanager
    def _computed(self) -> Iterator[None]:
        """Computes in this way; torch's compiler has warnings that concern its makers."""
        if self.way == "compiled":
            with patch.object(rollout, "advance", self._advance), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        elif self.way == "bfloat16":
            with torch.autocast(torch.device(self.device).type, torch.bfloat16):
                yield
        else:
            yield


class Work(NamedTuple):
    """What an outer step does, as a mean over some.

    Attributes:
        operations: of floating point in its matrix products; a multiplication and an addition are two.
        traffic: bytes that its operations read and write, each by itself.
        piece: bytes of the tensor in which the middle byte of the traffic lies.
    """

    operations: float
    traffic: float
    piece: int

    def floor(self, operations_per_second: float, bytes_per_second: float) -> tuple[float, str]:
        """The least seconds that it can take at these rates, and by what: "operations" or "bytes"."""
        times = {
            "operations": self.operations / operations_per_second,
            "bytes": self.traffic / bytes_per_second,
        }
        longest = max(times, key=lambda name: times[name])
        return times[longest], longest


class Traffic(TorchDispatchMode):
    """Counts the bytes of tensors that operations read and write; views move none.

    Attributes:
        sizes: bytes of every tensor read or written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The operation as it is; then count."""
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.sizes += [
                min(part.numel() * part.element_size(), part.untyped_storage().nbytes())  # less if expanded
                for part in pytree.tree_leaves((args, kwargs, made))
                if isinstance(part, Tensor)
            ]
        return made


def work_of(steps: StageSteps) -> Work:
    """Count what a few outer steps do."""
    with FlopCounterMode(display=False) as counter, Traffic() as traffic:
        for _ in range(COUNTED):
            steps()
    total, gone = sum(traffic.sizes), 0
    for piece in sorted(traffic.sizes):
        gone += piece
        if gone >= total / 2:
            break
    return Work(counter.get_total_flops() / COUNTED, total / COUNTED, piece)


def copy_cycle(size: int, device: str) -> Cycle:
    """Copies of a tensor of `size` bytes to another; returns how many, once the device has done them."""
    source, target = (torch.zeros(size // 4, device=device) for _ in range(2))
    copies = max(1, 2**24 // size)  # so many that a GPU is not asked after each whether it is done

    def cycle() -> int:
        for _ in range(copies):
            target.copy_(source)
        return finished(copies, device)

    return cycle


def lengths(recipe: Recipe) -> list[int | None]:
    """Outer steps of each stage of the recipe; None where it ends by validation alone."""
    assert recipe.training is not None
    stages = recipe.training.stages
    if not stages:
        return [recipe.training.outer_steps]
    known = [stage.outer_steps for stage in stages[:-1]]
    left = recipe.training.outer_steps - sum(length or 0 for length in known)
    return [*known, None if None in known else max(0, left)]
