"""The work of a board: units, made in processes side by side; each finished run is saved at once."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from badger_agents.atomic_files import write_atomically
from badger_agents.class_loading import Trust
from badger_agents.locks import awaited
from badger_agents.recipe.loading import Recipe
from badger_agents.training import loop
from badger_agents.training.checkpoint import Checkpoint, load_checkpoint, weights_sha256
from badger_agents.training.log import read_log
from badger_agents.training.own_code import keep_code
from badger_agents.training.run import CHECKPOINT, LOG, DivergenceError, RunPlan
from leaderboards.boards.measuring import measure, measured_agent, this_processor
from leaderboards.boards.rows import RunRows, write_run
from leaderboards.boards.units import Unit, run_folder
from leaderboards.runs import make_folder

SMOOTHED = 5
"""Rows of a log of which the mean loss is held against a threshold."""

DIVERGED = "diverged.txt"
"""File in the run folder of a training that diverged; it says how."""

TOLD_EVERY = 20
"""Outer steps after which a unit tells how far it is."""


class UnitError(ValueError):
    """A unit that cannot be made, for another reason than a training that diverges; the message says why."""


class Steps(NamedTuple):
    """What a unit tells in between: outer steps done, of all its seeds together."""

    done: int


Told = Steps | RunRows


class Job(Protocol):
    """Work that one process does."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def rows(self) -> Path:
        """Where what it finishes lies."""
        ...


AJob = TypeVar("AJob", bound=Job)
AResult = TypeVar("AResult")


def work(units: Sequence[Unit], processes: int, on_told: Callable[[Unit, Told], None]) -> None:
    """Make units, side by side; see `side_by_side`."""
    side_by_side(units, processes, on_told, make)


def side_by_side(
    jobs: Sequence[AJob],
    processes: int,
    on_told: Callable[[AJob, Steps | AResult], None],
    make: Callable[[AJob, Callable[[Steps], None]], Iterator[AResult]],
) -> None:
    """Make jobs, side by side.

    Killed at any moment, it goes on from the last checkpoints when it is started again, and ends with the
    same rows, bit for bit.

    Args:
        jobs: what is to be made.
        processes: how many at a time.
        on_told: called with what jobs tell: how far they are, and each result.
        make: makes a job, tells how far it is, and yields its results; a function of a module.

    Raises:
        UnitError: a job failed.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(jobs)
    living: dict[Connection, tuple[SpawnProcess, AJob]] = {}
    try:
        while waiting or living:
            while waiting and len(living) < processes:
                job = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(job, make, theirs))
                process.start()
                theirs.close()
                living[ours] = (process, job)
            for ready in wait(list(living)):
                assert isinstance(ready, Connection)
                process, job = living[ready]
                try:
                    told = ready.recv()
                except EOFError:
                    process.join()
                    del living[ready]
                    if process.exitcode:
                        raise UnitError(
                            f"{job.name}: its process was ended ({process.exitcode}); what was finished is"
                            " saved, the same command goes on"
                        ) from None
                    continue
                if isinstance(told, str):
                    raise failed(job, told)
                on_told(job, told)
    finally:
        for process, _ in living.values():
            process.terminate()  # it writes its checkpoints and ends
        for process, _ in living.values():
            process.join()


def failed(job: Job, trace: str) -> UnitError:
    """What to raise of a job that failed: the last line of its traceback, which is kept whole in a file."""
    path = job.rows.parent / f"{job.name}.error.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, trace.encode())
    return UnitError(f"{job.name} failed: {trace.strip().splitlines()[-1]} (all of it: {path})")


def _child(job: Any, make: Callable[..., Iterator[Any]], connection: Connection) -> None:
    """A process that makes one job."""
    parent = multiprocessing.parent_process()

    def tell(told: Any) -> None:
        if parent is not None and not parent.is_alive():
            os._exit(1)  # nobody waits for it; what is checkpointed is there for the next
        connection.send(told)

    try:
        for result in make(job, tell):
            tell(result)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)
    except BaseException:
        connection.send(traceback.format_exc())


def make(unit: Unit, tell: Callable[[Steps], None] = lambda told: None) -> Iterator[RunRows]:
    """Make a unit's runs: train its seeds or go on with their training, measure, save.

    A training that diverges is a result too: its runs are saved as failed, without rows.

    Args:
        unit: which.
        tell: called now and then with how far the training is.

    Yields:
        Each wanted run, when it is saved.
    """
    torch.set_num_threads(1)
    recipe = unit.recipe
    unit.rows.mkdir(parents=True, exist_ok=True)
    if recipe.training is None:
        costs = {"parameters": 0, "outer_steps": 0, "trials": 0, "seconds": 0.0}
        for line, _ in unit.wanted:
            yield _saved(unit, measure(unit.board, line, None, recipe.make_agent, _facts(unit, line) | costs))
        return
    for line in {line: None for line, _ in unit.wanted}:  # what is wrong shows before anything is trained
        for cell in unit.board.cells_of(line):
            measured_agent(unit.board, line, cell, recipe.make_agent)
    seeds = [seed for seed in unit.seeds if seed is not None]
    folders = {seed: run_folder(unit.out, unit.board, unit.source, seed) for seed in seeds}
    for folder in folders.values():
        make_folder(folder)
    with awaited(*folders.values()):  # an orphan of a killed process may take a moment to end
        train_plans([RunPlan(unit.trained, seed, folder) for seed, folder in folders.items()], tell)
        for line, seed in unit.wanted:
            assert seed is not None
            facts = _facts(unit, line) | _costs(recipe, folders[seed], len(seeds), unit.board.threshold)
            reason = folders[seed] / DIVERGED
            if reason.exists():
                yield _saved(
                    unit,
                    RunRows(
                        line, seed, {}, facts | {"status": f"failed: {reason.read_text(encoding='utf-8')}"}
                    ),
                )
                continue
            trust = unit.trained.trust | Trust(folders=(folders[seed],))
            last = load_checkpoint(folders[seed] / CHECKPOINT, trust=trust)

            def opened(last: Checkpoint = last, **changes: Any) -> Any:
                return last.agent(**changes).eval()

            yield _saved(unit, measure(unit.board, line, seed, opened, facts | _weights(last)))


def train_plans(plans: Sequence[RunPlan], tell: Callable[[Steps], None]) -> None:
    """Train runs side by side, or go on with them, but for those that are known to diverge.

    In the folder of one that diverges the file `DIVERGED` then says how.
    """
    done = dict.fromkeys((plan.folder for plan in plans), 0)

    def on_step(progress: loop.Progress) -> None:
        done[progress.folder] = progress.step
        if progress.step % TOLD_EVERY == 0:
            tell(Steps(sum(done.values())))

    left = [plan for plan in plans if not (plan.folder / DIVERGED).exists()]
    if not left:
        return
    left = [plan._replace(recipe=keep_code(plan.recipe, plan.folder)) for plan in left]
    try:
        loop.train_population(left, resume=True, on_step=on_step)
    except DivergenceError as error:
        for folder, message in error.runs.items():
            write_atomically(folder / DIVERGED, message.encode())


def _saved(unit: Unit, run: RunRows) -> RunRows:
    write_run(unit.rows, run)
    return run


def _facts(unit: Unit, line: str) -> dict[str, Any]:
    return {"status": "ok", "fingerprint": unit.board.fingerprint(line), **this_processor()}


def _costs(recipe: Recipe, folder: Path, together: int, threshold: float | None) -> dict[str, Any]:
    """What a training cost: outer steps, trials, seconds on one core, an equal part of what all took."""
    assert recipe.training is not None
    log = read_log(folder / LOG)
    training = recipe.training
    outer_steps = log[-1]["step"] if log else training.outer_steps
    one_size = all(stage.batch_size is None for stage in training.stages)
    facts = {
        "outer_steps": outer_steps,
        "trials": outer_steps * training.batch_size if one_size else None,
        "seconds": round(log[-1]["seconds"] / together, 3) if log else None,
        "side_by_side": together,
    }
    return facts if threshold is None else {**facts, "outer_steps_to_threshold": first_below(log, threshold)}


def _weights(last: Checkpoint) -> dict[str, Any]:
    """How many weights there are, and which."""
    count = sum(tensor.numel() for tensor in last.weights.values())
    return {"parameters": count, "weights_sha256": weights_sha256(last.weights), "torch": torch.__version__}


def first_below(log: Sequence[Mapping[str, Any]], threshold: float) -> int | None:
    """Outer step at which the mean loss of `SMOOTHED` rows of a log first lies below a threshold, or None."""
    losses = np.array([row["loss"] for row in log])
    if len(losses) < SMOOTHED:
        return None
    below = np.flatnonzero(np.convolve(losses, np.full(SMOOTHED, 1 / SMOOTHED), "valid") < threshold)
    return int(log[below[0] + SMOOTHED - 1]["step"]) if len(below) else None
