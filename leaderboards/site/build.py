"""Building the site: from boards and their rows to files, the same bytes each time."""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from badger_agents.atomic_files import write_together
from leaderboards.boards.board import Board
from leaderboards.site import pages
from leaderboards.site.view import View, view_of
from leaderboards.submissions.manifest import RESULTS

MANIFEST = "build.json"
"""What a site was built with and from, and which files it has."""

LIBRARIES = ("matplotlib", "numpy", "jinja2")
"""Other versions of these may draw or write other bytes."""

STATIC = ("style.css", "script.js")


class SiteError(ValueError):
    """A site that cannot be built there; the message says why."""


def site_files(
    boards: Sequence[tuple[Board, Path]], site: Path, submissions: Path | None = None
) -> dict[str, bytes]:
    """All files of the site, by their path in it.

    Args:
        boards: boards, and the folders where their runs lie; one that is not there has none yet.
        site: where the site will lie, for its links to raw rows; nothing is written.
        submissions: with submissions, as BOARD/NAME/, which are lines of their boards; None for none.

    Raises:
        SiteError: two boards have the same name.
        BoardError: rows are damaged, or a submission is not valid.
    """
    names = [board.name for board, _ in boards]
    if len(set(names)) != len(names):
        raise SiteError(f"boards are {', '.join(names)}; each name may be there once")
    views = [view_of(board, folder, submissions) for board, folder in boards]
    made = pages.templates()
    files = {"index.html": pages.overview(views, made).encode()}
    for view in views:
        files |= board_files(view, site)
    files |= pages.agents(views, made)
    files |= {name: (pages.HERE / name).read_bytes() for name in STATIC}
    files[MANIFEST] = _manifest(views, [*files, MANIFEST], submissions)
    return files


def board_files(view: View, site: Path) -> dict[str, bytes]:
    """The files of one board, by their path in the site; see `site_files`."""
    page = pages.board(view, site, pages.templates())
    files = {f"boards/{view.board.name}.html": page.html.encode()}
    if view.begun:
        files[f"data/{view.board.name}.csv"] = page.data.encode()
    return files | {f"figures/{picture.name}.svg": picture.svg for picture in page.pictures}


def write_site(files: dict[str, bytes], site: Path) -> None:
    """Write a site in place of the one that is there; what that had and this has not is removed.

    Raises:
        SiteError: the folder holds something else than a site, or cannot be written.
    """
    old = _files_of(site)
    try:
        for name in files:
            (site / name).parent.mkdir(parents=True, exist_ok=True)
        write_together({site / name: data for name, data in files.items()})
        for name in sorted(set(old) - set(files)):
            (site / name).unlink(missing_ok=True)
    except OSError as error:
        raise SiteError(f"cannot write into {site} ({error.strerror}); choose another --out") from error


def _files_of(site: Path) -> list[str]:
    """Files of the site that is there; none if the folder is empty or not there."""
    if not site.is_dir() or not any(site.iterdir()):
        return []
    try:
        found = json.loads((site / MANIFEST).read_text(encoding="utf-8"))["files"]
        root = site.resolve()
        if all((root / name).resolve().is_relative_to(root) for name in found):
            return list(found)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise SiteError(f"{site} holds something that is no site of badger's; choose an empty folder as --out")


def _manifest(views: Sequence[View], files: Sequence[str], submissions: Path | None) -> bytes:
    facts = {
        "libraries": {name: version(name) for name in LIBRARIES},
        "boards": {view.board.name: rows_of(view.folder) for view in views},
        "submissions": {} if submissions is None else submitted(submissions),
        "files": sorted(files),
    }
    return (json.dumps(facts, indent=1) + "\n").encode()


def submitted(folder: Path) -> dict[str, str]:
    """SHA-256 of what was verified of each submission, by its place as BOARD/NAME/FILE."""
    paths = sorted(folder.glob(f"*/*/{RESULTS}"))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }


def rows_of(folder: Path) -> dict[str, str | int]:
    """How many files of rows there are in a folder, and the SHA-256 of their names and bytes."""
    digest = hashlib.sha256()
    paths = sorted([*folder.glob("*.csv.gz"), *folder.glob("*.json")])
    for path in paths:
        digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return {"row_files": len(paths), "sha256": digest.hexdigest()}
