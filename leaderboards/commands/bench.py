"""`badger bench`: measure speed."""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from rich.progress import track

from badger_envs import TABLE, family_of
from badger_envs.topology import BUILDERS
from leaderboards.bench.agent import OuterStep, Sizes, matrix_cycle, matrix_operations, operations
from leaderboards.bench.faces import (
    CARTPOLE,
    bare_cycle,
    has_bare_loop,
    single_cycle,
    torch_cycle,
    vector_cycle,
)
from leaderboards.bench.timing import compare
from leaderboards.bench.topologies import Cell, Kind, dense, measure
from leaderboards.commands.bench_estimators import estimators
from leaderboards.commands.bench_outer import outer
from leaderboards.commands.bench_population import population
from leaderboards.commands.bench_rl2 import rl2
from leaderboards.commands.train import check_device, make_folder
from leaderboards.figures.style import check_ending, save_figure
from leaderboards.figures.topologies import draw_topologies
from leaderboards.results import Record, progress_console, record, show

Face = Literal["gymnasium", "vector", "torch"]

FACES: tuple[Face, ...] = ("gymnasium", "vector", "torch")

DEFAULT_IDS = ("Badger/GuessingGame-v0", "Badger/Bandit-v0")
"""Those with a bare torch loop to compare with."""


def envs(
    *,
    id: tuple[str, ...] = DEFAULT_IDS,
    face: tuple[Face, ...] = (),
    num_envs: int = 1024,
    batch_size: int = 65_536,
    device: str = "cpu",
    seconds: float = 24.0,
    json: bool = False,
) -> None:
    """Time the environments, in ratios to a reference that is timed in turns with them.

    gym.make and gym.make_vec are judged by CartPole-v1 made in the same way; the torch face by a bare torch
    loop of the same family, which the guessing game and the Bernoulli bandit of fixed size have. One step
    is one step of one environment; values are medians over rounds, ratios medians of the rounds' ratios.

    Args:
        id: Environments, or all for every registered one.
        face: Faces to time; all three if not given, the vector face with --id all.
        num_envs: Sub-environments of the vector face.
        batch_size: Trials of the torch face.
        device: Where the torch face computes: cpu, cuda, cuda:1, ...
        seconds: About how long all measurements take together.
        json: Print the result as one JSON object.
    """
    check_device(device)
    check_numbers(seconds, num_envs=num_envs, batch_size=batch_size)
    ids = [entry.id for entry in TABLE] if "all" in id else list(dict.fromkeys(id))
    faces = face or (("vector",) if "all" in id else FACES)
    bare = {name for name in ids if has_bare_loop(family_of(name))}  # also raises for what is no id of ours
    pairs = [(f, name) for f in dict.fromkeys(faces) for name in ids if f != "torch" or name in bare]
    if not pairs:
        raise ValueError(
            f"{', '.join(ids)}: no bare torch loop to time the torch face against; choose another --face"
        )
    results: list[Record] = []
    for f, name in track(pairs, "timing", console=progress_console(), transient=True):
        number = {"gymnasium": 1, "vector": num_envs, "torch": batch_size}[f]
        results += timed(f, name, number, device, seconds / len(pairs))
    left_out = [name for name in ids if name not in bare] if "torch" in faces else []
    note = f"torch face: device {device}, {torch.get_num_threads()} threads" if "torch" in faces else ""
    note += f"; no bare torch loop for {', '.join(left_out)}" if left_out else ""
    show(results, as_json=json, title="Speed of the environments", note=note)


def timed(face: Face, id: str, number: int, device: str, seconds: float) -> list[Record]:
    """Time `number` environments of one id against their reference; three records."""
    if face == "torch":
        reference = "bare torch loop"
        subject, other = torch_cycle(id, number, device), bare_cycle(id, number, device)
    else:
        reference = CARTPOLE
        subject, other = (
            single_cycle(name) if face == "gymnasium" else vector_cycle(name, number)
            for name in (id, CARTPOLE)
        )
    speeds = compare(subject, other, seconds)
    settings: dict[str, Any] = {"face": face, "id": id, "reference": reference, "envs": number}
    settings |= {"n": len(speeds.subject)}
    return [
        record("steps_per_second", statistics.median(speeds.subject), unit="1/s", **settings),
        record("reference_steps_per_second", statistics.median(speeds.reference), unit="1/s", **settings),
        record("ratio", speeds.ratio, **settings),
    ]


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
        dense_up_to: Most experts of a topology whose links are of the order of their square (all, layered).
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


def check_numbers(seconds: float, **numbers: int) -> None:
    """ValueError unless `seconds` is above 0 and every option's number at least 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"--{name.replace('_', '-')} is {number}; it must be at least 1")
    if not 0 < seconds < math.inf:
        raise ValueError(f"--seconds is {seconds}; it must be a number above 0")


Command = (
    Annotated[None, tyro.conf.subcommand("envs", constructor=envs)]
    | Annotated[None, tyro.conf.subcommand("agent", constructor=agent)]
    | Annotated[None, tyro.conf.subcommand("topologies", constructor=topologies)]
    | Annotated[None, tyro.conf.subcommand("outer", constructor=outer)]
    | Annotated[None, tyro.conf.subcommand("population", constructor=population)]
    | Annotated[None, tyro.conf.subcommand("estimators", constructor=estimators)]
    | Annotated[None, tyro.conf.subcommand("rl2", constructor=rl2)]
)
"""What `badger bench` can measure."""


def bench(command: Annotated[Command, tyro.conf.arg(name="")]) -> None:
    """Measure speed."""
