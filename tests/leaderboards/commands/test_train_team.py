"""Processes that share a run: its trials are those of one process; a lost one ends it with a clear line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.run import CHECKPOINT, LOG
from tests.badger_agents.small import small_toml
from tests.leaderboards.command import run
from tests.leaderboards.commands.test_killing import ROOT, log_of, wait_for_rows

Workers = list[subprocess.Popen[str]]
EVOLUTION = ("--training", "estimator=evolution", "estimator_settings.pairs=4")


def start(port: int, recipe: Path, folder: Path, *words: str) -> Workers:
    """Two workers, as torchrun starts them."""
    command = [sys.executable, "-m", "leaderboards.cli", "train", str(recipe), "--out", str(folder), *words]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    shared = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **place}
    return [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def ended(workers: Workers) -> list[tuple[int, str, str]]:
    """Status, standard output and standard error of each."""
    try:
        texts = [worker.communicate(timeout=240) for worker in workers]
        return [(worker.returncode, *text) for worker, text in zip(workers, texts, strict=True)]
    finally:
        for worker in workers:
            worker.kill()


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), EVOLUTION])
def test_two_processes_learn_what_one_learns(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, port: int, words: tuple[str, ...]
) -> None:
    recipe = small_toml(tmp_path, 50)
    (one, out, _), (other, nothing, error) = ended(start(port, recipe, tmp_path / "two", *words))
    assert (one, other) == (0, 0), error
    assert "trained small" in out
    assert (nothing, error) == ("", "")
    assert sorted(os.listdir(tmp_path / "two")) == [CHECKPOINT, LOG]
    assert run(capsys, "train", recipe, "--out", tmp_path / "one", *words).status == 0
    losses = [[row["loss"] for row in log_of(tmp_path / name)] for name in ("one", "two")]
    assert len(losses[0]) == 50
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    assert losses[0][0] != losses[0][-1]


@pytest.mark.slow
def test_a_lost_process_ends_the_others_and_the_run_goes_on_from_its_checkpoint(
    tmp_path: Path, port: int
) -> None:
    recipe = small_toml(tmp_path, 400, checkpoint_every=3)
    folder = tmp_path / "lost"
    for rank, rows in ((1, 20), (0, 100)):
        workers = start(port, recipe, folder, "--resume")
        wait_for_rows(workers[0], folder, rows)
        workers[rank].kill()
        status, out, error = ended(workers)[1 - rank]
        assert (status, out) == (2, "")
        line = error.strip().splitlines()[-1]
        assert line.startswith(f"badger: process {1 - rank} of 2 has lost another")
        assert f"kept in {folder}" in line
        assert "--resume" in line
        assert "Traceback" not in error
        assert load_checkpoint(folder / CHECKPOINT).step >= rows - 3
    for name in ("lost", "whole"):
        last = ended(start(port, recipe, tmp_path / name, "--resume"))
        assert [status for status, *_ in last] == [0, 0], last
    assert (folder / CHECKPOINT).read_bytes() == (tmp_path / "whole" / CHECKPOINT).read_bytes()
    assert log_of(folder) == log_of(tmp_path / "whole")


@pytest.mark.slow
def test_what_processes_cannot_share_is_refused_by_all(tmp_path: Path, port: int) -> None:
    for words, reason in (
        (("--seeds", "2"), "share one outer seed"),
        (("--training", "batch_size=1"), "start fewer"),
    ):
        for status, out, error in ended(start(port, small_toml(tmp_path), tmp_path / words[0], *words)):
            assert (status, out) == (2, "")
            assert reason in error
            assert "Traceback" not in error
