"""`badger board season`: seasons of held-out tasks, opened, registered for and closed."""

import secrets
from pathlib import Path
from typing import Annotated

import tyro

from leaderboards.commands.submission import checked
from leaderboards.results import record, show
from leaderboards.submissions import seasons
from leaderboards.submissions.season import commitment


def season_open(
    season: Annotated[str, tyro.conf.Positional], *, nonce_file: Path, json: bool = False
) -> None:
    """Open a season: publish the hash of a nonce that nobody else knows.

    Args:
        season: Name of the season, or path of the TOML file to be made.
        nonce_file: File with the nonce, a line of 32 characters or more; made, of random digits, if it is not
            there. Keep it to yourself until the season closes.
        json: Print the result as one JSON object.
    """
    if not nonce_file.exists():
        nonce_file.touch(mode=0o600)
        nonce_file.write_text(secrets.token_hex(32) + "\n")
    path = seasons.season_file(season)
    opened = seasons.open_season(path, nonce_file.read_text().strip())
    rows = [record("commitment", opened.commitment), record("file", str(path))]
    show(rows, as_json=json, title=f"season {opened.name} is open", note="publish the file, keep the nonce")


def season_register(
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    season: str,
    board: str | None = None,
    json: bool = False,
) -> None:
    """Let a submission take part in a season: write the hash of its artifact into the season's file.

    Args:
        folder: The submission; it is validated first.
        season: Name of an open season, or path of its file.
        board: TOML file of its board, if that is not the suite's.
        json: Print the result as one JSON object.
    """
    manifest = checked(folder, board, None).manifest
    assert manifest is not None
    took = seasons.register(seasons.season_file(season), manifest)
    rows = [record("artifact", manifest.artifact), record("registered", len(took.registered))]
    show(rows, as_json=json, title=f"{manifest.name} takes part in season {took.name}")


def season_close(
    season: Annotated[str, tyro.conf.Positional], *, nonce_file: Path, json: bool = False
) -> None:
    """Close a season: reveal its nonce, from which everybody can compute its tasks.

    Args:
        season: Name of the season, or path of its file.
        nonce_file: File with the nonce.
        json: Print the result as one JSON object.
    """
    closed = seasons.close_season(seasons.season_file(season), nonce_file.read_text().strip())
    assert closed.nonce is not None
    rows = [record("nonce", closed.nonce), record("commitment", commitment(closed.nonce))]
    note = f"{len(closed.registered)} submissions; next: badger board verify FOLDER --season {season}"
    show(rows, as_json=json, title=f"season {closed.name} is closed", note=note)


Seasons = (
    Annotated[None, tyro.conf.subcommand("open", constructor=season_open)]
    | Annotated[None, tyro.conf.subcommand("register", constructor=season_register)]
    | Annotated[None, tyro.conf.subcommand("close", constructor=season_close)]
)
"""What `badger board season` can do."""


def season(command: Annotated[Seasons, tyro.conf.arg(name="")]) -> None:
    """Seasons of held-out tasks: open, register, close."""


Command = Annotated[None, tyro.conf.subcommand("season", constructor=season)]
"""What `badger board` can do with seasons."""
