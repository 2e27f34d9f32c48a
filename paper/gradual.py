"""Forgetting and transfer in sequences of tasks: `python -m paper.gradual RUN [RUN ...]`.

A table with a line per agent: its loss in the first task, in another after it, in the first again or in a new
one at that place, and in the other one where it comes first. `--help` has the options.
"""

import sys
from collections.abc import Sequence as Several
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import tyro

from badger_agents.agent import Agent
from badger_agents.atomic_files import write_atomically
from badger_agents.rollout import rollout
from badger_envs import keyed_random
from badger_envs.combinators.sequence import Sequence
from badger_envs.family import Family
from leaderboards.boards.rows import read_run
from leaderboards.boards.units import rows_folder, run_folder
from leaderboards.cli import call
from leaderboards.options import check_device, check_seed, check_trials, progress_bar
from leaderboards.results import Record, as_csv, record, show
from leaderboards.runs import make_folder, open_run
from leaderboards.tuning.choosing import load_as_run
from paper.measuring import over_seeds

CHUNK = 1_000
"""Tasks at once."""

MEASURES = ("first", "after", "again", "new", "alone", "forgetting", "kept", "transfer")
"""Losses per step of A, of B after A, of A again, of a new task in its place, of B where it comes first.

Forgetting: again less first, below 0 where something was kept. Kept: new less again, above 0 where
something was kept, at the same time of life. Transfer: alone less after, above 0 where the first task helped.
"""


class Visits(NamedTuple):
    """Which visits of a sequence are compared, by their places in its order.

    Attributes:
        after: the first visit to another task than the first one.
        again: the first visit to a task that was visited before.
        start: the earlier visit to that task.
    """

    after: int
    again: int
    start: int


def visits(family: Family) -> Visits:
    """The visits to compare.

    Raises:
        ValueError: the family is no sequence, or no other task comes, or none comes again.
    """
    order = family.order if isinstance(family, Sequence) else ()
    new = [place for place in range(len(order)) if order[place] != order[0]]
    again = [place for place in range(len(order)) if order[place] in order[:place]]
    if not isinstance(family, Sequence) or not new or not again:
        wanted = (
            "it must be a Sequence in which another task comes and one comes again, such as order = [0, 1, 0]"
        )
        raise ValueError(f"{type(family).__name__} has order {order}; {wanted}")
    return Visits(new[0], again[0], order.index(order[again[0]]))


def measured(
    agent: Agent, family: Family, trials: int, seed: int = 0, device: str = "cpu"
) -> dict[str, float]:
    """`MEASURES` of an agent, each the mean over the same tasks.

    Args:
        agent: its weights stay as they are.
        family: a `Sequence`; B comes first in trials in which A and B are swapped, with the same tasks.
        trials: number of tasks.
        seed: of the first task.
        device: a torch device.

    Raises:
        ValueError: see `visits`.
    """
    which = visits(family)
    assert isinstance(family, Sequence)
    settings, order = family.settings(), family.order
    swap = {order[0]: order[which.after], order[which.after]: order[0]}
    swapped = Sequence(**settings | {"order": tuple(swap.get(task, task) for task in order)})
    place = len(family.tasks)  # of one more task
    other = {
        "tasks": (*family.tasks, family.tasks[order[which.again]]),
        "order": (*order[: which.again], place, *order[which.again + 1 :]),
    }
    whole = _losses(agent, family, trials, seed, device)
    first, after, again = (whole[visit] for visit in (which.start, which.after, which.again))
    new = _losses(agent, Sequence(**settings | other), trials, seed, device)[which.again]
    alone = _losses(agent, swapped, trials, seed, device)[0]
    values = (first, after, again, new, alone, again - first, new - again, alone - after)
    return dict(zip(MEASURES, values, strict=True))


@torch.no_grad()
def _losses(agent: Agent, family: Sequence, trials: int, seed: int, device: str) -> list[float]:
    """Mean loss per step of each visit."""
    sums = np.zeros(len(family.order))
    for start in range(0, trials, CHUNK):
        seeds = range(seed + start, seed + min(trials, start + CHUNK))
        keys = torch.from_numpy(keyed_random.trial_keys(seeds, 0, family.split)).to(device)
        info = rollout(agent, family, keys).info
        sums += [float(info[f"loss_{place}"].sum()) for place in range(len(family.order))]
    return [float(value) for value in sums / trials]


def gradual(
    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    board: str = "",
    kept: Path = Path("runs"),
    trials: int = 2_000,
    seed: int = 0,
    device: str = "cpu",
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Measure what agents forget, and what one task brings to another, on held-out sequences of tasks.

    Runs of one recipe are outer seeds of one agent: their mean, with a 95 % interval over them.

    Args:
        runs: Run folders of `badger train`, of recipes on a Sequence.
        board: Name of a board, in place of runs: every agent that was trained for it.
        kept: Folder in which `badger board run` kept them (its --out).
        trials: Number of test tasks.
        seed: Which tasks.
        device: Where to compute: cpu, cuda, cuda:1, ...
        out: CSV file to write as well; it has rows of each run besides.
        json: Print all numbers as one JSON object.
    """
    check_seed(seed)
    check_device(device)
    check_trials(trials, 2, "--trials")
    if bool(runs) is bool(board):
        raise ValueError("give run folders of badger train, such as runs/sequence-0, or a board: one of both")
    named = _runs_of(board, kept) if board else [("", run, {}) for run in runs]
    opened = [(name, open_run(run, device, **changes)) for name, run, changes in named]
    families = [run.recipe.family(split="test") for _, run in opened]
    for family in families:
        visits(family)  # what is wrong is said before anything is measured
    found: dict[str, list[dict[str, float]]] = {}
    with progress_bar() as bar:
        line = bar.add_task("runs", total=len(opened), note="")
        for (name, run), family in zip(opened, families, strict=True):
            found.setdefault(name or run.name, []).append(measured(run.agent, family, trials, seed, device))
            bar.advance(line)
    records = [row for name, seeds in found.items() for row in as_records(name, seeds, trials, seed)]
    if out is not None:
        make_folder(out.parent)
        each = [row for name, seeds in found.items() for row in of_each(name, seeds, trials, seed)]
        write_atomically(out, as_csv([*records, *each]).encode())
    note = f"{trials} test tasks; interval: 95 % over outer seeds, without end of one seed"
    show(records, as_json=json, title="Forgetting and transfer: losses per step", note=note)


def _runs_of(name: str, kept: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Lines of a board that are trained for it, run folders of their outer seeds, and how they are measured.

    Raises:
        ValueError: none is there.
    """
    board = load_as_run(name)
    found = [
        (line, str(run_folder(kept, board, line, seed)), entrant.measured)
        for line, entrant in board.agents.items()
        if entrant.recipe and entrant.role != "reference"
        for seed in board.outer_seeds
        if read_run(rows_folder(kept, board), board, line, seed) is not None  # it was trained to the end
    ]
    if not found:
        raise ValueError(f"{kept} has no trained agents of {name}; make some: badger board run {name}")
    return found


def as_records(name: str, seeds: Several[dict[str, float]], trials: int, seed: int) -> list[Record]:
    """Results of one agent over its outer seeds."""
    rows = []
    for measure in MEASURES:
        mean, ci95 = over_seeds(np.array([one[measure] for one in seeds]))
        whole: dict[str, Any] = {"agent": name, "outer_seeds": len(seeds), "split": "test", "task_seed": seed}
        rows.append(record(measure, mean, n=trials, ci95=ci95 if len(seeds) > 1 else None, **whole))
    return rows


def of_each(name: str, seeds: Several[dict[str, float]], trials: int, seed: int) -> list[Record]:
    """Results of each outer seed of an agent, in the order of its runs."""
    return [
        record(measure, one[measure], n=trials, agent=name, run=run, split="test", task_seed=seed)
        for run, one in enumerate(seeds)
        for measure in MEASURES
    ]


if __name__ == "__main__":
    call(gradual, "python -m paper.gradual", sys.argv[1:])
