"""`badger bench`: measure speed."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import torch
import tyro
from rich.progress import track

from badger_envs import TABLE, family_of
from leaderboards.bench.faces import CARTPOLE, bare_cycle, single_cycle, torch_cycle, vector_cycle
from leaderboards.bench.timing import Cycle, compare
from leaderboards.commands.train import check_device
from leaderboards.results import Record, progress_console, record, show

Face = Literal["gymnasium", "vector", "torch"]

FACES: tuple[Face, ...] = ("gymnasium", "vector", "torch")

DEFAULT_IDS = ("Badger/GuessingGame-v0", "Badger/Bandit-v0")
"""Those with a bare torch loop to compare with."""

BARE_LOOP = "bare torch loop"


class Duel(NamedTuple):
    """A face of an id and its reference; `make` builds both, which takes time and memory: one at a time."""

    face: Face
    id: str
    reference: str
    num_envs: int
    make: Callable[[], tuple[Cycle, Cycle | None]]


def envs(
    *,
    id: tuple[str, ...] = DEFAULT_IDS,
    face: tuple[Face, ...] = (),
    num_envs: int = 1024,
    batch_size: int = 65_536,
    device: str = "cpu",
    seconds: float = 30.0,
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
    if not 0 < seconds < float("inf"):
        raise ValueError(f"--seconds is {seconds}; it must be a number above 0")
    ids = [entry.id for entry in TABLE] if "all" in id else list(dict.fromkeys(id))
    faces = face or (("vector",) if "all" in id else FACES)
    duels = list(plan(ids, faces, num_envs, batch_size, device))
    results: list[Record] = []
    for duel in track(duels, "timing", console=progress_console(), transient=True):
        results += fight(duel, seconds / len(duels))
    note = f"torch face: device {device}, {torch.get_num_threads()} threads"
    left_out = sorted({duel.id for duel in duels} - {row["id"] for row in results if row["name"] == "ratio"})
    show(results, as_json=json, title="Speed of the environments", note=note)


def plan(
    ids: Sequence[str], faces: Sequence[Face], num_envs: int, batch_size: int, device: str
) -> Iterator[Duel]:
    """What is timed against what; unknown ids and those of others raise before anything is timed."""
    for id in ids:
        family_of(id)
    for face in dict.fromkeys(faces):
        for id in ids:
            if face == "gymnasium":
                yield Duel(face, id, CARTPOLE, 1, lambda id=id: (single_cycle(id), single_cycle(CARTPOLE)))
