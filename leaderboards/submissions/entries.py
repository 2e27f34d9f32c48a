"""Submissions on their board: what maintainers measured of them, and nothing else, is a line of it."""

import shutil
from pathlib import Path

from badger_agents.atomic_files import write_atomically
from leaderboards.boards.board import Board, EntrantTable
from leaderboards.boards.csv_rows import parse_rows, rows_text
from leaderboards.boards.results import Row, Run, group
from leaderboards.submissions.manifest import FILE, RECIPE, RESULTS
from leaderboards.submissions.validation import Submission

FOLDER = Path(__file__).parent / "verified"
"""Where `badger board verify --out` puts the suite's, as BOARD/NAME/: written by maintainers only."""


def write_verified(folder: Path, submission: Submission, rows: list[Row]) -> None:
    """Keep what was measured of a submission, with its manifest, recipe and code."""
    target = folder / submission.board.name / submission.manifest.name
    target.mkdir(parents=True, exist_ok=True)
    for name in {FILE, *submission.manifest.files} - {RESULTS}:
        shutil.copy(submission.folder / name, target / name)
    write_atomically(target / RESULTS, rows_text(Row, rows).encode())


def with_submissions(board: Board, folder: Path) -> tuple[Board, dict[str, list[Run]]]:
    """The board with a line more for each submission that was verified, and the runs of those lines.

    Args:
        board: the board.
        folder: in which `write_verified` wrote.

    Raises:
        BoardError: what is there cannot be read.
    """
    lines: dict[str, EntrantTable] = {}
    rows: list[Row] = []
    for path in sorted((folder / board.name).glob(f"*/{RESULTS}")):
        line = f"{path.parent.name} (submitted)"
        found = parse_rows(
            Row, path.read_text(encoding="utf-8"), f"submission {path.parent.name} to {board.name}"
        )
        cells = sorted({row.cell for row in found})
        lines[line] = EntrantTable(recipe=str(path.with_name(RECIPE)), cells=cells)
        rows += [row._replace(agent=line) for row in found]
    whole = board.model_copy(update={"agents": {**board.agents, **lines}})
    runs = group(whole, rows, "submissions")
    return whole, {line: runs[line] for line in lines}
