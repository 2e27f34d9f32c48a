"""The results of a board: one CSV, from which all follows that it says; a row per line, seed and cell.

The same trainings give the same bytes, however often they were stopped: what a clock says is in a file of its
own (`leaderboards.boards.costs`).
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from badger_agents.atomic_files import write_atomically
from leaderboards.boards.board import FOLDER, Board, BoardError
from leaderboards.boards.costs import FILE as COSTS
from leaderboards.boards.costs import read_costs
from leaderboards.boards.rows import RunRows

FILE = "results.csv"
"""Beside a board's board.toml: what the suite keeps of it."""

NEVER = "never"
"""Outer steps to a threshold that a training did not cross."""


class Row(NamedTuple):
    """One line of a board with one outer seed in one cell.

    What was not measured, and all numbers of a training that failed, are empty in the file and None here.

    Attributes:
        agent: the line.
        seed: outer seed; None for a reference without weights.
        cell: of the board.
        status: "ok", or what went wrong.
        mean: mean outcome over the tasks.
        std: its standard deviation over the tasks (of the population).
        tasks: how many.
        outer_steps: of the training.
        threshold: outer steps until the training loss crossed the board's threshold; inf: it never did.
        trials: of the training.
        parameters: weights.
        operations: of one step of one trial.
        bits: that a message has, with its key.
        influence: of messages on what others write (root of the mean square).
        influence_untrained: the same where the speakers have the weights of outer step 0: its null.
        weights: SHA-256 of the weights.
        fingerprint: of all that decides the row (`Board.fingerprint`); "": of an edition without.
        processor: on which it was measured.
        instructions: of that processor that torch used, such as "AVX2"; another kind rounds otherwise.
    """

    agent: str
    seed: int | None
    cell: str
    status: str
    mean: float | None
    std: float | None
    tasks: int
    outer_steps: int | None
    threshold: float | None
    trials: int | None
    parameters: int | None
    operations: int | None
    bits: float | None
    influence: float | None
    influence_untrained: float | None
    weights: str
    fingerprint: str = ""
    processor: str = ""
    instructions: str = ""

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.status == "ok"


class Run(NamedTuple):
    """One line with one outer seed: its rows, by cell.

    Attributes:
        agent: the line.
        seed: outer seed; None for a reference.
        rows: by cell.
        seconds: of the training, on one core; None: not known.
    """

    agent: str
    seed: int | None
    rows: dict[str, Row]
    seconds: float | None = None

    @property
    def facts(self) -> Row:
        """What is the same in all cells: status, what was trained, costs other than time."""
        return next(iter(self.rows.values()))

    @property
    def ok(self) -> bool:
        """Whether there are numbers."""
        return self.facts.ok


Results = Mapping[str, Sequence[Run]]
"""Runs of each line of a board, in its order."""

_KINDS = {name: str(kind) for name, kind in get_type_hints(Row).items()}


def rows_of(board: Board, run: RunRows) -> list[Row]:
    """The rows of one run from its outcomes task by task, or of its failure."""
    facts = run.facts
    crossed = facts.get("outer_steps_to_threshold", "not asked")
    influence = facts.get("influence") or (None, None)
    costs = {
        "outer_steps": facts.get("outer_steps"),
        "threshold": None if crossed == "not asked" else math.inf if crossed is None else float(crossed),
        "trials": facts.get("trials"),
        "parameters": facts.get("parameters"),
        "operations": facts.get("operations"),
        "bits": facts.get("bits_per_step"),
        "influence": influence[0],
        "influence_untrained": influence[1],
        "weights": facts.get("weights_sha256", ""),
        **{name: facts.get(name, "") for name in ("fingerprint", "processor", "instructions")},
    }
    if not run.ok:
        cells = board.cells_of(run.agent)
        return [Row(run.agent, run.seed, cell, facts["status"], None, None, 0, **costs) for cell in cells]
    return [
        Row(run.agent, run.seed, cell, "ok", float(each.mean()), float(each.std()), len(each), **costs)
        for cell, each in run.outcomes.items()
    ]


def results_text(rows: Iterable[Row]) -> str:
    """Rows as the text of a file; equal rows give equal bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows([_said(value) for value in row] for row in rows)
    return text.getvalue()


def write_results(path: Path, rows: Iterable[Row]) -> None:
    """Write results whole or not at all."""
    write_atomically(path, results_text(rows).encode())


def parse_results(text: str, source: str) -> list[Row]:
    """Rows from the text of a file.

    Args:
        text: of the file.
        source: what it is, for messages.

    Raises:
        BoardError: it is none.
    """
    lines = csv.reader(io.StringIO(text))
    try:
        if next(lines, None) != list(Row._fields):
            raise BoardError(f"{source} has another header than {','.join(Row._fields)}")
        rows = []
        for number, line in enumerate(lines, 2):
            try:
                rows.append(
                    Row(*(_read(_KINDS[name], value) for name, value in zip(Row._fields, line, strict=True)))
                )
            except ValueError:
                raise BoardError(f"{source}: line {number} is no row: {str(line)[:80]}") from None
    except csv.Error as error:
        raise BoardError(f"{source} is no CSV: {error}") from None
    return rows


def read_results(board: Board, path: Path | None = None) -> dict[str, list[Run]]:
    """The runs of a board, by line in the board's order; of a line without any, an empty list.

    Args:
        board: the board.
        path: of the file; the one that the suite keeps if None. What trainings took is read beside it, if
            it is there.

    Raises:
        BoardError: a file is damaged, or a run lacks a cell.
    """
    path = FOLDER / board.name / FILE if path is None else path
    found: dict[str, list[Run]] = {agent: [] for agent in board.agents}
    if not path.is_file():
        return found
    found = group(board, parse_results(path.read_text(encoding="utf-8"), str(path)), str(path))
    seconds = read_costs(path.with_name(COSTS))
    return {
        agent: [run._replace(seconds=seconds.get((agent, run.seed))) for run in runs]
        for agent, runs in found.items()
    }


def group(board: Board, rows: Iterable[Row], source: str) -> dict[str, list[Run]]:
    """Rows as runs of a board's lines.

    Raises:
        BoardError: a run lacks a cell of its line, or a row is there twice.
    """
    found: dict[str, list[Run]] = {agent: [] for agent in board.agents}
    runs: dict[tuple[str, int | None], dict[str, Row]] = {}
    for row in rows:
        cells = runs.setdefault((row.agent, row.seed), {})
        if row.cell in cells:
            raise BoardError(f"{source}: {row.agent}, seed {row.seed}, {row.cell} is there twice")
        cells[row.cell] = row
    for (agent, seed), cells in runs.items():
        if agent not in found:
            continue  # a line that the board has no more
        if missing := set(board.cells_of(agent)) - set(cells):
            raise BoardError(f"{source}: {agent}, seed {seed} lacks {sorted(missing)[0]}; measure it again")
        found[agent].append(Run(agent, seed, cells))
    return found


def _said(value: Any) -> Any:
    """A value as the file has it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return NEVER if math.isinf(value) else repr(float(value))
    return value


def _read(kind: str, text: str) -> Any:
    """A value from the file."""
    if "str" in kind:
        return text
    if not text:
        if "None" in kind:
            return None
        raise ValueError("empty")
    if text == NEVER:
        return math.inf
    return int(text) if "int" in kind else float(text)
