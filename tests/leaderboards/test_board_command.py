"""`badger board`: run, show, list."""

from pathlib import Path

import pytest

from leaderboards.boards.board import board_names
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.command import refused, run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    board = tiny_board(folder)
    (folder / "tiny-v1.toml").write_text(recipe_text(board.model_dump(exclude_none=True), "For tests."))
    return folder


def test_run_then_show(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    words = ("board", "run", place / "tiny-v1.toml", "--out", place / "runs", "--processes", 1)
    done = run(capsys, *words, "--seeds", 1, "--agents", "talk", "zeros", "--json")
    assert done.status == 0, done.err
    assert {row["agent"] for row in done.results} == {"talk", "zeros"}
    again = run(capsys, "board", "show", place / "tiny-v1.toml", "--runs", place / "runs")
    assert "preliminary: talk" in " ".join(again.out.split())
    assert "zeros" in again.out


def test_what_cannot_be_run_is_one_line(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    file = place / "tiny-v1.toml"
    assert "guessing-game-v1" in refused(capsys, "board", "show", "chess-v1")
    assert "badger board run" in refused(capsys, "board", "show", file, "--runs", place / "nowhere")
    words = ("board", "run", file, "--out", place / "other")
    assert "talk" in refused(capsys, *words, "--agents", "chess")
    assert "--processes" in refused(capsys, *words, "--processes", 0)
    assert "--seeds" in refused(capsys, *words, "--seeds", 11)


def test_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(capsys, "board", "list", "--json").results
    assert [row["value"] for row in rows] == board_names()
