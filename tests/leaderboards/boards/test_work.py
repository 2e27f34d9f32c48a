"""Running boards: the same rows however often it is stopped, nothing made twice, nothing lost."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from badger_agents.evaluation import evaluate
from badger_agents.outer_loop import CHECKPOINT
from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.rows import read_run, read_runs, write_run
from leaderboards.boards.work import do, first_below, jobs_of, missing
from leaderboards.runs import open_run
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.test_killing import ROOT


def made(folder: Path, board: Board) -> dict[str, bytes]:
    """Rows by file name, unpacked, and facts without what a clock says."""
    for job in missing(jobs_of(board, folder)):
        do(job)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted((folder / "rows").iterdir()):
        if path.suffix == ".json":
            facts = json.loads(path.read_text())
            del facts["seconds"]
            found[path.name] = json.dumps(facts).encode()
        elif path.suffix == ".gz":
            found[path.name] = path.read_bytes()
    return found


def test_rows_are_those_of_train_and_evaluate(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    (job,) = [job for job in jobs_of(board, tmp_path, ("talk",)) if job.seed == 1]
    run = do(job)
    agent = open_run(str(tmp_path / "talk-seed1")).agent
    alone = evaluate(agent, board.cells["long"].family(), board.tasks, seed=0).outcomes
    np.testing.assert_allclose(run.outcomes["long"], alone.numpy(), rtol=1e-6)
    assert run.facts["trials"] == 3 * 8
    assert run.facts["outer_steps"] == 3
    text = gzip.decompress((tmp_path / "rows" / "talk-seed1.csv.gz").read_bytes()).decode()
    assert text.splitlines()[0] == "cell,task,outcome"
    assert len(text.splitlines()) == 1 + 2 * board.tasks


def test_an_intervention_uses_the_trained_weights_seed_by_seed(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    made(tmp_path, board)
    runs = read_runs(tmp_path / "rows", board)
    for talk, shuffled in zip(runs["talk"], runs["shuffled"], strict=True):
        assert talk.facts["weights_sha256"] == shuffled.facts["weights_sha256"]
    assert runs["talk"][0].facts["weights_sha256"] != runs["talk"][1].facts["weights_sha256"]
    heard, null = runs["talk"][0].facts["influence"]
    assert null == 0
    assert heard >= 0
    assert [run.seed for run in runs["zeros"]] == [None]


def test_a_finished_run_is_never_made_again_and_a_stale_one_is(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    made(tmp_path, board)
    assert missing(jobs_of(board, tmp_path)) == []
    other = tiny_board(tmp_path, tasks=7)
    assert len(missing(jobs_of(other, tmp_path))) == len(jobs_of(other, tmp_path))


def test_damaged_rows_are_told(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    (job,) = [job for job in jobs_of(board, tmp_path) if job.agent == "zeros"]
    run = do(job)
    short = run._replace(outcomes={"short": run.outcomes["short"][:-1]})
    write_run(job.rows, short)
    with pytest.raises(BoardError, match="lacks tasks of short"):
        read_run(job.rows, board, "zeros", None)
    (job.rows / "zeros.csv.gz").write_bytes(b"nothing")
    with pytest.raises(BoardError, match="damaged"):
        read_run(job.rows, board, "zeros", None)


def test_a_diverged_training_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from badger_agents import outer_loop

    def diverge(*words: object, **settings: object) -> None:
        raise outer_loop.DivergenceError("no finite loss")

    monkeypatch.setattr(outer_loop, "train", diverge)
    board = tiny_board(tmp_path)
    job = jobs_of(board, tmp_path, ("talk",))[0]
    job.folder.joinpath(job.name).mkdir()
    run = do(job)
    assert not run.ok
    assert "no finite loss" in run.facts["status"]
    kept = read_run(job.rows, board, "talk", 0)
    assert kept is not None
    assert kept.outcomes == {}


def test_what_a_board_does_not_have_is_refused(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    with pytest.raises(ValueError, match="talk, silent"):
        jobs_of(board, tmp_path, ("chess",))
    with pytest.raises(ValueError, match="--seeds"):
        jobs_of(board, tmp_path, seeds=3)


def test_the_outer_step_at_which_a_loss_is_first_below() -> None:
    log = [{"step": 10 * i, "loss": loss} for i, loss in enumerate([5, 5, 5, 0, 0, 0, 0, 0, 0])]
    assert first_below(log, 0.5) == 70
    assert first_below(log, -1) is None
    assert first_below(log[:4], 9) is None


def test_killed_at_random_moments_it_ends_with_the_same_rows(tmp_path: Path) -> None:
    outer_steps = 60
    through = made(tmp_path / "through", tiny_board(tmp_path, outer_steps))
    board = tiny_board(tmp_path, outer_steps)
    file = tmp_path / "tiny-v1.toml"
    file.write_text(recipe_text(board.model_dump(exclude_none=True), "A board for tests."))
    command = [sys.executable, "-m", "leaderboards.cli", "board", "run", str(file), "--processes", "2"]
    command += ["--out", str(tmp_path / "killed")]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    draws = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(
            command, cwd=ROOT, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_a_checkpoint(tmp_path / "killed", process)
        time.sleep(draws.random() * 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "killed" / "tiny-v1") == through


def wait_for_a_checkpoint(folder: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not list(folder.glob(f"*/*/{CHECKPOINT}")) and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.05)
