"""Runs that are killed or interrupted from outside end as if they never had been."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from badger_agents.estimators import ESTIMATORS
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.log import read_log
from badger_agents.training.run import CHECKPOINT, LOG
from tests.badger_agents.small import ESTIMATOR_SETTINGS, small_toml
from tests.leaderboards.command import run

ROOT = Path(__file__).parents[3]
STEPS = 320


def start(recipe: Path, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "leaderboards.cli",
        "train",
        str(recipe),
        "--out",
        str(folder),
        "--resume",
        *words,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for_rows(process: subprocess.Popen[bytes], folder: Path, rows: int) -> None:
    limit = time.monotonic() + 300
    while len(read_log(folder / LOG)) < rows:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < limit
        time.sleep(0.002)


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_log(folder / LOG)]


def kill(recipe: Path, folder: Path, rows: list[int]) -> None:
    """Kill a run again and again, a moment after its log has each of these numbers of rows."""
    rng = random.Random(0)
    for count in rows:
        process = start(recipe, folder)
        wait_for_rows(process, folder, count + rng.randrange(10))
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_toml(tmp_path_factory.mktemp("recipe"), STEPS, checkpoint_every=3)


@pytest.fixture(scope="module")
def whole(recipe: Path) -> Path:
    """A run that nobody disturbed."""
    from leaderboards.cli import main

    main(["train", str(recipe), "--out", str(recipe.parent / "whole")])
    return recipe.parent / "whole"


@pytest.mark.slow
def test_a_run_killed_again_and_again_and_interrupted_ends_bit_identical(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, recipe: Path, whole: Path
) -> None:
    folder = tmp_path / "run"
    kill(recipe, folder, [1, 50])
    process = start(recipe, folder)
    wait_for_rows(process, folder, 100)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert out == b""
    assert b"Traceback" not in err
    last = err.decode().strip().splitlines()[-1]
    assert last.startswith("badger: interrupted")
    assert "--resume" in last
    done = load_checkpoint(folder / CHECKPOINT).step
    assert done == read_log(folder / LOG)[-1]["step"] < STEPS  # nothing that was done is lost

    assert run(capsys, "train", recipe, "--out", folder, "--resume").status == 0
    assert (folder / CHECKPOINT).read_bytes() == (whole / CHECKPOINT).read_bytes()
    assert log_of(folder) == log_of(whole)
    assert [row["step"] for row in log_of(folder)] == list(range(1, STEPS + 1))
    assert sorted(os.listdir(folder)) == [CHECKPOINT, LOG]


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATORS)
def test_with_every_estimator_five_kills_change_no_bit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    recipe = small_toml(tmp_path, STEPS, checkpoint_every=3)
    text = recipe.read_text()
    if name == "policy_gradient":  # it needs actions that are drawn
        text = text.replace("GuessingGame", "XOR").replace('feedback_to = "one"', 'writing = "score"')
        settings: dict[str, Any] = {"value_size": 4, "epochs": 2}
    elif name == "imitation":  # it needs choices of which the right one is known
        text = text.replace("GuessingGame", "Bandit-informative").replace(
            "horizon = 4", "horizon = 4\narms = 3"
        )
        settings = {}
    else:
        settings = ESTIMATOR_SETTINGS[name][-1]
    lines = [f'estimator = "{name}"', "[training.estimator_settings]"]
    lines += [f"{key} = {value}" for key, value in settings.items()]
    recipe.write_text("\n".join([text.rstrip(), *lines, ""]))
    kill(recipe, tmp_path / "run", [1, 30, 60, 90, 120])
    for folder in ("run", "whole"):
        assert run(capsys, "train", recipe, "--out", tmp_path / folder, "--resume").status == 0
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == (tmp_path / "whole" / CHECKPOINT).read_bytes()
    assert log_of(tmp_path / "run") == log_of(tmp_path / "whole")
