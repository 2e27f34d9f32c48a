"""Pages of boards, and where their rows come from."""

from pathlib import Path
from typing import Any

import pytest

from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.results import Run
from leaderboards.boards.standing import standings
from leaderboards.site.origins import earlier, origins, trials
from leaderboards.site.pages import pages
from leaderboards.tuning.choosing import TuningRow, tuning_fingerprint, tuning_of
from tests.leaderboards.boards.made_up import failed, made_up
from tests.leaderboards.boards.tiny import tiny_board

# Pages of boards: the same results give the same bytes, and a page says what the board says.


MEANS = {"talk": 0.1, "silent": 1.7, "self-loop": 1.7, "shuffled": 1.9}


def test_two_builds_are_equal_and_every_picture_is_there(tmp_path: Path) -> None:
    scales = {"life": {"label": "steps", "cells": ["short", "long"], "values": [4, 6]}}
    board = tiny_board(tmp_path, seeds=10, floor=2.0, ceiling=0.0, scales=scales)
    built = [pages([(board, made_up(board, MEANS))]) for _ in range(2)]
    assert built[0] == built[1]
    pictures = {name for name in built[0] if name.endswith(".svg")}
    assert pictures == {f"tiny-v1-{which}.svg" for which in ("outcomes", "life", "profiles")}
    page = built[0]["tiny-v1.md"].decode()
    assert all(f"]({name})" in page for name in pictures)
    assert "](tiny-v1.md)" in built[0]["index.md"].decode()


def test_who_fails_is_said_before_any_mean(tmp_path: Path) -> None:
    board = tiny_board(tmp_path, seeds=10, floor=2.0, ceiling=0.0)
    results = made_up(board, {**MEANS, "silent": 0.7})
    results["talk"] = [failed(results["talk"][0]), *results["talk"][1:]]
    page = pages([(board, results)])["tiny-v1.md"].decode()
    assert page.index("Failed (score below 0.9) on some outer seeds: talk 1 of 10") < page.index("| agent |")
    assert "| talk | retrained" not in page
    assert "| talk | silent | -" in page  # with a failed seed, talk is worse than silence


def test_a_board_without_runs_is_refused(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    with pytest.raises(BoardError, match="no finished runs"):
        pages([(board, {agent: [] for agent in board.agents})])


# Where rows come from: what a reader must know before comparing lines is computed, not written by hand.


RATES = [{"kind": "adam", "learning_rate": rate} for rate in (0.002, 0.004)]
TUNING: dict[str, Any] = {"seeds": [100], "optimisers": RATES}


def results_of(board: Board, *, trials_of: dict[str, int]) -> dict[str, list[Run]]:
    """Runs of some lines by today's definition, which met so many trials in training."""

    def today(run: Run) -> Run:
        facts = {"fingerprint": board.fingerprint(run.agent), "trials": trials_of.get(run.agent, 0)}
        return run._replace(rows={cell: row._replace(**facts) for cell, row in run.rows.items()})

    made = made_up(board, dict.fromkeys(trials_of, 0.1))
    return {agent: [today(run) for run in runs] for agent, runs in made.items()}


def tuned_rows(board: Board, agent: str, *means: float) -> list[TuningRow]:
    fingerprint = tuning_fingerprint(board, agent)
    return [
        TuningRow(agent, each.model_dump_json(), 100, "ok", mean, fingerprint)
        for each, mean in zip(tuning_of(board).optimisers, means, strict=True)
    ]


def test_what_was_not_run_and_what_was_not_tuned_is_said(tmp_path: Path) -> None:
    board = tiny_board(tmp_path, tuning=TUNING)
    results = results_of(board, trials_of={"talk": 100, "silent": 100})
    assert origins(board, results, []) == [
        "Not run: self-loop, shuffled.",
        "No optimiser was tuned: each is its recipe's.",
    ]
    assert origins(board, results, tuned_rows(board, "talk", 0.2, 0.1)) == [
        "Not run: self-loop, shuffled.",
        "Optimisers: tuned alike (2 candidates, outer seeds 100, validation), but not silent;"
        " 1 of 1 chosen at an end of the rates tried (--tuning).",
    ]
    assert earlier(board, results) == ""


def test_rows_of_another_definition_are_named_and_nothing_is_said_of_their_tuning(tmp_path: Path) -> None:
    results = results_of(tiny_board(tmp_path, tuning=TUNING), trials_of={"talk": 100, "silent": 100})
    changed = tiny_board(tmp_path, tuning=TUNING, tasks=7)
    assert earlier(changed, results) == "Rows of an earlier definition of the board: all."
    assert origins(changed, results, []) == ["Not run: self-loop, shuffled."]
    many = {f"shuffled-{i}": changed.agents["shuffled"] for i in range(30)}
    large = changed.model_copy(update={"agents": changed.agents | many})
    (said,) = origins(large, results | {name: [] for name in many}, [])
    assert said.endswith(", shuffled-13 and 16 more.")
    results["zeros"] = []
    agents = changed.model_dump()["agents"]
    agents["silent"]["agent"]["channel"]["delay"] = 1
    partly = tiny_board(tmp_path, tuning=TUNING, agents=agents)
    assert earlier(partly, results) == "Rows of an earlier definition of the board: silent."


def test_more_trials_than_the_agent_that_it_is_compared_with_are_told_as_a_factor(tmp_path: Path) -> None:
    agents = tiny_board(tmp_path).model_dump()["agents"]
    agents["long"] = {"recipe": agents["talk"]["recipe"]}
    board = tiny_board(tmp_path, agents=agents)
    results = results_of(board, trials_of={"talk": 76_800, "long": 102_400})
    told = {line.agent: trials(board, results, line) for line in standings(board, results)}
    assert told["talk"] == "76,800"
    assert told["long"] == "x1.3 102,400"
