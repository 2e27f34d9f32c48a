"""Submissions on their board: what maintainers measured of them, and nothing else, is a line of it."""

import shutil
from pathlib import Path

import numpy as np

from badger_agents.atomic_files import write_atomically
from leaderboards.boards.board import Board, BoardError, EntrantTable
from leaderboards.boards.rows import RunRows
from leaderboards.submissions.manifest import FILE, RECIPE, RESULTS, SubmissionError
from leaderboards.submissions.results import Row, read_results, write_results
from leaderboards.submissions.validation import Submission

FOLDER = Path(__file__).parent / "verified"
"""Where `badger board verify --out` puts the suite's, as BOARD/NAME/: written by maintainers only."""


def write_verified(folder: Path, submission: Submission, rows: list[Row]) -> None:
    """Keep what was measured of a submission, with its manifest, recipe and code."""
    target = folder / submission.board.name / submission.manifest.name
    target.mkdir(parents=True, exist_ok=True)
    for name in {FILE, *submission.manifest.files} - {RESULTS}:
        shutil.copy(submission.folder / name, target / name)
    write_atomically(target / RESULTS, write_results(rows).encode())


def with_submissions(board: Board, folder: Path) -> tuple[Board, dict[str, list[RunRows]]]:
    """The board with a line more for each submission that was verified, and the runs of those lines.

    Args:
        board: the board.
        folder: in which `write_verified` wrote.

    Raises:
        BoardError: what is there cannot be read.
    """
    lines: dict[str, EntrantTable] = {}
    runs: dict[str, list[RunRows]] = {}
    for path in sorted((folder / board.name).glob(f"*/{RESULTS}")):
        line = f"{path.parent.name} (submitted)"
        try:
            rows = read_results(path.read_text())
        except (SubmissionError, OSError) as error:
            raise BoardError(
                f"the submission {path.parent.name} to {board.name} is damaged: {error}"
            ) from None
        lines[line] = EntrantTable(
            recipe=str(path.with_name(RECIPE)), cells=sorted({row.cell for row in rows})
        )
        runs[line] = [
            RunRows(line, seed, _outcomes(rows, seed), _facts(rows, seed))
            for seed in sorted({row.seed for row in rows})
        ]
    return board.model_copy(update={"agents": {**board.agents, **lines}}), runs


def _outcomes(rows: list[Row], seed: int) -> dict[str, np.ndarray]:
    return {row.cell: np.array([row.mean]) for row in rows if row.seed == seed and row.ok}


def _facts(rows: list[Row], seed: int) -> dict[str, object]:
    row = next(row for row in rows if row.seed == seed)
    names = ("status", "parameters", "outer_steps", "seconds")
    return {name: getattr(row, name) for name in names}
