"""Verification: a maintainer loads a submission's weights, measures them again, and compares.

Rows made on another machine differ by rounding, and where an action hangs on a close comparison a trial can
go another way. So a submission is verified if at most `SHARE` of its rows in each cell differ by more than
`TOLERANCE`.
"""

import hashlib
import json
import math
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file

import badger_envs
from badger_agents.agent import LearnedAgent
from badger_agents.atomic_files import write_together
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.training import loop
from leaderboards.boards.board import Board
from leaderboards.statistics import student_quantile
from leaderboards.submissions.artifacts import inside, sha256_of
from leaderboards.submissions.bounds import outcome_bounds
from leaderboards.submissions.measuring import board_keys, outcomes_of
from leaderboards.submissions.own_code import files_of, foreign, with_files
from leaderboards.submissions.packed import pack
from leaderboards.submissions.rows import Key, by_seed, write_held_out
from leaderboards.submissions.schema import FILE, Manifest, RunTable, read_tables
from leaderboards.submissions.seasons import Season, belonging, keys_of
from leaderboards.submissions.validation import VERIFIED

TOLERANCE = 1e-4
"""Share of an outcome by which it may differ, as rounding differs between machines."""

FLOOR = 1e-6
"""Number by which it may differ besides: near 0 a share says nothing."""

SHARE = 0.01
"""Share of rows that may differ by more."""

LEVEL = 0.995
"""Quantile of Student's t that makes a 99 % interval for the mean of trainings that are made again."""


class VerificationError(ValueError):
    """A submission that cannot be verified; the message says why."""


class Compared(NamedTuple):
    """Rows of some outer seeds in one cell, and those measured again.

    Attributes:
        cell: of the board.
        rows: how many.
        differing: how many differ by more than the tolerance.
        submitted: mean outcome of the submission's rows.
        found: mean outcome of those measured again.
    """

    cell: str
    rows: int
    differing: int
    submitted: float
    found: float


class Retrained(NamedTuple):
    """Outer seeds trained again, as a distribution beside the submission's.

    Attributes:
        seeds: those trained again.
        means: mean outcome of each in the board's main cell; nan of one that failed.
        low: lower end of a 99 % interval for their mean, from the submission's outer seeds.
        high: its upper end.
        within: whether their mean lies in it, and those failed that the submission says failed.
    """

    seeds: tuple[int, ...]
    means: tuple[float, ...]
    low: float
    high: float
    within: bool


def open_recipe(folder: Path, manifest: Manifest, recipe: Recipe, trust_code: bool) -> Recipe:
    """The recipe, built and tried out; its own code is loaded only if that is trusted.

    Raises:
        VerificationError: it names code or environments that are not the suite's, and nobody trusts them.
    """
    if (others := foreign(recipe)) and not trust_code:
        raise VerificationError(
            f"the recipe names {', '.join(map(repr, others))}, which is not the suite's and would be run;"
            " read it, and give --trust-code if you trust it"
        )
    tables = read_tables(inside(folder, manifest.recipe.path))
    own = {place: inside(folder, file).resolve() for place, file in files_of(recipe).items()}
    return check_recipe(with_files(tables, own), manifest.recipe.path)


def open_agent(
    folder: Path, recipe: Recipe, run: RunTable, changes: Mapping[str, Any] | None = None
) -> LearnedAgent:
    """The agent of an outer seed, with some settings changed.

    Raises:
        VerificationError: its weights do not fit the recipe.
    """
    assert run.weights is not None
    path = run.weights.path
    agent = recipe.make_agent(run.seed, **(changes or {}))
    if not isinstance(agent, LearnedAgent):
        raise VerificationError(f"the recipe's agent has no weights, so that {path} is not its")
    try:
        agent.load_state_dict(load_file(inside(folder, path)))
    except RuntimeError as error:
        raise VerificationError(f"{path} does not fit the recipe's agent: {error}") from None
    return agent.eval()


def compare(
    folder: Path,
    manifest: Manifest,
    board: Board,
    recipe: Recipe,
    rows: Mapping[Key, float],
    seeds: Sequence[int],
) -> list[Compared]:
    """Measure outer seeds again in all cells, on the board's tasks.

    Args:
        folder: the submission.
        manifest: of it.
        board: the board.
        recipe: from `open_recipe`.
        rows: of the submission.
        seeds: outer seeds with the status "ok".
    """
    runs = [run for run in manifest.runs if run.seed in seeds]
    found = []
    for cell in manifest.cells:
        table = board.cells[cell]
        family = table.family()
        agents = [open_agent(folder, recipe, run, table.agent) for run in runs]
        keys = board_keys(board, family)
        again = np.stack([outcomes_of(agent, family, keys) for agent in agents])  # (seeds, N)
        told = by_seed(rows, [run.seed for run in runs], cell, board.tasks)  # (seeds, N)
        differing = int((~(np.abs(again - told) <= FLOOR + TOLERANCE * np.abs(told))).sum())
        found.append(Compared(cell, told.size, differing, float(told.mean()), float(again.mean())))
    return found


def agree(compared: Sequence[Compared]) -> bool:
    """Whether so few rows differ, in every cell, that the submission is verified."""
    return all(each.differing <= SHARE * each.rows for each in compared)


def retrain(
    manifest: Manifest, board: Board, recipe: Recipe, rows: Mapping[Key, float], seeds: Sequence[int]
) -> Retrained:
    """Train outer seeds again, failed ones too, and hold their mean against the submission's outer seeds.

    Raises:
        VerificationError: the submission has fewer than two outer seeds that did not fail.
    """
    means = by_seed(rows, manifest.seeds, board.main, board.tasks).mean(-1)  # (seeds,)
    count = len(means)
    if count < 2:
        raise VerificationError("one outer seed tells nothing of the spread; --retrain needs two or more")
    table = board.cells[board.main]
    family = table.family()
    again = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as place:
            try:
                trained = loop.train(recipe, seed, Path(place))
            except loop.DivergenceError:
                again.append(math.nan)
                continue
            agent = trained.agent(**table.agent).eval()
            again.append(float(outcomes_of(agent, family, board_keys(board, family)).mean()))
    finite = [mean for mean in again if math.isfinite(mean)]
    half = student_quantile(count - 1, LEVEL) * float(means.std(ddof=1))
    half *= math.sqrt(1 / count + 1 / max(1, len(finite)))
    half += FLOOR + TOLERANCE * abs(float(means.mean()))
    worst, best = outcome_bounds(family)
    low, high = max(worst, float(means.mean()) - half), min(best, float(means.mean()) + half)
    failed = {run.seed for run in manifest.runs if not run.ok}
    as_told = all((seed in failed) == math.isnan(mean) for seed, mean in zip(seeds, again, strict=True))
    within = as_told and (not finite or low <= float(np.mean(finite)) <= high)
    return Retrained(tuple(seeds), tuple(again), low, high, within)


def held_out(folder: Path, manifest: Manifest, board: Board, recipe: Recipe, season: Season) -> bytes:
    """Measure all outer seeds on a closed season's tasks.

    Returns:
        The packed file of rows.

    Raises:
        SeasonError: the season is open, or the submission did not take part.
    """
    seeds = belonging(season, manifest, board)
    outcomes: dict[int, dict[str, np.ndarray]] = {}
    for run in manifest.runs:
        if run.ok:
            outcomes[run.seed] = {}
            for cell, own in seeds.items():
                table = board.cells[cell]
                family = table.family()
                agent = open_agent(folder, recipe, run, table.agent)
                outcomes[run.seed][cell] = outcomes_of(agent, family, keys_of(own, family.split))
    return pack(write_held_out(outcomes, seeds))


def write_verified(
    folder: Path,
    seeds: Sequence[int],
    compared: Sequence[Compared],
    retrained: Retrained | None,
    held: Mapping[str, bytes],
) -> None:
    """Write what was verified beside the submission, with rows of seasons; no date: it can be made again.

    Rows of other seasons that are there already stay.
    """
    seasons = {name: hashlib.sha256(content).hexdigest() for name, content in held.items()}
    for path in folder.glob("heldout-*.csv.gz"):
        seasons.setdefault(path.name, sha256_of(inside(folder, path.name)))
    facts = {
        "manifest_sha256": sha256_of(folder / FILE),
        "seeds": sorted(seeds),
        "rows": sum(each.rows for each in compared),
        "rows_differing": sum(each.differing for each in compared),
        "tolerance": [TOLERANCE, FLOOR],
        "retrained": None if retrained is None else _plain(retrained),
        "seasons": dict(sorted(seasons.items())),
        "versions": {
            "suite": badger_envs.__version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    files = {folder / name: content for name, content in held.items()}
    write_together({**files, folder / VERIFIED: (json.dumps(facts, indent=1) + "\n").encode()})


def _plain(retrained: Retrained) -> dict[str, Any]:
    means = [None if math.isnan(mean) else mean for mean in retrained.means]
    return {**retrained._asdict(), "means": means}
