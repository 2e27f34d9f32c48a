"""`badger train --seeds`: ordinary run folders, and kills and refusals as with one seed."""

import signal
from pathlib import Path

import pytest

from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.run import CHECKPOINT, LOG
from tests.badger_agents.small import small_toml
from tests.leaderboards.command import refused, run
from tests.leaderboards.commands.test_killing import log_of, start, wait_for_rows

STEPS = 160


def test_seeds_make_run_folders_that_others_take_as_they_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe, out = small_toml(tmp_path), tmp_path / "out"
    done = run(capsys, "train", recipe, "--seeds", 2, "--seed", 5, "--out", out, "--json")
    assert [(row["outer_seed"], row["value"]) for row in done.results if row["name"] == "outer_steps"] == [
        (5, 6),
        (6, 6),
    ]
    folders = [Path(row["value"]) for row in done.results if row["name"] == "folder"]
    assert folders == [out / "small-seed5", out / "small-seed6"]
    assert load_checkpoint(folders[1] / CHECKPOINT).seed == 6
    assert run(capsys, "evaluate", folders[1], "--trials", 10, "--json").status == 0
    line = refused(capsys, "train", recipe, "--seeds", 2, "--seed", 4, "--out", out)
    assert "small-seed5 holds a run already" in line
    assert not (out / "small-seed4").exists()
    assert run(capsys, "train", recipe, "--seeds", 3, "--seed", 4, "--out", out, "--resume").status == 0
    assert "--seeds is 0" in refused(capsys, "train", recipe, "--seeds", 0)


@pytest.mark.slow
def test_a_population_that_was_killed_ends_bit_identical(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = small_toml(tmp_path, STEPS, checkpoint_every=3)
    process = start(recipe, tmp_path / "killed", "--seeds", "2")
    wait_for_rows(process, tmp_path / "killed" / "small-seed1", 20)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for name in ("killed", "whole"):
        assert run(capsys, "train", recipe, "--seeds", 2, "--out", tmp_path / name, "--resume").status == 0
    for seed in (0, 1):
        killed, whole = (tmp_path / name / f"small-seed{seed}" for name in ("killed", "whole"))
        assert (killed / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()
        assert log_of(killed) == log_of(whole)
        assert (killed / LOG).exists()
