"""`badger demo`: the paper's claim on one screen, trained while you wait."""

from pathlib import Path

import numpy as np
import torch

from badger_agents.evaluation import evaluate
from badger_agents.locks import owned
from badger_agents.recipe.loading import load_recipe
from badger_agents.rollout import rollout
from badger_agents.training.log import read_log
from badger_agents.training.run import CHECKPOINT, LOG
from badger_envs import keyed_random
from leaderboards.options import check_device, check_seed
from leaderboards.plots.demo import Curve, draw_demo
from leaderboards.plots.style import save_figure
from leaderboards.results import Record, record, show
from leaderboards.runs import changed_recipe, make_folder, open_run
from leaderboards.side_by_side import Job, train_side_by_side

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
    for recipe in recipes:
        if (out / recipe.name).is_dir():
            with owned(out / recipe.name):
                for name in (CHECKPOINT, LOG):
                    (out / recipe.name / name).unlink(missing_ok=True)
    jobs = {AGENTS[recipe.name]: Job(recipe, seed, out / recipe.name) for recipe in recipes}
    train_side_by_side(jobs, device)
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
