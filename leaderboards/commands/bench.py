"""`badger bench`: measure speed."""

import math
import statistics
from typing import Annotated, Any, Literal

import torch
import tyro
from rich.progress import track

from badger_envs import TABLE, family_of
from leaderboards.bench.faces import (
    CARTPOLE,
    bare_cycle,
    has_bare_loop,
    single_cycle,
    torch_cycle,
    vector_cycle,
)
from leaderboards.bench.timing import compare
from leaderboards.commands.train import check_device
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
    for name, number in (("--num-envs", num_envs), ("--batch-size", batch_size)):
        if number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")
    if not 0 < seconds < math.inf:
        raise ValueError(f"--seconds is {seconds}; it must be a number above 0")
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


Command = (
    Annotated[None, tyro.conf.subcommand("envs", constructor=envs)] | Annotated[None, tyro.conf.Suppress]
)
"""What `badger bench` can measure; the second, hidden one is there because tyro wants two."""


def bench(command: Annotated[Command, tyro.conf.arg(name="")]) -> None:
    """Measure speed."""
