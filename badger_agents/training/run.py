"""A run: one outer seed's weights, optimiser, place in the curriculum, log and checkpoint."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.estimators import Memory
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
from badger_agents.training.process_group import Team
from badger_envs import keyed_random
from badger_envs.family import Family

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
LOG = "log.jsonl"
PATIENCE = 10
"""Outer steps in a row without a finite loss and gradient after which a run stops."""


class DivergenceError(RuntimeError):
    """Loss or gradient stayed not finite; the last good checkpoint is kept.

    Attributes:
        seeds: which outer seeds diverged, and how.
    """

    def __init__(self, message: str, seeds: Mapping[int, str]) -> None:
        super().__init__(message)
        self.seeds = dict(seeds)


class Progress(NamedTuple):
    """What a progress bar shows after an outer step of a seed; loss and seconds as in the log."""

    step: int
    loss: float
    seconds: float
    seed: int = 0


class Sample(NamedTuple):
    """What an outer step of a run samples.

    Attributes:
        family: the family.
        living: the agent that lives in it: the one in training, or one that shares its weights.
        keys: names of the trials.
    """

    family: Family
    living: LearnedAgent
    keys: Int[Tensor, "B 4"]


class Run:
    """One outer seed's run, step by step. An outer step is `sample`, then `update`s, then `close_step`.

    Entering it as a context opens its log.

    Args:
        recipe: what to train, and how.
        seed: outer seed.
        folder: the run's folder; made if missing.
        resume: go on from the folder's checkpoint if there is one.
        device: a torch device.
        tensorboard: also write TensorBoard events into the folder.
        team: the processes that share it; one of them writes.

    Attributes:
        step: outer steps done.
        stage: the stage of the curriculum that the present outer step began in.
        finite: whether loss and gradient were finite in the present outer step so far.
        memory: the estimator's.

    Raises:
        ValueError: there is nothing to train.
        CheckpointError: as `last_checkpoint`; or the checkpoint does not fit the agent.
    """

    def __init__(
        self,
        recipe: Recipe,
        seed: int,
        folder: Path,
        *,
        resume: bool = False,
        device: str = "cpu",
        tensorboard: bool = False,
        team: Team | None = None,
    ) -> None:
        agent, training = recipe.make_agent(seed), recipe.training
        if not isinstance(agent, LearnedAgent) or training is None:
            raise ValueError(f"recipe {recipe.name!r} has no weights to train or no [training] table")
        self.recipe, self.seed, self.folder = recipe, seed, folder
        self.training, self.tensorboard, self.team = training, tensorboard, team or Team()
        if self.team.writes:
            folder.mkdir(parents=True, exist_ok=True)
        last = last_checkpoint(recipe, seed, folder, resume, device)
        self.agent = agent.to(device)
        self.parameters = dict(agent.named_parameters())
        self.optimiser = torch.optim.Adam(
            self.parameters.values(), lr=training.learning_rate, betas=(0.9, training.beta2)
        )
        self.estimator = training.make_estimator()
        self.step = self.skipped = self.failures = 0
        self.place = Place()
        if last is not None:
            _load(agent, self.optimiser, last, folder)
            self.step, self.skipped, self.place = last.step, last.skipped, last.place
        self.memory: Memory = self.estimator.initial_state(agent) if last is None else last.estimator
        self.curriculum = Curriculum(recipe, agent, seed)
        self.finite, self.loss, self.length, self.rate = True, 0.0, 0.0, 0.0
        self._like = torch.zeros((), device=device)

    def __enter__(self) -> "Run":
        self._log = RunLog(self.folder / LOG, self.step, self.tensorboard) if self.team.writes else None
        self._started = time.perf_counter() - (self._log.seconds if self._log else 0.0)
        return self

    def __exit__(self, *error: object) -> None:
        if self._log:
            self._log.__exit__(*error)

    @property
    def ended(self) -> bool:
        """Whether all outer steps are done, or patience is at its end."""
        return self.training.ends(self.step, self.place.waits)

    @property
    def sampled(self) -> str:
        """What the next outer step samples, in words, but for the seed's own draws of tasks."""
        return self.curriculum.sampled(self.place, self.step)

    @property
    def draw_key(self) -> np.ndarray:
        """The next outer step's own key, int64 [1, 4]."""
        return keyed_random.outer_keys(self.seed, self.step, 1)

    @property
    def torch_seed(self) -> int:
        """Seed of torch's own generator at this outer step, for policies that draw from it (dropout, say)."""
        low, high = keyed_random.words(self.draw_key, "torch", 2, 2 * self.team.rank)[0].tolist()
        return low + (high >> 1 << 32)

    def sample(self) -> Sample:
        """Begin an outer step."""
        curriculum, place, step = self.curriculum, self.place, self.step
        self.finite, self.rate = True, curriculum.learning_rate(place, step)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        keys = keyed_random.outer_keys(
            self.seed, step, curriculum.batch_size(place), like=self._like
        )  # (B, 4)
        return Sample(curriculum.family(place, step), curriculum.living(place, step), keys)

    def update(self, loss: float, length: float, norm: Tensor, gradients: tuple[Tensor, ...]) -> None:
        """Apply an update of this outer step, unless it, or one before it, was not finite.

        Args:
            loss: the objective.
            length: the gradient's norm as a number.
            norm: the gradient's norm where it was computed.
            gradients: one per parameter, in order.
        """
        if not self.finite:
            return
        self.loss, self.length = loss, length
        self.finite = loss - loss == 0 and length - length == 0
        if not self.finite:
            return
        for parameter, gradient in zip(self.parameters.values(), gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grads_with_norm_(self.parameters.values(), self.training.clip_norm, norm)
        self.optimiser.step()

    def close_step(self) -> Progress:
        """End an outer step: count it, see whether a stage ends by it, log it.

        Raises:
            DivergenceError: it was the tenth in a row without a finite loss and gradient.
        """
        self.step += 1
        self.failures = 0 if self.finite else self.failures + 1
        self.skipped += not self.finite
        if self.failures == PATIENCE:
            message = (
                f"loss or gradient was not finite in {PATIENCE} outer steps in a row, up to step {self.step};"
                f" {self.kept()}; try a lower learning_rate or clip_norm"
            )
            raise DivergenceError(message, {self.seed: message})
        stage = self.place.stage
        place, validation = self.team.same(lambda: list(self.curriculum.next(self.place, self.step)))
        self.place = Place(*place)
        if (
            self.team.writes
            and self.training.keep_best
            and validation is not None
            and self.place.waits == 0
            and self.place.best is not None
        ):
            save_checkpoint(self.folder / BEST, weights_only(self.snapshot()))
        seconds = time.perf_counter() - self._started
        logged = validation is not None or self.step % self.training.log_every == 0 or self.ended
        if self._log and logged:
            self._log.write(
                {
                    "step": self.step,
                    "loss": self.loss,
                    "gradient_norm": self.length,
                    "learning_rate": self.rate,
                    "skipped": self.skipped,
                    "seconds": seconds,
                    **({"stage": stage} if self.training.stages else {}),
                    **({} if validation is None else {"validation": validation}),
                }
            )
        return Progress(self.step, self.loss, seconds, self.seed)

    def due(self, now: bool) -> bool:
        """Whether a checkpoint is to be written, because one is due or wanted now; none while steps fail."""
        due = now or self.ended or self.step % self.training.checkpoint_every == 0
        return self.team.writes and due and self.failures == 0

    def end(self) -> Checkpoint:
        """The last checkpoint, written if there is none of the last step."""
        if self.team.writes and (not (self.folder / CHECKPOINT).exists() or self.failures):
            save_checkpoint(self.folder / CHECKPOINT, self.snapshot())
        return self.snapshot()

    def snapshot(self) -> Checkpoint:
        """The whole state."""
        names = list(self.parameters)
        state = self.optimiser.state_dict()["state"]
        adam = {f"{names[i]}/{what}": value for i, values in state.items() for what, value in values.items()}
        weights = self.agent.state_dict()
        return Checkpoint(
            self.recipe, self.seed, self.step, self.skipped, self.place, weights, adam, self.memory
        )

    def kept(self) -> str:
        """What a run that breaks off leaves behind."""
        if (self.folder / CHECKPOINT).exists():
            return f"the last good checkpoint is kept in {self.folder}"
        return "it happened before the first checkpoint"


def save(runs: Sequence[Run], now: bool = False) -> None:
    """Write the checkpoints that are due, or wanted now, of runs that go side by side.

    All are written together, so that a population goes on together also after a kill: a seed that had to
    catch up alone would be the same but for rounding, and not to the bit.
    """
    due = [run for run in runs if run.due(now)]
    save_checkpoints({run.folder / CHECKPOINT: run.snapshot() for run in due})


def check_folder(folder: Path, resume: bool) -> None:
    """CheckpointError if the folder holds a run already that is not to be resumed."""
    if (folder / CHECKPOINT).exists() and not resume:
        raise CheckpointError(
            f"{folder} holds a run already; use --resume to go on with it, or another --out"
        )


def last_checkpoint(recipe: Recipe, seed: int, folder: Path, resume: bool, device: str) -> Checkpoint | None:
    """The checkpoint to go on from, or None for a fresh start.

    Raises:
        CheckpointError: the folder holds a run already and `resume` is not set, or holds another run.
    """
    check_folder(folder, resume)
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    last = load_checkpoint(path, device, recipe.trust)
    known, asked = ({**portable_recipe(each, folder), "summary": ""} for each in (last.recipe, recipe))
    if (known, last.seed) != (asked, seed):
        raise CheckpointError(f"{folder} holds a run of another recipe or seed; use another --out")
    return last


def _load(agent: LearnedAgent, optimiser: torch.optim.Adam, last: Checkpoint, folder: Path) -> None:
    """Take weights and the optimiser's state from a checkpoint.

    Raises:
        CheckpointError: they do not fit the agent.
    """
    parameters = dict(agent.named_parameters())
    state: dict[int, dict[str, Tensor]] = {}
    try:
        agent.load_state_dict(last.weights)
        for name, value in last.optimiser.items():
            parameter, _, what = name.rpartition("/")
            if value.dim() and value.shape != parameters[parameter].shape:
                raise ValueError(f"{name} has shape {tuple(value.shape)}")
            state.setdefault(list(parameters).index(parameter), {})[what] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint in {folder} does not fit its recipe's agent ({' '.join(str(error).split())});"
            " use another --out"
        ) from error
