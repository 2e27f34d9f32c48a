"""Time and peak memory of an outer step by estimator: `python -m benchmarks.estimators guessing-hardwired`.

Backpropagation whole, with checkpointing and truncated, and evolution strategies, against the length of
trials. Takes a minute; `--help` has the options.
"""

import math
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from badger_agents.recipe.loading import Recipe, load_recipe
from benchmarks.memory import peak_memory
from benchmarks.outer import StageSteps
from benchmarks.timing import in_turns
from leaderboards.cli import call
from leaderboards.options import check_device
from leaderboards.results import Record, progress_console, record, show
from leaderboards.runs import changed_recipe

SLACK = 0.01
"""By what part peak memory may be counted too low."""


def estimators(
    recipe: Annotated[str, tyro.conf.Positional] = "guessing-hardwired",
    *,
    horizon: tuple[int, ...] = (20, 80, 320),
    window: int = 5,
    pairs: int = 16,
    env: tuple[str, ...] = (),
    agent: tuple[str, ...] = (),
    training: tuple[str, ...] = (),
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 60.0,
    json: bool = False,
) -> None:
    """Time outer steps, and count their peak memory, against the length of trials, for ways to a gradient.

    Backpropagation whole; with activation checkpointing (about the root of the horizon kept); truncated to
    windows; and evolution strategies. All are timed in turns; the time ratio is to whole backpropagation at
    the same horizon, a median over rounds. What a step is worth is not compared: evolution's gradient is a
    noisy estimate, truncated backpropagation's is biased and makes an update per window.

    Args:
        recipe: Name of a recipe (see `badger list`) or path to a TOML file; its first stage is timed.
        horizon: Steps of a trial.
        window: Steps through which truncated backpropagation goes.
        pairs: Pairs of evolution strategies; the batch size must be a multiple of it.
        env: Settings of the environment to change, such as dims=5.
        agent: Settings of the agent to change, such as channel.topology=none.
        training: Settings of the training to change, such as batch_size=64.
        device: Where to compute: cpu, cuda, cuda:1, ...
        threads: Threads of the CPU; if not given, OMP_NUM_THREADS, or 1.
        seconds: About how long the timing takes.
        json: Print the result as one JSON object.
    """
    check_device(device)
    before = torch.get_num_threads()
    if min(*horizon, window, pairs, before if threads is None else threads) < 1 or not 0 < seconds < math.inf:
        raise ValueError("--horizon, --window, --pairs, --threads and --seconds must be above 0")
    base = load_recipe(recipe)
    cells = {
        (name, steps): changed_recipe(
            base,
            words={
                "env": (*env, f"horizon={steps}"),
                "agent": agent,
                "training": (*training, *ways(steps, window, pairs)[name]),
            },
        )
        for steps in sorted(set(horizon))
        for name in ways(steps, window, pairs)
    }
    if any(changed.training is None for changed in cells.values()):
        raise ValueError(f"recipe {base.name!r} has nothing to train")
    torch.set_num_threads(threads or before)
    try:
        with tempfile.TemporaryDirectory() as folder, progress_console().status("timing"):
            results = measured(cells, device, seconds, Path(folder))
    finally:
        torch.set_num_threads(before)
    note = f"device {device}, {threads or before} threads; n: rounds; memory at most {SLACK:.0%} too low"
    show(results, as_json=json, title=f"Estimators by the length of trials, {base.name}", note=note)


def ways(horizon: int, window: int, pairs: int) -> dict[str, tuple[str, ...]]:
    """Changes of [training] for each estimator that is compared, by what it is called; the first is judge."""
    kept = f"estimator_settings.keep_every={round(math.sqrt(horizon))}"
    return {
        "backpropagation": ("estimator=backpropagation",),
        "checkpointing": ("estimator=backpropagation", kept),
        "truncated": ("estimator=truncated_backpropagation", f"estimator_settings.window={window}"),
        "evolution": ("estimator=evolution", f"estimator_settings.pairs={pairs}"),
    }


def measured(cells: dict[tuple[str, int], Recipe], device: str, seconds: float, folder: Path) -> list[Record]:
    """Time all in turns, then count memory; a record of each."""
    steps = {
        cell: StageSteps(recipe, 0, folder / f"{cell[0]}-{cell[1]}", device) for cell, recipe in cells.items()
    }
    speeds = dict(zip(steps, in_turns(list(steps.values()), seconds), strict=True))
    results = []
    for (name, horizon), rounds in speeds.items():
        judge = speeds["backpropagation", horizon]
        ratio = statistics.median(whole / speed for whole, speed in zip(judge, rounds, strict=True))
        memory = peak_memory(steps[name, horizon], device, SLACK)
        settings: dict[str, Any] = {"estimator": name, "horizon": horizon, "n": len(rounds)}
        took = statistics.median(1 / speed for speed in rounds)
        row = record("outer_step", took, unit="s", **settings)
        results.append(row | {"time_ratio": ratio, "peak_MB": memory / 1e6})
    return results


if __name__ == "__main__":
    call(estimators, "python -m benchmarks.estimators", sys.argv[1:])
