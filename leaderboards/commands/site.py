"""`badger board build`: write what boards say as pages that open from disk."""

from pathlib import Path
from typing import Annotated

import tyro

from leaderboards.boards.board import board_names, load_board
from leaderboards.boards.rows import kept_folder
from leaderboards.results import record, show
from leaderboards.site.build import site_files, write_site
from leaderboards.submissions.entries import FOLDER


def build(
    boards: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    runs: Path | None = None,
    out: Path = Path("docs/site"),
    json: bool = False,
) -> None:
    """Write the site: an overview, a page for each board and one for each agent. It needs no network.

    Submissions that lie in the suite are lines of their boards, self-reported or verified.

    The same rows give the same bytes. A site that is there is replaced; a folder with anything else in it is
    refused.

    Args:
        boards: Names of boards, or paths to TOML files; all of the suite's if not given.
        runs: Folder of `badger board run --out`, to show your own runs; the suite's if not given.
        out: Folder of the site.
        json: Print the result as one JSON object.
    """
    chosen = [load_board(name) for name in boards or board_names()]
    places = [kept_folder(each) if runs is None else runs / each.name / "rows" for each in chosen]
    files = site_files(list(zip(chosen, places, strict=True)), out, FOLDER if runs is None else None)
    write_site(files, out)
    size = round(sum(map(len, files.values())) / 1000)
    rows = [record("files", len(files)), record("size", size, unit="kB")]
    show(rows, as_json=json, title="Site", note=f"open {out / 'index.html'}")
