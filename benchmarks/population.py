"""Outer seeds stacked in one process against one alone: `python -m benchmarks.population`.

The ratio is the time of N seeds side by side as a part of N times that of one. Takes a minute; `--help` has
the options.
"""

import math
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from badger_agents.recipe.loading import Recipe, load_recipe
from badger_agents.training.loop import StackedStep
from badger_agents.training.run import Run, RunPlan
from benchmarks.timing import finished, in_turns
from leaderboards.cli import call
from leaderboards.options import check_device
from leaderboards.results import Record, progress_console, record, show
from leaderboards.runs import changed_recipe


class SeedSteps:
    """Outer steps as `badger train --seeds N` takes them, without log and checkpoints.

    Args:
        recipe: the recipe.
        seeds: N; outer seeds are 0 to N - 1.
        folder: where the runs' folders are made; nothing is written there.
        device: a torch device.
        threads: threads of the CPU.

    Raises:
        ValueError: these seeds cannot be stacked; a step may tell too.
    """

    def __init__(self, recipe: Recipe, seeds: int, folder: Path, device: str, threads: int) -> None:
        plans = [RunPlan(recipe, seed, folder / str(seed)) for seed in range(seeds)]
        self.runs = [Run(plan, device=device) for plan in plans]
        self.states = [run.begin() for run in self.runs]
        self.take = StackedStep(self.runs[0])
        self.device, self.threads = device, threads
        self._check()

    def __call__(self) -> int:
        """One outer step of every seed; returns N once the device has done them."""
        torch.set_num_threads(self.threads)
        with torch.random.fork_rng(devices=[]):
            self.states = [state for state, _ in self.take(self.runs, self.states)]
        self._check()
        return finished(len(self.runs), self.device)

    def _check(self) -> None:
        """ValueError if the seeds turn out to go alone."""
        if self.take.reason and len(self.runs) > 1:
            raise ValueError(f"seeds of {self.runs[0].recipe.name!r} go alone: {self.take.reason}")


def population(
    recipe: Annotated[str, tyro.conf.Positional] = "guessing-hardwired",
    *,
    seeds: int = 10,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    training: tuple[str, ...] = (),
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 60.0,
    json: bool = False,
) -> None:
    """Time outer steps of outer seeds stacked in one process, in turns with those of one seed alone.

    The ratio is the time that an outer step of all seeds side by side takes, as a part of what it takes one
    seed alone times their number, on the same number of threads; it is a median over rounds, each of which
    times both. It is printed for one thread too. Log, checkpoints and validation are left out.

    Args:
        recipe: Name of a recipe (see `badger list`) or path to a TOML file.
        seeds: How many outer seeds.
        env: Settings of the environment to change, such as dims=5.
        agent: Settings of the agent to change, such as channel.topology=none.
        training: Settings of the training to change, such as batch_size=64.
        device: Where to compute: cpu, cuda, cuda:1, ...
        threads: Threads of the CPU for both; if not given, as many as it has cores.
        seconds: About how long the timing takes.
        json: Print the result as one JSON object.
    """
    check_device(device)
    chosen = changed_recipe(load_recipe(recipe), words={"env": env, "agent": agent, "training": training})
    if chosen.training is None:
        raise ValueError(f"recipe {chosen.name!r} has nothing to train")
    if threads is None:
        threads = os.cpu_count() or 1
    if seeds < 2 or threads < 1 or not 0 < seconds < math.inf:
        raise ValueError("--seeds must be at least 2, --threads at least 1, --seconds above 0")
    before = torch.get_num_threads()
    try:
        with tempfile.TemporaryDirectory() as folder, progress_console().status("timing"):
            results = timed(chosen, seeds, device, sorted({1, threads}), seconds, Path(folder))
    finally:
        torch.set_num_threads(before)
    note = f"device {device}; n: rounds; a step of a seed is one outer step of it"
    show(results, as_json=json, title=f"Speed of outer seeds side by side by {chosen.name}", note=note)


def timed(
    recipe: Recipe, seeds: int, device: str, threads: list[int], seconds: float, folder: Path
) -> list[Record]:
    """Time seeds stacked and one alone at each number of threads, all in turns; three records of each."""
    pairs = [
        [SeedSteps(recipe, count, folder / f"{number}-{count}", device, number) for count in (seeds, 1)]
        for number in threads
    ]
    speeds = in_turns([steps for pair in pairs for steps in pair], seconds)  # 1/s, steps of a seed
    results = []
    for number, stacked, alone in zip(threads, speeds[::2], speeds[1::2], strict=True):
        ratio = statistics.median(one / many for many, one in zip(stacked, alone, strict=True))
        settings: dict[str, Any] = {"seeds": seeds, "threads": number, "n": len(stacked)}
        together = statistics.median(seeds / speed for speed in stacked)  # s
        apart = statistics.median(seeds / speed for speed in alone)  # s
        results += [
            record("stacked_outer_step", together, unit="s", **settings),
            record("sequential_outer_steps", apart, unit="s", **settings),
            record("ratio", ratio, **settings),
        ]
    return results


if __name__ == "__main__":
    call(population, "python -m benchmarks.population", sys.argv[1:])
