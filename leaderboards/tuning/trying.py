"""Trying candidates: trainings of every arm, measured on the validation split."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from badger_agents.class_loading import Trust
from badger_agents.estimators.optimiser import OptimiserSettings
from badger_agents.locks import awaited, owned
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.run import CHECKPOINT, RunPlan
from leaderboards.boards.board import Board
from leaderboards.boards.measuring import measured_agent, measured_in
from leaderboards.boards.work import DIVERGED, Steps, side_by_side, train_plans
from leaderboards.runs import make_folder
from leaderboards.tuning.choosing import (
    DIVERGES,
    Choice,
    Known,
    TuningRow,
    arms,
    choice_of,
    complete_rows,
    read_tuning,
    tuning_fingerprint,
    tuning_of,
    with_optimiser,
    write_tuning,
)

TUNED = "tuned"
"""Folder of the trainings of tuning, beside the boards' own."""


class TuningUnit(NamedTuple):
    """Work that one process does: trainings of one arm, side by side.

    Attributes:
        board: the board.
        agent: a line of it.
        runs: candidates and outer seeds.
        out: folder of all boards' work.
    """

    board: Board
    agent: str
    runs: tuple[tuple[OptimiserSettings, int], ...]
    out: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.agent}-tuning"

    @property
    def rows(self) -> Path:
        """Where its run folders lie."""
        return self.out / TUNED / tuning_fingerprint(self.board, self.agent)[:16]

    @property
    def steps(self) -> int:
        """Outer steps of all its trainings together."""
        training = self.board.recipe(self.agent).training
        return 0 if training is None else training.outer_steps * len(self.runs)

    def plan(self, optimiser: OptimiserSettings, seed: int) -> RunPlan:
        """One of its trainings."""
        hashed = hashlib.sha256(optimiser.model_dump_json().encode()).hexdigest()
        recipe = with_optimiser(self.board.recipe(self.agent), optimiser)
        return RunPlan(recipe, seed, self.rows / f"{hashed[:12]}-seed{seed}")


def tune_board(
    board: Board,
    file: Path,
    *,
    agents: Sequence[str] = (),
    out: Path,
    processes: int = 1,
    on_start: Callable[[int], None] = lambda steps: None,
    on_told: Callable[[TuningUnit, Steps | TuningRow], None] = lambda unit, told: None,
) -> list[Choice]:
    """Train and measure every candidate that has no row yet; each row is saved at once.

    Args:
        board: with a [tuning] table.
        file: where its rows lie; stale ones of its lines are dropped.
        agents: lines; all if empty.
        out: folder of all boards' work.
        processes: how many at a time.
        on_start: called with the number of outer steps that are to be made.
        on_told: called with how far each is, and with each row.

    Returns:
        What is chosen for each arm.

    Raises:
        BoardError: there is no [tuning] table, or a file is damaged.
        ValueError: a line that the board lacks.
        UnitError: a training failed.
    """
    tuning_of(board)
    chosen = arms(board, agents)
    prints = {name: tuning_fingerprint(board, name) for name in arms(board)}
    with owned(file):  # what another process finds meanwhile would be lost
        known = set(prints.values())
        rows = {
            row.key: row
            for row in read_tuning(file)
            if row.fingerprint in known or row.agent not in prints  # else it is stale
        }
        units = _missing(board, chosen, rows, out)
        on_start(sum(unit.steps for unit in units))

        def on_any(unit: TuningUnit, told: Steps | TuningRow) -> None:
            if isinstance(told, TuningRow):
                rows[told.key] = told
                write_tuning(file, _ordered(board, rows))
            on_told(unit, told)

        if units:
            side_by_side(units, processes, on_any, make)
    return [choice_of(board, name, rows.values()) for name in chosen]


def make(unit: TuningUnit, tell: Callable[[Steps], None] = lambda told: None) -> Iterator[TuningRow]:
    """Make a unit's rows: train, or go on, then measure on the validation split."""
    torch.set_num_threads(1)
    board, fingerprint = unit.board, tuning_fingerprint(unit.board, unit.agent)
    plans = {run: unit.plan(*run) for run in unit.runs}
    for plan in plans.values():
        make_folder(plan.folder)
    with awaited(*(plan.folder for plan in plans.values())):  # an orphan of a killed process may yet end
        train_plans(list(plans.values()), tell)
        for (optimiser, seed), plan in plans.items():
            mean = None if (plan.folder / DIVERGED).exists() else _outcome(board, unit.agent, plan.folder)
            status = "ok" if mean is not None and math.isfinite(mean) else DIVERGES
            yield TuningRow(
                unit.agent,
                optimiser.model_dump_json(),
                seed,
                status,
                mean if status == "ok" else None,
                fingerprint,
            )


def _outcome(board: Board, agent: str, folder: Path) -> float:
    """Mean outcome of a trained agent in the main cell on the validation split."""
    trust = board.recipe(agent).trust | Trust(folders=(folder,))
    last = load_checkpoint(folder / CHECKPOINT, trust=trust)

    def opened(**changes: Any) -> Any:
        return last.agent(**changes).eval()

    return measured_in(board, board.main, measured_agent(board, agent, board.main, opened), "validation").mean


def _missing(board: Board, names: Sequence[str], rows: Known, out: Path) -> list[TuningUnit]:
    """Work for the rows that are not there, the longest first; lines with one fingerprint are one."""
    tuning, units = tuning_of(board), {}
    for name in names:
        fingerprint, recipe = tuning_fingerprint(board, name), board.recipe(name)
        if fingerprint in units or complete_rows(board, name, rows) is not None:
            continue
        left = [
            (optimiser, seed)
            for optimiser in tuning.optimisers
            for seed in tuning.seeds
            if (fingerprint, optimiser.model_dump_json(), seed) not in rows
        ]
        assert recipe.training is not None  # as of all that is no reference
        together = [tuple(left)] if recipe.training.stackable else [(run,) for run in left]
        units[fingerprint] = [TuningUnit(board, name, runs, out) for runs in together]
    return sorted((unit for of_arm in units.values() for unit in of_arm), key=lambda unit: -unit.steps)


def _ordered(board: Board, rows: Known) -> list[TuningRow]:
    """Rows in the order of the board's lines, candidates and seeds; of others, by name behind them."""
    tuning, lines = tuning_of(board), list(board.agents)
    candidates = [each.model_dump_json() for each in tuning.optimisers]

    def place(row: TuningRow) -> tuple[Any, ...]:
        line = lines.index(row.agent) if row.agent in lines else len(lines)
        number = candidates.index(row.candidate) if row.candidate in candidates else len(candidates)
        return line, row.agent, number, row.candidate, row.seed, row.fingerprint

    return sorted(rows.values(), key=place)
