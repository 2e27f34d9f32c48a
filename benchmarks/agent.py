"""How fast a Badger agent trains beside large matrix products: `python -m benchmarks.agent`.

The ratio says what part of the processor's rate of large products an outer step of the paper's size
reaches. Takes 24 seconds; `--help` has the options.
"""

import dataclasses
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from badger_agents.recipe.loading import check_recipe
from badger_agents.training.loop import outer_step
from badger_agents.training.run import Run, RunPlan
from benchmarks.timing import Cycle, compare, finished
from leaderboards.cli import call
from leaderboards.options import check_device, check_numbers
from leaderboards.results import Record, record, show

PRODUCTS = 4
"""Matrix products in a cycle, so that a GPU is not asked after each whether it is done."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much work an outer step is; the defaults are the paper's.

    Attributes:
        horizon: steps of a trial, T.
        hidden_size: numbers in an expert's state, H.
        membrane: the agent's membrane.
        batch_size: trials side by side, B.
        experts: E.
        dims: hidden numbers of the guessing game, d.
    """

    horizon: int = 20
    hidden_size: int = 64
    membrane: Literal["hardwired", "attentional"] = "attentional"
    batch_size: int = 100
    experts: int = 20
    dims: int = 3


class OuterStep:
    """Outer steps as `badger train` makes them: new tasks, trials, gradient, clipping, Adam.

    Args:
        sizes: how much work they are.
        device: a torch device.

    Raises:
        ValueError: the family or the agent refuses the sizes.
    """

    def __init__(self, sizes: Sizes, device: str) -> None:
        self.device = device
        tables = {
            "name": "benchmark",
            "env": {"id": "Badger/GuessingGame-v0", "dims": sizes.dims, "horizon": sizes.horizon},
            "agent": {
                "experts": sizes.experts,
                "policy": {"hidden_size": sizes.hidden_size},
                "membrane": {"kind": sizes.membrane},
            },
            "training": {"outer_steps": 1, "batch_size": sizes.batch_size, "objective": "last_step"},
        }
        with tempfile.TemporaryDirectory() as folder:  # nothing is kept in it
            plan = RunPlan(check_recipe(tables, "benchmark"), 0, Path(folder))
            self.run = Run(plan, device=device)
        self.state = self.run.begin()

    def __call__(self) -> int:
        """One outer step; returns 1 once the device has done it."""
        with torch.random.fork_rng(devices=[]):
            ((self.state, _),) = outer_step([self.run], [self.state])
        return finished(1, self.device)


def operations(outer_step: OuterStep) -> int:
    """Floating-point operations in the matrix products of one outer step, counted as it runs.

    A multiplication and an addition are two. What is done number by number (activations, softmax, Adam)
    is not counted, so that the rate which follows from it is a lower bound.
    """
    with FlopCounterMode(display=False) as counter:
        outer_step()
    return counter.get_total_flops()


def matrix_cycle(size: int, device: str) -> Cycle:
    """Products of two float32 matrices [size, size]; returns how many, once the device has done them."""
    first, second, product = (torch.rand(size, size, device=device) for _ in range(3))

    def cycle() -> int:
        for _ in range(PRODUCTS):
            torch.mm(first, second, out=product)
        return finished(PRODUCTS, device)

    return cycle


def matrix_operations(size: int) -> int:
    """Floating-point operations of one product of two matrices [size, size]."""
    return 2 * size**3


def agent(
    *,
    batch_size: int = 100,
    experts: int = 20,
    dims: int = 3,
    horizon: int = 20,
    hidden_size: int = 64,
    membrane: Literal["hardwired", "attentional"] = "attentional",
    matrix_size: int = 1024,
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 24.0,
    json: bool = False,
) -> None:
    """Time outer steps of a Badger agent in the guessing game, in turns with large matrix products.

    An outer step is all that training does per step: tasks, trials, gradient, clipping, Adam. The
    floating-point operations of its matrix products are counted as it runs; the ratio says how fast they
    are done, as a part of the rate of large products. An inner step is one step of one trial. Values are
    medians over rounds, the ratio is the median of the rounds' ratios. The default sizes are the paper's.

    Args:
        batch_size: Trials of an outer step.
        experts: Number of experts.
        dims: Hidden numbers of the guessing game.
        horizon: Steps of a trial.
        hidden_size: Numbers in an expert's state.
        membrane: The agent's membrane.
        matrix_size: Rows and columns of the large matrices.
        device: Where to compute: cpu, cuda, cuda:1, ...
        threads: Threads of the CPU for both; if not given, OMP_NUM_THREADS, or 1.
        seconds: About how long the measurement takes.
        json: Print the result as one JSON object.
    """
    check_device(device)
    sizes = Sizes(
        batch_size=batch_size,
        experts=experts,
        dims=dims,
        horizon=horizon,
        hidden_size=hidden_size,
        membrane=membrane,
    )
    before = torch.get_num_threads()
    numbers = {name: n for name, n in dataclasses.asdict(sizes).items() if name != "membrane"}
    check_numbers(seconds, **numbers, matrix_size=matrix_size, threads=before if threads is None else threads)
    torch.set_num_threads(threads or before)
    try:
        results = timed_agent(sizes, matrix_size, device, seconds)
    finally:
        torch.set_num_threads(before)
    note = (
        f"device {device}, {threads or before} threads; the ratio is to products of matrices of {matrix_size}"
    )
    show(results, as_json=json, title="Speed of an outer step", note=note)


def timed_agent(sizes: Sizes, matrix_size: int, device: str, seconds: float) -> list[Record]:
    """Time outer steps against matrix products [matrix_size, matrix_size]; six records."""
    step = OuterStep(sizes, device)
    work, product = operations(step) / 1e9, matrix_operations(matrix_size) / 1e9  # GFLOP
    speeds = compare(step, matrix_cycle(matrix_size, device), seconds)
    outer, products = statistics.median(speeds.subject), statistics.median(speeds.reference)  # 1/s
    settings = dataclasses.asdict(sizes) | {"n": len(speeds.subject)}
    settings["d"] = settings.pop("dims")
    inner = outer * sizes.horizon * sizes.batch_size
    return [
        record("outer_steps_per_second", outer, unit="1/s", **settings),
        record("inner_steps_per_second", inner, unit="1/s", **settings),
        record("operations_per_outer_step", work, unit="GFLOP", **settings),
        record("outer_step_rate", outer * work, unit="GFLOP/s", **settings),
        record("matrix_product_rate", products * product, unit="GFLOP/s", **settings),
        record("ratio", speeds.ratio * work / product, **settings),
    ]


if __name__ == "__main__":
    call(agent, "python -m benchmarks.agent", sys.argv[1:])
