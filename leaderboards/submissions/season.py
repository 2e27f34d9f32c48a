"""Held-out tasks, which nobody knows before the submission they belong to is fixed.

A season opens with the hash of a nonce; submissions are registered by their hash while it is open; it closes
when the nonce is revealed. A submission's tasks follow from both, so they cannot be trained on or chosen.
"""

import hashlib
import tomllib
from pathlib import Path

from pydantic import Field, ValidationError

from badger_agents.agent import Settings
from badger_agents.atomic_files import write_atomically
from leaderboards.submissions.manifest import Hash, artifact, read_manifest, told
from leaderboards.toml_text import recipe_text


class SeasonError(ValueError):
    """A season that cannot be used so; the message says why."""


class Season(Settings):
    """What is public of a season, in a TOML file called after it.

    Attributes:
        commitment: SHA-256 of its nonce.
        nonce: revealed at its close; None while it is open.
        registered: hash of each submission that came in while it was open, by BOARD/NAME.
    """

    commitment: Hash
    nonce: str | None = None
    registered: dict[str, Hash] = Field(default_factory=dict)


def held_out_seed(nonce: str, artifact: str) -> int:
    """Seed of the held-out tasks of a submission, in [0, 2^62): the same for all who know nonce and hash."""
    digest = hashlib.sha256(f"{nonce}\n{artifact}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


def commitment(nonce: str) -> str:
    """What is published of a nonce when a season opens."""
    if len(nonce) < 32 or "\n" in nonce:
        raise SeasonError(
            f"the nonce is one line of {len(nonce)} characters; it takes 32, or it can be guessed"
        )
    return hashlib.sha256(nonce.encode()).hexdigest()


def read_season(path: Path) -> Season:
    """Read a season's file.

    Raises:
        SeasonError: there is none, or its nonce is not the one that was promised.
    """
    try:
        season = Season.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        raise SeasonError(f"{path.name}: {'; '.join(told(error))}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SeasonError(f"no season in {path}: {error}") from None
    if season.nonce is not None and commitment(season.nonce) != season.commitment:
        raise SeasonError(f"{path.name}: the nonce is not the one whose hash was published")
    return season


def open_season(path: Path, nonce: str) -> Season:
    """Begin a season; SeasonError if there is one already."""
    if path.exists():
        raise SeasonError(f"{path} is there already; a season is opened once")
    return _write(path, Season(commitment=commitment(nonce)))


def register(path: Path, folder: Path) -> Season:
    """Let a submission take part; SeasonError if the season is closed, or the name has taken part."""
    season, manifest = read_season(path), read_manifest(folder)
    name = f"{manifest.board}/{manifest.name}"
    if season.nonce is not None:
        raise SeasonError(f"season {path.stem} is closed; its nonce is known, and nobody can come in")
    if name in season.registered:
        raise SeasonError(f"{name} is registered in season {path.stem} already")
    taking = {**season.registered, name: artifact(folder)}
    return _write(path, season.model_copy(update={"registered": taking}))


def close_season(path: Path, nonce: str) -> Season:
    """Reveal a season's nonce; SeasonError if it is closed, or this is another."""
    season = read_season(path)
    if season.nonce is not None or commitment(nonce) != season.commitment:
        raise SeasonError(f"season {path.stem} is closed already, or its nonce is not the one published")
    return _write(path, season.model_copy(update={"nonce": nonce}))


def nonce_of(path: Path, folder: Path) -> str:
    """The nonce of a closed season in which a submission, as it is, took part.

    Raises:
        SeasonError: the season is open, or this was not registered.
    """
    season = read_season(path)
    if season.nonce is None:
        raise SeasonError(f"season {path.stem} is open; its tasks are known when it closes")
    if artifact(folder) not in season.registered.values():
        raise SeasonError(f"what is in {folder} was not registered before season {path.stem} closed")
    return season.nonce


def _write(path: Path, season: Season) -> Season:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, recipe_text(season.model_dump(), "A season: badger admin season").encode())
    return season
