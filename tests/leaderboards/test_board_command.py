"""`badger board`: run, show, list."""

import json
from pathlib import Path

import pytest

from badger_agents.training.run import CHECKPOINT
from leaderboards.boards import results
from leaderboards.boards.board import FOLDER, Board, board_names, load_board
from leaderboards.boards.finished import put_together
from leaderboards.boards.units import rows_folder, run_folder, units_of
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


def make_here(board: Board, out: Path, agents: tuple[str, ...] = (), seeds: int | None = None) -> None:
    """What `badger board run` makes in processes of its own, each of which takes seconds to start."""
    for unit in units_of(board, out, agents, seeds):
        assert list(make(unit))


def test_run_then_show(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    words = ("board", "run", place / "tiny-v1.toml", "--out", place / "runs", "--processes", 1)
    make_here(load_board(str(place / "tiny-v1.toml")), place / "runs", ("zeros",))
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
    make_here(load_board(str(file)), tmp_path / "runs", seeds=1)
    words = ("board", "run", file, "--out", tmp_path / "runs", "--processes", 1, "--seeds", 1)
    assert run(capsys, *words).status == 0
    show = ("board", "show", file, "--runs", tmp_path / "runs")
    cells = run(capsys, *show, "--cells").out
    by_life = cells.split("mean error by steps of life")[1]
    assert by_life.splitlines()[1].split() == ["4", "6"]
    assert name in by_life
    assert "third" not in cells  # a single cell beside the scales has no table
    main = run(capsys, *show).out
    assert "error (lower is better)" in main
    assert name in main
    assert max(map(len, main.splitlines())) <= 80
    row = run(capsys, *show, "--json").results[0]
    assert {"ci95", "failure_rate_ci95", "succeeded_ci95", "operations"} <= row.keys()


@pytest.mark.parametrize("name", [name for name in board_names() if (FOLDER / name / results.FILE).is_file()])
def test_every_board_fits_a_terminal_and_says_first_who_fails(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    lines = run(capsys, "board", "show", name).out.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert any(told in "".join(lines[:5]) for told in ("failed (", "no agent fails"))
    if name == "bandits-v1":
        assert "unshared 2 of 10" in "".join(lines[:5])
    assert not any("e-" in word and word[0].isdigit() for line in lines for word in line.split())
    assert max(map(len, run(capsys, "board", "show", name, "--cells").out.splitlines())) <= 80


def test_a_name_that_is_nearly_right_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'xor-v1'" in refused(capsys, "board", "show", "xor-1")


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
            "        return self.say",
            "        if len(state) > 2:\n            raise OSError('no room')\n        return self.say",
        )
    )
    words = ("board", "run", place / "tiny-v1.toml", "--out", place / "bad", "--policy", f"{bad}:Mine")
    done = run(capsys, *words, "--processes", 1)
    assert done.status == 2
    assert done.out == ""
    assert " ".join(done.err.split()).count("Mine failed: OSError: no room") == 1
    (kept,) = (place / "bad" / "tiny-v1").glob("*.error.txt")
    assert "in emit" in kept.read_text()


def test_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(capsys, "board", "list", "--json").results
    assert [row["id"] for row in rows] == board_names()


POLICY = """
import torch
from badger_agents import ExpertPolicy


class Mine(ExpertPolicy):
    message_size = 2
    draw_size = 4

    def __init__(self, reading_size):
        super().__init__()
        self.say = torch.nn.Linear(4 + reading_size, 2)
        self.think = torch.nn.Linear(4 + 2 + reading_size, 4 + 1)

    def initial_state(self, draws):
        return draws

    def emit(self, state, reading):
        return self.say(torch.cat([state, reading], dim=-1)).tanh()

    def update(self, state, inbox, reading):
        return self.think(torch.cat([state, inbox, reading], dim=-1)).tanh().split([4, 1], dim=-1)
"""


def test_of_the_boards_policy_nothing_holds_for_one_s_own(tmp_path: Path) -> None:
    tiny, mine = tiny_board(tmp_path), tmp_path / "mine.py"
    mine.write_text(POLICY)
    wide = tiny.agents["talk"].model_copy(update={"agent": {"policy": {"kind": "gru", "hidden_size": 9}}})
    board, own = with_policy(tiny.model_copy(update={"agents": {"talk": wide}}), f"{mine}:Mine")
    assert board.recipe(own).agent_settings()["policy"] == {"kind": f"{mine}:Mine"}


def test_a_policy_of_one_s_own_is_trained_and_told_where_it_stands(
    capsys: pytest.CaptureFixture[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = place / "kept"
    monkeypatch.setattr(results, "FOLDER", kept)
    board = load_board(str(place / "tiny-v1.toml"))
    make_here(board, place / "theirs", ("talk",))
    (kept / board.name).mkdir(parents=True)
    put_together(board, rows_folder(place / "theirs", board), kept / board.name)
    mine = place / "mine.py"
    mine.write_text(POLICY)
    make_here(with_policy(board, f"{mine}:Mine")[0], place / "mine", ("Mine",))
    words = ("board", "run", place / "tiny-v1.toml", "--out", place / "mine", "--processes", 1, "--json")
    done = run(capsys, *words, "--policy", f"{mine}:Mine")
    assert done.status == 0, done.err
    assert {row["agent"]: row["seeds"] for row in done.results} == {"talk": 2, "Mine": 2}
    assert "Mine: no difference shown to talk" in json.loads(done.out)["note"]
    before = (run_folder(place / "mine", *with_policy(board, f"{mine}:Mine"), 0) / CHECKPOINT).read_bytes()
    mine.write_text(POLICY.replace("tanh", "sin"))  # another policy: trained anew
    assert run(capsys, *words, "--policy", f"{mine}:Mine").status == 0
    after = run_folder(place / "mine", *with_policy(board, f"{mine}:Mine"), 0) / CHECKPOINT
    assert after.read_bytes() != before
    for wrong in (f"{place}/other.py:Mine", "Mine", f"{mine}:talk", f"{mine}:Lost"):
        assert "Traceback" not in refused(capsys, *words, "--policy", wrong)
