"""One trial in numbers, kept beside a run's rows."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from badger_agents.rollout import rollout
from badger_envs import keyed_random
from leaderboards.boards.board import Board, load_board
from leaderboards.boards.measuring import measured_agent
from leaderboards.boards.trial import STEPS, TALKING, first_trial
from leaderboards.boards.units import units_of
from leaderboards.boards.work import make
from tests.leaderboards.boards.tiny import opener, tiny_board


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return tiny_board(tmp_path_factory.mktemp("trial"))


def test_it_is_the_first_test_task_as_it_is_measured(board: Board) -> None:
    agent, family = board.recipe("talk").make_agent(), board.cells["short"].family()
    keys = keyed_random.outer_keys(board.task_seed, 0, 2, "test", like=torch.zeros(()))
    with torch.no_grad():
        alone = rollout(agent, family, keys, record=True).trace
    kept = first_trial(board, agent)
    for name in ("outputs", "solution", "messages"):
        assert len(kept[name]) == family.horizon
        np.testing.assert_allclose(kept[name], alone[name][:, 0].numpy(), atol=0.005 + 1e-6)
    assert json.loads(json.dumps(kept)) == kept


def test_interventions_show(board: Board) -> None:
    plain, shuffled = (
        first_trial(board, measured_agent(board, line, "short", opener(board)))
        for line in ("talk", "shuffled")
    )
    assert shuffled["solution"] == plain["solution"]
    assert shuffled["outputs"] != plain["outputs"]
    assert shuffled.keys() == plain.keys()


def test_slots_that_are_not_in_use_are_left_out_and_few_experts_kept() -> None:
    board = load_board("scaling-v1")
    kept = first_trial(board, board.recipe("badger").make_agent())
    assert np.array(kept["outputs"]).shape == (20, 6)
    assert np.array(kept["messages"]).shape[:2] == (20, TALKING)
    assert "messages" not in first_trial(board, board.recipe("gru-monolith").make_agent())


def test_of_arms_it_keeps_which_was_pulled_and_which_is_best() -> None:
    board = load_board("bandits-v1")
    kept = first_trial(board, board.recipe("random").make_agent())
    assert kept.keys() == {"choice", "best"}
    assert len(kept["choice"]) == STEPS
    assert len(set(kept["best"])) == 1
    assert {*kept["choice"], *kept["best"]} <= set(range(5))


def test_the_first_outer_seed_and_references_keep_one(board: Board, tmp_path: Path) -> None:
    runs = [run for unit in units_of(board, tmp_path, ("talk", "zeros"), 2) for run in make(unit)]
    kept = {(run.agent, run.seed): "trial" in run.facts for run in runs}
    assert kept == {("talk", 0): True, ("talk", 1): False, ("zeros", None): True}
