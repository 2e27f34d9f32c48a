"""Families left out: which lines a board makes of it, what these train on, the table of family by agent."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from badger_envs.scoring import scale_of
from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.results import group, rows_of
from leaderboards.boards.units import units_of
from leaderboards.boards.work import make
from leaderboards.site.left_out import LeftOut, draw_left_out, left_out, table_rows
from leaderboards.statistics import Estimate

TWO_FAMILIES = """
name = "two"

[env]
id = "Badger/GuessingGame-v0"

[agent]
experts = 3

[agent.policy]
hidden_size = 8
message_size = 4

[agent.membrane]
kind = "attentional"

[training]
outer_steps = 1
batch_size = 4
estimator = "imitation"

[[training.stages]]

[[training.stages.mixture]]
env = { id = "Badger/GuessingGame-v0", horizon = 4 }

[[training.stages.mixture]]
env = { id = "Badger/Bandit-k5-n10-v0" }
"""


def board_of(folder: Path, **changes: Any) -> Board:
    (folder / "two.toml").write_text(TWO_FAMILIES, encoding="utf-8")
    tables: dict[str, Any] = {
        "name": "two-v1",
        "title": "Two",
        "seeds": 2,
        "tasks": 4,
        "main": "bandits",
        "leave_out_of": {"talk": ["silence", "untrained"]},
        "alone_of": ["talk"],
        "cells": {
            "bandits": {"id": "Badger/Bandit-k5-n10-v0"},
            "guessing": {"id": "Badger/GuessingGame-v0"},
        },
        "agents": {"talk": {"recipe": str(folder / "two.toml")}},
    }
    return Board.model_validate({**tables, **changes})


def test_lines_are_made_for_each_family_and_train_on_what_they_say(tmp_path: Path) -> None:
    board = board_of(tmp_path)
    assert set(board.agents) == {
        "talk",
        *(f"talk-without-{cell}{end}" for cell in board.cells for end in ("", "-silence", "-untrained")),
        *(f"talk-alone-{cell}" for cell in board.cells),
    }
    assert board.recipe("talk").met == {"Badger/GuessingGame-v0", "Badger/Bandit-k5-n10-v0"}
    assert board.recipe("talk-without-bandits").met == {"Badger/GuessingGame-v0"}
    assert board.recipe("talk-without-bandits-silence") is board.recipe("talk-without-bandits")
    assert board.recipe("talk-alone-bandits").met == {"Badger/Bandit-k5-n10-v0"}
    assert list(board.cells_of("talk-without-guessing-silence")) == ["bandits", "guessing"]


def test_what_cannot_be_left_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="'lost', which is no agent"):
        board_of(tmp_path, alone_of=["lost"])
    other = board_of(tmp_path, cells={"bandits": {"id": "Badger/XOR-v0"}})
    with pytest.raises(BoardError, match="without 'XOR'"):
        other.recipe("talk-without-bandits")
    with pytest.raises(BoardError, match="only with 'XOR'"):
        other.recipe("talk-alone-bandits")


def test_the_table_has_a_score_for_each_family_and_agent(tmp_path: Path) -> None:
    board = board_of(tmp_path, seeds=1)
    lines = ("talk-without-guessing", "talk-without-guessing-silence")
    units = units_of(board, tmp_path, agents=lines)
    rows = [row for unit in units for run in make(unit) for row in rows_of(board, run)]
    said = left_out(board, group(board, rows, "here"))
    head, bandits, guessing = table_rows(said)
    assert head[1:] == [
        "talk on all",
        "talk without it",
        "talk without it, silence",
        "talk without it, untrained",
        "talk on it alone",
    ]
    assert bandits[1:] == ["not run"] * 5
    assert [text == "not run" for text in guessing[1:]] == [True, False, False, True, True]
    scale = scale_of("Badger/GuessingGame-v0")
    for line, score in zip(lines, said.scores["guessing"][1:3], strict=True):
        (mean,) = [row.mean for row in rows if (row.agent, row.cell) == (line, "guessing")]
        assert score is not None
        assert score.value == pytest.approx(scale.score(mean))
    assert draw_left_out(said).axes[0].get_yticklabels()[1].get_text() == "guessing"


def test_a_mean_over_families_is_of_columns_that_have_all() -> None:
    low, high = Estimate(0.2, 0.1, 0.3, 10), Estimate(0.7, 0.6, 0.8, 10)
    rows = table_rows(LeftOut(("whole", "part"), {"bandits": (low, low), "guessing": (high, None)}))
    assert rows[-1] == ["mean", "0.45", ""]
    assert len(table_rows(LeftOut(("part",), {"bandits": (low,), "guessing": (None,)}))) == 3
