"""A submission to a tiny board, made in a moment: an agent trained with three outer seeds."""

import contextlib
import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from leaderboards.boards.board import Board, load_board
from leaderboards.boards.csv_rows import parse_rows, rows_text
from leaderboards.boards.results import Row
from leaderboards.cli import main
from leaderboards.submissions.manifest import FILE, RESULTS, SubmissionError
from leaderboards.submissions.validation import validate
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.tiny import tiny_board

SEEDS, TASKS = 3, 40
NAME = "mine"
LOST: dict[str, Any] = {"mean": None, "std": None, "tasks": 0, "parameters": None, "weights": ""}
"""What a row of an outer seed has whose training failed, beside its status."""


class Place(NamedTuple):
    """Where things lie.

    Attributes:
        folder: of everything.
        board: the board's file.
        submission: the submission's folder.
    """

    folder: Path
    board: Path
    submission: Path

    @property
    def table(self) -> Board:
        """The board."""
        return load_board(str(self.board))

    def copy(self, target: Path) -> "Place":
        """The same with a submission that may be changed."""
        shutil.copytree(self.submission, target / NAME)
        return self._replace(submission=target / NAME)

    def edit(self, old: str, new: str) -> None:
        """Change the manifest's text, in one place."""
        file = self.submission / FILE
        text = file.read_text()
        assert old in text, text
        file.write_text(text.replace(old, new, 1))

    def declare(self, name: str, content: bytes) -> None:
        """Put a file in place of another, with its hash declared as it should be."""
        path = self.submission / name
        old = hashlib.sha256(path.read_bytes()).hexdigest()
        path.write_bytes(content)
        self.edit(old, hashlib.sha256(content).hexdigest())

    def change_rows(self, change: Callable[[Row], Row | None]) -> None:
        """Other results, with their hash declared; rows that become None are taken out."""
        rows = [change(row) for row in parse_rows(Row, (self.submission / RESULTS).read_text(), RESULTS)]
        self.declare(RESULTS, rows_text(Row, (row for row in rows if row is not None)).encode())

    def violations(self) -> list[str]:
        """What is wrong with the submission."""
        try:
            validate(self.submission, self.table)
        except SubmissionError as error:
            return error.lines
        return []


def make(folder: Path, *words: str, **changes: Any) -> Place:
    """Train an agent with the commands that a submitter uses, and prepare its submission.

    Args:
        folder: to work in.
        words: further words for `badger train`.
        changes: of the tiny board.
    """
    changes = {"seeds": SEEDS, "tasks": TASKS, "training": {"outer_steps": 3}, **changes}
    board = tiny_board(folder, **changes)
    file = folder / "tiny-v1.toml"
    file.write_text(recipe_text(board.model_dump(exclude_none=True), "For tests."))
    say("train", folder / "small.toml", "--seeds", board.seeds, "--out", folder / "runs", *words)
    name = next((folder / "runs").glob("*-seed0")).name.removesuffix("-seed0")
    say("board", "prepare", file, name, "--runs", folder / "runs", "--author", "A", "--out", folder / NAME)
    return Place(folder, file, folder / NAME)


def say(*words: object) -> None:
    """Run a command that must succeed, quietly."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main([str(word) for word in words])
