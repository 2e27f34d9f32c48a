"""The committed site is what `badger board build` makes of the committed rows, byte for byte."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from leaderboards.boards.board import board_names, load_board
from leaderboards.boards.rows import kept_folder
from leaderboards.site.build import MANIFEST, STATIC, board_files, rows_of, site_files, submitted
from leaderboards.site.pages import HERE
from leaderboards.site.view import view_of
from leaderboards.submissions.entries import FOLDER
from tests.leaderboards.commands.test_killing import ROOT

SITE = ROOT / "docs" / "site"
AGAIN = "build it again: badger board build"


def size_of_rows(name: str) -> int:
    return sum(path.stat().st_size for path in kept_folder(load_board(name)).glob("*"))


BOARDS = sorted(board_names(), key=size_of_rows)
RUN = [name for name in BOARDS if size_of_rows(name)]
QUICK = (RUN or BOARDS)[0]
"""The board with the fewest rows: what code or templates change shows in it too."""


@pytest.fixture
def manifest() -> dict[str, dict[str, object]]:
    return json.loads((SITE / MANIFEST).read_text(encoding="utf-8"))


def skip_if_others_drew_it(manifest: dict[str, dict[str, object]]) -> None:
    """Other versions of these libraries draw other bytes; the continuous integration has the same."""
    here = {name: version(name) for name in manifest["libraries"]}
    if here != manifest["libraries"]:
        pytest.skip(f"the site was built with {manifest['libraries']}; here are {here}")


def on_disk() -> dict[str, bytes]:
    paths = [path for path in SITE.rglob("*") if path.is_file()]
    return {path.relative_to(SITE).as_posix(): path.read_bytes() for path in paths}


def test_it_was_built_from_the_committed_rows(manifest: dict[str, dict[str, object]]) -> None:
    rows = {name: rows_of(kept_folder(load_board(name))) for name in board_names()}
    assert manifest["boards"] == rows, AGAIN
    assert manifest["submissions"] == submitted(FOLDER), AGAIN
    assert sorted(on_disk()) == sorted(manifest["files"]), AGAIN
    for name in STATIC:
        assert (SITE / name).read_bytes() == (HERE / name).read_bytes(), AGAIN


def test_pages_and_pictures_of_the_smallest_board_are_current(
    manifest: dict[str, dict[str, object]],
) -> None:
    skip_if_others_drew_it(manifest)
    board = load_board(QUICK)
    files = board_files(view_of(board, kept_folder(board), FOLDER), SITE)
    found = on_disk()
    assert [name for name, data in files.items() if found.get(name) != data] == [], AGAIN


@pytest.mark.slow
def test_all_of_it_is_current(manifest: dict[str, dict[str, object]]) -> None:
    skip_if_others_drew_it(manifest)
    boards = [(board, kept_folder(board)) for board in map(load_board, board_names())]
    files, found = site_files(boards, SITE, FOLDER), on_disk()
    assert sorted(files) == sorted(found), AGAIN
    assert [name for name, data in files.items() if found[name] != data] == [], AGAIN


def test_its_links_to_raw_rows_lead_to_where_they_are_kept() -> None:
    for name in board_names():
        page = (SITE / "boards" / f"{name}.html").read_text(encoding="utf-8")
        place = f"../../../leaderboards/boards/{name}/runs"
        assert (place in page) == kept_folder(load_board(name)).is_dir()
        assert (SITE / "boards" / Path(place)).resolve() == kept_folder(load_board(name)).resolve()
