"""Validation: what is wrong with a submission, a line each, found without running any of its code."""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from badger_agents.recipe.loading import Recipe
from leaderboards.boards.board import Board, board_names, load_board
from leaderboards.card import ENOUGH
from leaderboards.submissions.artifacts import (
    ArtifactError,
    check_hash,
    check_weights,
    inside,
    read_text,
    sha256_of,
    walk,
)
from leaderboards.submissions.episodes import read_episodes, read_held_out
from leaderboards.submissions.own_code import files_of, parse_recipe
from leaderboards.submissions.packed import LIMIT as ROWS_LIMIT
from leaderboards.submissions.rows import Key
from leaderboards.submissions.schema import (
    FILE,
    LARGEST,
    Manifest,
    ManifestError,
    MeasuredTable,
    read_manifest,
    read_tables,
)
from leaderboards.submissions.seasons import HELD_OUT_NAME, Season
from leaderboards.submissions.sources import golden_sha256, source_sha256

VERIFIED = "verified.json"
"""What whoever verifies a submission puts beside it."""


class Report(NamedTuple):
    """What validation found.

    Attributes:
        violations: what is wrong, a line each; a submission with any is refused.
        notes: what else there is to know, a line each.
        manifest: of the submission; None if it cannot be read.
        board: the board; None if it is not known.
        recipe: as data; None if it cannot be read.
        rows: outcomes; empty if they cannot be read.
        held_out: outcomes on tasks of seasons, by the season's name.
        verified: outer seeds that somebody has measured again.
    """

    violations: list[str]
    notes: list[str]
    manifest: Manifest | None = None
    board: Board | None = None
    recipe: Recipe | None = None
    rows: dict[Key, float] = {}  # noqa: RUF012 (never changed)
    held_out: dict[str, dict[Key, float]] = {}  # noqa: RUF012
    verified: tuple[int, ...] = ()


class Invalid(ValueError):
    """A submission with violations."""

    def __init__(self, violations: list[str]) -> None:
        super().__init__("; ".join(violations))
        self.violations = violations


def validate(folder: Path, board: Board | None = None, season: Season | None = None) -> Report:
    """Check a submission.

    Args:
        folder: the submission.
        board: a board that is not the suite's.
        season: a season that is not the suite's, to which held-out rows may belong.
    """
    found: list[str] = []
    notes: list[str] = []
    if not folder.is_dir():
        return Report([f"{folder} is no folder; give that of a submission"], notes)
    try:
        manifest = read_manifest(folder)
    except (ManifestError, ArtifactError) as error:
        return Report(_lines(error), notes)
    known = _board(manifest, board, found)
    if known is not None:
        found += _of_board(manifest, known)
        left = [name for name in known.cells if name not in manifest.cells]
        notes += [f"not measured: {', '.join(left)}"] if left else []
    found += _environments(manifest) + _artifacts(folder, manifest) + _undeclared(folder, manifest)
    recipe = _recipe(folder, manifest, found)
    rows = read_episodes(folder, manifest, known, found)
    held = {} if known is None else read_held_out(folder, manifest, known, season, found)
    if manifest.suite.source_sha256 != source_sha256():
        notes.append("made with another source of badger_envs; its golden trajectories are the same")
    failed = [run.seed for run in manifest.runs if not run.ok]
    notes += [f"failed outer seeds: {failed}"] if failed else []
    notes += ["fewer than 10 outer seeds: preliminary"] if len(manifest.seeds) < ENOUGH else []
    verified = _verified(folder, found)
    notes.append(
        f"verified: outer seeds {list(verified)}" if verified else "self-reported: nobody has verified it"
    )
    return Report(found, notes, manifest, known, recipe, rows, held, verified)


def _board(manifest: Manifest, given: Board | None, found: list[str]) -> Board | None:
    if given is not None:
        if given.name == manifest.board:
            return given
        found.append(f"{FILE}: board is {manifest.board!r}; the one given is {given.name!r}")
    elif manifest.board in board_names():
        return load_board(manifest.board)
    else:
        found.append(f"{FILE}: board {manifest.board!r} is not known; boards are {', '.join(board_names())}")
    return None


def cells_of(board: Board) -> dict[str, MeasuredTable]:
    """The cells of a board as a manifest tells them."""
    return {
        name: MeasuredTable.model_validate(
            {
                "id": cell.id,
                "settings": json.loads(json.dumps(cell.model_extra or {})),
                "agent": json.loads(json.dumps(cell.agent)),
            }
        )
        for name, cell in board.cells.items()
    }


def _of_board(manifest: Manifest, board: Board) -> list[str]:
    """Cells and outer seeds that are not the board's."""
    found = []
    cells = cells_of(board)
    for name, measured in manifest.cells.items():
        if name not in cells:
            found.append(f"{FILE}: cell {name!r} is not of {board.name}, which has {', '.join(cells)}")
            continue
        wanted = cells[name]
        if measured.id != wanted.id:
            found.append(f"{FILE}: cells.{name}.id is {measured.id!r}; on {board.name} it is {wanted.id!r}")
        for table in ("settings", "agent"):
            here, there = getattr(measured, table), getattr(wanted, table)
            for key in sorted(here.keys() | there.keys()):
                one, other = here.get(key), there.get(key)
                if type(one) is not type(other) or one != other:
                    found.append(
                        f"{FILE}: cells.{name}.{table}.{key} is {_said(one)};"
                        f" on {board.name} it is {_said(other)}"
                    )
    if board.main not in manifest.cells:
        found.append(f"{FILE}: cells lack {board.main!r}, by which {board.name} is ordered")
    told = [run.seed for run in manifest.runs]
    lost = sorted(set(range(board.seeds)) - set(told))
    alien = sorted(set(told) - set(range(board.seeds)))
    twice = sorted(seed for seed, times in Counter(told).items() if times > 1)
    if lost:
        found.append(
            f"{FILE}: runs lack outer seeds {lost}; {board.name} takes 0 to {board.seeds - 1}, failed or not"
        )
    found += [f"{FILE}: runs have outer seeds {alien}, which are not of {board.name}"] if alien else []
    found += [f"{FILE}: runs have outer seeds {twice} more than once"] if twice else []
    found += [] if manifest.seeds else [f"{FILE}: no outer seed has the status 'ok'"]
    return found


def _environments(manifest: Manifest) -> list[str]:
    """Environments that are not those of the cells, or not what they are here."""
    found = []
    named = {table.id: table.golden_sha256 for table in manifest.environments}
    used = {cell.id for cell in manifest.cells.values()}
    found += [f"{FILE}: environments lack {id}, which a cell uses" for id in sorted(used - named.keys())]
    found += [f"{FILE}: environments have {id}, which no cell uses" for id in sorted(named.keys() - used)]
    for id in sorted(used & named.keys()):
        golden = golden_sha256(id)
        if golden is None:
            found.append(f"{FILE}: environment {id} is not known; ids are those of `badger list`")
        elif golden != named[id]:
            found.append(f"{FILE}: {id} has the golden hash {named[id][:12]}...; here it is {golden[:12]}...")
    return found


def _artifacts(folder: Path, manifest: Manifest) -> list[str]:
    """Files that are missing, changed, or not what they should be."""
    found = []
    for file in (manifest.recipe, manifest.rows, *manifest.code):
        limit = ROWS_LIMIT if file is manifest.rows else LARGEST
        try:
            check_hash(inside(folder, file.path), file.sha256, limit)
        except ArtifactError as error:
            found.append(str(error))
    holders: dict[str, int] = {}
    for run in manifest.runs:
        if run.weights is None:
            continue
        try:
            numbers = check_weights(inside(folder, run.weights.path), run.weights.sha256)
        except ArtifactError as error:
            found.append(str(error))
            continue
        if numbers != run.parameters:
            found.append(f"{run.weights.path} holds {numbers} numbers; {FILE} says {run.parameters}")
        other = holders.setdefault(run.weights.sha256, run.seed)
        if other != run.seed:
            found.append(f"outer seeds {other} and {run.seed} have the same weights; one is a copy")
    return found


def _undeclared(folder: Path, manifest: Manifest) -> list[str]:
    """Files that nobody has told of: one line."""
    declared = {FILE, VERIFIED, *(file.path for file in manifest.files)}
    strange = [name for name in walk(folder) if name not in declared and not HELD_OUT_NAME.fullmatch(name)]
    strange = [name for name in strange if name != "README.md" or (folder / name).is_symlink()]
    count = "1 file is" if len(strange) == 1 else f"{len(strange)} files are"
    return [f"{count} not declared, such as {strange[0]!r}; take them out"] if strange else []


def _recipe(folder: Path, manifest: Manifest, found: list[str]) -> Recipe | None:
    """The recipe as data; what is wrong with it is added to what is found."""
    try:
        recipe = parse_recipe(read_tables(inside(folder, manifest.recipe.path)), manifest.recipe.path)
    except ArtifactError:
        return None  # found already, with its hash
    except ManifestError as error:
        found += error.violations
        return None
    if recipe.training is None:
        found.append(f"{manifest.recipe.path} has no [training]; submissions are of trained agents")
    declared, named = {file.path for file in manifest.code}, files_of(recipe)
    for place, file in named.items():
        if file not in declared:
            found.append(f"{manifest.recipe.path}: agent.{place} names {file!r}, which code does not declare")
    for file in sorted(declared - set(named.values())):
        found.append(f"{FILE}: code declares {file!r}, which the recipe does not name")
    return recipe


def _verified(folder: Path, found: list[str]) -> tuple[int, ...]:
    """Outer seeds that somebody has verified; that it was another submission is added to `found`."""
    if not (folder / VERIFIED).exists():
        return ()
    try:
        said = json.loads(read_text(inside(folder, VERIFIED), LARGEST))
        seeds = sorted(int(seed) for seed in said["seeds"])
        if said["manifest_sha256"] != sha256_of(folder / FILE):
            raise ValueError("it is of another manifest")
        for name, sha256 in said["seasons"].items():
            check_hash(inside(folder, name), sha256, ROWS_LIMIT)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        found.append(f"{VERIFIED} cannot be used: {error}; verify again")
        return ()
    return tuple(seeds)


def _lines(error: ManifestError | ArtifactError) -> list[str]:
    return error.violations if isinstance(error, ManifestError) else [str(error)]


def _said(value: object) -> str:
    return "not given" if value is None else repr(value)[:80]
