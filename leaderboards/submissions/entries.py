"""Submissions on their board: each that is valid is a line of it, with how much of it was verified."""

from pathlib import Path

from leaderboards.boards.board import Board, BoardError, EntrantTable
from leaderboards.boards.rows import RunRows
from leaderboards.submissions.rows import by_seed
from leaderboards.submissions.schema import FILE, Manifest
from leaderboards.submissions.validation import Report, validate

FOLDER = Path(__file__).parent
"""Where the suite's submissions lie, as BOARD/NAME/."""


def with_submissions(board: Board, folder: Path) -> tuple[Board, dict[str, list[RunRows]]]:
    """The board with a line more for each submission, and what those lines say. None of their code is run.

    They are trained as their own recipes say: the board's budget does not hold for them.

    Args:
        board: the board.
        folder: with submissions, as BOARD/NAME/, such as the suite's `FOLDER`.

    Raises:
        BoardError: one of them is not valid.
    """
    lines: dict[str, EntrantTable] = {}
    runs: dict[str, list[RunRows]] = {}
    for place in sorted(path.parent for path in (folder / board.name).glob(f"*/{FILE}")):
        report = validate(place, board)
        manifest = report.manifest
        wrong = list(report.violations)
        if manifest is not None and manifest.name != place.name:  # so no two have one name
            wrong.append(f"it is called {manifest.name!r}; its folder must be called so too")
        if manifest is None or wrong:
            raise BoardError(
                f"submission {place.name} to {board.name} is not valid: {wrong[0]}"
                f" (all that is wrong: badger board validate {place})"
            )
        line = f"{manifest.name} ({_standing(report, manifest)})"
        lines[line] = EntrantTable(
            recipe=str(place / manifest.recipe.path), cells=list(manifest.cells), own_budget=True
        )
        runs[line] = _runs(line, board, report, manifest)
    return board.model_copy(update={"agents": {**board.agents, **lines}}), runs


def _standing(report: Report, manifest: Manifest) -> str:
    """How many of its outer seeds somebody has measured again."""
    seeds = sorted(set(report.verified) & set(manifest.seeds))
    if not seeds:
        return "self-reported"
    few = len(seeds) < len(manifest.seeds)
    return f"verified: {len(seeds)} of {len(manifest.seeds)} seeds" if few else "verified"


def _runs(line: str, board: Board, report: Report, manifest: Manifest) -> list[RunRows]:
    """A run for each outer seed, failed ones without rows."""
    outcomes = {cell: by_seed(report.rows, manifest.seeds, cell, board.tasks) for cell in manifest.cells}
    found = []
    for run in sorted(manifest.runs, key=lambda run: run.seed):
        costs = run.model_dump(include={"parameters", "outer_steps", "trials", "seconds"}, exclude_none=True)
        place = manifest.seeds.index(run.seed) if run.ok else 0
        rows = {cell: values[place] for cell, values in outcomes.items()} if run.ok else {}
        found.append(RunRows(line, run.seed, rows, {"status": run.status, **costs}))
    return found
