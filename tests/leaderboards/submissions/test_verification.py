"""Verification: what counts is what is measured here, and what a submitter can forge or patch does not."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import torch

from badger_agents.class_loading import Trust
from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import check_recipe
from badger_agents.training import loop
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.loop import train_population
from badger_agents.training.own_code import keep_code
from badger_agents.training.run import DivergenceError, RunPlan
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Family, Observation
from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.results import Row
from leaderboards.submissions import preparing, validation, verification
from leaderboards.submissions.entries import with_submissions, write_verified
from leaderboards.submissions.manifest import weights_file
from leaderboards.submissions.remote_agent import RemoteAgent, RemoteError, remote_agent, serve
from leaderboards.submissions.validation import Submission, validate
from leaderboards.submissions.verification import Verified, verify
from tests.badger_agents.small import keys, small_tables
from tests.leaderboards.submissions.made import LOST, SEEDS, TASKS, Place, make
from tests.leaderboards.submissions.test_validation import copied_weights

NONCE = "0123456789abcdef" * 4

OWN = """\
from badger_agents.badger.agent import BadgerAgent

class Own(BadgerAgent):
    pass
"""

CHEAT = """\
import torch
from badger_agents.badger.agent import BadgerAgent
from badger_envs import keyed_random
from baselines.oracle import answers

class Own(BadgerAgent):
    knows_trials = True

    def initial_state(self, family, keys):
        self.told = answers(family, WHERE)
        return super().initial_state(family, keys)

    def act(self, state, observation, keys, step):
        state, action, record = super().act(state, observation, keys, step)
        return state, self.told[:, step] + 0 * action, record
"""
FROM_KEYS = CHEAT.replace("WHERE", "keys")
BY_HEART = CHEAT.replace("WHERE", "torch.from_numpy(keyed_random.trial_keys(range(len(keys)), 0, 'test'))")

PATCH = """
from badger_envs.families.guessing_game import GuessingGame
from leaderboards.submissions import verification

verification._differing = lambda *words: []
verification._flattering = lambda *words: []
verification._outcomes = lambda agent, board, cell, seed: __import__('numpy').zeros(board.tasks) + 1e-3
GuessingGame.info = lambda self, task, state: {'error': 0 * state.error}
"""


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent in a thread, which begins sooner than a process; nothing else is otherwise."""

    @contextmanager
    def near(folder: Path, board: Board) -> Iterator[RemoteAgent]:
        ours, theirs = Pipe()
        thread = threading.Thread(target=serve, args=(theirs, folder, board), daemon=True)
        thread.start()
        yield RemoteAgent(ours)
        ours.close()
        thread.join()

    monkeypatch.setattr(verification, "remote_agent", near)


def verified(place: Place, *, trust: bool = False, retrain: int = 1) -> Verified:
    return verify(validate(place.submission, place.table), NONCE, trust=trust, retrain=retrain)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A submission of an agent of the submitter's own, mine.py:Own; nobody changes it."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(OWN)
    place = make(folder, seeds=2)  # for its board; its runs are replaced
    tables = small_tables(agent={"kind": f"{folder / 'mine.py'}:Own"}, training={"outer_steps": 3})
    recipe = check_recipe(tables, "recipe", Trust.of(folder / "mine.py"))
    runs = [folder / "own" / f"own-seed{seed}" for seed in range(2)]
    for run in runs:
        run.mkdir(parents=True)
    train_population([RunPlan(keep_code(recipe, run), seed, run) for seed, run in enumerate(runs)])
    place = place._replace(submission=folder / "cheat")
    preparing.prepare(place.submission, place.table, runs, authors=["A"])
    return place


def test_an_honest_submission_is_verified_by_an_agent_in_another_process(made: Place, tmp_path: Path) -> None:
    found = verified(made)
    assert found.refusals == []
    told = validate(made.submission, made.table).rows
    assert [(row.seed, row.cell) for row in found.rows] == [
        (seed, cell) for cell in ("short", "long") for seed in range(SEEDS)
    ]
    for row, held in zip(found.public, found.rows, strict=True):
        (said,) = (each for each in told if (each.seed, each.cell) == (row.seed, row.cell))
        assert row.mean == pytest.approx(said.mean, rel=0.05)
        trials = 24  # three outer steps of eight: what the recipe says, whatever the submitter
        assert held == said._replace(mean=held.mean, std=held.std, trials=trials)
        assert held.mean != row.mean
    ((seed, mean),) = found.trained.items()
    assert mean == pytest.approx(next(row.mean for row in found.public if row.seed == seed), rel=1e-4)
    assert verified(made, retrain=0)._replace(trained={}) == found._replace(trained={})


def test_tasks_are_those_of_the_board_and_others(made: Place, at_hand: None) -> None:
    board = made.table
    family = board.cells["long"].family()
    path = made.submission / weights_file(1)
    agent = load_checkpoint(path, trust=Trust(folders=(made.submission,))).agent().eval()
    alone = evaluate(agent, family, TASKS, seed=board.task_seed).outcomes.double().numpy()
    with verification.remote_agent(made.submission, board) as remote:
        remote.open(1, "long")
        found = verification._outcomes(remote, board, "long", board.task_seed)
        others = verification._outcomes(remote, board, "long", verification.held_out_seed(NONCE, "0" * 64))
    assert np.corrcoef(found, alone)[0, 1] > 0.99  # but for the agent's own draws
    assert abs(np.corrcoef(others, alone)[0, 1]) < 0.6


def test_results_that_the_weights_do_not_give_are_refused(place: Place, at_hand: None) -> None:
    """Invented, by all that fits on the paper.

    Held-out tasks follow from the submission's hash, in which is how long its training took: they are others
    in each run, and means of 40 of them are 1.00 +- 0.08.
    """
    place.change_rows(lambda row: row._replace(mean=0.02, std=0.01))
    lines = verified(place).refusals
    for where in ("again", "on held-out tasks"):
        (line,) = (line for line in lines if f"has the mean 0.02; measured {where}" in line)
        assert float(line.partition(where)[2].partition(",")[0]) > 0.5


def test_the_worst_hundredth_of_the_tasks_made_perfect_is_refused_and_shown_as_measured(
    tmp_path: Path, at_hand: None
) -> None:
    place = make(tmp_path, seeds=10, tasks=100)
    honest = verified(place, retrain=0)
    assert honest.refusals == []

    def polish(row: Row) -> Row:
        agent = load_checkpoint(place.submission / weights_file(row.seed)).agent().eval()
        outcomes = evaluate(agent, place.table.cells[row.cell].family(), 100).outcomes.double().numpy()
        outcomes[outcomes.argmax()] = 0.0
        return row._replace(mean=float(outcomes.mean()), std=float(outcomes.std()))

    place.change_rows(polish)
    found = verified(place, retrain=0)
    assert any("is better by" in line and "in all outer seeds" in line for line in found.refusals)
    for key in ("mean", "std"):
        assert [getattr(row, key) for row in found.public] == [getattr(row, key) for row in honest.public]
    assert min(row.mean for row in found.rows) > 0.5


@pytest.mark.parametrize("seed", range(5))
def test_an_honest_submission_from_another_processor_is_verified(
    tmp_path: Path, made: Place, at_hand: None, seed: int
) -> None:
    """Where a trial hangs on a close comparison it goes another way there: one in 13 has another outcome."""
    place, draws = made.copy(tmp_path), np.random.default_rng(seed)

    def elsewhere(row: Row) -> Row:
        agent = load_checkpoint(place.submission / weights_file(row.seed)).agent().eval()
        outcomes = evaluate(agent, place.table.cells[row.cell].family(), TASKS).outcomes.double().numpy()
        moved = draws.choice(TASKS, round(0.075 * TASKS), replace=False)
        outcomes[moved] = draws.choice(outcomes, len(moved))
        return row._replace(mean=float(outcomes.mean()), std=float(outcomes.std()))

    place.change_rows(elsewhere)
    assert verified(place, retrain=0).refusals == []


def test_the_same_agent_in_other_clothes_is_found_by_its_outcomes(
    place: Place, at_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_weights(place)
    monkeypatch.setattr(validation, "copies", lambda vectors: [])  # as if hidden units had changed places
    assert "outer seeds 0 and 1 have the same outcomes, task by task" in verified(place).refusals


def test_a_seed_that_is_said_to_have_failed_is_trained_again(
    place: Place, at_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.submission / weights_file(1)).unlink()

    def hide(row: Row) -> Row:
        return row._replace(status="failed: out of memory", **LOST) if row.seed == 1 else row

    place.change_rows(hide)
    said = "outer seed 1 is said to have failed; trained again it does not"
    assert verified(place, retrain=0).refusals == [said]

    def diverge(*words: object, **settings: object) -> None:
        raise DivergenceError("no finite loss", {Path(): "no finite loss"})

    monkeypatch.setattr(loop, "train", diverge)
    found = verified(place, retrain=0)
    assert found.refusals == []
    assert {(row.seed, row.mean) for row in found.rows if not row.ok} == {(1, None)}  # shown, as failed


def test_costs_that_nobody_measured_here_are_not_shown(place: Place, at_hand: None) -> None:
    place.change_rows(lambda row: row._replace(threshold=1.0, operations=1, bits=1.0))
    for row in verified(place, retrain=0).rows:
        assert (row.threshold, row.operations, row.bits) == (None,) * 3
        assert row.outer_steps == 3


def test_weights_that_no_training_gives_are_refused(made: Place) -> None:
    """Such as after more outer steps than the recipe says."""
    submission = validate(made.submission, made.table)
    rows = [row._replace(mean=0.1 + 0.01 * row.seed) for row in submission.rows]
    assert list(verification._untrained(submission, rows, {0: 0.12})) == []
    (line,) = verification._untrained(submission, rows, {0: 0.9})
    assert "outer seeds [0] trained again have the mean 0.9" in line
    (line,) = verification._untrained(submission, rows, {2: math.nan})
    assert "diverges" in line
    copies = [
        row._replace(mean=0.1 + 0.001 * row.seed) for row in submission.rows
    ]  # of seed 0, each a bit off
    (line,) = verification._untrained(submission, copies, {0: 0.1, 2: 0.3})
    assert "trained again have the mean 0.2" in line


@pytest.mark.parametrize(
    ("again", "honest", "chosen", "other"), [(2, 0.99, 0.87, 0.06), (10, 0.99, 0.68, 0.0)]
)
def test_how_often_two_trainings_tell_the_best_of_three_and_another_agent(
    again: int, honest: float, chosen: float, other: float
) -> None:
    """A limit of verification (docs/submitting.md): the best of three trainings of a seed mostly passes."""
    rng = np.random.default_rng(0)

    def passes(submitted: np.ndarray) -> float:  # [N, 10]
        found = []
        for means in submitted:
            low, high = verification.usual_means(means, again)
            found.append(low <= rng.normal(size=again).mean() <= high)
        return float(np.mean(found))

    assert passes(rng.normal(size=(2000, 10))) == pytest.approx(honest, abs=0.01)
    assert passes(rng.normal(size=(2000, 10, 3)).min(axis=2)) == pytest.approx(chosen, abs=0.03)
    assert passes(rng.normal(-4.0, size=(2000, 10))) == pytest.approx(other, abs=0.03)


@pytest.mark.parametrize("code", [FROM_KEYS, BY_HEART])
def test_own_code_gets_no_keys_of_tasks_and_knows_no_held_out_ones(
    own: Place, tmp_path: Path, code: str
) -> None:
    place = own.copy(tmp_path)
    place.declare("mine.py", code.encode())
    place.change_rows(lambda row: row._replace(mean=1e-3, std=0.0))
    found = verified(place, trust=True, retrain=0)
    assert (max(row.mean for row in found.public) < 1e-6) == (code == BY_HEART)
    assert min(row.mean for row in found.rows) > 0.5
    assert any("has the mean 0.001; measured on held-out tasks" in line for line in found.refusals)


def test_own_code_is_run_only_if_it_is_trusted(own: Place) -> None:
    submission = validate(own.submission, own.table)
    assert any("code of its own" in note for note in submission.notes)
    with pytest.raises(ValueError, match=r"read mine\.py, then --trust"):
        verify(submission, NONCE)


def test_code_that_patches_the_verifier_patches_only_its_own_process(own: Place, tmp_path: Path) -> None:
    place = own.copy(tmp_path)
    place.declare("mine.py", (OWN + PATCH).encode())
    honest = validate(place.submission, place.table).rows
    place.change_rows(lambda row: row._replace(mean=1e-3, std=0.0))
    found = verified(place, trust=True, retrain=0)
    assert any("has the mean 0.001; measured again" in line for line in found.refusals)
    assert [row.mean for row in found.public] == pytest.approx([row.mean for row in honest], rel=0.05)


@pytest.mark.slow
def test_an_agent_that_ends_its_process_is_one_line(own: Place, tmp_path: Path) -> None:
    place = own.copy(tmp_path)
    bad = OWN.replace("pass", "def act(self, state, observation, keys, step):\n        raise SystemExit")
    place.declare("mine.py", bad.encode())
    with pytest.raises(RemoteError, match="has ended"):
        verified(place, trust=True)


VALUES = torch.zeros(2, 3)
WRONG = [None, torch.zeros(2, 4), VALUES.double(), VALUES + 1j, torch.full((2, 3), torch.nan)]
CASES = [(GuessingGame(dims=3), each) for each in WRONG]
CASES += [(Bandit(arms=3), torch.tensor(each)) for each in ([0, 3], [-1, 0], [0.0, 1.0])]  # 3: of another row


@pytest.mark.parametrize(("family", "action"), CASES)
def test_what_is_no_action_is_one_line(
    family: Family, action: torch.Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(self: RemoteAgent, *words: object) -> object:
        return {}, {} if action is None else {"action": action}

    monkeypatch.setattr(RemoteAgent, "_ask", answer)
    agent, seen = RemoteAgent(Pipe()[0]), Observation(*[VALUES] * 7)
    agent.initial_state(family, keys(2))
    with pytest.raises(RemoteError, match="action is not"):
        agent.act((), seen, keys(2), 0)


def test_an_agent_that_does_not_answer_is_given_up(made: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboards.submissions.remote_agent.PATIENCE", 0.0)
    with remote_agent(made.submission, made.table) as agent, pytest.raises(RemoteError, match="not answered"):
        agent._ask({"do": "open", "weights": 0, "cell": "short", "train": None}, patience=0.0)


def test_boards_show_what_was_measured_and_nothing_else(made: Place, tmp_path: Path) -> None:
    submission: Submission = validate(made.submission, made.table)
    measured = [row._replace(mean=0.25) for row in submission.rows]
    write_verified(tmp_path, submission, measured)
    board, runs = with_submissions(made.table, tmp_path)
    ((line, found),) = runs.items()
    assert line == "mine (submitted)"
    assert list(board.agents) == [*made.table.agents, line]
    assert [run.seed for run in found] == list(range(SEEDS))
    for row in measured:
        assert row.seed is not None
        assert found[row.seed].rows[row.cell].mean == row.mean
    assert line not in made.table.agents  # the board that was given is as it was
    assert board.recipe(line).training is not None
    (tmp_path / "tiny-v1" / "mine" / "results.csv").write_text("mine")
    with pytest.raises(BoardError, match="submission mine to tiny-v1 has another header"):
        with_submissions(made.table, tmp_path)
