"""Tuning: the same candidates for the optimiser of every arm of a board, compared on the validation split.

All rows are kept, in `tuning.csv` beside the board's file. What is chosen follows from them by one rule: the
candidate with the best mean over the tuning's outer seeds, of equals the first.
"""

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from badger_agents.atomic_files import write_atomically
from badger_agents.class_loading import Trust
from badger_agents.estimators.optimiser import AdamSettings, OptimiserSettings
from badger_agents.locks import awaited, owned
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.run import CHECKPOINT, RunPlan
from leaderboards.boards.board import FOLDER, Board, BoardError, TuningTable, identity, load_board
from leaderboards.boards.measuring import measured_agent, measured_in
from leaderboards.boards.work import DIVERGED, Steps, side_by_side, train_plans
from leaderboards.runs import make_folder

FILE = "tuning.csv"
"""Beside a board's file: all candidates that were tried."""

TUNED = "tuned"
"""Folder of the trainings of tuning, beside the boards' own."""

DIVERGES = "diverged"
"""Status of a training that ended without finite weights or outcomes."""


class TuningRow(NamedTuple):
    """One candidate with one outer seed.

    Attributes:
        agent: the line of the board that was tuned; lines with the same fingerprint share its rows.
        candidate: the optimiser's settings as JSON.
        seed: outer seed.
        status: "ok" or "diverged".
        mean: outcome in the main cell on the validation split; None if it diverged.
        fingerprint: see `tuning_fingerprint`.
    """

    agent: str
    candidate: str
    seed: int
    status: str
    mean: float | None
    fingerprint: str

    @property
    def key(self) -> tuple[str, str, int]:
        """What there is one row of."""
        return self.fingerprint, self.candidate, self.seed


Known = Mapping[tuple[str, str, int], TuningRow]
"""Rows by `TuningRow.key`."""


class Choice(NamedTuple):
    """The candidate that was chosen for an arm.

    Attributes:
        agent: a line of the board.
        optimiser: the candidate.
        mean: over the outer seeds; of one that diverged the floor counts.
        diverged: how many did.
    """

    agent: str
    optimiser: OptimiserSettings
    mean: float
    diverged: int


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
        return self.out / TUNED / tuning_fingerprint(self.board, self.board.recipe(self.agent))[:16]

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


def with_optimiser(recipe: Recipe, optimiser: OptimiserSettings) -> Recipe:
    """A recipe trained by another optimiser, without what does not decide its weights."""
    tables = {**recipe.model_dump(), "name": TUNED, "summary": "", "evaluation": {}}
    tables["training"] = {**tables["training"], "optimiser": optimiser.model_dump()}
    return check_recipe(tables, f"recipe {recipe.name}", recipe.trust)


def tuning_fingerprint(board: Board, recipe: Recipe) -> str:
    """SHA-256 of all that decides a recipe's rows but for candidate and seed. Rows of another are stale.

    These are the recipe without its optimiser, and the tasks that it is measured on.
    """
    facts = {
        "recipe": identity(with_optimiser(recipe, AdamSettings())),
        "cell": board.cells[board.main].model_dump(mode="json"),
        "tasks": [board.tasks, board.task_seed],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def tuning_of(board: Board) -> TuningTable:
    """The board's [tuning] table; BoardError if it has none."""
    if board.tuning is None:
        raise BoardError(f"{board.name} has no [tuning] table; its agents are trained as their recipes say")
    return board.tuning


def tuning_file(name_or_path: str) -> Path:
    """Where the rows of a board lie, by its name or the path of its TOML file."""
    path = Path(name_or_path)
    return path.with_name(FILE) if path.suffix == ".toml" else FOLDER / name_or_path / FILE


def read_tuning(path: Path) -> list[TuningRow]:
    """Rows of a file; none if it is not there. BoardError if it is damaged."""
    if not path.is_file():
        return []
    rows = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for row in reader:
                agent, candidate, seed, status, mean, fingerprint = (row[name] for name in TuningRow._fields)
                if status not in ("ok", DIVERGES):
                    raise ValueError(f"status {status!r}")
                outcome = float(mean) if status == "ok" else None
                rows.append(TuningRow(agent, candidate, int(seed), status, outcome, fingerprint))
        except (KeyError, TypeError, ValueError) as error:
            raise BoardError(
                f"{path}, line {reader.line_num}, is no row of tuning ({error}); delete the line"
            ) from error
    return rows


def write_tuning(path: Path, rows: Iterable[TuningRow]) -> None:
    """Write rows; the file is replaced whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TuningRow._fields)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    write_atomically(path, text.getvalue().encode())


def arms(board: Board, agents: Sequence[str] = ()) -> list[str]:
    """Lines that are trained, and so are tuned, all alike.

    Args:
        board: the board.
        agents: lines; of one that has another's weights, that other is meant. All if empty.

    Raises:
        ValueError: a line that the board lacks.
    """
    if unknown := [name for name in agents if name not in board.agents]:
        raise ValueError(f"--agents {unknown[0]}: {board.name} has {', '.join(board.agents)}")
    named = [board.agents[name].weights_of or name for name in agents or board.agents]
    return [name for name in dict.fromkeys(named) if board.agents[name].role != "reference"]


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
    prints = {name: tuning_fingerprint(board, board.recipe(name)) for name in arms(board)}
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
    board, fingerprint = unit.board, tuning_fingerprint(unit.board, unit.board.recipe(unit.agent))
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
    last = load_checkpoint(folder / CHECKPOINT, trust=Trust(folders=(folder,)))

    def opened(**changes: Any) -> Any:
        return last.agent(**changes).eval()

    return measured_in(board, board.main, measured_agent(board, agent, board.main, opened), "validation").mean


def choice_of(board: Board, agent: str, rows: Iterable[TuningRow]) -> Choice:
    """The candidate that is chosen for an arm: that of the best mean over all outer seeds of the tuning.

    An outer seed that diverged counts as the board's floor, or as worst of all where no floor is known.

    Args:
        board: with a [tuning] table.
        agent: a line of it that is trained.
        rows: the board's own.

    Raises:
        BoardError: a row is missing.
    """
    choice = _choice(board, agent, {row.key: row for row in rows})
    if choice is None:
        raise BoardError(
            f"{board.name} chooses optimisers by tuning, and rows of {agent!r} are missing;"
            f" run badger board tune {board.name}"
        )
    return choice


def _choice(board: Board, agent: str, rows: Known) -> Choice | None:
    """See `choice_of`; None if a row is missing."""
    found = _rows_of(board, agent, rows)
    if found is None:
        return None
    by, measured = found
    floor = floor_of(by)
    sign = -1.0 if by.higher_is_better else 1.0
    choices = []
    for optimiser in tuning_of(board).optimisers:
        outcomes = [measured[optimiser.model_dump_json(), seed].mean for seed in tuning_of(board).seeds]
        mean = sum(floor if each is None else each for each in outcomes) / len(outcomes)
        choices.append(Choice(agent, optimiser, mean, outcomes.count(None)))
    return min(choices, key=lambda choice: sign * choice.mean)


def floor_of(board: Board) -> float:
    """Outcome of doing nothing useful in the main cell; infinitely bad if it is not known."""
    if board.floor is not None:
        return board.floor
    if board.ends is not None:
        return board.ends[0]
    return -math.inf if board.higher_is_better else math.inf


def tuned(board: Board, file: Path, agents: Sequence[str] = ()) -> Board:
    """The board with the chosen optimiser in every arm; one without a [tuning] table as it is.

    Args:
        board: the board.
        file: its rows.
        agents: lines that must have been tuned, all if empty; others that were not keep their recipe's.

    Raises:
        BoardError: one of them was not, or the file is damaged.
        ValueError: a line that the board lacks.
    """
    if board.tuning is None:
        return board
    rows, needed = {row.key: row for row in read_tuning(file)}, arms(board, agents)
    lines = dict(board.agents)
    for name in arms(board):
        choice = choice_of(board, name, rows.values()) if name in needed else _choice(board, name, rows)
        if choice is not None:
            changed = {**lines[name].training, "optimiser": choice.optimiser.model_dump()}
            lines[name] = lines[name].model_copy(update={"training": changed})
    made = board.model_copy(update={"agents": lines})
    made._recipes = {}  # those of the board are by its recipes' own optimisers
    return made


def _missing(board: Board, names: Sequence[str], rows: Known, out: Path) -> list[TuningUnit]:
    """Work for the rows that are not there, the longest first; lines with one fingerprint are one."""
    tuning, units = tuning_of(board), {}
    for name in names:
        recipe = board.recipe(name)
        fingerprint = tuning_fingerprint(board, recipe)
        if fingerprint in units or _rows_of(board, name, rows) is not None:
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


def _rows_of(board: Board, agent: str, rows: Known) -> tuple[Board, dict[tuple[str, int], TuningRow]] | None:
    """All rows of an arm by candidate and seed, and the board that they were measured on; None if some lack.

    They are those of the board that this one is tuned as, where that has all of them, or else its own.
    """
    tuning, recipe = tuning_of(board), board.recipe(agent)
    sources = [(board, rows)]
    if tuning.same_as:
        other = {row.key: row for row in read_tuning(tuning_file(tuning.same_as))}
        sources.insert(0, (load_board(tuning.same_as), other))
    for by, known in sources:
        fingerprint = tuning_fingerprint(by, recipe)
        keys = [(each.model_dump_json(), seed) for each in tuning.optimisers for seed in tuning.seeds]
        found = {key: known[fingerprint, *key] for key in keys if (fingerprint, *key) in known}
        if len(found) == len(keys):
            return by, found
    return None


def _ordered(board: Board, rows: Known) -> list[TuningRow]:
    """Rows in the order of the board's lines, candidates and seeds; of others, by name behind them."""
    tuning, lines = tuning_of(board), list(board.agents)
    candidates = [each.model_dump_json() for each in tuning.optimisers]

    def place(row: TuningRow) -> tuple[Any, ...]:
        line = lines.index(row.agent) if row.agent in lines else len(lines)
        number = candidates.index(row.candidate) if row.candidate in candidates else len(candidates)
        return line, row.agent, number, row.candidate, row.seed, row.fingerprint

    return sorted(rows.values(), key=place)
