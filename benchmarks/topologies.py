"""Speed and memory against the number of experts, by topology: `python -m benchmarks.topologies`.

Sparse topologies take time and memory in proportion to the number of experts, dense ones to its square.
`--figure topologies.png` draws it. Takes a minute; `--help` has the options.
"""

import dataclasses
import itertools
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from badger_agents.badger.agent import BadgerAgent, BadgerSettings
from badger_envs import keyed_random
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.topology import BUILDERS, is_sparse
from benchmarks.memory import peak_memory
from benchmarks.timing import finished, in_turns
from leaderboards.cli import call
from leaderboards.options import check_device, check_numbers
from leaderboards.plots.style import COLOURS, STYLE, check_ending, log_counts, save_figure
from leaderboards.results import Record, progress_console, record, show
from leaderboards.runs import make_folder

STEPS = 5
"""Inner steps in a cycle."""

OUTPUTS = 3
"""Outputs of the guessing game, whatever the number of experts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """What is the same for all topologies and numbers of experts.

    Attributes:
        hidden_size: numbers in an expert's state, H.
        rounds: rounds of communication per step, R.
        membrane: the agent's membrane; hardwired, experts beyond the outputs have none.
        batch_size: trials side by side, B.
    """

    hidden_size: int = 32
    rounds: int = 1
    membrane: Literal["hardwired", "attentional"] = "attentional"
    batch_size: int = 1


class Cell(NamedTuple):
    """What was measured of a topology with so many experts.

    Attributes:
        topology: its name.
        experts: E.
        speeds: inner steps of one trial per second, in each round.
        memory: bytes in use at the peak of a step.
    """

    topology: str
    experts: int
    speeds: list[float]
    memory: int


class InnerSteps:
    """Inner steps as evaluation makes them: observe, read, communicate, write, step the environment.

    Each cycle goes on from the second step of the same trials, so that all have said something already.

    Args:
        topology: who hears whom.
        experts: E.
        kind: what else the agent is.
        device: a torch device.

    Raises:
        ValueError: no topology.
    """

    def __init__(self, topology: str, experts: int, kind: Kind, device: str) -> None:
        self.family, self.device = GuessingGame(dims=OUTPUTS, horizon=STEPS + 1), device
        tables = {
            "experts": experts,
            "policy": {"hidden_size": kind.hidden_size},
            "membrane": {"kind": kind.membrane},
            "channel": {"topology": topology},
            "rounds": kind.rounds,
        }
        settings = BadgerSettings.model_validate(tables)
        self.agent = BadgerAgent(self.family, settings).to(device)
        keys = keyed_random.outer_keys(0, 0, kind.batch_size, like=torch.zeros((), device=device))  # (B, 4)
        self.keys = keyed_random.agent_keys(keys)  # (B, 4)
        self.task = self.family.sample_task(keys)
        self.noise = self.family.noise(keys, self.family.horizon)  # (B, T, N)
        with torch.no_grad():
            start = self.agent.initial_state(self.family, self.keys), self.family.initial_state(self.task)
            self.start = self._step(start, 0)

    @torch.no_grad()
    def __call__(self) -> int:
        """`STEPS` steps of each trial; returns how many that is once the device has done them."""
        now = self.start
        for time in range(1, STEPS + 1):
            now = self._step(now, time)
        return finished(STEPS * len(self.keys), self.device)

    def _step(self, now: tuple[Any, Any], time: int) -> tuple[Any, Any]:
        """States of agent and environment after a step."""
        state, environment = now
        state, action, _ = self.agent.act(state, self.family.observe(self.task, environment), self.keys, time)
        return state, self.family.step(self.task, environment, action, self.noise[:, time]).state


def measure(cases: Sequence[tuple[str, int]], kind: Kind, device: str, seconds: float) -> list[Cell]:
    """Time inner steps of all cases in turns, then weigh a step of each.

    Args:
        cases: topologies and numbers of experts.
        kind: what else the agents are.
        device: a torch device.
        seconds: about how long the timing takes.
    """
    speeds = in_turns([InnerSteps(*case, kind, device) for case in cases], seconds)
    weights = [peak_memory(InnerSteps(*case, kind, device), device) for case in cases]
    return [Cell(*case, fast, heavy) for case, fast, heavy in zip(cases, speeds, weights, strict=True)]


def dense(topology: str) -> bool:
    """Whether a step costs of the order of E**2, as there are so many edges.

    Raises:
        ValueError: no topology.
    """
    return not is_sparse(topology)


def topologies(
    *,
    topology: tuple[str, ...] = tuple(BUILDERS),
    experts: tuple[int, ...] = (100, 1_000, 10_000),
    dense_up_to: int = 2_000,
    hidden_size: int = 32,
    rounds: int = 1,
    membrane: Literal["hardwired", "attentional"] = "attentional",
    batch_size: int = 1,
    figure: Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 60.0,
    json: bool = False,
) -> None:
    """Inner steps per second and peak memory against the number of experts, for each topology.

    An inner step is one step of one trial of the guessing game with 3 outputs, weights frozen and no
    gradient. All are timed in turns, round after round; speeds are medians over rounds, and the time ratio
    (to the number of experts before) is the median of the rounds' ratios. Peak memory is all tensors that
    are in use at the same time, weights and states included.

    Args:
        topology: Who hears whom, such as ring or top-k:k=2; every one with a name if not given.
        experts: Numbers of experts.
        dense_up_to: Most experts of a topology whose edges are of the order of their square (all, layered).
        hidden_size: Numbers in an expert's state.
        rounds: Rounds of communication per step.
        membrane: The agent's membrane.
        batch_size: Trials side by side.
        figure: Picture to draw (png, svg or pdf).
        device: Where to compute: cpu, cuda, cuda:1, ...
        threads: Threads of the CPU; if not given, OMP_NUM_THREADS, or 1.
        seconds: About how long the timing takes.
        json: Print the result as one JSON object.
    """
    check_device(device)
    kind = Kind(hidden_size=hidden_size, rounds=rounds, membrane=membrane, batch_size=batch_size)
    sizes = {"experts": min(experts, default=0), "hidden_size": hidden_size, "rounds": rounds}
    before = torch.get_num_threads()
    check_numbers(seconds, **sizes, batch_size=batch_size, threads=before if threads is None else threads)
    wide = [name for name in dict.fromkeys(topology) if dense(name)]
    cases = [
        (name, number)
        for name in dict.fromkeys(topology)
        for number in sorted(set(experts))
        if number <= dense_up_to or name not in wide
    ]
    if not cases:
        raise ValueError(f"--dense-up-to is {dense_up_to}: nothing is left of --experts; raise it")
    if figure is not None:
        check_ending(figure)
        make_folder(figure.parent)
    torch.set_num_threads(threads or before)
    try:
        with progress_console().status("timing"):
            cells = measure(cases, kind, device, seconds)
    finally:
        torch.set_num_threads(before)
    title = "Inner steps against the number of experts"
    note = f"device {device}, {threads or before} threads; n: rounds"
    note += f"; {', '.join(wide)}: up to {dense_up_to} experts" if wide else ""
    results = cell_records(cells, kind)
    if figure is not None:
        what = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in vars(kind).items())
        save_figure(draw_topologies(cells, f"{title}\n{what}; {note.split(';')[0]}"), figure)
        note += f". picture: {figure}"
    show(results, as_json=json, title=title, note=note)


def cell_records(cells: Sequence[Cell], kind: Kind) -> list[Record]:
    """A record per topology and number of experts."""
    rows = []
    before: Cell | None = None
    for cell in cells:
        settings = {"topology": cell.topology, "experts": cell.experts, **dataclasses.asdict(kind)}
        speed, n = statistics.median(cell.speeds), len(cell.speeds)
        row = record("inner_steps_per_second", speed, unit="1/s", n=n, **settings)
        if before is not None and before.topology == cell.topology:
            ratios = [old / new for old, new in zip(before.speeds, cell.speeds, strict=True)]
            row |= {"time_ratio": statistics.median(ratios), "to_experts": before.experts}
        rows.append(row | {"peak_MB": cell.memory / 1e6, "bytes_per_expert": cell.memory / cell.experts})
        before = cell
    return rows


def draw_topologies(cells: Sequence[Cell], title: str) -> Figure:
    """Left: inner steps per second; right: peak memory; both over the number of experts, a line each.

    Args:
        cells: what was measured, topology after topology.
        title: over the picture.
    """
    lines = {name: list(group) for name, group in itertools.groupby(cells, lambda cell: cell.topology)}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.4), layout="constrained")
        rounds = min(len(cell.speeds) for cell in cells)
        figure.suptitle(f"{title}; medians of {rounds} rounds, bars: the middle half of them")
        left, right = figure.subplots(1, 2)
        for number, (name, line) in enumerate(lines.items()):
            look = {
                "color": COLOURS[number % len(COLOURS)],
                "marker": "os^D"[number // len(COLOURS) % 4],
                "linestyle": ("-", "--", ":", "-.")[number // len(COLOURS) % 4],
            }
            places = [cell.experts for cell in line]
            speeds = [statistics.median(cell.speeds) for cell in line]
            left.plot(places, speeds, label=name, **look)
            ends = [statistics.quantiles(cell.speeds, n=4) for cell in line]
            left.vlines(places, [q[0] for q in ends], [q[2] for q in ends], color=look["color"])
            right.plot(places, [cell.memory / 1e6 for cell in line], **look)
        places = sorted({cell.experts for cell in cells})
        for axis, what in ((left, "inner steps per second"), (right, "memory at the peak of a step, MB")):
            log_counts(axis, places)
            axis.set_yscale("log")
            axis.set(xlabel="experts", title=what)
        if len(places) > 1:
            slowest = max(cells, key=lambda cell: (cell.experts, -statistics.median(cell.speeds)))
            _draw_slope(left, places, statistics.median(slowest.speeds) * 0.6, -1, "in proportion to experts")
            most = max(cell.memory for cell in cells if cell.experts == places[-1]) / 1e6
            _draw_slope(right, places, most * 1.6, 1, "")
        figure.legend(loc="outside lower center", ncols=6, fontsize=8)
    return figure


def _draw_slope(axis: Axes, places: Sequence[int], at_end: float, power: int, label: str) -> None:
    """A grey line through a value at the most experts that changes with a power of their number."""
    values = [at_end * (place / places[-1]) ** power for place in places]
    axis.plot(places, values, color="0.6", linewidth=1, linestyle=":", label=label or None)


if __name__ == "__main__":
    call(topologies, "python -m benchmarks.topologies", sys.argv[1:])
