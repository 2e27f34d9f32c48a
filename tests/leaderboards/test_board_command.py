"""`badger board`: run, show, list."""

import json
from pathlib import Path

import pytest

from leaderboards.boards import rows
from leaderboards.boards.board import board_names, load_board
from leaderboards.boards.units import checkpoint_of, units_of
from leaderboards.boards.work import make
from leaderboards.commands.board import with_policy
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


def test_scales_and_other_cells_are_tables_of_their_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    name = "an-agent-whose-name-is-not-cut"
    tiny = tiny_board(tmp_path)
    scales = {"life": {"label": "steps of life", "cells": ["short", "long"], "values": [4, 6]}}
    extra = {"third": {"id": "Badger/GuessingGame-v0", "dims": 3, "horizon": 5}}
    board = tiny.model_dump(exclude_none=True) | {"scales": scales}
    board["cells"] |= extra
    talk = board["agents"]["talk"]
    board["agents"] = {name: talk, "ring": talk | {"agent": {"channel": {"topology": "ring"}}}}
    file = tmp_path / "tiny-v1.toml"
    file.write_text(recipe_text(board, "For tests."))
    words = ("board", "run", file, "--out", tmp_path / "runs", "--processes", 1, "--seeds", 1)
    alone = run(capsys, *words, "--agents", "ring")
    assert alone.status == 0, alone.err
    by_life = alone.out.split("mean error")[1]
    assert [line.split("│")[1].strip() for line in by_life.splitlines() if "│" in line] == ["4", "6"]
    found = run(capsys, *words)
    assert found.status == 0, found.err
    by_life, by_cell, main = (part for part in found.out.split("mean error")[1:4])
    assert "by steps of life" in by_life
    assert "third" in by_cell.splitlines()[2]
    assert "short" not in by_cell.splitlines()[2]
    assert all(name in part for part in (by_life, by_cell, main)), found.out
    assert "in short, lower is better" in " ".join(main.split())
    row, _ = run(capsys, "board", "show", file, "--runs", tmp_path / "runs", "--json").results
    assert {f"{cell}.mean" for cell in ("short", "long", "third")} <= row.keys()


def test_what_cannot_be_run_is_one_line(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    file = place / "tiny-v1.toml"
    assert "guessing-game-v1" in refused(capsys, "board", "show", "chess-v1")
    assert "badger board run" in refused(capsys, "board", "show", file, "--runs", place / "nowhere")
    words = ("board", "run", file, "--out", place / "other")
    assert "talk" in refused(capsys, *words, "--agents", "chess")
    assert "--processes" in refused(capsys, *words, "--processes", 0)
    assert "--seeds" in refused(capsys, *words, "--seeds", 11)


def test_a_policy_that_fails_in_training_is_one_line_and_its_traceback_is_kept(
    capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    bad = place / "bad.py"
    bad.write_text(
        POLICY.replace(
            "        return self.linear",
            "        if len(state) > 2:\n            raise OSError('no room')\n        return self.linear",
        )
    )
    words = ("board", "run", place / "tiny-v1.toml", "--out", place / "bad", "--policy", f"{bad}:Mine")
    done = run(capsys, *words, "--processes", 1)
    assert done.status == 2
    assert done.out == ""
    assert " ".join(done.err.split()).count("Mine failed: OSError: no room") == 1
    (kept,) = (place / "bad" / "tiny-v1").glob("*.error.txt")
    assert "in forward" in kept.read_text()


def test_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(capsys, "board", "list", "--json").results
    assert [row["value"] for row in rows] == board_names()


POLICY = """
import torch
from badger_agents import ExpertPolicy


class Mine(ExpertPolicy):
    message_size = 2
    draw_size = 4

    def __init__(self, reading_size):
        super().__init__()
        self.linear = torch.nn.Linear(4 + 2 + reading_size, 4 + 2 + 1)

    def initial_state(self, draws):
        return draws

    def forward(self, state, inbox, reading):
        return self.linear(torch.cat([state, inbox, reading], dim=-1)).tanh().split([4, 2, 1], dim=-1)
"""


def test_a_policy_of_one_s_own_is_trained_and_told_where_it_stands(
    capsys: pytest.CaptureFixture[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = place / "kept"
    (kept / "tiny-v1" / "runs").mkdir(parents=True)
    monkeypatch.setattr(rows, "FOLDER", kept)
    board = load_board(str(place / "tiny-v1.toml"))
    for unit in units_of(board, place / "theirs", ("talk",)):
        for made in make(unit):
            rows.write_run(kept / board.name / "runs", made)
    mine = place / "mine.py"
    mine.write_text(POLICY)
    words = ("board", "run", place / "tiny-v1.toml", "--out", place / "mine", "--processes", 1, "--json")
    done = run(capsys, *words, "--policy", f"{mine}:Mine")
    assert done.status == 0, done.err
    assert {row["agent"]: row["seeds"] for row in done.results} == {"talk": 2, "Mine": 2}
    assert "Mine is not distinguishable from talk" in json.loads(done.out)["note"]
    before = checkpoint_of(place / "mine", *with_policy(board, f"{mine}:Mine"), 0).read_bytes()
    mine.write_text(POLICY.replace("tanh", "sin"))  # another policy: trained anew
    assert run(capsys, *words, "--policy", f"{mine}:Mine").status == 0
    after = checkpoint_of(place / "mine", *with_policy(board, f"{mine}:Mine"), 0)
    assert after.read_bytes() != before
    for wrong in (f"{place}/other.py:Mine", "Mine", f"{mine}:talk", f"{mine}:Lost"):
        assert "Traceback" not in refused(capsys, *words, "--policy", wrong)
