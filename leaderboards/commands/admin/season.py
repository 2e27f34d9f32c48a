"""`badger admin season`: seasons of held-out tasks, opened, registered for and closed."""

import secrets
from pathlib import Path
from typing import Annotated

import tyro

from leaderboards.commands.submission import checked
from leaderboards.results import record, show
from leaderboards.submissions.season import close_season, open_season, register


def season(
    file: Annotated[Path, tyro.conf.Positional],
    *,
    nonce_file: Path | None = None,
    submission: Path | None = None,
    close: bool = False,
    board: str | None = None,
    json: bool = False,
) -> None:
    """Held-out tasks that everybody can check: open a season, register submissions, and close it.

    Args:
        file: TOML file of the season; made if it is opened.
        nonce_file: To open and to close: file with the nonce, a line of 32 characters or more; made if it
            is not there. Keep it to yourself until the season closes.
        submission: To register: folder of a submission, which is validated first.
        close: Reveal the nonce, from which everybody can compute the tasks.
        board: To register: TOML file of the submission's board, if that is not the suite's.
        json: Print the result as one JSON object.
    """
    if (nonce_file is None) == (submission is None):
        raise ValueError("give --nonce-file, to open or --close a season, or --submission, to register one")
    if submission is not None:
        checked(submission, board)
        found = register(file, submission)
    else:
        assert nonce_file is not None
        if not nonce_file.exists() and not close:
            nonce_file.touch(mode=0o600)
            nonce_file.write_text(secrets.token_hex(32) + "\n", encoding="utf-8")
        found = (close_season if close else open_season)(file, nonce_file.read_text(encoding="utf-8").strip())
    rows = [record("commitment", found.commitment), record("registered", len(found.registered))]
    state = "open: publish the file, keep the nonce" if found.nonce is None else f"closed: {found.nonce}"
    show(rows, as_json=json, title=f"season {file.stem}", note=state)
