"""`badger board prepare, validate, verify`: submissions to leaderboards."""

import secrets
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import numpy as np
import tyro

from badger_agents.class_loading import Trust
from leaderboards import statistics
from leaderboards.boards.board import load_board
from leaderboards.boards.results import Row
from leaderboards.boards.standing import limits
from leaderboards.results import Record, record, show
from leaderboards.submissions import preparing, verification
from leaderboards.submissions.entries import write_verified
from leaderboards.submissions.manifest import SubmissionError, artifact
from leaderboards.submissions.season import nonce_of
from leaderboards.submissions.validation import Submission, validate

MOST_LINES = 50
"""Lines that are told of what is wrong."""


def prepare(
    board: Annotated[str, tyro.conf.Positional],
    agent: Annotated[str, tyro.conf.Positional],
    *,
    author: tuple[str, ...],
    out: Path,
    runs: Path = Path("runs"),
    cells: tuple[str, ...] = (),
    failed: tuple[int, ...] = (),
    about: str = "",
    hardware: str = "",
    trust: tuple[str, ...] = (),
    json: bool = False,
) -> None:
    """Make the folder of a submission from runs of `badger train`, one for each outer seed of a board.

    Args:
        board: Name of a board, or path to a TOML file.
        agent: Name of the runs, without -seed0, -seed1, ...
        author: Who made it.
        out: Folder to make; the submission is called after it.
        runs: Folder in which the runs lie.
        cells: The board's cells in which the agent is measured; all if not given.
        failed: Outer seeds whose training failed; they are declared, and trained again when it is verified.
        about: What it is, in a few words.
        hardware: On what it was trained; this machine if not given.
        trust: Files and packages of yours whose code the board or its recipes may name, such as my_package.
        json: Print the result as one JSON object.
    """
    board_ = load_board(board, Trust.of(*trust))
    if unknown := sorted(set(cells) - set(board_.cells)):
        raise ValueError(f"--cells {unknown[0]}: {board_.name} has {', '.join(board_.cells)}")
    folders = [runs / f"{agent}-seed{seed}" for seed in board_.outer_seeds]
    words = {"authors": author, "cells": cells, "failed": failed, "about": about, "hardware": hardware}
    preparing.prepare(out, board_, folders, **words)  # type: ignore[arg-type]
    of = "" if board_.called == board_.name else f" --board {board}"
    rows = [record("folder", str(out)), record("artifact", artifact(out))]
    show(rows, as_json=json, title=f"prepared {out.name}", note=f"next: badger board validate {out}{of}")


def validate_(
    folder: Annotated[Path, tyro.conf.Positional], *, board: str | None = None, json: bool = False
) -> None:
    """Check a submission without running anything of it. What is wrong is told a line each, with status 2.

    Args:
        folder: The submission.
        board: TOML file of its board, if that is not the suite's.
        json: Print the result as one JSON object.
    """
    submission = checked(folder, board)
    note = "; ".join(["as its authors say: nothing was measured again", *submission.notes])
    title = f"{folder.name} on {submission.board.name}: valid"
    show(scores(submission, submission.rows), as_json=json, title=title, note=note)


def verify(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    trust: bool = False,
    retrain: int = 2,
    season: Path | None = None,
    board: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Measure a submission again, on the board's tasks and on held-out ones, and train some seeds again.

    Args:
        folder: The submission; it is validated first.
        trust: Run the submitter's own code, in a process of its own. Read it first.
        retrain: How many outer seeds, drawn now, to train again, besides those that are said to have failed.
        season: File of a closed season in which it took part: its nonce makes the held-out tasks. A fresh
            nonce if not given.
        board: TOML file of its board, if that is not the suite's.
        out: Folder in which boards look for submissions: the results on held-out tasks are written there.
        json: Print the result as one JSON object.
    """
    if retrain < 0:
        raise ValueError(f"--retrain is {retrain}; it must be at least 0")
    submission = checked(folder, board)
    nonce = secrets.token_hex(32) if season is None else nonce_of(season, folder)
    found = verification.verify(submission, nonce, trust=trust, retrain=retrain)
    if found.refusals:
        fail([f"not verified: {line}" for line in found.refusals])
    if out is not None:
        write_verified(out, submission, found.rows)
    results = scores(submission, found.rows) + [
        {**row, "tasks": "the board's"} for row in scores(submission, found.public)
    ]
    again = ", ".join(f"{seed}: {mean:.4g}" for seed, mean in found.trained.items())
    note = f"measured again on held-out tasks, nonce {nonce}; trained again, outer seeds {again or 'none'}"
    show(results, as_json=json, title=f"{folder.name} on {submission.board.name}: verified", note=note)


def checked(folder: Path, board: str | None) -> Submission:
    """A submission that is valid; of another what is wrong, on standard error, and status 2."""
    try:
        return validate(folder, None if board is None else load_board(board))
    except SubmissionError as error:
        fail(error.lines)


def fail(lines: list[str]) -> NoReturn:
    """Tell what is wrong, a line each, and end with status 2."""
    left = len(lines) - MOST_LINES
    for line in [*lines[:MOST_LINES], f"and {left} more"] if left > 0 else lines:
        words = " ".join(line.split())  # a submission may hold anything, control characters too
        print(f"badger: {''.join(c if c.isprintable() else '?' for c in words)}", file=sys.stderr)
    sys.exit(2)


def scores(submission: Submission, rows: list[Row]) -> list[Record]:
    """Mean outcome of each cell over outer seeds, with its interval if there are enough of them."""
    found = []
    for cell in submission.cells:
        means = np.array([verification.numbers(rows, seed, cell)[0] for seed in submission.seeds])
        estimate = statistics.bounded(means, limits(submission.board, cell, means))
        known = record(
            submission.board.cells[cell].family().outcome, estimate.value, cell=cell, seeds=len(means)
        )
        ends = {} if np.isnan(estimate.low) else {"ci95": [estimate.low, estimate.high]}
        found.append(known | ends)
    return found


Command = (
    Annotated[None, tyro.conf.subcommand("prepare", constructor=prepare)]
    | Annotated[None, tyro.conf.subcommand("validate", constructor=validate_)]
    | Annotated[None, tyro.conf.subcommand("verify", constructor=verify)]
)
"""What `badger board` can do with submissions."""
