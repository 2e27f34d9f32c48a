"""The work of a board: every agent with every outer seed, trained and measured in processes side by side."""

import fcntl
import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from badger_agents import outer_loop
from badger_agents.agent import Agent
from badger_agents.badger import BadgerAgent
from badger_agents.evaluation import Evaluation, evaluate
from badger_agents.log import read_log
from badger_agents.recipe import Recipe
from badger_agents.whitebox.interventions import INTERVENTIONS, Intervened, Silence
from badger_agents.whitebox.measures import bits_per_step, influence
from badger_envs import random
from leaderboards.boards.board import Board
from leaderboards.boards.rows import RunRows, read_run, stem, write_run
from leaderboards.cells import CHUNK

SMOOTHED = 5
"""Rows of a log of which the mean loss is held against a threshold."""


WATCHED = 64
"""Trials in which influence is measured."""

WATCHED_EXPERTS = 8
"""Experts whose messages are exchanged, one at a time."""


class Job(NamedTuple):
    """One run to be made.

    Attributes:
        board: the board.
        agent: a line of it.
        seed: outer seed; None for a reference.
        folder: of the board's work: run folders, and `rows` with what is finished.
    """

    board: Board
    agent: str
    seed: int | None
    folder: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return stem(self.agent, self.seed)

    @property
    def rows(self) -> Path:
        """Where finished runs lie."""
        return self.folder / "rows"


def jobs_of(board: Board, folder: Path, agents: tuple[str, ...] = (), seeds: int | None = None) -> list[Job]:
    """All runs of a board, seed by seed, so that all agents can be compared early.

    Args:
        board: the board.
        folder: of its work.
        agents: lines of the board; all if empty.
        seeds: how many outer seeds; the board's own number if None.

    Raises:
        ValueError: an agent or a number that the board does not have.
    """
    if unknown := set(agents) - set(board.agents):
        raise ValueError(f"--agents {sorted(unknown)[0]}: {board.name} has {', '.join(board.agents)}")
    count = board.seeds if seeds is None else seeds
    if not 1 <= count <= board.seeds:
        raise ValueError(f"--seeds is {count}; {board.name} has outer seeds 0 to {board.seeds - 1}")
    chosen = {name: entry for name, entry in board.agents.items() if not agents or name in agents}
    plain = [Job(board, name, None, folder) for name, entry in chosen.items() if entry.role == "reference"]
    trained = [name for name, entry in chosen.items() if entry.role != "reference"]
    return plain + [Job(board, name, seed, folder) for seed in range(count) for name in trained]


def missing(jobs: list[Job]) -> list[Job]:
    """Those that have not been made yet; a finished run is never made again."""
    return [job for job in jobs if read_run(job.rows, job.board, job.agent, job.seed) is None]


def work(jobs: list[Job], processes: int, on_done: Callable[[RunRows], None]) -> None:
    """Make runs, side by side; each is saved as soon as it is finished.

    Killed at any moment, it goes on from the last checkpoints when it is started again, and ends with the
    same rows, bit for bit.

    Args:
        jobs: what is to be made.
        processes: how many at a time.
        on_done: called for each that is finished, in the order in which they finish.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting = [pool.submit(do, job, os.getpid()) for job in jobs]
        try:
            for future in as_completed(waiting):
                on_done(future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def do(job: Job, parent: int | None = None) -> RunRows:
    """Make one run: train it or go on with its training, measure it, save what came of it.

    A training that diverges is a result too: it is saved as failed, without rows.

    Args:
        job: which.
        parent: process whose death ends this one.
    """
    torch.set_num_threads(1)
    entrant = job.board.agents[job.agent]
    source = job if entrant.weights_of is None else job._replace(agent=entrant.weights_of)
    recipe = job.board.agents[source.agent].make_recipe(source.agent)
    job.rows.mkdir(parents=True, exist_ok=True)
    with _alone(job.folder / f".{job.name}.lock"):
        facts: dict[str, Any] = {"status": "ok", "fingerprint": job.board.fingerprint(job.agent)}
        outcomes: dict[str, np.ndarray] = {}
        if job.seed is None:
            facts |= {"parameters": 0, "outer_steps": 0, "trials": 0, "seconds": 0.0}
            opened: Callable[..., Agent] | None = recipe.make_agent
        elif source is job:
            opened = _trained(job, recipe, parent, facts)
        else:
            with _alone(job.folder / f".{source.name}.lock"):  # it may be in training at this moment
                opened = _trained(source, recipe, parent, facts)
        if opened is not None:
            for cell in job.board.cells_of(job.agent):
                result = _measured(job, cell, opened)
                outcomes[cell] = result.outcomes.double().numpy()
                if cell == job.board.main:
                    facts |= {"loss_by_step": [float(f"{loss:.5g}") for loss in result.loss.tolist()]}
            facts |= _heard(job, opened)
        run = RunRows(job.agent, job.seed, outcomes, facts)
        write_run(job.rows, run)
    return run


def _trained(
    job: Job, recipe: Recipe, parent: int | None, facts: dict[str, Any]
) -> Callable[..., Agent] | None:
    """Train; what makes the agent with some settings changed, or None if it diverged. Adds to the facts."""
    assert job.seed is not None
    assert recipe.training is not None
    folder = job.folder / job.name

    def on_step(progress: outer_loop.Progress) -> None:
        if parent is not None and os.getppid() != parent:
            os._exit(1)  # nobody waits for it; what is checkpointed is there for the next

    try:
        checkpoint = outer_loop.train(recipe, job.seed, folder, resume=True, on_step=on_step)
    except outer_loop.DivergenceError as error:
        facts |= {"status": f"failed: {error}"}
        return None
    finally:
        log = read_log(folder / outer_loop.LOG)
        stages = recipe.training.stages
        steps = recipe.training.outer_steps
        facts |= {
            "outer_steps": log[-1]["step"] if log else steps,
            "trials": None if stages else steps * recipe.training.batch_size,
            "seconds": round(log[-1]["seconds"], 1) if log else None,
        }
        if job.board.threshold is not None:
            facts |= {"outer_steps_to_threshold": first_below(log, job.board.threshold)}
    weights = hashlib.sha256()
    for name, tensor in sorted(checkpoint.weights.items()):
        weights.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    facts |= {"parameters": sum(tensor.numel() for tensor in checkpoint.weights.values())}
    facts |= {"weights_sha256": weights.hexdigest(), "torch": torch.__version__}
    return lambda **changes: checkpoint.agent(**changes).eval()


def _measured(job: Job, cell: str, opened: Callable[..., Agent]) -> Evaluation:
    """The agent in a cell."""
    table = job.board.cells[cell]
    entrant = job.board.agents[job.agent]
    changes = entrant.agent if entrant.weights_of is not None else {}
    agent = opened(**{**changes, **table.agent})
    experts = getattr(getattr(agent, "settings", None), "experts", 1)
    if entrant.intervention is not None:
        agent = Intervened(agent, INTERVENTIONS[entrant.intervention]())
    chunk = max(1, min(2_000, CHUNK // experts))
    with torch.no_grad():
        return evaluate(agent, table.family(), job.board.tasks, seed=job.board.task_seed, chunk=chunk)


def _heard(job: Job, opened: Callable[..., Agent]) -> dict[str, Any]:
    """How much messages move what others write, and the same if nothing arrives: a fact of Badger agents."""
    entrant = job.board.agents[job.agent]
    agent = opened(**(entrant.agent if entrant.weights_of is not None else {}))
    if job.seed is None or entrant.intervention is not None or not isinstance(agent, BadgerAgent):
        return {}
    family = job.board.cells[job.board.main].family()
    if family.action_kind == "categorical":
        return {}
    speakers = min(WATCHED_EXPERTS, agent.settings.experts)
    keys = random.outer_keys(job.board.task_seed, 0, WATCHED, family.split, like=torch.zeros(()))
    found = []
    for living in (agent, Intervened(agent, Silence())):
        effects = influence(living, family, keys, speakers=speakers)  # [B, E, S] squares
        others = [(i, j) for i in range(effects.shape[1]) for j in range(speakers) if i != j]
        found.append(float(np.sqrt(np.mean([effects[:, i, j] for i, j in others]))) if others else 0.0)
    return {"influence": found, "bits_per_step": bits_per_step(agent, family)}


def first_below(log: Sequence[Mapping[str, Any]], threshold: float) -> int | None:
    """Outer step at which the mean loss of `SMOOTHED` rows of a log first lies below a threshold, or None."""
    losses = np.array([row["loss"] for row in log])
    if len(losses) < SMOOTHED:
        return None
    below = np.flatnonzero(np.convolve(losses, np.full(SMOOTHED, 1 / SMOOTHED), "valid") < threshold)
    return int(log[below[0] + SMOOTHED - 1]["step"]) if len(below) else None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process makes this run: an orphan of a killed one may take a moment to end."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
