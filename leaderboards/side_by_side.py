"""Several trainings at the same time, a process per core, with a bar for each."""

import json
import multiprocessing
import os
import time
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import torch

from badger_agents.class_loading import Trust
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.training.log import read_log
from badger_agents.training.loop import train
from badger_agents.training.run import LOG
from leaderboards.options import progress_bar
from leaderboards.words import INTERRUPTED


class Job(NamedTuple):
    """A training: recipe, outer seed, run folder."""

    recipe: Recipe
    seed: int
    folder: Path


def train_side_by_side(jobs: Mapping[str, Job], device: str) -> None:
    """Train all, each on one core, or go on with those begun; Ctrl-C stops all.

    Args:
        jobs: what is trained, by the name beside its bar.
        device: a torch device.

    Raises:
        ChildProcessError: a process was killed.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(jobs), cores), mp_context=context) as pool, progress_bar() as bar:
        futures: dict[str, Future[None]] = {}
        lines = {}
        for name, job in jobs.items():
            assert job.recipe.training is not None
            lines[name] = bar.add_task(name, total=job.recipe.training.outer_steps, note="waits", start=False)
            futures[name] = pool.submit(
                _train_one, job.recipe.to_json(), job.recipe.trust, job.seed, job.folder, device
            )
        try:
            while True:
                for name, line in lines.items():
                    rows = read_log(jobs[name].folder / LOG)
                    if rows:
                        if not bar.tasks[line].started:  # the wait for a core is not its time
                            bar.start_task(line)
                            bar.tasks[line].start_time = bar.get_time() - rows[-1]["seconds"]
                        bar.update(line, completed=rows[-1]["step"], note=f"loss {rows[-1]['loss']:.3f}")
                if all(future.done() for future in futures.values()):
                    break
                time.sleep(0.5)
        except KeyboardInterrupt:
            for child in multiprocessing.active_children():
                child.terminate()  # those in training save their checkpoint first
            raise
        try:
            for future in futures.values():
                future.result()
        except BrokenExecutor as error:
            raise ChildProcessError(
                "a training process was killed (for want of memory?); run it again"
            ) from error


def _train_one(recipe: str, trust: Trust, seed: int, folder: Path, device: str) -> None:
    """Train one recipe (as JSON) on one core: the work of one process."""
    torch.set_num_threads(1)
    try:
        train(check_recipe(json.loads(recipe), "recipe", trust), seed, folder, resume=True, device=device)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)  # the pool would hand this process the next training
