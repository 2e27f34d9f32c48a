"""Scales of a board: who is better at which sizes, in numbers and in words."""

from pathlib import Path

import numpy as np
import pytest

from leaderboards.boards.board import Board
from leaderboards.boards.results import Row, Run
from leaderboards.boards.scaling import crossings, curves
from tests.leaderboards.boards.made_up import NOTHING
from tests.leaderboards.boards.tiny import tiny_board

PLACES = (4, 6, 8, 10)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Two contestants over four lengths of life."""
    cells = {f"h{at}": {"id": "Badger/GuessingGame-v0", "dims": 3, "horizon": at} for at in PLACES}
    recipe = tiny_board(tmp_path).agents["talk"].recipe
    ring = {"channel": {"topology": "ring"}}
    agents = {"talk": {"recipe": recipe}, "ring": {"recipe": recipe, "agent": ring}}
    scale = {"label": "steps", "cells": list(cells), "values": list(PLACES)}
    return tiny_board(tmp_path, cells=cells, agents=agents, main="h4", seeds=30, scales={"life": scale})


def runs(board: Board, gains: list[float]) -> dict[str, list[Run]]:
    """By how much "talk" has less error than "ring", at each place; noise of 0.1 by seed."""
    noise = np.random.default_rng(0).normal(size=(2, 30, len(PLACES))) * 0.1
    found: dict[str, list[Run]] = {}
    for number, agent in enumerate(("talk", "ring")):
        means = 1 + noise[number] + number * np.array(gains)
        found[agent] = [Run(agent, seed, _rows(agent, seed, row)) for seed, row in enumerate(means)]
    return found


def _rows(agent: str, seed: int, means: np.ndarray) -> dict[str, Row]:
    known = {**NOTHING, "agent": agent, "seed": seed, "status": "ok", "tasks": 6}
    return {f"h{at}": Row(**{**known, "cell": f"h{at}", "mean": means[i]}) for i, at in enumerate(PLACES)}


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        ([1, 1, 1, 1], "no crossing: talk is better at 4, 6, 8, 10"),
        ([-1, -1, 1, 1], "crossing: ring is better at 4, 6; talk is better at 8, 10"),
        ([-1, 0, 1, 0], "crossing: ring is better at 4; talk is better at 8; no difference shown at 6, 10"),
        ([1, -1, 1, 1], "crossing: talk is better at 4; ring is better at 6; talk is better at 8, 10"),
        ([0, 0, 1, 1], "no crossing: talk is better at 8, 10; no difference shown at 4, 6"),
        ([0, 0, 0, 0], "no difference shown anywhere between talk and ring"),
    ],
)
def test_who_is_better_where(board: Board, gains: list[float], told: str) -> None:
    (crossing,) = crossings(board, runs(board, gains))
    assert crossing.sentence == f"steps, talk against ring: {told}"
    assert [place for place, _ in crossing.differences] == list(PLACES)
    for (_, found), gain in zip(crossing.differences, gains, strict=True):
        assert found.low <= gain <= found.high  # ring minus talk


def test_who_is_better_is_corrected_for_all_places_and_contestants(board: Board) -> None:
    few = {agent: found[:10] for agent, found in runs(board, [1, 1, 1, 1]).items()}
    (crossing,) = crossings(board, few)
    assert all(found.low > 0 for _, found in crossing.differences)  # each by itself would be shown
    assert crossing.sentence.endswith("no difference shown anywhere between talk and ring")


def test_curves_are_means_over_outer_seeds(board: Board) -> None:
    made = runs(board, [0, 0, 0, 0])
    points = curves(board, made, "life")["talk"]
    assert [point.place for point in points] == list(PLACES)
    mean = np.mean([run.rows["h6"].mean for run in made["talk"]])
    assert points[1].outcome.value == pytest.approx(mean)
