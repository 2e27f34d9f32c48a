"""`badger bench outer`: how fast a recipe trains, how far that is from a floor, how long all of it takes."""

import math
import statistics
import tempfile
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from badger_agents.recipe.loading import Recipe, load_recipe
from leaderboards.bench.agent import matrix_cycle, matrix_operations
from leaderboards.bench.memory import peak_memory
from leaderboards.bench.outer import LEAST_COPY, StageSteps, Way, copy_cycle, lengths, work_of
from leaderboards.bench.timing import in_turns
from leaderboards.commands.train import changed_recipe, check_device
from leaderboards.results import Record, progress_console, record, show


def outer(
    recipe: Annotated[str, tyro.conf.Positional] = "guessing-paper",
    *,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    training: tuple[str, ...] = (),
    compile: bool = False,
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

    Other ways to compute a step can be timed in turns with it; the time ratio is theirs to that of training.

    Args:
        recipe: Name of a recipe (see `badger list`) or path to a TOML file.
        env: Settings of the environment to change, such as dims=5.
        agent: Settings of the agent to change, such as topology=none.
        training: Settings of the training to change, such as estimator=evolution estimator_settings.pairs=8.
        compile: Also time steps whose inner steps torch.compile compiled (that takes a minute or more).
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
    ways: dict[Way, bool] = {"compiled": compile, "bfloat16": bfloat16}
    asked = [way for way, wanted in ways.items() if wanted]
    torch.set_num_threads(threads or before)
    try:
        with tempfile.TemporaryDirectory() as folder, progress_console().status("timing"):
            results = timed(chosen, asked, matrix_size, device, seconds, memory, Path(folder))
    finally:
        torch.set_num_threads(before)
    note = f"device {device}, {threads or before} threads, estimator {chosen.training.estimator}"
    if None in lengths(chosen):
        note += "; no time of the whole schedule: a stage ends by validation alone"
    show(results, as_json=json, title=f"Speed of training by {chosen.name}", note=note)


def timed(
    recipe: Recipe,
    ways: list[Way],
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
        StageSteps(recipe, number, folder / way / str(number), device, way)
        for way in ways
        for number in range(len(schedule))
    ]
    works = [work_of(stage) for stage in stages]
    piece = max(LEAST_COPY, *(work.piece for work in works))
    judges = [matrix_cycle(matrix_size, device), copy_cycle(piece, device)]
    for other in others:
        other()  # compiling is no part of the seconds
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
        number = other.run.place.stage
        ratio = statistics.median(plain / speed for plain, speed in zip(speeds[number], rounds, strict=True))
        results.append(record("time_ratio", ratio, way=other.way, stage=number, n=len(rounds)))
        if other.way == "compiled" and other.first is not None:
            results.append(record("first_step", other.first, unit="s", way=other.way, stage=number))
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
