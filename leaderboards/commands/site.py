"""`badger board build`: write what boards say as Markdown pages with pictures."""

from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.atomic_files import write_together
from leaderboards.boards.board import board_names, load_board
from leaderboards.boards.results import FILE, read_results
from leaderboards.commands.board_text import kept
from leaderboards.results import record, show
from leaderboards.site.pages import pages


def build(
    boards: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    runs: Path | None = None,
    out: Path = Path("runs/pages"),
    json: bool = False,
) -> None:
    """Write a Markdown page for each board, with its pictures, for the documentation.

    The same results give the same bytes.

    Args:
        boards: Names of boards, or paths to TOML files; all of the suite's if not given.
        runs: Folder of `badger board run --out`, to show your own runs; the suite's if not given.
        out: Folder of the pages.
        json: Print the result as one JSON object.
    """
    chosen = [load_board(name) for name in boards or board_names()]
    found = [
        kept(board)[:2] if runs is None else (board, read_results(board, runs / board.name / FILE))
        for board in chosen
    ]
    files = pages(found)
    out.mkdir(parents=True, exist_ok=True)
    write_together({out / name: text for name, text in files.items()})
    show([record("files", len(files))], as_json=json, title="Pages of boards", note=f"in {out}")
