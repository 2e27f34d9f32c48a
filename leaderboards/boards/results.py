"""The results of a board: one CSV, from which all follows that it says; a row per line, seed and cell.

The same trainings give the same bytes, however often they were stopped: what a clock says is in a file of its
own, `COSTS`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from leaderboards.boards.board import FOLDER, Board, BoardError
from leaderboards.boards.csv_rows import read_rows
from leaderboards.boards.rows import RunRows

FILE = "results.csv"
"""Beside a board's board.toml: what the suite keeps of it."""

COSTS = "costs.csv"
"""What trainings took by the clock: beside the results, which do not depend on it, and written together."""


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


class Cost(NamedTuple):
    """Seconds of the training of a line with an outer seed, on one core; None where nobody measured them."""

    agent: str
    seed: int | None
    seconds: float | None


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
    rows = read_rows(Row, path)
    for number, row in enumerate(rows, 2):
        if row.ok and not (row.mean is not None and math.isfinite(row.mean) and row.tasks > 0):
            raise BoardError(f"{path}: line {number} is ok without a finite mean of tasks; measure it again")
        if row.seed is not None and row.seed not in board.outer_seeds:
            raise BoardError(f"{path}: line {number} has seed {row.seed}, which {board.name} has not")
    found = group(board, rows, str(path))
    seconds = read_costs(path.with_name(COSTS))
    return {
        agent: [run._replace(seconds=seconds.get((agent, run.seed))) for run in runs]
        for agent, runs in found.items()
    }


def read_costs(path: Path) -> dict[tuple[str, int | None], float | None]:
    """Seconds of runs from a file, by line and outer seed; none if it is not there.

    Raises:
        BoardError: it is damaged.
    """
    found: dict[tuple[str, int | None], float | None] = {}
    for number, (agent, seed, seconds) in enumerate(read_rows(Cost, path), 2):
        if (agent, seed) in found or not 0 <= (seconds or 0) < math.inf:
            raise BoardError(f"{path}: line {number} is there twice, or no time: {agent}, {seed}, {seconds}")
        found[agent, seed] = seconds
    return found


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
