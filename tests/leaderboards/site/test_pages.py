"""Pages of boards: the same results give the same bytes, and a page says what the board says."""

from pathlib import Path

import pytest

from leaderboards.boards.board import BoardError
from leaderboards.site.pages import pages
from tests.leaderboards.boards.made_up import failed, made_up
from tests.leaderboards.boards.tiny import tiny_board

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
