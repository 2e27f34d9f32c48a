"""Forgetting and transfer of agents in sequences: what is compared, and the command."""

import csv
import json
from pathlib import Path

import pytest

from badger_agents.training.loop import train
from badger_envs import family_of
from baselines.constant_policies import Constant
from leaderboards.cli import call
from paper.gradual import gradual, measured, visits
from tests.badger_agents.small import small_recipe


def test_which_visits_are_compared() -> None:
    game = {"id": "Badger/GuessingGame-v0", "horizon": 2}
    assert visits(family_of("Badger/Sequence-v0")) == (1, 2, 0)
    order = family_of("Badger/Sequence-v0", tasks=[game, game, game], order=[0, 0, 1, 2])
    assert visits(order) == (2, 1, 0)
    for family in (family_of("Badger/Bandit-v0"), family_of("Badger/Sequence-v0", order=[0, 1])):
        with pytest.raises(ValueError, match="another task comes and one comes again"):
            visits(family)


def test_who_learns_nothing_forgets_nothing_keeps_nothing_and_b_comes_first_with_the_same_tasks() -> None:
    family = family_of("Badger/Sequence-v0", split="test")
    found = measured(Constant(), family, 50)
    assert found["forgetting"] == found["transfer"] == 0
    assert found["first"] == found["again"] != found["after"]
    assert found["alone"] == found["after"]
    assert found["new"] not in (found["first"], found["after"])
    assert found["kept"] == found["new"] - found["again"]


def test_an_untrained_agent_gets_a_line_per_measure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game = {"id": "Badger/GuessingGame-v0", "horizon": 2}
    env = {"id": "Badger/Sequence-v0", "tasks": [game, game], "horizon": 6}
    train(small_recipe(name="small", env=env, training={"outer_steps": 1}), 0, tmp_path / "run")
    file = tmp_path / "gradual.csv"
    call(gradual, "gradual", [str(tmp_path / "run"), "--trials", "4", "--out", str(file), "--json"])
    rows = {row["name"]: row["value"] for row in json.loads(capsys.readouterr().out)["results"]}
    assert rows["forgetting"] == pytest.approx(rows["again"] - rows["first"])
    assert rows["transfer"] == pytest.approx(rows["alone"] - rows["after"])
    written = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["run"] for row in written] == [*[""] * 8, *["0"] * 8]
    assert [float(row["value"]) for row in written[8:]] == list(rows.values())


def test_runs_or_a_board_are_asked_for_and_a_board_that_nobody_trained_is_named(tmp_path: Path) -> None:
    for asked in ({}, {"runs": ("runs/a",), "board": "sequence-v1"}):
        with pytest.raises(ValueError, match="or a board: one of both"):
            gradual(**asked)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no trained agents of sequence-v1; make some: badger board run"):
        gradual(board="sequence-v1", kept=tmp_path)
