"""Boards as data: what they refuse, and that the suite's own can be run."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from pydantic import ValidationError

from badger_agents.class_loading import Trust
from badger_agents.recipe.loading import RecipeError
from leaderboards.boards import measuring
from leaderboards.boards.board import Board, BoardError, board_names, load_board
from leaderboards.boards.rows import RunRows, read_runs
from leaderboards.boards.standing import rival_of
from leaderboards.boards.units import rows_folder, units_of
from leaderboards.boards.work import make
from tests.badger_agents.small import small_toml
from tests.leaderboards.boards.tiny import tiny_board

MANY_LINES = ["generalist-v2"]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in MANY_LINES else name for name in board_names()],
)
def test_the_suites_boards_are_whole(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    prints = [board.fingerprint(agent) for agent in board.agents]
    assert len(set(prints)) == len(prints)  # no line is there twice
    assert board.seeds >= 10 or "preliminary" in board.about
    about = " ".join(board.about.replace("²", "2").lower().split()).split(". ")
    told = " ".join(
        sentence for sentence in about if "trials than the others" in sentence or "as many trials" in sentence
    )
    for agent, entrant in board.agents.items():
        rival = entrant.control_of or rival_of(board, agent)
        if (
            rival
            and entrant.recipe
            and entrant.role != "reference"
            and _trials(board, agent) > _trials(board, rival)
        ):
            assert agent.split("-")[0] in told, f"{agent} has more trials than {rival}: say so"


def _trials(board: Board, agent: str) -> int:
    training = board.recipe(agent).training
    assert training is not None
    return training.outer_steps * training.batch_size


@pytest.mark.parametrize(
    "name",
    [name if name == "xor-v1" else pytest.param(name, marks=pytest.mark.slow) for name in board_names()],
)
def test_a_smoke_run_of_every_agent_of_the_suites_boards(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "WATCHED", 2)
    board = load_board(name)
    tables = board.model_dump()
    tables |= {"seeds": 1, "tasks": 4}
    for agent in tables["agents"].values():
        if agent["role"] != "reference" and agent["recipe"]:
            agent["training"] |= {"outer_steps": 1, "batch_size": 4, "stages": [], "warm_up": 0}
    small = Board.model_validate(tables)
    for unit in units_of(small, tmp_path):
        for run in make(unit):
            assert run.ok
            assert {len(outcomes) for outcomes in run.outcomes.values()} == {4}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"main": "other"}, "no cell"),
        ({"compare_with": "other"}, "no agent"),
        ({"agents": {"a": {}}}, "recipe"),
        ({"agents": {"a": {"recipe": "x", "cells": ["long"]}}}, "main cell"),
        ({"agents": {"a": {"recipe": "x", "cells": ["lost"]}}}, "lacks"),
        ({"agents": {"a": {"recipe": "x", "control_of": "b"}}}, "no agent"),
        ({"agents": {"a": {"weights_of": "b"}}}, "no agent"),
        (
            {"agents": {"a": {"recipe": "x"}, "b": {"weights_of": "a", "env": {"dims": 2}}}},
            "nothing is trained",
        ),
        ({"agents": {"a": {"recipe": "x", "intervention": "sing"}}}, "intervention"),
        ({"seeds": 0}, "seeds"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_board_that_cannot_be_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        tiny_board(tmp_path, **changes)


def test_what_decides_an_agents_rows_changes_its_fingerprint(tmp_path: Path) -> None:
    board, longer = tiny_board(tmp_path), tiny_board(tmp_path, tasks=7)
    assert board.fingerprint("talk") == tiny_board(tmp_path).fingerprint("talk")
    assert board.fingerprint("talk") != longer.fingerprint("talk")
    assert board.fingerprint("talk") != board.fingerprint("shuffled")


def test_a_reference_must_be_without_weights_and_others_with(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    board.agents["zeros"] = board.agents["zeros"].model_copy(update={"role": "contestant"})
    with pytest.raises(BoardError, match="never trained"):
        board.fingerprint("zeros")


def test_unknown_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="guessing-game-v1"):
        load_board("chess-v1")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    with pytest.raises(BoardError, match="no TOML"):
        load_board(str(broken))
    broken.write_text('name = "x"')
    with pytest.raises(BoardError, match="name"):
        load_board(str(broken))


def test_outer_seeds_may_begin_later(tmp_path: Path) -> None:
    board = tiny_board(tmp_path, first_seed=5)
    assert {unit.seeds for unit in units_of(board, tmp_path)} == {(5, 6), (None,)}
    assert {unit.seeds for unit in units_of(board, tmp_path, ("talk",), 1)} == {(5,)}
    (unit,) = units_of(board, tmp_path, ("talk", "shuffled"))
    runs = {(run.agent, run.seed) for run in make(unit)}
    assert runs == {(line, seed) for line in ("talk", "shuffled") for seed in (5, 6)}
    found = read_runs(rows_folder(tmp_path, board), board)
    assert [run.seed for run in found["talk"]] == [5, 6]
    with pytest.raises(ValidationError, match=r"tuning\.seeds has 6, and the board's own are 5 to 6"):
        tiny_board(tmp_path, first_seed=5, tuning={"seeds": [0, 6], "optimisers": [{"kind": "adam"}]})


BOARD = """
name = "own-v1"
title = "own"
main = "d3"
{more}
[cells.d3]
id = "{id}"
{cell}
[agents.{agent}]
recipe = "guessing-hardwired"
{line}
"""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"agent": '"../out"'}, "pattern"),
        ({"agent": '"a/b"'}, "pattern"),
        ({"agent": '"[red]x"'}, "pattern"),
        ({"cell": 'split = "train"'}, "split is no setting of a cell"),
        ({"more": "floor = 1.0\nceiling = 1.0"}, "floor and ceiling are both 1.0"),
        ({"more": "floor = nan\nceiling = 1.0"}, "floor: Input should be a finite number"),
        ({"more": "success = inf"}, "success: Input should be a finite number"),
        ({"more": 'leave_out_of = ["badger"]'}, "leave_out_of must be a table"),
        ({"more": "leave_out_of = { badger = [] }", "id": ""}, "cannot be used|unknown|Malformed"),
        ({"more": f"q = {'[' * 2000}{']' * 2000}"}, "no TOML"),
    ],
    ids=str,
)
def test_what_is_wrong_in_a_board_is_told(tmp_path: Path, changes: dict[str, str], told: str) -> None:
    text = {"more": "", "id": "Badger/GuessingGame-v0", "cell": "", "agent": "badger", "line": ""}
    (tmp_path / "own.toml").write_text(BOARD.format(**{**text, **changes}))
    with pytest.raises((BoardError, gym.error.Error), match=told):
        load_board(str(tmp_path / "own.toml"))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "{package}:Badger/GuessingGame-v0"},
        {"cell": 'family = "{package}:X"'},
        {"line": 'policy = "{file}:X"'},
        {"id": "{package}:Badger/GuessingGame-v0", "more": "leave_out_of = {{ badger = [] }}"},
    ],
    ids=str,
)
def test_a_board_runs_no_code_that_nobody_named(
    tmp_path: Path, changes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "strange_package_of_tests.py"
    file.write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    text = {"more": "", "id": "Badger/GuessingGame-v0", "cell": "", "agent": "badger", "line": ""}
    text |= {key: value.format(package=file.stem, file=file) for key, value in changes.items()}
    (tmp_path / "own.toml").write_text(BOARD.format(**text))

    def opened() -> str:
        board = load_board(str(tmp_path / "own.toml"))
        return board.fingerprint("badger") + board.outcome

    with pytest.raises((BoardError, RecipeError, ValueError, TypeError), match=r"did not name|no setting"):
        opened()


def test_a_board_runs_the_policy_of_a_file_that_the_user_names(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from badger_agents.badger.policies.gru import GRUPolicy as Mine")
    text = {"more": "", "id": "Badger/GuessingGame-v0", "cell": "", "agent": "badger"}
    (tmp_path / "own.toml").write_text(BOARD.format(**text, line=f'policy = "{file}:Mine"'))
    board = load_board(str(tmp_path / "own.toml"), Trust.of(str(file)))
    policy = board.recipe("badger").agent_settings()["policy"]
    assert policy == {"kind": f"{file}:Mine"}


def test_a_board_runs_a_package_that_the_user_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: gym.registry.pop("Tests/Game-v0", None))  # for tests of all ids
    (tmp_path / "package_of_tests.py").write_text(
        "import badger_envs\n"
        "from badger_agents.badger.policies.gru import GRUPolicy as Mine\n"
        "badger_envs.register('Tests/Game-v0', 'badger_envs.families.guessing_game:GuessingGame')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    recipe = small_toml(tmp_path, 1)
    text = BOARD.format(
        more="seeds = 1\ntasks = 4", agent="badger", line='policy = "package_of_tests:Mine"',
        id="package_of_tests:Tests/Game-v0", cell="dims = 3\nhorizon = 4",
    ).replace("guessing-hardwired", str(recipe))  # fmt: skip
    (tmp_path / "own.toml").write_text(text)
    board = load_board(str(tmp_path / "own.toml"), Trust.of("package_of_tests"))
    (unit,) = units_of(board, tmp_path / "runs")
    (made,) = make(unit)
    assert isinstance(made, RunRows)
    assert made.facts["status"] == "ok"
