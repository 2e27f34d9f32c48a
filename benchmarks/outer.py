"""How far a recipe's outer steps are from the floor: `python -m benchmarks.outer guessing-paper`.

The floor is what matrix products and memory traffic would take at the rates of large ones. Prints how long
the whole schedule of the recipe takes. Takes a minute; `--help` has the options.
"""

import math
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import tyro
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from badger_agents.recipe.loading import Recipe, load_recipe
from badger_agents.training.curriculum import Place
from badger_agents.training.loop import outer_step
from badger_agents.training.run import Run, RunPlan
from benchmarks.agent import matrix_cycle, matrix_operations
from benchmarks.memory import peak_memory
from benchmarks.timing import Cycle, finished, in_turns
from leaderboards.cli import call
from leaderboards.options import check_device
from leaderboards.results import Record, progress_console, record, show
from leaderboards.runs import changed_recipe

COUNTED = 4
"""Outer steps over which work is counted: where sizes are drawn no two are alike."""

LEAST_COPY = 2**18
"""Bytes: copies of less would time the call, not the move."""


class StageSteps:
    """Outer steps as `badger train` takes them in one stage of a recipe, without log and checkpoints.

    Args:
        recipe: the recipe.
        stage: which of its stages, counted from 0.
        folder: the run's folder; nothing is written there.
        device: a torch device.
        bfloat16: under autocast to bfloat16.
    """

    def __init__(self, recipe: Recipe, stage: int, folder: Path, device: str, bfloat16: bool = False) -> None:
        self.run = Run(RunPlan(recipe, 0, folder), device=device)
        self.state = self.run.begin()._replace(place=Place(stage))
        self.device, self.bfloat16 = device, bfloat16

    def __call__(self) -> int:
        """One outer step; returns 1 once the device has done it."""
        kind = torch.device(self.device).type
        with torch.random.fork_rng(devices=[]), torch.autocast(kind, torch.bfloat16, enabled=self.bfloat16):
            ((self.state, _),) = outer_step([self.run], [self.state])
        return finished(1, self.device)


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


def outer(
    recipe: Annotated[str, tyro.conf.Positional] = "guessing-paper",
    *,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    training: tuple[str, ...] = (),
    bfloat16: bool = False,
    memory: bool = False,
    matrix_size: int = 1024,
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 60.0,
    json: bool = False,
) -> None:
    """Time a recipe's outer steps, stage by stage, and say how far they are from the floor.

    The floor is the time that an outer step would take if its matrix products ran at the rate of large
    ones, or if what its operations read and write moved at the rate of copies of tensors as large as theirs,
    whichever is longer; the ratio is the floor's part of the time that a step takes. Products and copies are
    timed in turns with the steps. Log, checkpoints and validation are left out. The whole schedule's time
    follows from the stages' numbers of outer steps, where all have one.

    Steps under autocast to bfloat16 can be timed in turns; the time ratio is theirs to that of training.

    Args:
        recipe: Name of a recipe (see `badger list`) or path to a TOML file.
        env: Settings of the environment to change, such as dims=5.
        agent: Settings of the agent to change, such as channel.topology=none.
        training: Settings of the training to change, such as estimator=evolution estimator_settings.pairs=8.
        bfloat16: Also time steps under torch.autocast to bfloat16.
        memory: Also count the bytes of tensors in use at the peak of a step (it takes a while).
        matrix_size: Rows and columns of the large matrices.
        device: Where to compute: cpu, cuda, cuda:1, ...
        threads: Threads of the CPU; if not given, OMP_NUM_THREADS, or 1.
        seconds: About how long the timing takes.
        json: Print the result as one JSON object.
    """
    check_device(device)
    before = torch.get_num_threads()
    words = {"env": env, "agent": agent, "training": training}
    chosen = changed_recipe(load_recipe(recipe), words=words)
    if chosen.training is None:
        raise ValueError(f"recipe {chosen.name!r} has nothing to train")
    if min(matrix_size, before if threads is None else threads) < 1 or not 0 < seconds < math.inf:
        raise ValueError("--matrix-size, --threads and --seconds must be above 0")
    torch.set_num_threads(threads or before)
    try:
        with tempfile.TemporaryDirectory() as folder, progress_console().status("timing"):
            results = timed(chosen, bfloat16, matrix_size, device, seconds, memory, Path(folder))
    finally:
        torch.set_num_threads(before)
    note = f"device {device}, {threads or before} threads, estimator {chosen.training.estimator}"
    if None in lengths(chosen):
        note += "; no time of the whole schedule: a stage ends by validation alone"
    show(results, as_json=json, title=f"Speed of training by {chosen.name}", note=note)


def timed(
    recipe: Recipe,
    bfloat16: bool,
    matrix_size: int,
    device: str,
    seconds: float,
    memory: bool,
    folder: Path,
) -> list[Record]:
    """Time the stages, and what they are judged by, in turns; records of each stage, then of the whole."""
    schedule = lengths(recipe)
    stages = [StageSteps(recipe, number, folder / str(number), device) for number in range(len(schedule))]
    others = [
        StageSteps(recipe, number, folder / "bfloat16" / str(number), device, bfloat16=True)
        for number in range(len(schedule) if bfloat16 else 0)
    ]
    works = [work_of(stage) for stage in stages]
    piece = max(LEAST_COPY, *(work.piece for work in works))
    judges = [matrix_cycle(matrix_size, device), copy_cycle(piece, device)]
    speeds = in_turns([*stages, *others, *judges], seconds)
    matrix_rate = statistics.median(speeds[-2]) * matrix_operations(matrix_size)  # 1/s
    copy_rate = statistics.median(speeds[-1]) * 2 * piece  # bytes/s: each is read and written
    results, took = [], []
    for number, (work, rounds) in enumerate(zip(works, speeds, strict=False)):
        took.append(statistics.fmean(1 / speed for speed in rounds))  # s, a mean: sizes may be drawn
        floor, by = work.floor(matrix_rate, copy_rate)
        settings: dict[str, Any] = {"stage": number, "n": len(rounds)}
        results += [
            record("outer_steps_per_second", 1 / took[-1], unit="1/s", **settings),
            record("operations_per_outer_step", work.operations / 1e9, unit="GFLOP", **settings),
            record("bytes_per_outer_step", work.traffic / 1e6, unit="MB", **settings),
            record("floor", floor, unit="s", by=by, **settings),
            record("ratio", floor / took[-1], by=by, **settings),
        ]
        if memory:
            peak = peak_memory(stages[number], device)
            results.append(record("peak_memory", peak / 1e6, unit="MB", stage=number))
    for other, rounds in zip(others, speeds[len(stages) :], strict=False):
        number = other.state.place.stage
        ratio = statistics.median(plain / speed for plain, speed in zip(speeds[number], rounds, strict=True))
        results.append(record("time_ratio", ratio, way="bfloat16", stage=number, n=len(rounds)))
    results.append(record("matrix_product_rate", matrix_rate / 1e9, unit="GFLOP/s", size=matrix_size))
    results.append(record("copy_rate", copy_rate / 1e9, unit="GB/s", bytes=piece))
    if all(length is not None for length in schedule):
        whole = sum(length * time for length, time in zip(schedule, took, strict=True) if length)
        steps = sum(length for length in schedule if length)
        results.append(record("schedule", whole / 3600, unit="h", outer_steps=steps))
        results.append(
            record("schedule_outer_steps_per_second", steps / whole, unit="1/s", outer_steps=steps)
        )
    return results


if __name__ == "__main__":
    call(outer, "python -m benchmarks.outer", sys.argv[1:])
