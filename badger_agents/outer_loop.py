"""The outer loop: meta-training of agents' weights, of one outer seed or of many side by side."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from badger_agents.checkpoint import Checkpoint
from badger_agents.population import Pace
from badger_agents.recipe import Recipe
from badger_agents.run import (
    CHECKPOINT,
    LOG,
    PATIENCE,
    DivergenceError,
    Progress,
    Run,
    check_folder,
    last_checkpoint,
)

__all__ = [
    "CHECKPOINT",
    "LOG",
    "PATIENCE",
    "DivergenceError",
    "Progress",
    "check_folder",
    "last_checkpoint",
    "train",
    "train_population",
]


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
    done = train_population(
        recipe, {seed: folder}, resume=resume, device=device, tensorboard=tensorboard, on_step=on_step
    )
    return done[seed]


def train_population(
    recipe: Recipe,
    folders: Mapping[int, Path],
    *,
    resume: bool = False,
    device: str = "cpu",
    tensorboard: bool = False,
    on_step: Callable[[Progress], None] = lambda progress: None,
    on_alone: Callable[[str], None] = lambda reason: None,
) -> dict[int, Checkpoint]:
    """Meta-train many outer seeds side by side; every one is an ordinary run in a folder of its own.

    Each meets exactly the draws that it would meet alone; its losses are those of the seed alone but for
    rounding. Those that lag behind (after a kill) go first until all are at the same outer step. A seed
    that diverges ends; the others go on.

    Args:
        recipe: what to train, and how.
        folders: run folders by outer seed.
        resume: as for `train`, each from its own checkpoint; with the same seeds bit-identical too.
        device: a torch device.
        tensorboard: also write TensorBoard events into the folders.
        on_step: called after every outer step of each seed.
        on_alone: called once, with the reason, if the seeds cannot be stacked (see `Pace`).

    Returns:
        The last checkpoint of each seed.

    Raises:
        CheckpointError, KeyboardInterrupt: as `train`.
        DivergenceError: seeds that diverged, once the others have ended.
    """
    runs = [
        Run(recipe, seed, folder, resume=resume, device=device, tensorboard=tensorboard)
        for seed, folder in folders.items()
    ]
    pace, told = Pace(runs[0]), len(runs) == 1
    lost: dict[int, DivergenceError] = {}
    with ExitStack() as stack, _stop_signal() as stopped, torch.random.fork_rng(devices=[]):
        for run in runs:
            stack.enter_context(run)
        while going := [run for run in runs if not run.ended and run.seed not in lost]:
            behind = min(run.step for run in going)
            now = [run for run in going if run.step == behind]
            pace.step(now)
            if pace.reason and not told:
                told = True
                on_alone(pace.reason)
            for run in now:
                try:
                    progress = run.close_step()
                except DivergenceError as error:
                    lost[run.seed] = error
                    continue
                on_step(progress)
                run.save(now=stopped())
            if stopped():
                for run in going:
                    if run not in now and run.seed not in lost:
                        run.save(now=True)
                if any(not run.ended for run in going if run.seed not in lost):
                    raise KeyboardInterrupt
        done = {run.seed: run.end() for run in runs if run.seed not in lost}
    if len(runs) == 1 and lost:
        raise lost[runs[0].seed]
    if lost:
        reasons = "; ".join(f"seed {seed}: {error}" for seed, error in lost.items())
        raise DivergenceError(f"{len(lost)} of {len(runs)} outer seeds diverged, all others ended: {reasons}")
    return done


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
