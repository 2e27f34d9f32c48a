"""The outer loop: meta-training of agents' weights, of one outer seed or of many side by side."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import Checkpoint, portable_recipe, settle
from badger_agents.training.process_group import LostError, Team
from badger_agents.training.run import (
    CHECKPOINT,
    LOG,
    PATIENCE,
    DivergenceError,
    Progress,
    Run,
    check_folder,
    last_checkpoint,
    save,
)
from badger_agents.training.stacked_step import Pace

__all__ = [
    "CHECKPOINT",
    "LOG",
    "PATIENCE",
    "DivergenceError",
    "Plan",
    "Progress",
    "check_folder",
    "last_checkpoint",
    "train",
    "train_population",
]


class Plan(NamedTuple):
    """A run to be made: what to train and how, by which outer seed, in which folder."""

    recipe: Recipe
    seed: int
    folder: Path


def train(
    recipe: Recipe,
    seed: int,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    tensorboard: bool = False,
    on_step: Callable[[Progress], None] = lambda progress: None,
) -> Checkpoint:
    """Meta-train an agent; the run's folder gets `checkpoint.safetensors` and `log.jsonl`.

    Ctrl-C (SIGINT) or SIGTERM ends it after the current outer step, with its checkpoint written.

    Args:
        recipe: what to train, and how.
        seed: outer seed: initial weights and all draws follow from it.
        folder: the run's folder; made if missing.
        resume: go on from the folder's checkpoint if there is one. On one device the result is
            bit-identical to a run that was never interrupted.
        device: a torch device.
        tensorboard: also write TensorBoard events into the folder.
        on_step: called after every outer step.

    Returns:
        The last checkpoint.

    Raises:
        CheckpointError: the folder holds a run already and `resume` is not set, or holds another run.
        DivergenceError: ten outer steps in a row without a finite loss and gradient.
        KeyboardInterrupt: after an interruption, when all is saved.
    """
    plan = Plan(recipe, seed, folder)
    return train_population([plan], resume=resume, device=device, tensorboard=tensorboard, on_step=on_step)[0]


def train_population(
    plans: Sequence[Plan],
    *,
    resume: bool = False,
    device: str = "cpu",
    tensorboard: bool = False,
    on_step: Callable[[Progress], None] = lambda progress: None,
    on_alone: Callable[[str], None] = lambda reason: None,
    team: Team | None = None,
) -> list[Checkpoint]:
    """Meta-train several outer seeds side by side; each is an ordinary run in a folder of its own.

    Each meets exactly the draws that it would meet alone; its losses are those of the seed alone but for
    rounding. Their checkpoints are written together. Those that lag behind all the same (runs that were
    begun apart) go first until all are at the same outer step. A seed that diverges ends; the others go on.

    Args:
        plans: at least one; of the same recipe, with different seeds.
        resume: as for `train`, each from its own checkpoint. With the same seeds the result is
            bit-identical to a population that was never interrupted.
        device: a torch device.
        tensorboard: also write TensorBoard events into the folders.
        on_step: called after every outer step of each seed.
        on_alone: called once, with the reason, if the seeds cannot be stacked (see `Pace`).
        team: processes that share one seed's trials; all must see its folder, and one writes.

    Returns:
        The last checkpoint of each plan.

    Raises:
        CheckpointError, KeyboardInterrupt: as `train`.
        DivergenceError: seeds that diverged, once the others have ended.
        ValueError: the plans are of several recipes, or a seed is there twice; or a team cannot share them.
        LostError: another process of the team ended; the last checkpoint is kept.
    """
    tables = [portable_recipe(plan.recipe, plan.folder) for plan in plans]
    if any(other != tables[0] for other in tables) or len({plan.seed for plan in plans}) < len(plans):
        raise ValueError("a population is one recipe with different outer seeds; train others apart")
    team = team or Team()
    if resume and len(plans) > 1:
        settle(plan.folder / CHECKPOINT for plan in plans)
    runs = [Run(*plan, resume=resume, device=device, tensorboard=tensorboard, team=team) for plan in plans]
    _check_team(team, runs)
    pace, told = Pace(runs[0]), len(runs) == 1
    lost: dict[int, DivergenceError] = {}
    with ExitStack() as stack, _stop_signal() as stopped, torch.random.fork_rng(devices=[]):
        for run in runs:
            stack.enter_context(run)
        while going := [run for run in runs if not run.ended and run.seed not in lost]:
            behind = min(run.step for run in going)
            now = [run for run in going if run.step == behind]
            with _told_of_loss(runs[0]):
                pace.step(now)
            if pace.reason and not told:
                told = True
                on_alone(pace.reason)
            for run in now:
                try:
                    with _told_of_loss(run):
                        progress = run.close_step()
                except DivergenceError as error:
                    if len(runs) == 1:
                        raise
                    lost[run.seed] = error
                    continue
                on_step(progress)
            with _told_of_loss(runs[0]):
                stop = team.any(stopped())
            left = [run for run in going if run.seed not in lost]
            save(left if stop else [run for run in now if run in left], now=stop)
            if stop and not all(run.ended for run in left):
                raise KeyboardInterrupt
        done = [run.end() for run in runs if run.seed not in lost]
    if lost:
        reasons = "; ".join(f"seed {seed}: {error}" for seed, error in lost.items())
        raise DivergenceError(
            f"{len(lost)} of {len(runs)} outer seeds diverged, all others ended: {reasons}",
            {seed: str(error) for seed, error in lost.items()},
        )
    return done


def _check_team(team: Team, runs: Sequence[Run]) -> None:
    """ValueError if these processes cannot share these runs.

    Raises:
        LostError: another process ended.
    """
    if team.size == 1:
        return
    if len(runs) > 1:
        raise ValueError("several processes share one outer seed; leave --seeds, or torchrun")
    if runs[0].estimator.shares is None:
        raise ValueError(f"estimator {runs[0].training.estimator!r} cannot be shared by processes; use one")
    if not team.alike(runs[0].step):
        raise ValueError(
            f"processes see different checkpoints in {runs[0].folder}; it must be the same for all"
        )


@contextmanager
def _told_of_loss(run: Run) -> Iterator[None]:
    """Adds to a `LostError` what is left of the run."""
    try:
        yield
    except LostError as error:
        raise LostError(
            f"{error}, at outer step {run.step + 1}; {run.kept()}; go on with --resume"
        ) from error


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came: it is acted on between outer steps, when all is whole."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only there can signals be caught
        yield event.is_set
        return
    before = {
        which: signal.signal(which, lambda *_: event.set()) for which in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield event.is_set
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
