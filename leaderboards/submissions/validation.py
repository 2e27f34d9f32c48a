"""Validation: what is wrong with a submission, a line each, found without running any of its code."""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import FORMAT
from leaderboards.boards.board import Board, board_names, load_board
from leaderboards.boards.weights import weights_sha256
from leaderboards.submissions.bounds import outcome_bounds
from leaderboards.submissions.contestants import own_code, parse_recipe, refusals
from leaderboards.submissions.manifest import (
    FILE,
    RECIPE,
    RESULTS,
    Manifest,
    SubmissionError,
    golden_sha256,
    read,
    read_manifest,
    read_tables,
    sha256,
    source_sha256,
    weights_file,
)
from leaderboards.submissions.results import Row, finite, read_results

LARGEST_WEIGHTS = 2**30
"""Bytes that the weights of one outer seed may have."""

NEAR = 1e-2
"""Relative distance within which two outer seeds' weights are copies: trainings apart differ by about 1."""

_KNOWN = re.compile(r"submission\.toml|recipe\.toml|results\.csv|README\.md|weights-seed\d+\.safetensors")


class Submission(NamedTuple):
    """A submission that is valid.

    Attributes:
        folder: where it lies.
        manifest: what it says of itself.
        board: on which leaderboard.
        recipe: as data.
        rows: its results.
        notes: what else there is to know, a line each.
    """

    folder: Path
    manifest: Manifest
    board: Board
    recipe: Recipe
    rows: list[Row]
    notes: list[str]

    @property
    def seeds(self) -> list[int]:
        """Outer seeds with weights."""
        return sorted({row.seed for row in self.rows if row.ok})

    @property
    def failed(self) -> list[int]:
        """Outer seeds whose training failed, as it says."""
        return sorted({row.seed for row in self.rows if not row.ok})

    @property
    def cells(self) -> list[str]:
        """Cells of the board in which it was measured."""
        named = {row.cell for row in self.rows}
        return [cell for cell in self.board.cells if cell in named]


def validate(folder: Path, board: Board | None = None) -> Submission:
    """Check a submission.

    Args:
        folder: the submission.
        board: a board that is not the suite's.

    Raises:
        SubmissionError: it is not valid; all that is wrong.
    """
    if not folder.is_dir():
        raise SubmissionError(f"{folder} is no folder; give that of a submission")
    manifest = read_manifest(folder)
    board = _board(manifest, board)
    found = _files(folder, manifest)
    try:
        recipe = parse_recipe(read_tables(folder, RECIPE), RECIPE)
        rows = read_results(read(folder, RESULTS).decode(errors="replace"))
    except SubmissionError as error:
        raise SubmissionError(*dict.fromkeys([*found, *error.lines])) from None
    found += [f"{RECIPE}: {line}" for line in refusals(recipe)]
    found += [
        f"{RECIPE} names {name}, which is not declared"
        for name in own_code(recipe)
        if name not in manifest.files
    ]
    found += _budget(recipe, board)
    found += _environments(manifest, {board.cells[row.cell].id for row in rows if row.cell in board.cells})
    found += [f"{RESULTS}: {line}" for line in _grid(rows, manifest, board) or _values(rows, board)]
    if not found:
        found = _weights(folder, recipe, rows)
    if found:
        raise SubmissionError(*found)
    notes = []
    if manifest.source_sha256 != source_sha256():
        notes.append("made with other code of environments, which plays their golden trajectories alike")
    submission = Submission(folder, manifest, board, recipe, rows, notes)
    left = [cell for cell in board.cells if cell not in submission.cells]
    notes += [f"not measured: {', '.join(left)}"] if left else []
    notes += [f"failed outer seeds: {submission.failed}"] if submission.failed else []
    notes += [f"names code of its own, which nobody has run: {', '.join(own_code(recipe))}"] * bool(
        own_code(recipe)
    )
    return submission


def _board(manifest: Manifest, given: Board | None) -> Board:
    if given is None and manifest.board in board_names():
        return load_board(manifest.board)
    if given is None:
        raise SubmissionError(f"{FILE}: no board {manifest.board!r}; there are {', '.join(board_names())}")
    if given.name != manifest.board:
        raise SubmissionError(f"{FILE}: board is {manifest.board!r}; the one given is {given.name!r}")
    return given


def _files(folder: Path, manifest: Manifest) -> list[str]:
    """Files that are missing, changed, or of no submission."""
    found = []
    for name, declared in {RECIPE: "", RESULTS: "", **manifest.files}.items():
        try:
            if sha256(read(folder, name)) != declared:
                found.append(f"{name} has another SHA-256 than {FILE} says")
        except SubmissionError as error:
            found += error.lines
    names = {path.name for path in folder.iterdir()}
    strange = sorted(name for name in names if not _KNOWN.fullmatch(name) and name not in manifest.files)
    links = sorted(name for name in names - set(strange) if (folder / name).is_symlink())
    found += [f"{name} is a symbolic link" for name in links if f"{name} is a symbolic link" not in found]
    if strange:
        found.append(f"{len(strange)} file(s) belong to no submission, such as {strange[0]!r}; take them out")
    return found


def _budget(recipe: Recipe, board: Board) -> list[str]:
    """Settings of the training that the board sets, and that are others."""
    training = {} if recipe.training is None else recipe.training.model_dump(mode="json")
    return [
        f"{RECIPE}: training.{name} is {training.get(name)!r}; the budget of {board.name} is {value!r}"
        for name, value in board.training.items()
        if training.get(name) != value
    ]


def _environments(manifest: Manifest, used: set[str]) -> list[str]:
    """Environments that are not those of the cells, or not what they are here."""
    found = []
    for id in sorted(used ^ manifest.environments.keys()):
        found.append(f"{FILE}: environments {'lack' if id in used else 'name'} {id}, unlike the cells")
    for id in sorted(used & manifest.environments.keys()):
        if manifest.environments[id] != golden_sha256(id):
            found.append(f"{FILE}: {id} was another environment where this was made (its golden trajectory)")
    return found


def _grid(rows: Sequence[Row], manifest: Manifest, board: Board) -> list[str]:
    """What keeps rows from being all outer seeds in all cells that were measured."""
    cells = {row.cell for row in rows}
    found = [f"{row.agent!r} is not {manifest.name!r}" for row in rows if row.agent != manifest.name][:1]
    found += [f"cell {cell!r} is not of {board.name}" for cell in sorted(cells - board.cells.keys())]
    found += [] if board.main in cells else [f"the main cell {board.main!r} is missing"]
    count = Counter((row.seed, row.cell) for row in rows)
    wanted = {(seed, cell) for seed in range(board.seeds) for cell in cells}
    for what, keys in (
        ("missing", wanted - count.keys()),
        (f"not of {board.name}", count.keys() - wanted),
        ("there twice", {key for key, times in count.items() if times > 1}),
    ):
        if keys:
            seed, cell = min(keys)
            found.append(f"{len(keys)} row(s) {what}, such as outer seed {seed} in cell {cell}")
    facts: dict[int, tuple[Any, ...]] = {}
    for row in rows:
        told = (row.status, row.outer_steps, row.parameters, row.weights)
        if facts.setdefault(row.seed, told) != told:
            found.append(f"outer seed {row.seed} has other facts in one cell than in another")
    return found + ([] if any(row.ok for row in rows) else ["no outer seed is ok"])


def _values(rows: Sequence[Row], board: Board) -> list[str]:
    """Rows that cannot be: a line for the first of each kind."""
    found = {}
    for row in rows:
        where = f"outer seed {row.seed} in cell {row.cell}"
        if not row.ok:
            if not re.fullmatch(r"failed: [^\x00-\x1f\x7f-\x9f]+", row.status) or row.weights:
                found["status"] = f"{where} is neither ok nor failed, with a reason and without weights"
            continue
        low, high = outcome_bounds(board.cells[row.cell].family())
        if row.tasks != board.tasks:
            found["tasks"] = f"{where} has {row.tasks} tasks; {board.name} has {board.tasks}"
        elif not finite(row):
            found["finite"] = f"{where} has no finite outcome"
        elif not low <= row.mean <= high or not 0 <= row.std <= (high - low) * math.sqrt(1 / 2):
            found["bounds"] = (
                f"{where} is out of bounds: {row.mean:g} (spread {row.std:g}), not in [{low:g}, {high:g}]"
            )
    return list(found.values())


def _weights(folder: Path, recipe: Recipe, rows: Sequence[Row]) -> list[str]:
    """Weights that are not what the results say, or that are copies."""
    found: list[str] = []
    vectors: dict[int, np.ndarray] = {}
    for row in {row.seed: row for row in rows if row.ok}.values():
        name = weights_file(row.seed)
        try:
            facts, weights = read_weights(folder / name)
            trained = parse_recipe(facts["recipe"], name)
            seed, step, waits = facts["seed"], facts["step"], facts["place"][-1]
        except SubmissionError as error:
            found += error.lines
            continue
        except (KeyError, TypeError, IndexError):
            found.append(f"{name} does not say how it was trained")
            continue
        assert recipe.training is not None
        if trained.model_dump() != recipe.model_dump() or seed != row.seed:
            found.append(
                f"{name} was trained by another recipe or outer seed than {RECIPE} and {RESULTS} say"
            )
        elif step != row.outer_steps or not recipe.training.ends(step, waits):
            found.append(
                f"{name} is at outer step {step}; {RESULTS} says {row.outer_steps},"
                f" {RECIPE} {recipe.training.outer_steps}"
            )
        if weights_sha256(weights) != row.weights:
            found.append(f"{name} has other weights than {RESULTS} says (by their hash)")
        vectors[row.seed] = np.concatenate([part.ravel().astype(np.float64) for part in weights.values()])
        if len(vectors[row.seed]) != row.parameters:
            found.append(f"{name} holds {len(vectors[row.seed])} numbers; {RESULTS} says {row.parameters}")
    extra = {path.name for path in folder.glob("weights-*")} - {
        weights_file(row.seed) for row in rows if row.ok
    }
    return found + [f"{name} belongs to no outer seed that is ok" for name in sorted(extra)] + copies(vectors)


def copies(vectors: dict[int, np.ndarray]) -> list[str]:
    """Outer seeds whose weights are nearly those of one before: a line each."""
    found = []
    seeds = sorted(vectors)
    for place, seed in enumerate(seeds):
        for other in seeds[:place]:
            one, two = vectors[seed], vectors[other]
            if one.shape == two.shape and np.linalg.norm(one - two) <= NEAR * np.linalg.norm(two):
                found.append(
                    f"outer seeds {other} and {seed} have the same weights, or nearly; one is a copy"
                )
                break
    return found


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Facts and weights of a checkpoint; nothing in it is run.

    Raises:
        SubmissionError: it is none, such as a pickle under another name.
    """
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_WEIGHTS:
        raise SubmissionError(f"{path.name} is missing, a link, or larger than {LARGEST_WEIGHTS} bytes")
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith("weights/")]  # noqa: SIM118
            weights = {name.removeprefix("weights/"): file.get_tensor(name) for name in names}
            facts = json.loads((file.metadata() or {}).get(FORMAT, "null"))
    except (SafetensorError, ValueError, RecursionError):
        raise SubmissionError(f"{path.name} is no safetensors file; other formats can run code") from None
    if not weights or not all(np.isfinite(part).all() for part in weights.values()):
        raise SubmissionError(f"{path.name} holds no weights, or some that are not finite")
    return facts, weights
