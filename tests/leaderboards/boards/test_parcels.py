"""Units that travel: the same weights and rows wherever they are made, and however often they are sent."""

import socket
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from badger_agents.training import loop
from badger_agents.training.loop import CHECKPOINT, DivergenceError, Plan
from leaderboards.boards import parcels
from leaderboards.boards.board import Board
from leaderboards.boards.cluster import ClusterError, check_cluster
from leaderboards.boards.parcels import Failed, Trained, made, pack, put_files, unpack
from leaderboards.boards.rows import RunRows, write_run
from leaderboards.boards.units import Unit, missing, run_folder, units_of
from leaderboards.boards.work import DIVERGED, Steps, make
from leaderboards.commands.board import with_policy
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.test_work import contents
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.command import refused

POLICY = """
import torch
from badger_agents import ExpertPolicy

class Own(ExpertPolicy):
    message_size = 2
    draw_size = 3

    def __init__(self, reading_size):
        super().__init__()
        self.linear = torch.nn.Linear(3 + 2 + reading_size, 6)

    def initial_state(self, draws):
        return draws

    def forward(self, state, inbox, reading):
        state, message, writing = self.linear(torch.cat([state, inbox, reading], -1)).split([3, 2, 1], -1)
        return state.tanh(), message.tanh(), writing
"""


AGENTS = ("talk", "shuffled", "zeros")


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return tiny_board(tmp_path)


def sent(unit: Unit, until: type | None = None) -> list[RunRows]:
    """Make a unit as a node would, keep here what it tells, and stop after something of a kind."""
    stream, runs = made(pack(unit)), []
    for told in stream:
        assert not isinstance(told, Failed), told.traceback
        if isinstance(told, Trained):
            put_files(unit.out, told.files)
        if isinstance(told, RunRows):
            unit.rows.mkdir(parents=True, exist_ok=True)
            write_run(unit.rows, told)
            runs.append(told)
        if until is not None and isinstance(told, until):
            break
    stream.close()  # type: ignore[attr-defined]
    return runs


def checkpoints(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob(CHECKPOINT)}


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made here, in one go."""
    folder = tmp_path_factory.mktemp("through")
    for unit in units_of(tiny_board(folder), folder, AGENTS):
        assert len(list(make(unit))) == len(unit.wanted)
    return folder


def test_made_elsewhere_weights_and_rows_are_the_same_to_the_bit(
    tmp_path: Path, board: Board, through: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = units_of(board, tmp_path / "sent", AGENTS)
    told = [(run.agent, run.seed) for unit in units for run in sent(unit)]
    assert sorted(map(str, told)) == sorted(str(run) for unit in units for run in unit.wanted)
    assert missing(units) == []
    assert contents(tmp_path / "sent") == contents(through)
    assert checkpoints(tmp_path / "sent") == checkpoints(through)
    monkeypatch.setattr("badger_agents.training.run.Run.sample", lambda run: pytest.fail("trained once more"))
    other = units_of(tiny_board(tmp_path, tasks=7), tmp_path / "sent", AGENTS)
    assert sum(len(sent(unit)) for unit in other) == 5


def test_stopped_and_sent_again_it_goes_on_from_what_came(
    tmp_path: Path, board: Board, through: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "TOLD_EVERY", 0.001)
    monkeypatch.setattr("leaderboards.boards.work.TOLD_EVERY", 1)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    unit = units_of(board, tmp_path / "sent", ("talk", "shuffled"))[0]
    threads = threading.active_count()
    assert sent(unit, until=Trained) == []
    assert threading.active_count() == threads
    assert not list(tmp_path.glob("badger-*"))
    before = checkpoints(tmp_path / "sent")
    assert len(before) == 2
    assert pack(unit).files.keys() >= before.keys()
    assert before != checkpoints(through)  # in mid of its training
    assert len(sent(unit, until=RunRows)) == 1
    (left,) = missing([unit])
    assert len(left.wanted) == 3
    assert len(sent(left)) == 3
    assert missing([unit]) == []
    whole = contents(through)
    assert contents(tmp_path / "sent") == {name: whole[name] for name in contents(tmp_path / "sent")}
    assert checkpoints(tmp_path / "sent") == checkpoints(through)


def test_checkpoints_are_told_before_the_rows_measured_with_them(
    tmp_path: Path, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "TOLD_EVERY", 0.0)
    monkeypatch.setattr("leaderboards.boards.work.TOLD_EVERY", 1)
    (unit,) = units_of(board, tmp_path, ("silent",), seeds=1)
    told = list(made(pack(unit)))
    assert [item.done for item in told if isinstance(item, Steps)] == [1, 2, 3]
    assert [type(item) for item in told][-2:] == [Trained, RunRows]
    assert sum(isinstance(item, Trained) for item in told) >= 2


def test_a_users_policy_and_recipe_travel(tmp_path: Path, board: Board) -> None:
    file = tmp_path / "own.py"
    file.write_text(POLICY)
    board, own = with_policy(board, f"{file}:Own")
    (unit,) = units_of(board, tmp_path / "out", (own,), seeds=1)
    here, parcel = board.fingerprint(own), pack(unit)
    folder = run_folder(unit.out, board, own, 0).relative_to(unit.out)
    file.unlink()
    (tmp_path / "small.toml").unlink()
    told = list(made(parcel))
    assert [run.facts["fingerprint"] for run in told if isinstance(run, RunRows)] == [here]
    (trained,) = [item.files for item in told if isinstance(item, Trained)]
    assert trained[f"{folder}/policy.py"] == POLICY.encode()
    assert f"{folder}/{CHECKPOINT}" in trained


def test_a_training_that_diverged_is_known_elsewhere(
    tmp_path: Path, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(plans: list[Plan], **settings: object) -> None:
        raise DivergenceError("lost", {plan.seed: "no finite loss" for plan in plans})

    (unit,) = units_of(board, tmp_path, ("talk",))
    monkeypatch.setattr(loop, "train_population", diverge)
    assert [run.ok for run in sent(unit)] == [False, False]
    assert (run_folder(tmp_path, board, "talk", 1) / DIVERGED).read_text() == "no finite loss"
    monkeypatch.setattr(loop, "train_population", lambda *_, **__: pytest.fail("it is not tried again"))
    assert [run.ok for run in sent(unit)] == [False, False]


def test_what_goes_wrong_is_told(tmp_path: Path, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    (unit,) = units_of(board, tmp_path, ("zeros",))
    parcel = pack(unit)
    with pytest.raises(ValueError, match=r"was sent work of 0\.0\.0"):
        unpack(parcel._replace(version="0.0.0"), tmp_path)
    monkeypatch.setattr(parcels, "make", lambda unit, tell: iter([1 // 0]))
    (failed,) = made(parcel)
    assert isinstance(failed, Failed)
    assert "ZeroDivisionError" in failed.traceback


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


def test_another_program_at_the_address_is_told_from_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself would try for minutes."""

    def answer() -> None:
        with server.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request")

    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = threading.Thread(target=answer)
        other.start()
        with pytest.raises(ClusterError, match="no head of a Ray cluster"):
            check_cluster(f"127.0.0.1:{server.getsockname()[1]}")
        other.join()
