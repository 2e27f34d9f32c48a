"""What tuning found, and what is chosen by it.

All rows are kept, in `tuning.csv` beside the board's file. What is chosen follows from them by one rule: the
candidate with the best mean over the tuning's outer seeds, of equals the first.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from badger_agents.atomic_files import write_atomically
from badger_agents.class_loading import PROJECT_ONLY, Trust
from badger_agents.estimators.optimiser import AdamSettings, OptimiserSettings
from badger_agents.recipe.loading import Recipe
from badger_agents.recipe.schema import EvaluationTable
from leaderboards.boards.board import FILE as BOARD_FILE
from leaderboards.boards.board import FOLDER, Board, BoardError, TuningTable, identity, load_board
from leaderboards.boards.csv_rows import read_rows, rows_text

FILE = "tuning.csv"
"""Beside a board's file: all candidates that were tried."""

NAME = "tuned"
"""What every recipe is called while it is tuned."""

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
        at_end: whether no higher, or no lower, learning rate of its kind was tried, and the next one was
            worse: a better one may lie beyond.
    """

    agent: str
    optimiser: OptimiserSettings
    mean: float
    diverged: int
    at_end: bool = False


def with_optimiser(recipe: Recipe, optimiser: OptimiserSettings) -> Recipe:
    """A recipe trained by another optimiser, without what does not decide its weights."""
    assert recipe.training is not None  # as of all that is tuned
    training = recipe.training.model_copy(update={"optimiser": optimiser})
    plain = {"name": NAME, "summary": "", "evaluation": EvaluationTable(), "training": training}
    return recipe.model_copy(update=plain)


def tuning_fingerprint(board: Board, agent: str, on: Board | None = None) -> str:
    """SHA-256 of all that decides a line's rows but for candidate and seed. Rows of another are stale.

    These are its recipe without the optimiser, how it is measured, and the tasks of `on` (or of the board).
    """
    on, measured = on or board, board.agents[agent].measured
    facts = {
        "recipe": identity(with_optimiser(board.recipe(agent), AdamSettings())),
        "cell": on.cells[on.main].definition(),
        "tasks": [on.tasks, on.task_seed],
        **({"measured": measured} if measured else {}),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def tuning_of(board: Board) -> TuningTable:
    """The board's [tuning] table; BoardError if it has none."""
    if board.tuning is None:
        raise BoardError(f"{board.name} has no [tuning] table; its agents are trained as their recipes say")
    return board.tuning


def tuning_file(name_or_path: str) -> Path:
    """Where the rows of a board lie, by its name or the path of its TOML file: several may be in a folder."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        return FOLDER / name_or_path / FILE
    return path.with_name(FILE if path.name == BOARD_FILE else f"{path.stem}-{FILE}")


def read_tuning(path: Path) -> list[TuningRow]:
    """Rows of a file; none if it is not there. BoardError if it is damaged."""
    rows = read_rows(TuningRow, path)
    for number, row in enumerate(rows, 2):
        if row.status not in ("ok", DIVERGES) or (row.status == "ok") != (row.mean is not None):
            raise BoardError(f"{path}: line {number} is no row of tuning; delete the line")
    return rows


def write_tuning(path: Path, rows: Iterable[TuningRow]) -> None:
    """Write rows; the file is replaced whole or not at all."""
    write_atomically(path, rows_text(TuningRow, rows).encode())


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
    choice = known_choice(board, agent, {row.key: row for row in rows})
    if choice is None:
        raise BoardError(
            f"{board.name} chooses optimisers by tuning, and rows of {agent!r} are missing;"
            f" run badger board tune {board.called}"
        )
    return choice


def known_choice(board: Board, agent: str, rows: Known) -> Choice | None:
    """See `choice_of`; None if a row is missing."""
    found = complete_rows(board, agent, rows)
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
    best = min(choices, key=lambda choice: sign * choice.mean)
    alike = [each for each in choices if each.optimiser.kind == best.optimiser.kind]
    alike.sort(key=lambda each: each.optimiser.learning_rate)
    ends = [pair for pair in (alike[:2], alike[-1:-3:-1]) if len(pair) == 2 and pair[0] is best]
    return best._replace(at_end=any(following.mean != best.mean for _, following in ends))


def floor_of(board: Board) -> float:
    """Outcome of doing nothing useful in the main cell; infinitely bad if it is not known."""
    if board.floor is not None:
        return board.floor
    if board.ends is not None:
        return board.ends[0]
    return -math.inf if board.higher_is_better else math.inf


def load_as_run(name_or_path: str, trust: Trust = PROJECT_ONLY) -> Board:
    """A board with the chosen optimiser in every arm of which there is a choice: as its rows were made.

    Args:
        name_or_path: which one.
        trust: whose code it may name, beside the project's.

    Raises:
        BoardError: as `load_board`; or the rows of its tuning are damaged.
    """
    return tuned(load_board(name_or_path, trust), tuning_file(name_or_path), None)


def tuned(board: Board, file: Path, agents: Sequence[str] | None = ()) -> Board:
    """The board with the chosen optimiser in every arm; one without a [tuning] table as it is.

    Args:
        board: the board.
        file: its rows.
        agents: lines that must have been tuned, all if empty, none if None; others that were not keep their
            recipe's.

    Raises:
        BoardError: one of them was not, or the file is damaged.
        ValueError: a line that the board lacks.
    """
    if board.tuning is None:
        return board
    rows, needed = {row.key: row for row in read_tuning(file)}, [] if agents is None else arms(board, agents)
    lines = dict(board.agents)
    for name in arms(board):
        choice = choice_of(board, name, rows.values()) if name in needed else known_choice(board, name, rows)
        if choice is not None:
            changed = {**lines[name].training, "optimiser": choice.optimiser.model_dump()}
            lines[name] = lines[name].model_copy(update={"training": changed})
    made = board.model_copy(update={"agents": lines})
    made._recipes = {}  # those of the board are by its recipes' own optimisers
    return made


def complete_rows(
    board: Board, agent: str, rows: Known
) -> tuple[Board, dict[tuple[str, int], TuningRow]] | None:
    """All rows of an arm by candidate and seed, and the board that they were measured on; None if some lack.

    They are those of the board that this one is tuned as, where that has all of them, or else its own.
    """
    tuning = tuning_of(board)
    sources = [(board, rows)]
    if tuning.same_as:
        other = {row.key: row for row in read_tuning(tuning_file(tuning.same_as))}
        sources.insert(0, (load_board(tuning.same_as, board.trust), other))
    for by, known in sources:
        fingerprint = tuning_fingerprint(board, agent, by)
        keys = [(each.model_dump_json(), seed) for each in tuning.optimisers for seed in tuning.seeds]
        found = {key: known[fingerprint, *key] for key in keys if (fingerprint, *key) in known}
        if len(found) == len(keys):
            return by, found
    return None
