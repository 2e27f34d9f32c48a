"""The outer loop (contract 5): meta-training of agents' weights, by one outer seed or many side by side."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from badger_agents.estimators import OBJECTIVES, Trials
from badger_agents.estimators.base import memories_apart, one_memory
from badger_agents.estimators.optimiser import clipped
from badger_agents.estimators.process_group import LostError, ProcessGroup
from badger_agents.locks import owned
from badger_agents.recipe.loading import Recipe
from badger_agents.recipe.torch_defaults import torch_defaults
from badger_agents.training.checkpoint import Checkpoint, CheckpointError, portable_recipe, settle
from badger_agents.training.run import (
    CHECKPOINT,
    PATIENCE,
    DivergenceError,
    Metrics,
    Progress,
    Run,
    RunPlan,
    save_due,
)
from badger_agents.training.state import TrainState, stacked
from badger_envs import keyed_random


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
        OwnedError: another process writes the folder.
        DivergenceError: ten outer steps in a row without a finite loss and gradient.
        KeyboardInterrupt: after an interruption, when all is saved.
    """
    plan = RunPlan(recipe, seed, folder)
    return train_population([plan], resume=resume, device=device, tensorboard=tensorboard, on_step=on_step)[0]


def train_population(
    plans: Sequence[RunPlan],
    *,
    resume: bool = False,
    device: str = "cpu",
    tensorboard: bool = False,
    on_step: Callable[[Progress], None] = lambda progress: None,
    on_alone: Callable[[str], None] = lambda reason: None,
    group: ProcessGroup | None = None,
) -> list[Checkpoint]:
    """Meta-train several runs side by side: outer seeds, optimisers, or each seed with each optimiser.

    Each is an ordinary run in a folder of its own. It meets exactly the draws that it would meet alone, and
    its losses are those of the run alone but for rounding. Their checkpoints are written together. Those that
    lag behind all the same (runs that were begun apart) go first until all are at the same outer step. A run
    that diverges ends; the others go on.

    Args:
        plans: at least one; of recipes that differ in nothing but `training.optimiser`. A seed may be there
            with several optimisers.
        resume: as for `train`, each from its own checkpoint. With the same plans the result is
            bit-identical to a population that was never interrupted.
        device: a torch device.
        tensorboard: also write TensorBoard events into the folders.
        on_step: called after every outer step of each run.
        on_alone: called once, with the reason, if the runs cannot be stacked (see `StackedStep`).
        group: processes that share one seed's trials; all must see its folder, and one writes.

    Returns:
        The last checkpoint of each plan.

    Raises:
        CheckpointError, OwnedError, KeyboardInterrupt: as `train`.
        DivergenceError: runs that diverged, once the others have ended.
        ValueError: the recipes differ in more, or a folder is there twice, or a seed with the same recipe;
            or a group cannot share them.
        LostError: another process of the group ended; the last checkpoint is kept.
    """
    tables = [_but_for_optimiser(plan) for plan in plans]
    trained = {(plan.seed, _optimiser(plan)) for plan in plans}
    places = {plan.folder.resolve() for plan in plans}
    if any(other != tables[0] for other in tables) or min(len(trained), len(places)) < len(plans):
        raise ValueError(
            "a population is one recipe with different outer seeds or optimisers in different folders;"
            " train others apart"
        )
    group = group or ProcessGroup()
    with torch_defaults(), ExitStack() as folders:
        if group.writes:
            for plan in plans:
                _make_folder(plan.folder, folders)
            folders.enter_context(owned(*(plan.folder for plan in plans)))
        return _train(plans, group, resume, device, tensorboard, on_step, on_alone)


def _optimiser(plan: RunPlan) -> str:
    """The optimiser of a plan, in words."""
    training = plan.recipe.training
    return "" if training is None else training.optimiser.model_dump_json()


def _but_for_optimiser(plan: RunPlan) -> dict[str, Any]:
    """A plan's recipe, without the one thing in which those of a population may differ."""
    tables = portable_recipe(plan.recipe, plan.folder)
    if tables["training"] is not None:
        tables["training"].pop("optimiser")
    return tables


def _make_folder(folder: Path, stack: ExitStack) -> None:
    """Make a folder and its parents; those that are empty when the stack ends go: a refused run leaves none.

    Raises:
        CheckpointError: it cannot be made.
    """
    try:
        for each in reversed((folder, *folder.parents)):
            if not each.is_dir():
                each.mkdir(exist_ok=True)
                stack.callback(_remove_if_empty, each)
    except OSError as error:
        raise CheckpointError(
            f"cannot make the run folder {folder} ({error.strerror}); choose another"
        ) from error


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _train(
    plans: Sequence[RunPlan],
    group: ProcessGroup,
    resume: bool,
    device: str,
    tensorboard: bool,
    on_step: Callable[[Progress], None],
    on_alone: Callable[[str], None],
) -> list[Checkpoint]:
    """See `train_population`; the folders are this process's."""
    if resume and len(plans) > 1:
        settle(plan.folder / CHECKPOINT for plan in plans)
    runs = [Run(plan, resume=resume, device=device, tensorboard=tensorboard, group=group) for plan in plans]
    states = {run.folder: run.begin() for run in runs}
    _check_group(group, runs, states)
    take, told = StackedStep(runs[0]), len(runs) == 1
    lost: dict[Path, DivergenceError] = {}
    with ExitStack() as stack, _stop_signal() as stopped, torch.random.fork_rng(devices=[]):
        for run in runs:
            stack.enter_context(run)
        while going := [run for run in runs if not run.ended(states[run.folder]) and run.folder not in lost]:
            behind = min(states[run.folder].step for run in going)
            now = [run for run in going if states[run.folder].step == behind]
            with _told_of_loss(runs[0], behind):
                done = take(now, [states[run.folder] for run in now])
            if take.reason and not told:
                told = True
                on_alone(take.reason)
            for run, (state, metrics) in zip(now, done, strict=True):
                place = run.curriculum.noted(state.place, state.step - 1, metrics.loss)
                states[run.folder] = state = state._replace(place=place)
                if state.failures == PATIENCE:
                    lost[run.folder] = run.divergence(state)
                    if len(runs) == 1:
                        raise lost[run.folder]
                    continue
                with _told_of_loss(run, behind):
                    states[run.folder], validation = run.validated(state)
                seconds = run.log(states[run.folder], state.place.stage, metrics, validation)
                on_step(Progress(state.step, metrics.loss, seconds, run.seed, run.folder))
            with _told_of_loss(runs[0], behind):
                stop = group.any(stopped())
            left = [run for run in going if run.folder not in lost]
            save_due(left if stop else [run for run in now if run in left], states, now=stop)
            if stop and not all(run.ended(states[run.folder]) for run in left):
                raise KeyboardInterrupt
        last = [run.end(states[run.folder]) for run in runs if run.folder not in lost]
    if lost:
        same = len({_optimiser(plan) for plan in plans}) == 1
        names = {
            plan.folder: f"seed {plan.seed}" if same else f"seed {plan.seed} with {_optimiser(plan)}"
            for plan in plans
        }
        reasons = "; ".join(f"{names[folder]}: {error}" for folder, error in lost.items())
        raise DivergenceError(
            f"{len(lost)} of {len(runs)} outer seeds diverged, all others ended: {reasons}",
            {folder: str(error) for folder, error in lost.items()},
        )
    return last


def outer_step(runs: Sequence[Run], states: Sequence[TrainState]) -> list[tuple[TrainState, Metrics]]:
    """One outer step of one outer seed, or of several side by side that sample the same.

    A function of the states: it changes nothing. Of a group of processes each takes its part of the trials.

    Args:
        runs: what is constant of each seed.
        states: of each, at the same outer step.

    Returns:
        Of each the state after it, and what the log says of it.
    """
    first, count, step = runs[0], len(runs), states[0].step
    training, estimator, group = first.training, first.estimator, first.group

    # sample the stage: which family, which form of the agent, how many trials
    sampled = first.curriculum.sample(states[0].place, step)
    factors = [run.curriculum.rate_factor(state.place, step) for run, state in zip(runs, states, strict=True)]
    rates = [run.training.optimiser.learning_rate * factor for run, factor in zip(runs, factors, strict=True)]

    # draw keys: the names of the trials, from which all that happens in them follows
    keys = torch.cat([first.keys(run.seed, step, sampled.batch_size) for run in runs])  # (N*B, 4)
    own = keys if estimator.shares == "scores" else group.own_rows(keys)  # (b, 4)
    if keys.device.type == "cpu":  # torch.manual_seed also notes a whole call stack for GPUs that nobody uses
        torch.default_generator.manual_seed(first.torch_seed(step))
    else:
        torch.manual_seed(first.torch_seed(step))
    trials = Trials(
        sampled.family,
        own,
        OBJECTIVES[training.objective],
        sampled.penalties,
        groups=count,
        loss_scale=sampled.loss_scale,
        gradient_limit=training.clip_trial,
        draw_key=keyed_random.outer_keys(first.seed, step, 1),
        process_group=group,
        outer_step=step,
    )

    after, metrics = list(states), [Metrics(rate=rate) for rate in rates]
    memory = one_memory([state.estimator for state in states])
    updates = estimator.updates(sampled.agent, stacked(after), trials, memory)
    update = next(updates)  # roll out, objective, gradient
    while True:
        names, parts = list(update.gradients), [update.loss, *update.gradients.values()]
        if estimator.shares != "scores":
            parts = group.mean(parts, len(own) / len(keys))
        loss, *gradients = parts  # (N,), and of each weight (N, ...); of one seed without that axis
        each = [dict(zip(names, gradients, strict=True))]
        if count > 1:
            each = [{name: part[n] for name, part in each[0].items()} for n in range(count)]
        norms = [torch.nn.utils.get_total_norm(list(seed.values())) for seed in each]
        values = torch.cat([loss, torch.stack(norms)]).tolist()  # the one host synchronisation
        memories = memories_apart(update.memory, count)
        for n in range(count):
            if not metrics[n].finite:
                continue
            metrics[n] = metrics[n].of(values[n], values[count + n])
            if metrics[n].finite:  # clip and optimise
                short = clipped(each[n], norms[n], training.clip_norm)
                weights, rest = runs[n].optimise(after[n].weights, short, after[n].optimiser, factors[n])
                after[n] = after[n]._replace(weights=weights, optimiser=rest, estimator=memories[n])
        if not any(seed.finite for seed in metrics):
            break
        try:
            update = updates.send(stacked(after))
        except StopIteration:
            break
    return [
        (
            state._replace(
                step=step + 1,
                skipped=state.skipped + (not told.finite),
                failures=0 if told.finite else state.failures + 1,
            ),
            told,
        )
        for state, told in zip(after, metrics, strict=True)
    ]


class StackedStep:
    """Takes outer steps of many seeds, as many at once as can be stacked.

    Seeds are stacked where at this outer step their curricula draw the same settings and batch size, and
    their estimators remember the same things. They go alone, one after the other and each just as without
    the others, where these differ; with an estimator that does not stack; with an agent that has saved
    buffers; and from the first step on at which `torch.vmap` cannot map the agent, which is so for policies
    that draw from torch's own generator, look at values or write into tensors.

    Attributes:
        reason: why seeds go alone, once they do for another cause than different settings; "" before.
    """

    def __init__(self, first: Run) -> None:
        self.reason = ""
        if not first.estimator.stackable:
            self.reason = f"estimator {first.training.estimator!r} takes one seed at a time"
        elif set(first.agent.state_dict()) != {name for name, _ in first.agent.named_parameters()}:
            self.reason = "the agent has buffers that are saved beside its weights"

    def __call__(self, runs: Sequence[Run], states: Sequence[TrainState]) -> list[tuple[TrainState, Metrics]]:
        """The next outer step of these runs, whose states these are."""
        alike: dict[tuple[str, ...], list[int]] = {}
        for number, (run, state) in enumerate(zip(runs, states, strict=True)):
            sampled = "" if len(runs) == 1 else run.curriculum.sampled(state.place, state.step)
            alike.setdefault((sampled, *sorted(state.estimator)), []).append(number)
        done: dict[int, tuple[TrainState, Metrics]] = {}
        for numbers in alike.values():
            if len(numbers) > 1 and not self.reason:
                try:
                    made = outer_step([runs[n] for n in numbers], [states[n] for n in numbers])
                    done |= dict(zip(numbers, made, strict=True))
                    continue
                except Exception as error:  # any code of a user's; what is truly wrong comes again below
                    self.reason = " ".join(str(error).split())[:200] or type(error).__name__
            for n in numbers:
                done |= {n: outer_step([runs[n]], [states[n]])[0]}
        return [done[n] for n in range(len(runs))]


def _check_group(group: ProcessGroup, runs: Sequence[Run], states: dict[Path, TrainState]) -> None:
    """ValueError if these processes cannot share these runs.

    Raises:
        LostError: another process ended.
    """
    if group.size == 1:
        return
    if len(runs) > 1:
        raise ValueError("several processes share one outer seed; leave --seeds, or torchrun")
    if runs[0].estimator.shares is None:
        raise ValueError(f"estimator {runs[0].training.estimator!r} cannot be shared by processes; use one")
    if not group.alike(states[runs[0].folder].step):
        raise ValueError(
            f"processes see different checkpoints in {runs[0].folder}; it must be the same for all"
        )


@contextmanager
def _told_of_loss(run: Run, step: int) -> Iterator[None]:
    """Adds to a `LostError` what is left of the run."""
    try:
        yield
    except LostError as error:
        raise LostError(f"{error}, at outer step {step + 1}; {run.kept()}; go on with --resume") from error


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
