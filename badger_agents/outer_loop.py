"""The outer loop: meta-training of an agent's weights, with log, checkpoints and a divergence guard."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from badger_agents.agent import LearnedAgent
from badger_agents.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    portable_recipe,
    save_checkpoint,
)
from badger_agents.curriculum import Curriculum, Place
from badger_agents.log import RunLog
from badger_agents.objectives import OBJECTIVES
from badger_agents.recipe import Recipe
from badger_agents.trials import Trials
from badger_envs import random

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"
PATIENCE = 10
"""Outer steps in a row without a finite loss and gradient after which a run stops."""


class DivergenceError(RuntimeError):
    """Loss or gradient stayed not finite; the last good checkpoint is kept."""


class Progress(NamedTuple):
    """What a progress bar shows after an outer step; loss and seconds as in the log."""

    step: int
    loss: float
    seconds: float


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
    agent, training = recipe.make_agent(seed), recipe.training
    if not isinstance(agent, LearnedAgent) or training is None:
        raise ValueError(f"recipe {recipe.name!r} has no weights to train or no [training] table")
    folder.mkdir(parents=True, exist_ok=True)
    last = last_checkpoint(recipe, seed, folder, resume, device)
    agent.to(device)
    parameters = dict(agent.named_parameters())
    optimiser = torch.optim.Adam(parameters.values(), lr=training.learning_rate, betas=(0.9, training.beta2))
    step = skipped = 0
    place = Place()
    if last is not None:
        _load(agent, optimiser, last, folder)
        step, skipped, place = last.step, last.skipped, last.place
    curriculum = Curriculum(recipe, agent, seed)
    estimator = training.make_estimator()
    memory = estimator.initial_state(agent) if last is None else last.estimator
    like = torch.zeros((), device=device)
    failures = 0

    def snapshot() -> Checkpoint:
        state = _optimiser_tensors(optimiser, list(parameters))
        return Checkpoint(recipe, seed, step, skipped, place, agent.state_dict(), state, memory)

    with (
        RunLog(folder / LOG, step, tensorboard) as log,
        _stop_signal() as stopped,
        torch.random.fork_rng(devices=[]),
    ):
        started = time.perf_counter() - log.seconds
        while step < training.outer_steps:
            rate = curriculum.learning_rate(place, step)
            for group in optimiser.param_groups:
                group["lr"] = rate
            family, living = curriculum.family(place, step), curriculum.living(place, step)
            keys = random.outer_keys(seed, step, curriculum.batch_size(place), like=like)  # (B, 4)
            torch.manual_seed(_torch_seed(seed, step))
            trials = Trials(
                family,
                keys,
                OBJECTIVES[training.objective],
                curriculum.penalties(place),
                gradient_limit=training.clip_trial,
                draw_key=random.outer_keys(seed, step, 1),
            )
            finite = True
            for update in estimator.updates(living, trials, memory):
                norm = torch.nn.utils.get_total_norm(update.gradients)
                loss, length = torch.cat([update.loss, norm[None]]).tolist()  # the one host synchronisation
                finite = loss - loss == 0 and length - length == 0
                if not finite:
                    break
                memory = update.state
                for parameter, gradient in zip(parameters.values(), update.gradients, strict=True):
                    parameter.grad = gradient
                torch.nn.utils.clip_grads_with_norm_(parameters.values(), training.clip_norm, norm)
                optimiser.step()
            step += 1
            failures = 0 if finite else failures + 1
            skipped += not finite
            if failures == PATIENCE:
                raise DivergenceError(
                    f"loss or gradient was not finite in {PATIENCE} outer steps in a row, up to step {step};"
                    f" {_kept(folder)}; try a lower learning_rate or clip_norm"
                )
            stage = place.stage
            place, validation = curriculum.next(place, step)
            seconds = time.perf_counter() - started
            if validation is not None or step % training.log_every == 0 or step == training.outer_steps:
                log.write(
                    {
                        "step": step,
                        "loss": loss,
                        "gradient_norm": length,
                        "learning_rate": rate,
                        "skipped": skipped,
                        "seconds": seconds,
                        **({"stage": stage} if training.stages else {}),
                        **({} if validation is None else {"validation": validation}),
                    }
                )
            on_step(Progress(step, loss, seconds))
            at_end = step == training.outer_steps
            if failures == 0 and (at_end or stopped() or step % training.checkpoint_every == 0):
                save_checkpoint(folder / CHECKPOINT, snapshot())
            if stopped() and not at_end:
                raise KeyboardInterrupt
        if not (folder / CHECKPOINT).exists() or failures:
            save_checkpoint(folder / CHECKPOINT, snapshot())
        return snapshot()


def check_folder(folder: Path, resume: bool) -> None:
    """CheckpointError if the folder holds a run already that is not to be resumed."""
    if (folder / CHECKPOINT).exists() and not resume:
        raise CheckpointError(
            f"{folder} holds a run already; use --resume to go on with it, or another --out"
        )


def last_checkpoint(recipe: Recipe, seed: int, folder: Path, resume: bool, device: str) -> Checkpoint | None:
    """The checkpoint to go on from, or None for a fresh start.

    Raises:
        CheckpointError: as `train`.
    """
    check_folder(folder, resume)
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    last = load_checkpoint(path, device)
    if (portable_recipe(last.recipe, folder), last.seed) != (portable_recipe(recipe, folder), seed):
        raise CheckpointError(f"{folder} holds a run of another recipe or seed; use another --out")
    return last


def _torch_seed(seed: int, step: int) -> int:
    """Seed of torch's own generator at an outer step, for policies that draw from it (dropout, say)."""
    low, high = random.words(random.outer_keys(seed, step, 1), "torch", 2)[0].tolist()
    return low + (high >> 1 << 32)


def _kept(folder: Path) -> str:
    """What a run that diverged leaves behind."""
    if (folder / CHECKPOINT).exists():
        return f"the last good checkpoint is kept in {folder}"
    return "it happened before the first checkpoint"


def _optimiser_tensors(optimiser: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """Adam's state as tensors named "parameter/quantity"."""
    state = optimiser.state_dict()["state"]
    return {f"{names[i]}/{what}": value for i, values in state.items() for what, value in values.items()}


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
