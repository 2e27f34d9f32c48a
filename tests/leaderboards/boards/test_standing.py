"""What boards say: order, pairs, failed and few seeds, and the claim gate, on made-up rows."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leaderboards.boards.board import Board
from leaderboards.boards.claims import Verdict, verdicts
from leaderboards.boards.rows import RunRows
from leaderboards.boards.standing import difference, place, standing
from tests.leaderboards.boards.tiny import tiny_board

GOOD = {"talk": 0.1, "silent": 0.7, "self-loop": 0.7, "shuffled": 0.9}


def rows(
    board: Board,
    means: Mapping[str, float],
    seeds: int = 10,
    spread: float = 0.02,
    influence: Callable[[str], Any] = lambda agent: [0.3, 0.0],
) -> dict[str, list[RunRows]]:
    """Runs with these means over seeds; what a seed does is common to all agents."""
    draws = np.random.default_rng(0)
    common, noise = draws.normal(size=seeds), draws.normal(size=(9, seeds, board.tasks)) * 1e-3
    found: dict[str, list[RunRows]] = {agent: [] for agent in board.agents}
    for number, (agent, mean) in enumerate(means.items()):
        for seed in range(seeds):
            outcomes = mean + spread * common[seed] + noise[number, seed]
            facts = {"status": "ok", "parameters": 10, "seconds": 1.0, "influence": influence(agent)}
            facts |= {"outer_steps": 500, "outer_steps_to_threshold": None}
            found[agent].append(RunRows(agent, seed, {cell: outcomes for cell in board.cells}, facts))
    value = {"short": np.full(board.tasks, 1.0)}
    found["zeros"] = [RunRows("zeros", None, value, {"status": "ok", "parameters": 0})]
    return found


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return tiny_board(tmp_path, seeds=10)


def test_the_best_comes_first_and_references_stand_beside(board: Board) -> None:
    lines = standing(board, rows(board, GOOD))
    assert [line.agent for line in lines][:1] == ["talk"]
    assert lines[-1].agent == "zeros"
    assert [line.group for line in lines] == ["a", "b", "b", "c", ""] or [line.group for line in lines] == [
        "a",
        "b",
        "c",
        "d",
        "",
    ]
    assert not any(line.preliminary for line in lines)
    silent = next(line for line in lines if line.agent == "silent")
    assert silent.compared_with == "talk"
    assert silent.difference is not None
    assert silent.difference.value == pytest.approx(0.6, abs=1e-3)
    assert silent.difference.high - silent.difference.low < 0.01  # what is common to pairs drops out
    assert silent.cells["short"].high - silent.cells["short"].low > 0.01


def test_failed_and_few_seeds_are_told(board: Board) -> None:
    found = rows(board, GOOD)
    found["talk"] = found["talk"][:8] + [
        run._replace(outcomes={}, facts={"status": "failed: nan"}) for run in found["talk"][8:]
    ]
    (line,) = [line for line in standing(board, found) if line.agent == "talk"]
    assert line.failed == (8, 9)
    assert line.preliminary
    assert line.group == ""


def test_seeds_are_paired_by_number_and_a_reference_is_there_for_each(board: Board) -> None:
    found = rows(board, GOOD)
    same = difference(found["talk"][2:8], found["silent"], "short")
    assert same is not None
    assert same.n == 6
    reference = difference(found["zeros"], found["talk"], "short")
    assert reference is not None
    assert reference.n == 10
    assert reference.value == pytest.approx(0.9, abs=0.05)
    assert difference(found["talk"][:2], found["silent"][2:], "short") is None


def gate(board: Board, found: dict[str, list[RunRows]]) -> Verdict:
    (verdict,) = verdicts(board, found)
    return verdict


def test_the_gate_passes_where_all_conditions_hold(board: Board) -> None:
    verdict = gate(board, rows(board, GOOD))
    assert verdict.passed
    assert verdict.sentence.startswith("Communication helps")
    assert len(verdict.checks) == 5


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"silent": 0.1}, "retrained without communication"),
        ({"silent": 0.05}, "retrained without communication"),
        ({"self-loop": 0.1}, "self-loop"),
        ({"shuffled": 0.1}, "shuffling"),
    ],
)
def test_the_gate_says_what_failed(board: Board, change: dict[str, float], failed: str) -> None:
    verdict = gate(board, rows(board, {**GOOD, **change}, spread=0))
    assert not verdict.passed
    assert "helps" not in verdict.sentence
    assert failed in verdict.sentence
    assert sum(not check.holds for check in verdict.checks) == 1


def test_the_gate_asks_for_ten_seeds_and_for_influence(board: Board) -> None:
    assert "10 outer seeds" in gate(board, rows(board, GOOD, seeds=9)).sentence
    deaf = gate(board, rows(board, GOOD, influence=lambda agent: [0.0, 0.0]))
    assert [check.what for check in deaf.checks if not check.holds] == [
        "messages influence what others write more than silence does"
    ]
    assert not gate(board, rows(board, GOOD, influence=lambda agent: None)).passed


def test_without_all_controls_there_is_no_verdict(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    agents = {name: table for name, table in board.agents.items() if name != "self-loop"}
    assert verdicts(board.model_copy(update={"agents": agents}), rows(board, GOOD)) == []


def test_learning_sooner_than_in_silence_is_told_in_pairs(board: Board) -> None:
    found = rows(board, GOOD)
    assert "not distinguishable" in gate(board, found).speed
    for seed, run in enumerate(found["talk"]):
        run.facts["outer_steps_to_threshold"] = 100 + seed if seed else None
    for seed, run in enumerate(found["silent"]):
        run.facts["outer_steps_to_threshold"] = 300 + seed if seed > 4 else None
    said = gate(board, found).speed
    assert "talk 9 of 10 seeds, silent 5 of 10 seeds" in said
    assert "-259 [" in said  # 0, then 101 - 500 and so on, then five times -200
    assert said.endswith("sooner.")
    assert gate(board.model_copy(update={"threshold": None}), found).speed == ""


def test_where_an_agent_stands_is_told_in_words(board: Board) -> None:
    tables = board.model_dump()
    tables["agents"]["mine"] = tables["agents"]["talk"]
    wider = Board.model_validate(tables)
    found = rows(wider, {**GOOD, "mine": 0.5})
    assert place(wider, found, "mine").startswith("mine is worse than talk (0.4")
    found = rows(wider, {**GOOD, "mine": 0.05})
    assert place(wider, found, "mine").startswith("mine is better than talk (-0.0")
    assert place(wider, {**found, "mine": found["talk"]}, "mine") == "mine is not distinguishable from talk"
    assert "nobody" in place(wider, {**found, "talk": []}, "mine")
