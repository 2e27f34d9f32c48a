"""A run: what is constant of one outer seed's training, and its folder with log and checkpoints."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.estimators.optimiser import stacked_matrices
from badger_agents.estimators.process_group import ProcessGroup
from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    portable_recipe,
    save_checkpoint,
    save_checkpoints,
    weights_only,
)
from badger_agents.training.curriculum import Curriculum, Place
from badger_agents.training.log import RunLog
from badger_agents.training.state import TrainState, fresh_state, restored_state, snapshot
from badger_envs import keyed_random

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
LOG = "log.jsonl"
PATIENCE = 10
"""Outer steps in a row without a finite loss and gradient after which a run stops."""


class DivergenceError(RuntimeError):
    """Loss or gradient stayed not finite; the last good checkpoint is kept.

    Attributes:
        runs: folders of the runs that diverged, and how each did.
    """

    def __init__(self, message: str, runs: Mapping[Path, str]) -> None:
        super().__init__(message)
        self.runs = dict(runs)


class RunPlan(NamedTuple):
    """A run to be made: what to train and how, by which outer seed, in which folder."""

    recipe: Recipe
    seed: int
    folder: Path


class Progress(NamedTuple):
    """What a progress bar shows after an outer step of a run; loss and seconds as in the log."""

    step: int
    loss: float
    seconds: float
    seed: int = 0
    folder: Path = Path()


class Metrics(NamedTuple):
    """What the log says of an outer step.

    Attributes:
        rate: the optimiser's `learning_rate`, by the schedule.
        loss: the objective.
        grad_norm: of the gradient, before it was clipped.
        finite: whether both were finite in all its updates.
    """

    rate: float
    loss: float = 0.0
    grad_norm: float = 0.0
    finite: bool = True

    def of(self, loss: float, grad_norm: float) -> "Metrics":
        """These, of the outer step's next update."""
        finite = loss - loss == 0 and grad_norm - grad_norm == 0
        return Metrics(self.rate, loss, grad_norm, finite)


class Run:
    """What is constant of one outer seed's run, and its folder. Entering it as a context opens its log.

    Args:
        plan: what to train and how, by which outer seed, in which folder; who writes owns it.
        resume: go on from the folder's checkpoint if there is one.
        device: a torch device.
        tensorboard: also write TensorBoard events into the folder.
        group: the processes that share it; one of them writes.

    Attributes:
        agent: the code of the agent; its weights are the initial ones, and stay so.
        optimise: the recipe's optimiser as a function, see `badger_agents.estimators.optimiser`.

    Raises:
        ValueError: there is nothing to train.
        CheckpointError: as `last_checkpoint`.
    """

    def __init__(
        self,
        plan: RunPlan,
        *,
        resume: bool = False,
        device: str = "cpu",
        tensorboard: bool = False,
        group: ProcessGroup | None = None,
    ) -> None:
        self.recipe, self.seed, self.folder = plan
        agent, training = self.recipe.make_agent(self.seed), self.recipe.training
        if not isinstance(agent, LearnedAgent) or training is None:
            raise ValueError(f"recipe {self.recipe.name!r} has no weights to train or no [training] table")
        self.training, self.tensorboard, self.group = training, tensorboard, group or ProcessGroup()
        self._last = last_checkpoint(plan, resume, device)
        self.agent = agent.to(device)
        self.optimise = training.optimiser.make(stacked_matrices(self.agent))
        self.estimator = training.make_estimator()
        self.curriculum = Curriculum(self.recipe, self.agent, self.seed)
        self._like = torch.zeros((), device=device)

    def begin(self) -> TrainState:
        """The state to start from: the checkpoint's, or that before the first outer step.

        Raises:
            CheckpointError: the checkpoint does not fit the agent.
        """
        if self._last is None:
            return fresh_state(self.agent, self.estimator)
        return restored_state(self.agent, self._last, self.folder)

    def __enter__(self) -> "Run":
        begun = 0 if self._last is None else self._last.step
        self._log = RunLog(self.folder / LOG, begun, self.tensorboard) if self.group.writes else None
        self._started = time.perf_counter() - (self._log.seconds if self._log else 0.0)
        return self

    def __exit__(self, *error: object) -> None:
        if self._log:
            self._log.__exit__(*error)

    def ended(self, state: TrainState) -> bool:
        """Whether all outer steps are done, or patience is at its end."""
        return self.training.ends(state.step, state.place.waits)

    def keys(self, seed: int, step: int, rows: int) -> Int[Tensor, "B 4"]:
        """Names of the trials of a seed's outer step."""
        return keyed_random.outer_keys(seed, step, rows, like=self._like)

    def torch_seed(self, step: int) -> int:
        """Seed of torch's own generator at an outer step, for policies that draw from it (dropout, say)."""
        key = keyed_random.outer_keys(self.seed, step, 1)
        low, high = keyed_random.words(key, "torch", 2, 2 * self.group.rank)[0].tolist()
        return low + (high >> 1 << 32)

    def validated(self, state: TrainState) -> tuple[TrainState, float | None]:
        """The state with its place in the curriculum after an outer step; and a validation's outcome."""
        losses = {name: getattr(state.place, name) for name in ("losses", "former_losses")}
        before = state.place._replace(losses=(), former_losses=())  # all know them, and they may be many
        place, outcome = self.group.same(
            lambda: list(self.curriculum.next(before, state.step, state.weights))
        )
        after = Place(*place)
        state = state._replace(place=after._replace(**losses) if after.stage == before.stage else after)
        best = outcome is not None and state.place.waits == 0 and state.place.best is not None
        if best and self.group.writes and self.training.keep_best:
            save_checkpoint(self.folder / BEST, weights_only(self.snapshot(state)))
        return state, outcome

    def log(self, state: TrainState, stage: int, metrics: Metrics, validation: float | None) -> float:
        """Write a row if one is due.

        Args:
            state: after the outer step.
            stage: that it began in.
            metrics: of it.
            validation: the outcome, if there was one.

        Returns:
            Seconds of training so far.
        """
        seconds = time.perf_counter() - self._started
        due = validation is not None or state.step % self.training.log_every == 0 or self.ended(state)
        if self._log and due:
            self._log.write(
                {
                    "step": state.step,
                    "loss": metrics.loss,
                    "gradient_norm": metrics.grad_norm,
                    "learning_rate": metrics.rate,
                    "skipped": state.skipped,
                    "seconds": seconds,
                    **({"stage": stage} if self.training.stages else {}),
                    **({} if validation is None else {"validation": validation}),
                }
            )
        return seconds

    def due(self, state: TrainState, now: bool) -> bool:
        """Whether a checkpoint is to be written, because one is due or wanted now; none while steps fail."""
        due = now or self.ended(state) or state.step % self.training.checkpoint_every == 0
        return self.group.writes and due and state.failures == 0

    def end(self, state: TrainState) -> Checkpoint:
        """The last checkpoint, written if there is none of the last step."""
        last = self.snapshot(state)
        if self.group.writes and (not (self.folder / CHECKPOINT).exists() or state.failures):
            save_checkpoint(self.folder / CHECKPOINT, last)
        return last

    def snapshot(self, state: TrainState) -> Checkpoint:
        """The state as a checkpoint keeps it."""
        return snapshot(self.recipe, self.seed, self.agent, state)

    def divergence(self, state: TrainState) -> DivergenceError:
        """What is raised after too many outer steps without a finite loss and gradient."""
        message = (
            f"loss or gradient was not finite in {PATIENCE} outer steps in a row, up to step {state.step};"
            f" {self.kept()}; try a lower optimiser.learning_rate or clip_norm"
        )
        return DivergenceError(message, {self.folder: message})

    def kept(self) -> str:
        """What a run that breaks off leaves behind."""
        if (self.folder / CHECKPOINT).exists():
            return f"the last good checkpoint is kept in {self.folder}"
        return "it happened before the first checkpoint"


def save_due(runs: Sequence[Run], states: Mapping[Path, TrainState], now: bool = False) -> None:
    """Write the checkpoints that are due, or wanted now, of runs that go side by side.

    All are written together, so that a population goes on together also after a kill: a seed that had to
    catch up alone would be the same but for rounding, and not to the bit.
    """
    due = [run for run in runs if run.due(states[run.folder], now)]
    save_checkpoints({run.folder / CHECKPOINT: run.snapshot(states[run.folder]) for run in due})


def check_folder(folder: Path, resume: bool) -> None:
    """CheckpointError if the folder holds a run already that is not to be resumed."""
    if (folder / CHECKPOINT).exists() and not resume:
        raise CheckpointError(
            f"{folder} holds a run already; use --resume to go on with it, or another --out"
        )


def last_checkpoint(plan: RunPlan, resume: bool, device: str) -> Checkpoint | None:
    """The checkpoint to go on from, or None for a fresh start.

    Raises:
        CheckpointError: the folder holds a run already and `resume` is not set, or holds another run.
    """
    recipe, seed, folder = plan
    check_folder(folder, resume)
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    last = load_checkpoint(path, device, recipe.trust)
    known, asked = ({**portable_recipe(each, folder), "summary": ""} for each in (last.recipe, recipe))
    known["seed"], asked["seed"] = last.seed, seed
    if known != asked:
        raise CheckpointError(
            f"{folder} holds a run of another recipe or seed ({_difference(known, asked)}); use another --out"
        )
    return last


def _difference(known: Any, asked: Any, key: str = "") -> str:
    """The first setting in which two recipes differ: "training.outer_steps is 5, not 1500"."""
    if not isinstance(known, dict) or not isinstance(asked, dict):
        return f"{key} is {known!r}, not {asked!r}"
    name = next(name for name in {**known, **asked} if known.get(name) != asked.get(name))
    return _difference(known.get(name), asked.get(name), f"{key}.{name}".lstrip("."))
