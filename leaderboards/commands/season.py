"""`badger board season`: seasons of held-out tasks, opened, registered for and closed."""

import secrets
from pathlib import Path
from typing import Annotated

import tyro

from leaderboards.commands.submission import checked
from leaderboards.results import record, show
from leaderboards.submissions import season as seasons


def season_open(file: Annotated[Path, tyro.conf.Positional], *, nonce_file: Path, json: bool = False) -> None:
    """Open a season: publish the hash of a nonce that nobody else knows.

    Args:
        file: TOML file of the season, to be made.
        nonce_file: File with the nonce, a line of 32 characters or more; made, of random digits, if it is not
            there. Keep it to yourself until the season closes.
        json: Print the result as one JSON object.
    """
    if not nonce_file.exists():
        nonce_file.touch(mode=0o600)
        nonce_file.write_text(secrets.token_hex(32) + "\n")
    opened = seasons.open_season(file, nonce_file.read_text().strip())
    rows = [record("commitment", opened.commitment)]
    show(rows, as_json=json, title=f"season {file.stem} is open", note="publish the file, keep the nonce")


def season_register(
    file: Annotated[Path, tyro.conf.Positional],
    folder: Annotated[Path, tyro.conf.Positional],
    *,
    board: str | None = None,
    json: bool = False,
) -> None:
    """Let a submission take part in a season: write its hash into the season's file.

    Args:
        file: TOML file of an open season.
        folder: The submission; it is validated first.
        board: TOML file of its board, if that is not the suite's.
        json: Print the result as one JSON object.
    """
    checked(folder, board)
    taking = seasons.register(file, folder).registered
    show([record("registered", len(taking))], as_json=json, title=f"season {file.stem}", note="")


def season_close(
    file: Annotated[Path, tyro.conf.Positional], *, nonce_file: Path, json: bool = False
) -> None:
    """Close a season: reveal its nonce, from which everybody can compute its tasks.

    Args:
        file: TOML file of the season.
        nonce_file: File with the nonce.
        json: Print the result as one JSON object.
    """
    closed = seasons.close_season(file, nonce_file.read_text().strip())
    note = f"{len(closed.registered)} submissions; next: badger board verify FOLDER --season {file}"
    rows = [record("nonce", closed.nonce)]
    show(rows, as_json=json, title=f"season {file.stem} is closed", note=note)


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
