"""Boards on several machines: the same runs as on one; a lost node loses nothing, no run counts twice."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from badger_agents.training import loop
from badger_agents.training.run import CHECKPOINT, DivergenceError, RunPlan
from leaderboards.boards.board import Board
from leaderboards.boards.cluster import make_elsewhere, packed, put_files, work_on_cluster
from leaderboards.boards.rows import RunRows, write_run
from leaderboards.boards.units import Unit, missing, run_folder, units_of
from leaderboards.boards.work import DIVERGED, Told, make
from leaderboards.commands.board import with_policy
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.test_work import contents
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.command import refused
from tests.leaderboards.commands.test_killing import ROOT

POLICY = """
import torch
from badger_agents import ExpertPolicy

class Own(ExpertPolicy):
    message_size = 2
    draw_size = 3

    def __init__(self, reading_size):
        super().__init__()
        self.say = torch.nn.Linear(3 + reading_size, 2)
        self.think = torch.nn.Linear(3 + 2 + reading_size, 3 + 1)

    def initial_state(self, draws):
        return draws

    def emit(self, state, reading):
        return self.say(torch.cat([state, reading], -1)).tanh()

    def update(self, state, inbox, reading):
        state, writing = self.think(torch.cat([state, inbox, reading], -1)).split([3, 1], -1)
        return state.tanh(), writing
"""
MEMORY = 80 * 2**20
AGENTS = ("talk", "silent", "shuffled", "zeros")


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return tiny_board(tmp_path)


def sent(unit: Unit) -> list[RunRows]:
    """Make a unit as a node would, and keep here what it sends."""
    runs, files = make_elsewhere(packed(unit))
    put_files(unit.out, files)
    unit.rows.mkdir(parents=True, exist_ok=True)
    for run in runs:
        write_run(unit.rows, run)
    return runs


def checkpoints(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob(CHECKPOINT)}


def test_made_elsewhere_weights_and_rows_are_the_same_to_the_bit(
    tmp_path: Path, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    for unit in units_of(board, tmp_path / "here", AGENTS):
        assert len(list(make(unit))) == len(unit.wanted)
    units = units_of(board, tmp_path / "sent", AGENTS)
    told = [(run.agent, run.seed) for unit in units for run in sent(unit)]
    assert Counter(told) == Counter(run for unit in units for run in unit.wanted)
    assert missing(units) == []
    assert contents(tmp_path / "sent", board) == contents(tmp_path / "here", board)
    assert checkpoints(tmp_path / "sent") == checkpoints(tmp_path / "here")
    monkeypatch.setattr(loop, "outer_step", lambda *_: pytest.fail("trained once more"))
    other = units_of(tiny_board(tmp_path, tasks=7), tmp_path / "sent", AGENTS)
    assert sum(len(sent(unit)) for unit in other) == 7


def test_a_users_policy_and_recipe_travel(tmp_path: Path, board: Board) -> None:
    file = tmp_path / "own.py"
    file.write_text(POLICY)
    board, own = with_policy(board, f"{file}:Own")
    (unit,) = units_of(board, tmp_path / "out", (own,), seeds=1)
    here, parcel = board.fingerprint(own), packed(unit)
    folder = run_folder(unit.out, board, own, 0).relative_to(unit.out)
    file.unlink()
    (tmp_path / "small.toml").unlink()
    (run,), files = make_elsewhere(parcel)
    assert run.facts["fingerprint"] == here
    assert files[f"{folder}/own.py"] == POLICY.encode()
    assert f"{folder}/{CHECKPOINT}" in files


def test_a_training_that_diverged_is_known_elsewhere(
    tmp_path: Path, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(plans: list[RunPlan], **settings: object) -> None:
        raise DivergenceError("lost", {plan.folder: "no finite loss" for plan in plans})

    (unit,) = units_of(board, tmp_path, ("talk",))
    monkeypatch.setattr(loop, "train_population", diverge)
    assert [run.ok for run in sent(unit)] == [False, False]
    assert (run_folder(tmp_path, board, "talk", 1) / DIVERGED).read_text() == "no finite loss"
    monkeypatch.setattr(loop, "train_population", lambda *_, **__: pytest.fail("it is not tried again"))
    assert [run.ok for run in sent(unit)] == [False, False]


def test_a_node_with_another_version_of_the_suite_is_refused(tmp_path: Path, board: Board) -> None:
    (unit,) = units_of(board, tmp_path, ("zeros",))
    with pytest.raises(ValueError, match=r"was sent work of 0\.0\.0"):
        make_elsewhere(packed(unit)._replace(version="0.0.0"))


def test_a_cluster_that_is_not_there_is_one_line(
    tmp_path: Path, board: Board, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tiny-v1.toml"
    file.write_text(recipe_text(board.model_dump(exclude_none=True), "For tests."))
    words = ("board", "run", file, "--out", tmp_path / "out", "--agents", "zeros", "--ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'badger-suite[cluster]'" in refused(capsys, *words, "local")
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    for wrong in ("somewhere", "127.0.0.1:port", "ray://127.0.0.1:10001", ":6379"):
        assert "HOST:PORT" in refused(capsys, *words, wrong)
    line = refused(capsys, *words, "127.0.0.1:1")
    assert "no Ray cluster answers" in line
    assert "ray start" in line


@pytest.fixture
def ray_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where Ray puts its files: its sockets want a short path. No process of it may be left in the end."""
    pytest.importorskip("ray", reason="Ray is not installed; pip install 'badger-suite[cluster]'")
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))  # where nodes have their units' folders
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


@pytest.mark.slow
def test_a_node_killed_in_mid_run_loses_nothing_and_nothing_counts_twice(
    tmp_path: Path, ray_folder: Path
) -> None:
    from ray.cluster_utils import Cluster

    board = tiny_board(tmp_path, 600, training={"checkpoint_every": 20})
    for unit in units_of(board, tmp_path / "whole", AGENTS):
        assert len(list(make(unit))) == len(unit.wanted)
    units = units_of(board, tmp_path / "out", AGENTS)
    runs: list[tuple[str, int | None]] = []
    nodes = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": MEMORY},
    )
    try:
        second = nodes.add_node(num_cpus=1, object_store_memory=MEMORY)

        def kill() -> None:
            """When both nodes are in mid of a training, of which each has written checkpoints."""
            until = time.monotonic() + 300
            while len({path.parts[3] for path in ray_folder.glob(f"badger-*/*/*/*/{CHECKPOINT}")}) < 2:
                assert time.monotonic() < until
                time.sleep(0.05)
            nodes.remove_node(second, allow_graceful=False)

        def on_told(unit: Unit, told: Told) -> None:
            assert isinstance(told, RunRows)
            runs.append((told.agent, told.seed))

        killer = threading.Thread(target=kill)
        killer.start()
        work_on_cluster(units, nodes.address, on_told)
        killer.join()
    finally:
        nodes.shutdown()
    assert len(list(ray_folder.glob("badger-*"))) == 1  # the killed node could not delete its unit's folder
    assert Counter(runs) == Counter(run for unit in units for run in unit.wanted)
    assert missing(units) == []
    assert contents(tmp_path / "out", board) == contents(tmp_path / "whole", board)
    assert checkpoints(tmp_path / "out") == checkpoints(tmp_path / "whole")
