"""`badger demo`: the paper's claim on one screen, trained while you wait."""

import multiprocessing
import os
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import Recipe, load_recipe
from badger_agents.rollout import rollout
from badger_agents.training.log import read_log
from badger_agents.training.loop import CHECKPOINT, LOG
from badger_agents.training.loop import train as train_run
from badger_envs import keyed_random
from leaderboards.options import check_device, check_seed, progress_bar
from leaderboards.plots.demo import Curve, draw_demo
from leaderboards.plots.style import save_figure
from leaderboards.results import Record, record, show
from leaderboards.runs import changed_recipe, make_folder, open_run
from leaderboards.words import INTERRUPTED

AGENTS = {
    "guessing-hardwired": "Badger",
    "guessing-self-loop": "Badger, self-loop channel",
    "guessing-no-communication": "Badger, no communication",
    "guessing-monolith": "monolithic RNN",
}
"""Recipes of the demo, and what they are called on screen."""

TRIALS = 10_000


def demo(
    *,
    seed: int = 0,
    out: Path = Path("runs/demo"),
    outer_steps: int | None = None,
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Train Badger, its two controls and a monolithic RNN; print one table and draw one picture.

    Three experts guess three numbers and only one of them hears the error. With communication they
    find them; without, the others cannot know.

    Args:
        seed: Outer seed: initial weights and all tasks follow from it.
        out: Folder for the runs and the picture; an earlier demo in it is replaced.
        outer_steps: Number of outer steps in place of the recipes', to try it out.
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the result as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    recipes = [load_recipe(name) for name in AGENTS]
    if outer_steps is not None:
        recipes = [changed_recipe(recipe, outer_steps=outer_steps) for recipe in recipes]
    make_folder(out)
    train_all(recipes, seed, out, device)
    results: list[Record] = []
    curves = []
    dims = recipes[0].family().slots.outputs
    bound = 1 - 1 / dims
    for recipe in recipes:
        label, folder = AGENTS[recipe.name], out / recipe.name
        opened = open_run(str(folder), device)
        evaluation = evaluate(opened.agent, recipe.family(split="test"), TRIALS, device=device)
        log = read_log(folder / LOG)
        results.append(
            record(
                "error",
                evaluation.mean,
                n=TRIALS,
                ci95=evaluation.ci95,
                agent=label,
                d=dims,
                outer_seed=seed,
                bound=bound,
            )
            | {"parameters": opened.parameters, "seconds": log[-1]["seconds"]}
        )
        with torch.no_grad():
            keys = keyed_random.outer_keys(0, 0, 3, "test", like=torch.zeros((), device=device))
            trace = rollout(opened.agent, recipe.family(split="test"), keys, record=True).trace
        curves.append(
            Curve(
                label,
                np.array([row["step"] for row in log]),
                np.array([row["loss"] for row in log]),
                evaluation.loss.numpy(),
                trace["outputs"].cpu().numpy(),
                trace["solution"].cpu().numpy(),
            )
        )
    picture = out / "demo.png"
    save_figure(draw_demo(curves, bound, TRIALS), picture)
    note = (
        f"error: 3 x mean squared distance at step {recipes[0].family().horizon};"
        f" interval: 95 % over {TRIALS} tasks; 1 outer seed ({seed}): preliminary."
        f" bound: best possible if the experts that do not hear the error know nothing. picture: {picture}"
    )
    show(results, as_json=json, title="Guess 3 numbers; only one expert hears the error", note=note)


def train_all(recipes: list[Recipe], seed: int, out: Path, device: str) -> None:
    """Train all recipes, one process per core, with a bar for each; Ctrl-C stops all."""
    for recipe in recipes:
        for name in (CHECKPOINT, LOG):
            (out / recipe.name / name).unlink(missing_ok=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(recipes), cores), mp_context=context) as pool, progress_bar() as bar:
        jobs: dict[str, Future[None]] = {}
        lines = {}
        for recipe in recipes:
            assert recipe.training is not None
            total = recipe.training.outer_steps
            lines[recipe.name] = bar.add_task(AGENTS[recipe.name], total=total, note="waits", start=False)
            jobs[recipe.name] = pool.submit(train_one, recipe.to_json(), seed, out / recipe.name, device)
        try:
            while True:
                for name, line in lines.items():
                    rows = read_log(out / name / LOG)
                    if rows:
                        if not bar.tasks[line].started:  # the wait for a core is not its time
                            bar.start_task(line)
                            bar.tasks[line].start_time = bar.get_time() - rows[-1]["seconds"]
                        bar.update(line, completed=rows[-1]["step"], note=f"loss {rows[-1]['loss']:.3f}")
                if all(job.done() for job in jobs.values()):
                    break
                time.sleep(0.5)
        except KeyboardInterrupt:
            for child in multiprocessing.active_children():
                child.terminate()  # those in training save their checkpoint first
            raise
        try:
            for job in jobs.values():
                job.result()
        except BrokenExecutor as error:
            raise ChildProcessError(
                "a training process was killed (for want of memory?); run it again"
            ) from error


def train_one(recipe: str, seed: int, folder: Path, device: str) -> None:
    """Train one recipe (as JSON) on one core: the work of one process."""
    torch.set_num_threads(1)
    try:
        train_run(Recipe.from_json(recipe), seed, folder, device=device)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)  # the pool would hand this process the next training
