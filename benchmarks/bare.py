"""An outer step of the suite beside a bare loop of the same arithmetic: `python -m benchmarks.bare`.

The ratio of times is what families, agents, recipes and estimators cost as code, above the tensor operations
that they ask for. Takes a minute; `--help` has the options.
"""

import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear, pad

from badger_agents.recipe.loading import load_recipe
from badger_agents.training.loop import outer_step
from badger_agents.training.run import Run, RunPlan
from badger_envs import keyed_random
from benchmarks.timing import Cycle, in_turns
from leaderboards.cli import call
from leaderboards.options import check_numbers
from leaderboards.results import Record, progress_console, record, show

RECIPE = "guessing-hardwired"
"""The recipe whose outer step the bare loop is. What follows are its numbers; a test compares the two."""

EXPERTS, HIDDEN, MESSAGE, KEY = 3, 32, 16, 8
HORIZON, BATCH, MAGNIFICATION = 20, 128, 30.0
CLIP, CLIP_TRIAL = 1.0, 0.3
MATRIX_RATE, MOMENTUM, RATE = 2e-2, 0.95, 8e-3  # of Muon, and of Adam
OUTER_STEPS, SEED = 1500, 0

WIH, WHH, BIH, BHH, SAY, SAID, WRITE, WRITTEN = range(8)
"""Places of the weights in a list."""

NAMES = [f"policy.{name}" for name in ("cell.weight_ih", "cell.weight_hh", "cell.bias_ih", "cell.bias_hh")]
NAMES += [f"policy.{name}" for name in ("say.weight", "say.bias", "write.weight", "write.bias")]
"""What an agent calls them."""


def shorten(gradient: Tensor) -> Tensor:
    """Each trial's gradient, no longer than a trial's may be."""
    longest = CLIP_TRIAL / BATCH
    rows = gradient.reshape(BATCH, -1)  # (B, N)
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)  # (B, 1)
    return (rows * (longest / length.clamp(min=longest))).view_as(gradient)


def limited(value: Tensor) -> Tensor:
    """The same, through which gradients flow back shortened."""
    if not value.requires_grad:
        return value
    value = value.view_as(value)
    value.register_hook(shorten)
    return value


def loss_of(weights: list[Tensor], target: Tensor, states: Tensor) -> Tensor:
    """Mean error of the second half of trials of the guessing game.

    Args:
        weights: of the experts, requiring gradients.
        target: [B, 3], hidden numbers.
        states: [B, E, H], of the experts at the start.
    """
    magnify = math.asinh(MAGNIFICATION)
    outputs = torch.zeros_like(target)  # (B, 3)
    error = (target**2).mean(dim=1) * 3  # (B,)
    before = torch.zeros_like(error)  # (B,)
    in_use = torch.ones(BATCH, EXPERTS, 1)
    slot = torch.zeros(BATCH, EXPERTS, 2)
    slot[:, 0] = 1  # the one input, a constant, is the first expert's
    hears = torch.ones(BATCH, 1)
    barrier = torch.zeros(EXPERTS, EXPERTS).fill_diagonal_(-math.inf)  # nobody hears itself
    losses = []
    for step in range(HORIZON):
        states, outputs, error, before = (limited(each) for each in (states, outputs, error, before))
        flags = torch.tensor([float(step == 0), 0.0, step / HORIZON]).expand(BATCH, EXPERTS, 3)
        change = error - before if step else torch.zeros_like(error)
        heard = torch.stack([error, change], dim=1)  # (B, 2)
        heard = torch.cat([heard, torch.asinh(MAGNIFICATION * heard) / magnify, hears], dim=1)  # (B, 5)
        heard = pad(heard[:, None], (0, 0, 0, EXPERTS - 1))  # (B, E, 5): only the first hears
        reading = torch.cat([outputs[..., None], in_use, slot, heard, flags], dim=2)  # (B, E, R)
        before = error

        said = linear(torch.cat([states, reading], dim=2), weights[SAY], weights[SAID])
        message, key, query = said.split((MESSAGE, KEY, KEY), dim=2)
        scores = torch.baddbmm(barrier, query, key.mT, alpha=1 / math.sqrt(KEY))  # (B, E, E)
        inbox = torch.softmax(scores, dim=2) @ message  # (B, E, M)

        inputs = torch.cat([inbox, reading], dim=2).flatten(0, 1)  # (B*E, M+R)
        old = states.flatten(0, 1)  # (B*E, H)
        gates_in, new_in = linear(inputs, weights[WIH], weights[BIH]).split((2 * HIDDEN, HIDDEN), dim=1)
        gates_of, new_of = linear(old, weights[WHH], weights[BHH]).split((2 * HIDDEN, HIDDEN), dim=1)
        reset, update = torch.sigmoid(gates_in + gates_of).chunk(2, dim=1)
        states = torch.lerp(torch.tanh(new_in + reset * new_of), old, update).view_as(states)

        writing = linear(states, weights[WRITE], weights[WRITTEN])[..., 0]  # (B, E)
        outputs = (outputs + writing).clamp(-1, 1)
        miss = outputs - target
        error = torch.linalg.vecdot(miss * (3 / EXPERTS), miss)  # (B,)
        losses.append(error)
    return torch.stack(losses)[HORIZON // 2 :].mean()


def gradients(weights: list[Tensor], target: Tensor, states: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The loss and its gradients; arguments as of `loss_of`."""
    with torch.enable_grad():
        asking = [weight.detach().requires_grad_() for weight in weights]
        loss = loss_of(asking, target, states)
        return loss.detach(), torch.autograd.grad(loss, asking)


def orthogonal(x: Tensor) -> Tensor:
    """Matrices [P, R, C] with singular values near 1 (as `badger_agents.estimators.optimiser` has it)."""
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=-4.775, alpha=2.0315), x, beta=3.4445)
    return x.mT if tall else x


class Bare(NamedTuple):
    """What a bare loop keeps, changed in place.

    Attributes:
        weights: in the order of `NAMES`.
        momenta: of gradients.
        squares: of gradients, where Adam has them.
    """

    weights: list[Tensor]
    momenta: list[Tensor]
    squares: list[Tensor]


def bare_step(kept: Bare, target: Tensor, states: Tensor, step: int) -> float:
    """One outer step; returns the loss.

    Args:
        kept: changed in place.
        target: as of `loss_of`.
        states: likewise.
        step: outer steps done.
    """
    loss, found = gradients(kept.weights, target, states)
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each) for each in found]))
    value, length = torch.stack([loss, norm]).tolist()
    if not math.isfinite(value) or not math.isfinite(length):
        return value
    factor, shorter = 1 - step / OUTER_STEPS, min(1.0, CLIP / (length + 1e-6))
    short = [each * shorter for each in found]
    shapes = {WIH: (3, HIDDEN, -1), WHH: (3, HIDDEN, -1), SAY: (1, MESSAGE + 2 * KEY, -1)}
    for place, (weight, momentum, gradient) in enumerate(zip(kept.weights, kept.momenta, short, strict=True)):
        if place in shapes:
            momentum.lerp_(gradient, 1 - MOMENTUM)
            ahead = orthogonal(gradient.lerp(momentum, MOMENTUM).reshape(shapes[place]))
            long = math.sqrt(max(1.0, ahead.shape[1] / ahead.shape[2]))
            weight.sub_(ahead.reshape(weight.shape), alpha=MATRIX_RATE * factor * long)
        else:
            square = kept.squares[place]
            momentum.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            root = (square.sqrt() / (1 - 0.999 ** (step + 1)) ** 0.5).add_(1e-8)
            weight.addcdiv_(momentum, root, value=-RATE * factor / (1 - 0.9 ** (step + 1)))
    return value


def drawn(step: int) -> tuple[Tensor, Tensor]:
    """Hidden numbers and experts' states of an outer step, the suite's own; see `loss_of`."""
    keys = keyed_random.outer_keys(SEED, step, BATCH, like=torch.zeros(()))  # (B, 4)
    target = keyed_random.uniform(keys, "target", EXPERTS) * 2 - 1
    states = keyed_random.normal(keyed_random.agent_keys(keys), "experts", EXPERTS * HIDDEN)
    return target, states.view(BATCH, EXPERTS, HIDDEN)


def drawn_by_torch(step: int) -> tuple[Tensor, Tensor]:
    """Others, as a loop would draw them for which no number must come again."""
    return torch.rand(BATCH, EXPERTS) * 2 - 1, torch.randn(BATCH, EXPERTS, HIDDEN)


class BareLoop:
    """Outer steps of the bare loop, from the first on.

    Args:
        weights: at the start, by name; not changed.
        draw: hidden numbers and states of an outer step.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], draw: Callable[[int], tuple[Tensor, Tensor]] = drawn
    ) -> None:
        mine = [weights[name].clone() for name in NAMES]
        self.kept = Bare(mine, *([torch.zeros_like(weight) for weight in mine] for _ in range(2)))
        self.draw, self.done = draw, 0

    def step(self) -> float:
        """One outer step; returns the loss."""
        loss = bare_step(self.kept, *self.draw(self.done), self.done)
        self.done += 1
        return loss

    def __call__(self) -> int:
        """One outer step, as a cycle of `benchmarks.timing`; after the last the schedule begins anew."""
        self.step()
        self.done %= OUTER_STEPS
        return 1


class SuiteLoop:
    """Outer steps of the suite, as `badger train` takes them, without log and checkpoints.

    Args:
        folder: of the run; nothing is written there.
    """

    def __init__(self, folder: Path) -> None:
        self.run = Run(RunPlan(load_recipe(RECIPE), SEED, folder))
        self.state = self.run.begin()

    def step(self) -> float:
        """One outer step; returns the loss."""
        ((self.state, metrics),) = outer_step([self.run], [self.state])
        return metrics.loss

    def __call__(self) -> int:
        """One outer step, as a cycle of `benchmarks.timing`; after the last the schedule begins anew."""
        self.step()
        self.state = self.state._replace(step=self.state.step % OUTER_STEPS)
        return 1


def bare(*, threads: int = 1, seconds: float = 60.0, json: bool = False) -> None:
    """Time outer steps of guessing-hardwired by the suite and by a bare loop of that arithmetic, in turns.

    The bare loop is plain functions on tensors, with the recipe's numbers written into them. Once it draws
    tasks and states by torch, and once as the suite does, from keys, so that any can be made again.

    Args:
        threads: Threads of the CPU.
        seconds: About how long the timing takes.
        json: Print the result as one JSON object.
    """
    check_numbers(seconds, threads=threads)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            torch.random.fork_rng(devices=[]),
            progress_console().status("timing"),
        ):
            results = timed(Path(folder), seconds)
    finally:
        torch.set_num_threads(before)
    show(results, as_json=json, title=f"An outer step of {RECIPE}", note=f"cpu, {threads} threads; n: rounds")


def timed(folder: Path, seconds: float) -> list[Record]:
    """Time the suite's steps and both bare loops in turns; a record of each, and of the ratios."""
    suite = SuiteLoop(folder)
    loops = {"torch": drawn_by_torch, "keys": drawn}
    cycles: list[Cycle] = [suite, *(BareLoop(suite.state.weights, draw) for draw in loops.values())]
    of_suite, *others = in_turns(cycles, seconds)
    rounds = len(of_suite)
    results = [record("outer_step", 1 / statistics.median(of_suite), unit="s", by="suite", n=rounds)]
    for name, speeds in zip(loops, others, strict=True):
        took = 1 / statistics.median(speeds)
        ratio = statistics.median(bare / ours for ours, bare in zip(of_suite, speeds, strict=True))
        results.append(record("outer_step", took, unit="s", by="bare loop", draws=name, n=rounds))
        results.append(record("time_ratio", ratio, by="suite", draws=name, n=rounds))
    return results


if __name__ == "__main__":
    call(bare, "python -m benchmarks.bare", sys.argv[1:])
