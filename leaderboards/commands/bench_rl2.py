"""`badger bench rl2`: how fast RL² learns here, and by sb3-contrib's RecurrentPPO."""

import dataclasses
import math
import statistics
import tempfile
from pathlib import Path
from typing import Literal

import torch

from leaderboards.bench.rl2 import ID, Sizes, own_cycle, their_cycle
from leaderboards.bench.timing import compare
from leaderboards.commands.train import check_device
from leaderboards.results import Record, progress_console, record, show


def rl2(
    *,
    num_envs: int = 128,
    arms: int = 5,
    horizon: int = 100,
    hidden_size: int = 64,
    core: Literal["lstm", "gru"] = "lstm",
    epochs: int = 4,
    minibatches: int = 4,
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 60.0,
    json: bool = False,
) -> None:
    """Time training by RL² in turns with sb3-contrib's RecurrentPPO, both on the same bandit.

    Both play one whole trial in each environment, then go through all of it with the same numbers of
    epochs and minibatches. Ours is the recipe bandit-rl2 by reward alone, with an LSTM and a value network,
    on the batched family. Theirs is a RecurrentPPO with its own defaults otherwise (an LSTM each for actor
    and critic), on gym.make with RL2Observation. A step is one step of one environment, learning included;
    values are medians over rounds, the ratio is the median of the rounds' ratios.

    Args:
        num_envs: Trials side by side.
        arms: Arms of the bandit.
        horizon: Pulls in a trial.
        hidden_size: Numbers in the memory.
        core: Our memory; theirs is an LSTM.
        epochs: How often the data is gone through.
        minibatches: Updates per epoch.
        device: Where both compute: cpu, cuda, cuda:1, ...
        threads: Threads of the CPU for both; if not given, OMP_NUM_THREADS, or 1.
        seconds: About how long the measurement takes.
        json: Print the result as one JSON object.
    """
    check_device(device)
    sizes = Sizes(
        num_envs=num_envs,
        arms=arms,
        horizon=horizon,
        hidden_size=hidden_size,
        core=core,
        epochs=epochs,
        minibatches=minibatches,
    )
    before = torch.get_num_threads()
    numbers = [value for value in dataclasses.asdict(sizes).values() if isinstance(value, int)]
    least = min(*numbers, before if threads is None else threads)
    if least < 1 or not 0 < seconds < math.inf:
        raise ValueError("all numbers of `badger bench rl2` must be at least 1, and --seconds above 0")
    if num_envs % minibatches:
        raise ValueError(f"--minibatches is {minibatches}: {num_envs} trials cannot be shared alike")
    torch.set_num_threads(threads or before)
    try:
        with tempfile.TemporaryDirectory() as folder, progress_console().status("timing"):
            results = timed(sizes, device, seconds, Path(folder))
    finally:
        torch.set_num_threads(before)
    note = f"device {device}, {threads or before} threads; steps of environments, learning included"
    show(results, as_json=json, title="Speed of training by RL²", note=note)


def timed(sizes: Sizes, device: str, seconds: float, folder: Path) -> list[Record]:
    """Time both in turns; three records."""
    speeds = compare(own_cycle(sizes, folder, device), their_cycle(sizes, device), seconds)
    settings = {"id": ID, **dataclasses.asdict(sizes), "n": len(speeds.subject)}
    return [
        record("steps_per_second", statistics.median(speeds.subject), unit="1/s", **settings),
        record("recurrent_ppo_steps_per_second", statistics.median(speeds.reference), unit="1/s", **settings),
        record("ratio", speeds.ratio, **settings),
    ]
