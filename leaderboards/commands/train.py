"""`badger train`: meta-train an agent by a recipe."""

import math
import os
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.progress import Progress

from badger_agents.estimators.process_group import joined
from badger_agents.locks import owned
from badger_agents.recipe.loading import Recipe
from badger_agents.training import loop
from badger_agents.training.checkpoint import Checkpoint
from badger_agents.training.log import event_writer, read_log
from badger_agents.training.own_code import keep_code
from badger_agents.training.run import LOG, RunPlan, check_folder, last_checkpoint
from badger_agents.training.run import Progress as RunProgress
from leaderboards.options import check_device, check_seeds, progress_bar
from leaderboards.results import Record, record, show
from leaderboards.runs import changed_recipe, find_recipe, make_folder

THREADS = 2
"""Of a population, where there are so many cores; a single training this small loses by a second one."""


def train(
    recipe: Annotated[str, tyro.conf.Positional],
    *,
    seed: int = 0,
    seeds: int = 1,
    out: Path | None = None,
    resume: bool = False,
    policy: str | None = None,
    outer_steps: int | None = None,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    training: tuple[str, ...] = (),
    trust: tuple[str, ...] = (),
    device: str = "cpu",
    tensorboard: bool = False,
    json: bool = False,
) -> None:
    """Meta-train an agent by a recipe, and write a run folder (checkpoint and log).

    Ctrl-C ends the run cleanly; go on with it by --resume. Several outer seeds train side by side in one
    process, stacked, which takes a fraction of the time of one after the other; each meets the draws that it
    would meet alone and has its own run folder, to be resumed together or alone.

    Under torchrun, processes share each batch: torchrun --nproc-per-node 2 -m leaderboards.cli train RECIPE.
    The run folder must be the same for all; one process writes it.

    Args:
        recipe: Name of a recipe (`badger list recipes`) or path to a TOML file.
        seed: Outer seed: initial weights and all tasks follow from it.
        seeds: How many outer seeds to train side by side, from --seed on.
        out: Run folder; runs/RECIPE-seedSEED if not given. With --seeds, where run folders are put.
        resume: Go on from the folder's last checkpoint.
        policy: Your own expert policy in place of the recipe's, as my_file.py:MyPolicy.
        outer_steps: Number of outer steps in place of the recipe's.
        env: Settings of the environment to change, such as dims=5. What is changed goes into the run's name.
        agent: Settings of the agent to change, such as channel.topology=none policy.state_noise=0.0.
        training: Settings of the training to change, such as optimiser.learning_rate=1e-3.
        trust: Files and packages of yours whose code a recipe or run may name, such as my_package.
        device: Where to compute: cpu, cuda, cuda:1, ... (under torchrun, cuda gives each process its own.)
        tensorboard: Also write TensorBoard events (needs badger-suite[tensorboard]).
        json: Print the result as one JSON object.
    """
    check_seeds(seed, seeds)
    check_device(device)
    if tensorboard:
        event_writer()  # raises before a folder is made
    words = {"env": env, "agent": agent, "training": training}
    recipe_ = changed_recipe(find_recipe(recipe, trust), policy, outer_steps, words)
    if recipe_.training is None:
        raise ValueError(
            f"recipe {recipe_.name!r} has nothing to train; evaluate it: badger evaluate {recipe}"
        )
    if seeds > 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(THREADS, os.cpu_count() or 1))
    numbers = range(seed, seed + seeds)
    with joined(device) as group, ExitStack() as owner:
        if not group.writes:
            group.any(False)  # wait until folders are made
        plans = make_plans(recipe_, numbers, out, resume, owner if group.writes else None)
        for plan in plans:
            last_checkpoint(plan, resume, group.device)  # raises before a bar is drawn
        if group.writes:
            group.any(False)
        with progress_bar(visible=group.writes) as bar:
            done = loop.train_population(
                plans,
                resume=resume,
                device=group.device,
                tensorboard=tensorboard,
                on_step=follower(bar, recipe_.name, numbers, recipe_.training.outer_steps),
                on_alone=lambda reason: bar.console.print(
                    f"seeds take turns, unstacked: {reason}", markup=False
                ),
                group=group,
            )
        if not group.writes:
            return
    results = [row for plan, last in zip(plans, done, strict=True) for row in run_records(plan, last)]
    note = f"next: badger evaluate {plans[0].folder}" + (", and so on" if seeds > 1 else "")
    show(results, as_json=json, title=f"trained {recipe_.name}", note=note)


def follower(bar: Progress, name: str, seeds: range, outer_steps: int) -> Callable[[RunProgress], None]:
    """Adds one line to the bar that shows all seeds, and returns what moves it on."""
    several = len(seeds) > 1
    label = f"seeds {seeds[0]} to {seeds[-1]}" if several else f"seed {seeds[0]}"
    line = bar.add_task(f"{name} {label}", total=len(seeds) * outer_steps, note="")
    latest: dict[int, RunProgress] = {}

    def on_step(progress: RunProgress) -> None:
        latest[progress.seed] = progress
        losses = sorted(each.loss for each in latest.values())
        note = f"loss {statistics.median(losses):.3f}"
        note += f" ({losses[0]:.3f} to {losses[-1]:.3f})" if several else ""
        bar.update(line, completed=sum(each.step for each in latest.values()), note=note)

    return on_step


def make_plans(
    recipe: Recipe, seeds: Sequence[int], out: Path | None, resume: bool, owner: ExitStack | None = None
) -> list[RunPlan]:
    """The runs to be made, with their folders, once it is known that all of them can be written.

    Args:
        recipe: of all.
        seeds: of each.
        out: where to; a folder in runs/ if None.
        resume: folders may hold runs.
        owner: owns the folders, which are made, until it is closed; None where another process does so.

    Raises:
        CheckpointError, ValueError: a folder holds a run already, or is being or cannot be written.
    """
    several = len(seeds) > 1
    root = Path("runs") if out is None else out
    folders = {
        seed: root if out is not None and not several else root / f"{recipe.name}-seed{seed}"
        for seed in seeds
    }
    if owner is not None:
        for folder in folders.values():
            check_folder(folder, resume)
        for folder in folders.values():
            make_folder(folder)
        owner.enter_context(owned(*folders.values()))
    return [RunPlan(keep_code(recipe, folder), seed, folder) for seed, folder in folders.items()]


def run_records(plan: RunPlan, done: Checkpoint) -> list[Record]:
    """What a finished run came to, by its log and last checkpoint."""
    rows = read_log(plan.folder / LOG)
    last = (
        rows[-1] if rows else {"loss": math.nan, "step": done.step, "skipped": done.skipped, "seconds": 0.0}
    )
    settings: dict[str, Any] = {"agent": plan.recipe.name, "outer_seed": plan.seed}
    return [
        record("loss", last["loss"], **settings),
        record("outer_steps", last["step"], **settings),
        record("skipped_updates", last["skipped"], **settings),
        record("training_time", last["seconds"], unit="s", **settings),
        record("folder", str(plan.folder), **settings),
    ]
