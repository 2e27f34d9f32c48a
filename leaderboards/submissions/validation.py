"""Validation: what is wrong with a submission, a line each, found without running any of its code."""

import itertools
import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import FORMAT, weights_sha256
from badger_envs.testing.golden import golden_sha256
from leaderboards.boards.board import Board, BoardError, board_names, load_board
from leaderboards.boards.csv_rows import parse_rows
from leaderboards.boards.results import Row
from leaderboards.submissions.contestants import own_code, parse_recipe, refusals
from leaderboards.submissions.manifest import (
    FILE,
    RECIPE,
    RESULTS,
    Manifest,
    SubmissionError,
    read,
    read_manifest,
    read_tables,
    sha256,
    source_sha256,
    weights_file,
)
from leaderboards.toml_text import recipe_text

LARGEST_WEIGHTS = 2**26
"""Bytes that the weights of one outer seed may have."""

SLACK = 1e-5
"""Share of the width by which outcomes may pass their bounds, as they are rounded."""

NEAR = 0.1
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
        return sorted({row.seed for row in self.rows if row.ok and row.seed is not None})

    @property
    def failed(self) -> list[int]:
        """Outer seeds whose training failed, as it says."""
        return sorted({row.seed for row in self.rows if not row.ok and row.seed is not None})

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
    if board is None and manifest.board in board_names():
        board = load_board(manifest.board)
    if board is None or board.name != manifest.board:
        known = ", ".join(board_names()) if board is None else board.name
        raise SubmissionError(f"{FILE}: no board {manifest.board!r} here, but {known}")
    found = list(_files(folder, manifest))
    try:
        recipe = parse_recipe(read_tables(folder, RECIPE), RECIPE)
        rows = parse_rows(Row, read(folder, RESULTS).decode(errors="replace"), RESULTS)
    except SubmissionError as error:
        raise SubmissionError(*dict.fromkeys([*found, *error.lines])) from None
    except BoardError as error:
        raise SubmissionError(*found, str(error)) from None
    code = own_code(recipe)
    found += [f"{RECIPE}: {line}" for line in refusals(recipe, board)]
    found += [f"{RECIPE}: names {name}, which is not declared" for name in code if name not in manifest.files]
    found += [f"{RESULTS}: {line}" for line in list(_grid(rows, manifest, board)) or _values(rows, board)]
    for id in sorted({board.cells[row.cell].id for row in rows if row.cell in board.cells}):
        if manifest.environments.get(id) != golden_sha256(id):
            found.append(f"{FILE}: {id} was another environment there (by its golden trajectory)")
    found = found or [*_weights(folder, recipe, rows)]
    if found:
        raise SubmissionError(*found)
    made = Submission(folder, manifest, board, recipe, rows, [])
    left = [cell for cell in board.cells if cell not in made.cells]
    other = manifest.source_sha256 != source_sha256()
    notes = {
        f"not measured: {', '.join(left)}": left,
        f"failed outer seeds: {made.failed}": made.failed,
        f"code of its own, which nobody has run: {', '.join(code)}": code,
        "made with other code of environments, which plays their golden trajectories alike": other,
    }
    return made._replace(notes=[note for note, holds in notes.items() if holds])


def _files(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Files that are missing, changed, links, or of no submission."""
    for name, declared in {RECIPE: "", RESULTS: "", **manifest.files}.items():
        try:
            if sha256(read(folder, name)) != declared:
                yield f"{name} has another SHA-256 than {FILE} says"
        except SubmissionError as error:
            yield from error.lines
    names = {path.name for path in folder.iterdir()} - manifest.files.keys()
    if strange := sorted(name for name in names if not _KNOWN.fullmatch(name)):
        yield f"{len(strange)} file(s) belong to no submission, such as {strange[0]!r}; take them out"


def _grid(rows: Sequence[Row], manifest: Manifest, board: Board) -> Iterator[str]:
    """What keeps rows from being all outer seeds in all cells that were measured, each with its facts."""
    cells, count = {row.cell for row in rows}, Counter((row.seed, row.cell) for row in rows)
    wanted: set[tuple[int | None, str]] = {
        (seed, cell) for seed in board.outer_seeds for cell in cells | {board.main}
    }
    for what, keys in {
        "missing": wanted - count.keys(),
        f"not of {board.name}": {key for key in count if key not in wanted or key[1] not in board.cells},
        "there twice": {key for key, times in count.items() if times > 1},
    }.items():
        if keys:
            yield "{} row(s) {}, such as outer seed {} in cell {}".format(
                len(keys), what, *min(keys, key=str)
            )
    if strangers := {row.agent for row in rows} - {manifest.name}:
        yield f"{min(strangers)!r} is not {manifest.name!r}"
    facts = {(row.seed, row.status, row.outer_steps, row.parameters, row.weights) for row in rows}
    if len(facts) > len({row.seed for row in rows}):
        yield "an outer seed has other facts in one cell than in another"
    if not any(row.ok for row in rows):
        yield "no outer seed is ok"


def _values(rows: Sequence[Row], board: Board) -> list[str]:
    """Rows that cannot be: a line for the last of each kind."""
    found = {}
    for row in rows:
        where = f"outer seed {row.seed} in cell {row.cell}"
        low, high = board.cells[row.cell].family().outcome_bounds
        slack = 0.0 if math.isinf(high - low) else SLACK * (high - low)
        low, high = low - slack, high + slack
        if not row.ok:
            if not row.status.startswith("failed: ") or row.weights:
                found["status"] = f"{where} is neither ok nor failed, with a reason and without weights"
        elif row.tasks != board.tasks:
            found["tasks"] = f"{where} has {row.tasks} tasks; {board.name} has {board.tasks}"
        elif row.mean is None or row.std is None:
            found["bounds"] = f"{where} has no mean or no standard deviation"
        elif not (low <= row.mean <= high and 0 <= row.std <= high - low):  # nor is nan
            found["bounds"] = f"{where} is out of bounds {low:g}, {high:g}: {row.mean:g} +- {row.std:g}"
    return list(found.values())


def _weights(folder: Path, recipe: Recipe, rows: Sequence[Row]) -> Iterator[str]:
    """Weights that are not what the results say, or that are copies."""
    assert recipe.training is not None
    runs = {weights_file(row.seed): (row.seed, row) for row in rows if row.ok and row.seed is not None}
    vectors: dict[int, np.ndarray] = {}
    for name, (seed, row) in runs.items():
        try:
            facts, weights = read_weights(folder / name, row.parameters)
            trained = parse_recipe(tomllib.loads(recipe_text(facts["recipe"], name)), name)
            trained_seed, step = facts["seed"], facts["step"]
        except SubmissionError as error:
            yield from error.lines
            continue
        except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError):
            yield f"{name} does not say how it was trained"
            continue
        vectors[seed] = np.concatenate([part.ravel().astype(np.float64) for part in weights.values()])
        if trained.model_dump() != recipe.model_dump() or trained_seed != seed:
            yield f"{name} is of another recipe or outer seed than {RECIPE} and {RESULTS} say"
        elif not step == row.outer_steps == recipe.training.outer_steps:
            yield f"{name} is at outer step {step}; {RESULTS} says {row.outer_steps}"
        if weights_sha256(weights) != row.weights:
            yield f"{name} has other weights than {RESULTS} says, by their hash"
    for name in sorted({path.name for path in folder.glob("weights-*")} - runs.keys()):
        yield f"{name} belongs to no outer seed that is ok"
    for one, two in copies(vectors):
        yield f"outer seeds {one} and {two} have the same weights, or nearly; one is a copy"


def copies(vectors: dict[int, np.ndarray]) -> list[tuple[int, int]]:
    """Outer seeds whose weights are nearly those of one before, and that one."""
    return [
        (one, two)
        for one, two in itertools.combinations(sorted(vectors), 2)
        if vectors[one].shape == vectors[two].shape
        and np.linalg.norm(vectors[one] - vectors[two]) <= NEAR * np.linalg.norm(vectors[one])
    ]


def read_weights(path: Path, number: int | None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Facts and weights of a checkpoint; nothing in it is run.

    Args:
        path: the file.
        number: of weights that it must have; a small file can claim many.

    Raises:
        SubmissionError: it is none, such as a pickle under another name; or it has more or fewer weights.
    """
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_WEIGHTS:
        raise SubmissionError(f"{path.name} is missing, a symbolic link, or over {LARGEST_WEIGHTS} bytes")
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith("weights/")]  # noqa: SIM118
            if sum(math.prod(file.get_slice(name).get_shape()) for name in names) != number:
                raise SubmissionError(f"{path.name} has other weights than {RESULTS} says, by their number")
            weights = {name.removeprefix("weights/"): file.get_tensor(name) for name in names}
            facts = json.loads((file.metadata() or {}).get(FORMAT, "null"))
    except SubmissionError:
        raise
    except (SafetensorError, ValueError, RecursionError):
        raise SubmissionError(f"{path.name} is no safetensors file; other formats can run code") from None
    if not weights or not all(np.isfinite(part).all() for part in weights.values()):
        raise SubmissionError(f"{path.name} holds no weights, or some that are not finite")
    return facts, weights
