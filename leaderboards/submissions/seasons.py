"""Season files: what is public of a held-out season, from its opening to its close."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Int
from pydantic import Field, ValidationError
from torch import Tensor

from badger_agents.agent import Settings
from badger_agents.atomic_files import write_atomically
from badger_envs import keyed_random
from leaderboards.boards.board import Board
from leaderboards.submissions.schema import Hash, Manifest, Name, told
from leaderboards.submissions.season import (
    SeasonError,
    check_nonce,
    check_registered,
    commitment,
    task_seed,
)
from leaderboards.toml_text import recipe_text

FOLDER = Path(__file__).parent / "seasons"
"""Where the suite's seasons lie."""

HELD_OUT_NAME = re.compile(r"heldout-([A-Za-z0-9][A-Za-z0-9._-]*)(?<!\.toml)\.csv\.gz")
"""Name of the file of a season's rows, in a submission's folder; never the path of a season file."""


class Registered(Settings):
    """[[registered]]: a submission that takes part.

    Attributes:
        board: on which leaderboard.
        name: of the submission.
        artifact: its hash (`Manifest.artifact`).
    """

    board: Name
    name: Name
    artifact: Hash


class Season(Settings):
    """A season.

    Attributes:
        name: what it is called.
        commitment: hash of its nonce.
        nonce: revealed at its close; None while it is open.
        registered: submissions that came in while it was open.
    """

    name: Name
    commitment: Hash
    nonce: str | None = None
    registered: list[Registered] = Field(default_factory=list)


def season_file(name_or_path: str) -> Path:
    """The file of a season of the suite, by name, or of another by its path."""
    return Path(name_or_path) if name_or_path.endswith(".toml") else FOLDER / f"{name_or_path}.toml"


def find_season(name_or_path: str) -> Season:
    """Read a season, by name or from a TOML file.

    Raises:
        SeasonError: there is none, or it cannot be used.
    """
    path = season_file(name_or_path)
    if not path.is_file():
        raise SeasonError(f"season {name_or_path!r} is not known; give the path of its file with --season")
    try:
        season = Season.model_validate(tomllib.loads(path.read_text()))
        if season.nonce is not None:
            check_nonce(season.nonce, season.commitment)
    except ValidationError as error:
        raise SeasonError(f"{path.name}: {'; '.join(told(error))}") from None
    except ValueError as error:
        raise SeasonError(f"{path.name}: {error}") from None
    return season


def open_season(path: Path, nonce: str) -> Season:
    """Begin a season: write its file, which has the nonce's hash and nobody yet.

    Raises:
        SeasonError: there is one already, its name cannot be one, or the nonce can be guessed.
    """
    if path.exists():
        raise SeasonError(f"{path} is there already; a season is opened once")
    try:
        season = Season(name=path.stem, commitment=commitment(nonce))
    except ValidationError as error:
        raise SeasonError(f"season {path.stem!r}: {'; '.join(told(error))}") from None
    _write(path, season)
    return season


def register(path: Path, manifest: Manifest) -> Season:
    """Let a submission take part.

    Raises:
        SeasonError: the season is closed, or the name has taken part with another artifact.
    """
    season = find_season(str(path))
    if season.nonce is not None:
        raise SeasonError(f"season {season.name} is closed; its nonce is known, and nobody can come in")
    new = Registered(board=manifest.board, name=manifest.name, artifact=manifest.artifact)
    for old in season.registered:
        if (old.board, old.name) == (new.board, new.name):
            raise SeasonError(
                f"{new.name} is registered for {new.board} in season {season.name} already,"
                f" with {'this' if old.artifact == new.artifact else 'another'} artifact"
            )
    season = season.model_copy(update={"registered": [*season.registered, new]})
    _write(path, season)
    return season


def close_season(path: Path, nonce: str) -> Season:
    """End a season: write its nonce into its file.

    Raises:
        SeasonError: it is closed, or this is another nonce.
    """
    season = find_season(str(path))
    if season.nonce is not None:
        raise SeasonError(f"season {season.name} is closed already")
    check_nonce(nonce, season.commitment)
    season = season.model_copy(update={"nonce": nonce})
    _write(path, season)
    return season


def belonging(season: Season, manifest: Manifest, board: Board) -> dict[str, list[int]]:
    """Task seeds [N] of each cell that was measured: those that belong to a submission in a closed season.

    Task i of an environment has `task_seed(nonce, artifact, id, i)`, for all outer seeds and in all cells of
    that environment, so that these are compared in pairs.

    Raises:
        SeasonError: the season is open, or the submission did not take part.
    """
    if season.nonce is None:
        raise SeasonError(f"season {season.name} is open; its tasks are known when it closes")
    check_registered(manifest.artifact, frozenset(each.artifact for each in season.registered))
    by_id = {
        id: [task_seed(season.nonce, manifest.artifact, id, index) for index in range(board.tasks)]
        for id in {board.cells[name].id for name in manifest.cells if name in board.cells}
    }
    return {name: by_id[board.cells[name].id] for name in manifest.cells if name in board.cells}


def keys_of(seeds: Sequence[int], split: str) -> Int[Tensor, "N 4"]:
    """Keys of tasks that have a seed each: row 0 of outer step 0 of that seed."""
    like = torch.zeros(())
    return torch.cat([keyed_random.outer_keys(seed, 0, 1, split, like=like) for seed in seeds])  # (N, 4)


def _write(path: Path, season: Season) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = recipe_text(season.model_dump(), "A season of held-out tasks: `badger board season`.")
    write_atomically(path, text.encode())
