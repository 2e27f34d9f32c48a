"""What the benchmark of populations times: outer steps of seeds side by side, and of one seed alone."""

from pathlib import Path

import torch

from badger_agents.recipe.loading import Recipe
from badger_agents.training.run import Run
from badger_agents.training.stacked_step import Pace
from leaderboards.bench.faces import finished


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
        self.runs = [Run(recipe, seed, folder / str(seed), device=device) for seed in range(seeds)]
        self.pace = Pace(self.runs[0])
        self.device, self.threads = device, threads
        self._check()

    def __call__(self) -> int:
        """One outer step of every seed; returns N once the device has done them."""
        torch.set_num_threads(self.threads)
        with torch.random.fork_rng(devices=[]):
            self.pace.step(self.runs)
        self._check()
        for run in self.runs:
            run.step += 1
        return finished(len(self.runs), self.device)

    def _check(self) -> None:
        """ValueError if the seeds turn out to go alone."""
        if self.pace.reason and len(self.runs) > 1:
            raise ValueError(f"seeds of {self.runs[0].recipe.name!r} go alone: {self.pace.reason}")
