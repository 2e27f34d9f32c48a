"""Submissions on their board: what maintainers measured of them, and nothing else, is a line of it."""

import shutil
from pathlib import Path

from badger_agents.atomic_files import write_atomically
from leaderboards.boards import results as board_results
from leaderboards.boards.board import Board, BoardError, EntrantTable
from leaderboards.boards.results import Run
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


def with_submissions(board: Board, folder: Path) -> tuple[Board, dict[str, list[Run]]]:
    """The board with a line more for each submission that was verified, and the runs of those lines.

    Args:
        board: the board.
        folder: in which `write_verified` wrote.

    Raises:
        BoardError: what is there cannot be read.
    """
    lines: dict[str, EntrantTable] = {}
    rows: list[board_results.Row] = []
    for path in sorted((folder / board.name).glob(f"*/{RESULTS}")):
        line = f"{path.parent.name} (submitted)"
        try:
            found = read_results(path.read_text(encoding="utf-8"))
        except (SubmissionError, OSError) as error:
            raise BoardError(
                f"the submission {path.parent.name} to {board.name} is damaged: {error}"
            ) from None
        cells = sorted({row.cell for row in found})
        lines[line] = EntrantTable(recipe=str(path.with_name(RECIPE)), cells=cells)
        rows += [_row(line, row) for row in found]
    whole = board.model_copy(update={"agents": {**board.agents, **lines}})
    runs = board_results.group(whole, rows, "submissions")
    return whole, {line: runs[line] for line in lines}


def _row(line: str, row: Row) -> board_results.Row:
    """A row of a submission as one of the board."""
    numbers = (row.mean, row.std) if row.ok else (None, None)
    costs = (row.outer_steps, None, None, row.parameters, None, row.seconds, None, None, None)
    return board_results.Row(line, row.seed, row.cell, row.status, *numbers, row.tasks, *costs, row.weights)
