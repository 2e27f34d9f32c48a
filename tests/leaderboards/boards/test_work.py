"""Running boards: the same rows however often it is stopped, nothing made twice, nothing lost."""

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_agents.training import loop
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.loop import train, train_population
from badger_agents.training.run import CHECKPOINT, DivergenceError, RunPlan
from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.finished import TASKS, put_together
from leaderboards.boards.results import COSTS, FILE, read_costs, read_results
from leaderboards.boards.rows import RunRows, read_run, read_runs, write_run
from leaderboards.boards.units import missing, rows_folder, run_folder, shard_of, units_of
from leaderboards.boards.work import first_below, make
from leaderboards.runs import open_run
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.commands.test_killing import ROOT


def made(out: Path, board: Board, agents: tuple[str, ...] = ()) -> list[RunRows]:
    return [run for unit in missing(units_of(board, out, agents)) for run in make(unit)]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    made(folder, tiny_board(folder))
    return folder


@pytest.fixture
def ready(made_once: Path, tmp_path: Path) -> Path:
    """A folder of one's own with all runs of the tiny board."""
    return shutil.copytree(made_once, tmp_path / "ready")


def contents(out: Path, board: Board) -> tuple[bytes, bytes]:
    """What is put together of finished runs: results and all outcomes, to the byte."""
    folder = out / board.name
    assert put_together(board, rows_folder(out, board), folder)
    return (folder / FILE).read_bytes(), (folder / TASKS).read_bytes()


def test_rows_are_those_of_the_trained_weights(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    run = {run.seed: run for run in made(tmp_path, board, ("talk",))}[1]
    agent = open_run(str(run_folder(tmp_path, board, "talk", 1))).agent
    alone = evaluate(agent, board.cells["long"].family(), board.tasks, seed=0).outcomes
    np.testing.assert_allclose(run.outcomes["long"], alone.numpy(), rtol=1e-6)
    assert run.facts["trials"] == 3 * 8
    assert run.facts["outer_steps"] == 3
    assert run.facts["side_by_side"] == 2
    text = gzip.decompress((tmp_path / "tiny-v1" / "rows" / "talk-seed1.csv.gz").read_bytes()).decode()
    assert text.splitlines()[0] == "cell,outcome"
    assert len(text.splitlines()) == 1 + 2 * board.tasks


def test_a_seed_of_a_board_is_the_seed_that_badger_train_trains(ready: Path) -> None:
    board = tiny_board(ready)
    kept = load_checkpoint(run_folder(ready, board, "talk", 1) / CHECKPOINT)
    alone = train(board.recipe("talk"), 1, ready / "alone")
    for name, weight in alone.weights.items():
        torch.testing.assert_close(kept.weights[name], weight, atol=1e-5, rtol=1e-5)


def test_boards_share_trainings(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "outer_step", lambda *_: pytest.fail("trained once more"))
    tables = tiny_board(ready, name="other-v1", tasks=7).model_dump()
    tables["agents"]["renamed"] = {**tables["agents"].pop("self-loop"), "control_of": None}
    assert len(made(ready, Board.model_validate(tables))) == 9


def test_an_intervention_uses_the_trained_weights_seed_by_seed(ready: Path) -> None:
    board = tiny_board(ready)
    runs = read_runs(rows_folder(ready, board), board)
    for talk, shuffled in zip(runs["talk"], runs["shuffled"], strict=True):
        assert talk.facts["weights_sha256"] == shuffled.facts["weights_sha256"]
    assert runs["talk"][0].facts["weights_sha256"] != runs["talk"][1].facts["weights_sha256"]
    heard, null = runs["talk"][0].facts["influence"]
    assert null > 0
    assert heard > 0
    assert [run.seed for run in runs["zeros"]] == [None]


def test_a_finished_run_is_never_made_again_and_a_stale_one_is(ready: Path) -> None:
    board = tiny_board(ready)
    assert missing(units_of(board, ready)) == []
    other = tiny_board(ready, tasks=7)
    assert missing(units_of(other, ready)) == units_of(other, ready)


def test_damaged_rows_are_told(tmp_path: Path) -> None:
    board, rows = tiny_board(tmp_path), tmp_path / "tiny-v1" / "rows"
    (run,) = made(tmp_path, board, ("zeros",))
    write_run(rows, run._replace(outcomes={"short": run.outcomes["short"][:-1]}))
    with pytest.raises(BoardError, match="lacks tasks of short"):
        read_run(rows, board, "zeros", None)
    (rows / "zeros.csv.gz").write_bytes(b"nothing")
    with pytest.raises(BoardError, match="damaged"):
        read_run(rows, board, "zeros", None)


def test_rows_as_an_older_version_wrote_them_are_not_read(tmp_path: Path) -> None:
    board, rows = tiny_board(tmp_path), tmp_path / "tiny-v1" / "rows"
    made(tmp_path, board, ("zeros",))
    file = rows / "zeros.csv.gz"
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    old = [lines[0].replace(",", ",task,"), *(line.replace(",", ",0,") for line in lines[1:])]
    file.write_bytes(gzip.compress("\n".join(old).encode()))
    assert read_run(rows, board, "zeros", None) is None
    assert missing(units := units_of(board, tmp_path, ("zeros",))) == units


def test_what_a_training_cost(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    facts = next(run.facts for run in made(tmp_path, board, ("talk",)) if run.seed == 0)
    training = board.recipe("talk").training
    assert training is not None
    assert facts["outer_steps"] == training.outer_steps
    assert facts["trials"] == training.outer_steps * training.batch_size
    assert facts["seconds"] > 0


def test_of_stages_with_batch_sizes_of_their_own_trials_are_not_told(tmp_path: Path) -> None:
    tables = tiny_board(tmp_path).model_dump()
    tables["agents"]["talk"]["training"]["stages"] = [{"outer_steps": 1}, {"batch_size": 2}]
    board = Board.model_validate(tables)
    assert {run.facts["trials"] for run in made(tmp_path, board, ("talk",))} == {None}


def test_a_diverged_training_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(plans: list[RunPlan], **settings: object) -> None:
        train_population(plans)
        raise DivergenceError("lost", {plans[1].folder: "no finite loss"})

    board = tiny_board(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_population", diverge)
        first = {(run.agent, run.seed): run for run in made(tmp_path, board, ("talk", "shuffled"))}
    assert first["talk", 0].ok
    for line in ("talk", "shuffled"):
        assert not first[line, 1].ok
        assert "no finite loss" in first[line, 1].facts["status"]
        kept = read_run(rows_folder(tmp_path, board), board, line, 1)
        assert kept is not None
        assert kept.outcomes == {}
    again = {(run.agent, run.seed): run for run in made(tmp_path, tiny_board(tmp_path, tasks=7), ("talk",))}
    assert not again["talk", 1].ok  # it is not tried again
    assert again["talk", 0].ok


def test_a_cell_that_an_agent_cannot_be_measured_in_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    cells = {"short": {"id": "Badger/GuessingGame-v0", "agent": {"windows": 3}}}
    board = tiny_board(tmp_path, cells=cells)
    (unit,) = units_of(board, tmp_path / "out", ("talk",))
    with pytest.raises(ValueError, match=r"agent.windows: unknown key"):
        next(make(unit))
    assert not (tmp_path / "out" / "trained").exists()


def test_what_a_board_does_not_have_is_refused(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    with pytest.raises(ValueError, match="talk, silent"):
        units_of(board, tmp_path, ("chess",))
    with pytest.raises(ValueError, match="--seeds"):
        units_of(board, tmp_path, seeds=3)


def test_shards_are_disjoint_and_together_one_run(tmp_path: Path, ready: Path) -> None:
    board = tiny_board(tmp_path)
    for shard in ("1/3", "2/3", "3/3"):
        for unit in shard_of(units_of(board, tmp_path / shard[0]), shard):
            assert list(make(unit))
        names = {path.name for path in rows_folder(tmp_path / shard[0], board).iterdir()}
        there = rows_folder(tmp_path / "all", board)
        assert names.isdisjoint(path.name for path in (there.iterdir() if there.exists() else ()))
        shutil.copytree(tmp_path / shard[0], tmp_path / "all", dirs_exist_ok=True)
    assert missing(units_of(board, tmp_path / "all")) == []
    assert contents(tmp_path / "all", board) == contents(ready, board)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "-1/2"])
def test_what_is_no_shard_is_refused(tmp_path: Path, shard: str) -> None:
    with pytest.raises(ValueError, match="1/4, 2/4"):
        shard_of(units_of(tiny_board(tmp_path), tmp_path), shard)


def test_seeds_that_cannot_be_stacked_are_units_of_their_own(tmp_path: Path) -> None:
    def staged(*stages: dict[str, Any]) -> Board:
        tables = tiny_board(tmp_path).model_dump()
        tables["agents"]["talk"]["training"]["stages"] = stages
        return Board.model_validate(tables)

    assert [unit.seeds for unit in units_of(tiny_board(tmp_path), tmp_path, ("talk", "shuffled"))] == [(0, 1)]
    same = staged({"outer_steps": 1}, {"agent": {"channel": {"topology": "ring"}}})
    assert [unit.seeds for unit in units_of(same, tmp_path, ("talk",))] == [(0, 1)]
    drawn = staged({"outer_steps": 1}, {"env": {"horizon": [2, 4]}})
    units = units_of(drawn, tmp_path, ("talk", "shuffled"))
    assert [unit.seeds for unit in units] == [(0,), (1,)]
    assert units[1].wanted == (("talk", 1), ("shuffled", 1))


def test_the_outer_step_at_which_a_loss_is_first_below() -> None:
    log = [{"step": 10 * i, "loss": loss} for i, loss in enumerate([5, 5, 5, 0, 0, 0, 0, 0, 0])]
    assert first_below(log, 0.5) == 70
    assert first_below(log, -1) is None
    assert first_below(log[:4], 9) is None


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    outer_steps = 60
    board = tiny_board(tmp_path, outer_steps)
    made(tmp_path / "through", board)
    results, tasks = contents(tmp_path / "through", board)
    file = tmp_path / "tiny-v1.toml"
    file.write_text(recipe_text(board.model_dump(exclude_none=True), "A board for tests."))
    command = [sys.executable, "-m", "leaderboards.cli", "board", "run", str(file), "--processes", "2"]
    command += ["--out", str(tmp_path / "killed")]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    draws = random.Random(0)
    for _ in range(3):
        before = checkpoints(tmp_path / "killed")
        process = subprocess.Popen(
            command, cwd=ROOT, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_another_checkpoint(tmp_path / "killed", before, process)
        time.sleep(draws.random() * 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    ended = tmp_path / "killed" / board.name
    assert (ended / FILE).read_bytes() == results
    assert (ended / TASKS).read_bytes() == tasks
    runs = {
        (run.agent, run.seed): run.seconds for of in read_results(board, ended / FILE).values() for run in of
    }
    assert read_costs(ended / COSTS) == runs
    assert None not in runs.values()


def checkpoints(folder: Path) -> dict[Path, int]:
    """Each with its inode, which is another after each writing."""
    return {path: path.stat().st_ino for path in folder.glob(f"*/*/*/{CHECKPOINT}")}


def wait_for_another_checkpoint(
    folder: Path, before: dict[Path, int], process: subprocess.Popen[bytes]
) -> None:
    until = time.monotonic() + 300
    while checkpoints(folder) == before and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.05)
