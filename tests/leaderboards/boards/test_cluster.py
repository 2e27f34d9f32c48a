"""Boards on a Ray cluster: the same rows as without; a lost node loses nothing, and nothing counts twice."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from badger_agents.training.loop import CHECKPOINT
from leaderboards.boards import cluster
from leaderboards.boards.board import Board
from leaderboards.boards.cluster import work_on_cluster
from leaderboards.boards.parcels import Parcel, pack
from leaderboards.boards.rows import RunRows
from leaderboards.boards.units import Unit, missing, run_folder, units_of
from leaderboards.boards.work import Told, make
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.test_parcels import checkpoints
from tests.leaderboards.boards.test_work import contents
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.test_killing import ROOT

pytest.importorskip("ray", reason="Ray is not installed; pip install 'badger-suite[cluster]'")
pytestmark = pytest.mark.slow

MEMORY = 80 * 2**20
OUTER_STEPS = 600
AGENTS = ("talk", "silent", "shuffled", "zeros")


@pytest.fixture
def ray_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where Ray puts its files: its sockets want a short path. No process of it may be left in the end."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))  # a killed node leaves its unit's folder behind
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    handler = signal.getsignal(signal.SIGTERM)
    yield folder
    signal.signal(signal.SIGTERM, handler)  # Ray has its own
    until = time.monotonic() + 300
    while found := processes_of(folder):
        assert time.monotonic() < until, found
        time.sleep(0.2)
    shutil.rmtree(folder)


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that belong to the Ray in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, surroundings = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        ours = f"RAY_TMPDIR={folder}".encode() in surroundings or str(folder).encode() in words
        if words and ours and process.name != str(os.getpid()):
            found.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return found


def board_in(folder: Path) -> Board:
    """A board whose trainings take long enough to be disturbed."""
    return tiny_board(folder, OUTER_STEPS, training={"checkpoint_every": 20})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The board made without Ray."""
    folder = tmp_path_factory.mktemp("whole")
    for unit in units_of(board_in(folder), folder, AGENTS):
        assert len(list(make(unit))) == len(unit.wanted)
    return folder


def test_a_node_killed_in_mid_run_loses_nothing_and_nothing_counts_twice(
    tmp_path: Path, whole: Path, ray_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    board = board_in(tmp_path)
    units = units_of(board, tmp_path / "out", AGENTS)
    sent: list[Parcel] = []
    monkeypatch.setattr(cluster, "pack", lambda unit: sent.append(pack(unit)) or sent[-1])
    runs: list[tuple[str, int | None]] = []
    killed = False
    nodes = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": MEMORY},
    )
    try:
        second = nodes.add_node(num_cpus=1, object_store_memory=MEMORY)

        def on_told(unit: Unit, told: Told) -> None:
            nonlocal killed
            if isinstance(told, RunRows):
                runs.append((told.agent, told.seed))
            folders = [run_folder(unit.out, board, agent, 0) for agent in AGENTS[:2]]
            if not killed and all((folder / CHECKPOINT).exists() for folder in folders):
                assert len(runs) < 2, "a training ended before the node could be killed"
                killed = True  # each of the two nodes is training one of the two
                nodes.remove_node(second, allow_graceful=False)

        work_on_cluster(units, nodes.address, on_told)
    finally:
        nodes.shutdown()
    assert killed
    assert Counter(runs) == Counter(run for unit in units for run in unit.wanted)
    assert missing(units) == []
    assert len(sent) > len(units)
    again = sent[len(units)]
    assert any(name.endswith(CHECKPOINT) for name in again.files)  # it did not begin anew
    assert contents(tmp_path / "out") == contents(whole)
    assert checkpoints(tmp_path / "out") == checkpoints(whole)


def test_interrupted_it_cleans_up_and_goes_on_without_ray(
    tmp_path: Path, whole: Path, ray_folder: Path
) -> None:
    board = board_in(tmp_path)
    file = tmp_path / "tiny-v1.toml"
    file.write_text(recipe_text(board.model_dump(exclude_none=True), "For tests."))
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "leaderboards.cli", "board", "run", str(file), "--json"]
    command += ["--out", str(tmp_path / "out"), "--agents", "talk"]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path / "temporary")}
    process = subprocess.Popen(
        [*command, "--ray", "local"],
        cwd=ROOT,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until = time.monotonic() + 300
    while not checkpoints(tmp_path / "out"):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert out == b""
    assert b"Traceback" not in err
    assert not list((tmp_path / "temporary").glob("badger-*"))
    before = checkpoints(tmp_path / "out")
    assert len(before) == 2
    assert all(weights != checkpoints(whole)[name] for name, weights in before.items())
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = contents(tmp_path / "out")
    assert len(rows) == 4
    assert rows == {name: contents(whole)[name] for name in rows}
    assert {name: checkpoints(whole)[name] for name in before} == checkpoints(tmp_path / "out")
