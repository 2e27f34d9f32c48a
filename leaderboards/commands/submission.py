"""`badger board prepare, validate, verify, schema`: submissions to leaderboards."""

import json as json_
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from leaderboards import statistics
from leaderboards.boards.board import Board, load_board
from leaderboards.results import Record, record, show
from leaderboards.statistics import KIND
from leaderboards.submissions import preparing, seasons, verification
from leaderboards.submissions.rows import by_seed
from leaderboards.submissions.schema import json_schema
from leaderboards.submissions.validation import Report, validate

MOST_LINES = 50
"""Violations that are told, of a submission with more."""


def prepare(
    board: Annotated[str, tyro.conf.Positional],
    agent: Annotated[str, tyro.conf.Positional],
    *,
    author: tuple[str, ...],
    out: Path,
    runs: Path = Path("runs/boards"),
    cells: tuple[str, ...] = (),
    failed: tuple[int, ...] = (),
    about: str = "",
    hardware: str = "",
    json: bool = False,
) -> None:
    """Make the folder of a submission from finished runs: manifest, rows, recipe, weights.

    The runs are those of a line of the board (`badger board run`), or your own of `badger train`, one folder
    for each outer seed of the board, which are measured now on the board's tasks.

    Args:
        board: Name of a board, or path to a TOML file.
        agent: A line of the board; or the name of your own runs, without -seed0, -seed1, ...
        author: Who made it.
        out: Folder to make; the submission is called after it.
        runs: Folder of `badger board run --out`; of your own runs, the folder in which they lie.
        cells: Of your own runs, the board's cells in which the agent is measured; all if not given.
        failed: Of your own runs, outer seeds whose training failed; they are declared, and have no rows.
        about: What it is, in a few words.
        hardware: On what it was trained; this machine if not given.
        json: Print the result as one JSON object.
    """
    board_ = load_board(board)
    if unknown := sorted(set(cells) - set(board_.cells)):
        raise ValueError(f"--cells {unknown[0]}: {board_.name} has {', '.join(board_.cells)}")
    if out.exists():
        raise ValueError(f"{out} is there already; choose another --out, or remove it")
    if agent in board_.agents:
        if cells or failed:
            raise ValueError("--cells and --failed are for your own runs; a line of the board tells them")
        recipe, made = preparing.of_board(board_, agent, runs)
    else:
        recipe, made = preparing.of_runs(board_, agent, runs, cells or tuple(board_.cells), failed)
    facts = {
        "name": out.resolve().name,
        "authors": list(author),
        "about": about,
        "hardware": hardware or preparing.hardware(),
    }
    manifest = preparing.write_submission(out, board_, recipe, made, facts)
    rows = [record("folder", str(out)), record("artifact", manifest.artifact)]
    show(rows, as_json=json, title=f"prepared {manifest.name}", note=f"next: badger board validate {out}")


def validate_(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    board: str | None = None,
    season: str | None = None,
    json: bool = False,
) -> None:
    """Check a submission without running anything of it, and compute its scores from its rows.

    What is wrong is told a line each, and the exit status is 2.

    Args:
        folder: The submission.
        board: TOML file of its board, if that is not the suite's.
        season: File of a season of which it has rows, if that is not the suite's.
        json: Print the result as one JSON object.
    """
    report = checked(folder, board, season)
    manifest, board_ = report.manifest, report.board
    assert manifest is not None
    assert board_ is not None
    results = [
        score(board_, cell, by_seed(report.rows, manifest.seeds, cell, board_.tasks))
        for cell in manifest.cells
    ]
    results += held_out_scores(report)
    note = "; ".join([f"computed from the rows; intervals: {KIND}", *report.notes])
    show(results, as_json=json, title=f"{manifest.name} on {board_.name}: valid", note=note)


def verify(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    seeds: tuple[int, ...] = (),
    retrain: bool = False,
    season: str | None = None,
    board: str | None = None,
    trust_code: bool = False,
    json: bool = False,
) -> None:
    """Measure a submission's weights again, compare with its rows, and note it in verified.json.

    Args:
        folder: The submission; it is validated first.
        seeds: Outer seeds to measure again; all if not given.
        retrain: Also train these outer seeds again, failed ones too, and compare the means of the main cell.
        season: Name or file of a closed season: also measure on its held-out tasks, and keep those rows.
        board: TOML file of its board, if that is not the suite's.
        trust_code: Run the submitter's own code. Read it first.
        json: Print the result as one JSON object.
    """
    report = checked(folder, board, season)
    manifest, board_, recipe = report.manifest, report.board, report.recipe
    assert manifest is not None
    assert board_ is not None
    assert recipe is not None
    if unknown := sorted(set(seeds) - {run.seed for run in manifest.runs}):
        raise ValueError(f"--seeds {unknown[0]}: {board_.name} has outer seeds 0 to {board_.seeds - 1}")
    opened = verification.open_recipe(folder, manifest, recipe, trust_code)
    chosen = [seed for seed in manifest.seeds if not seeds or seed in seeds]
    if not chosen:
        raise ValueError(
            f"--seeds {seeds[0]}: its training failed, so that there is nothing to measure again"
        )
    compared = verification.compare(folder, manifest, board_, opened, report.rows, chosen)
    differing, total = sum(each.differing for each in compared), sum(each.rows for each in compared)
    said = f"{differing} of {total} rows differ by more than {verification.TOLERANCE:g} of their outcome"
    if not verification.agree(compared):
        worst = max(compared, key=lambda each: each.differing / each.rows)
        raise ValueError(
            f"not verified: {said}; in cell {worst.cell} {worst.differing} of {worst.rows} (mean"
            f" {worst.submitted:.6g} submitted, {worst.found:.6g} found), where {verification.SHARE:.0%} may"
        )
    results = [
        record(
            board_.cells[each.cell].family().outcome,
            each.found,
            cell=each.cell,
            rows=each.rows,
            differing=each.differing,
            submitted=each.submitted,
        )
        for each in compared
    ]
    again = None
    if retrain:
        both = sorted({run.seed for run in manifest.runs if not seeds or run.seed in seeds})
        again = verification.retrain(manifest, board_, opened, report.rows, both)
        told = ", ".join(f"{mean:.4g}" for mean in again.means)
        said += f"; trained again, outer seeds {both}: {told}, 99 % of such means lie in"
        said += f" [{again.low:.4g}, {again.high:.4g}]"
        if not again.within:
            raise ValueError(
                f"not verified: {said}, or a training failed where the submission says otherwise"
            )
    held = {}
    if season is not None:
        closed = seasons.find_season(season)
        content = verification.held_out(folder, manifest, board_, opened, closed)
        held[f"heldout-{closed.name}.csv.gz"] = content
    verification.write_verified(folder, chosen, compared, again, held)
    results += held_out_scores(checked(folder, board, season)) if held else []
    title = f"{manifest.name} on {board_.name}: verified, outer seeds {chosen}"
    show(results, as_json=json, title=title, note=said)


def schema() -> None:
    """Print the JSON schema of submission.toml."""
    print(json_.dumps(json_schema(), indent=1))


def checked(folder: Path, board: str | None, season: str | None) -> Report:
    """The report of a valid submission; of another, its violations on standard error, and status 2."""
    report = validate(
        folder,
        None if board is None else load_board(board),
        None if season is None else seasons.find_season(season),
    )
    if report.violations:
        lines = report.violations[:MOST_LINES]
        if left := len(report.violations) - len(lines):
            lines.append(f"and {left} more violations")
        for line in lines:
            print(f"badger: {printable(line)}", file=sys.stderr)
        sys.exit(2)
    return report


def printable(text: str) -> str:
    """A text on one line, without control characters: a submission may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def held_out_scores(report: Report) -> list[Record]:
    """Scores on the tasks of seasons."""
    manifest, board = report.manifest, report.board
    assert manifest is not None
    assert board is not None
    return [
        score(board, cell, by_seed(rows, manifest.seeds, cell, board.tasks), season)
        for season, rows in report.held_out.items()
        for cell in manifest.cells
    ]


def score(board: Board, cell: str, outcomes: np.ndarray, season: str | None = None) -> Record:
    """Mean outcome of a cell over outer seeds, [seeds, N], with its interval if there are enough."""
    estimate = statistics.over_seeds(outcomes)
    known: Record = {"cell": cell, "seeds": estimate.n} | ({} if season is None else {"season": season})
    ends = None if np.isnan(estimate.low) else (estimate.low, estimate.high)
    return record(board.cells[cell].family().outcome, estimate.value, **known) | (
        {} if ends is None else {"ci95": list(ends)}
    )


Command = (
    Annotated[None, tyro.conf.subcommand("prepare", constructor=prepare)]
    | Annotated[None, tyro.conf.subcommand("validate", constructor=validate_)]
    | Annotated[None, tyro.conf.subcommand("verify", constructor=verify)]
    | Annotated[None, tyro.conf.subcommand("schema", constructor=schema)]
)
"""What `badger board` can do with submissions."""
