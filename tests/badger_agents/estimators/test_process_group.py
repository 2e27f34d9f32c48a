"""A team's parts are all trials, each once; a team of one changes nothing; a team leaves no thread behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from badger_agents.estimators.process_group import ProcessGroup, joined


@given(st.integers(1, 9), st.integers(0, 40))
def test_parts_are_everything_once_and_about_equal(size: int, more: int) -> None:
    count = size + more
    parts = ProcessGroup(0, size).parts(count)
    assert [number for part in parts for number in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    keys = torch.arange(4 * count).view(count, 4)
    rows = [ProcessGroup(rank, size).own_rows(keys) for rank in range(size)]
    assert torch.equal(torch.cat(rows), keys)


def test_fewer_trials_than_processes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"2 trials .* cannot be shared by 3 processes"):
        ProcessGroup(0, 3).parts(2)


def test_one_process_says_nothing_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    number = torch.tensor([1.0, 2.0])
    with joined("cpu") as team:
        assert (team.rank, team.size, team.writes) == (0, 1, True)
        assert team.mean([number], 1.0)[0] is number
        assert team.sum(number) is number
        assert team.same(lambda: [number]) == [number]
        assert (team.any(True), team.any(False), team.alike(3)) == (True, False, True)


WHOLE = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"RANK": "0"}, "RANK is set, and WORLD_SIZE is not"),
        ({"RANK": "1", "LOCAL_RANK": "1"}, "RANK is set, and WORLD_SIZE is not"),
        ({"LOCAL_RANK": "0"}, "LOCAL_RANK is set, and WORLD_SIZE is not"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is set, and RANK is not"),
        ({"WORLD_SIZE": "2", "LOCAL_RANK": "0"}, "WORLD_SIZE is set, and RANK is not"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "WORLD_SIZE is set, and MASTER_ADDR is not"),
        ({**WHOLE, "WORLD_SIZE": "two"}, "WORLD_SIZE is 'two'; it must be a number of processes"),
        ({**WHOLE, "WORLD_SIZE": "0"}, "WORLD_SIZE is '0'"),
        ({**WHOLE, "WORLD_SIZE": "-2"}, "WORLD_SIZE is '-2'"),
        ({**WHOLE, "RANK": "first"}, "RANK is 'first'; it must be a number below WORLD_SIZE, 2"),
        ({**WHOLE, "RANK": ""}, "RANK is ''"),
        ({**WHOLE, "RANK": "2"}, "RANK is '2'; it must be a number below WORLD_SIZE, 2"),
        ({**WHOLE, "RANK": "-1"}, "RANK is '-1'"),
        ({**WHOLE, "LOCAL_RANK": "2"}, "LOCAL_RANK is '2'"),
        ({**WHOLE, "LOCAL_RANK": "1.0"}, "LOCAL_RANK is '1.0'"),
        ({**WHOLE, "MASTER_PORT": "http"}, "MASTER_PORT is 'http'; it must be a port"),
        ({"WORLD_SIZE": "1", "RANK": "1"}, "RANK is '1'; it must be a number below WORLD_SIZE, 1"),
    ],
)
def test_what_torchrun_sets_is_whole_and_of_numbers(
    told: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in WHOLE:
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message) as raised, joined("cpu"):
        pass
    assert "\n" not in str(raised.value)


def test_a_group_of_one_by_torchrun_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**WHOLE, "WORLD_SIZE": "1"}.items():
        monkeypatch.setenv(name, value)
    with joined("cpu") as team:
        assert (team.rank, team.size) == (0, 1)


@pytest.mark.parametrize(("local", "message"), [(None, "is not set"), ("1", "is '1'")])
def test_each_process_has_a_gpu_of_its_own(
    local: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LOCAL_RANK") if local is None else monkeypatch.setenv("LOCAL_RANK", local)
    with pytest.raises(ValueError, match=f"LOCAL_RANK {message}; it must be a GPU"), joined("cuda"):
        pass


def test_a_numbered_gpu_cannot_be_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="one GPU a process"), joined("cuda:1"):
        pass


LEAVING = """
import os
import sys
import time
from contextlib import suppress
import torch
from badger_agents.estimators.process_group import LostError, joined

def step():
    weight = torch.ones(3, requires_grad=True)
    weight.sum().backward()
    torch.optim.Adam([weight]).step()

try:
    with joined("cpu") as team:
        step()
        assert team.any(team.writes)
        if sys.argv[1] == "lost":
            os._exit(1) if team.writes else team.any(True)
except LostError:
    print("lost")
def left():
    for task in os.listdir("/proc/self/task"):
        with suppress(OSError):  # it has just ended
            name = open(f"/proc/self/task/{task}/comm").read()
            if "gloo" in name:
                yield name

until = time.monotonic() + 10  # one that was waited for can be listed for a moment more
while (names := list(left())) and time.monotonic() < until:
    time.sleep(0.01)
print(names)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads by /proc")
@pytest.mark.parametrize(
    ("way", "said"), [("well", [(0, "[]\n")] * 2), ("lost", [(1, ""), (0, "lost\n[]\n")])]
)
def test_no_thread_of_the_group_outlives_it(port: int, way: str, said: list[tuple[int, str]]) -> None:
    """One that did would abort the process now and then, while the interpreter shuts down."""
    place = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", LEAVING, way],
            env={**place, "RANK": str(rank)},
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        texts = [worker.communicate(timeout=300) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    found = [(worker.returncode, out) for worker, (out, _) in zip(workers, texts, strict=True)]
    assert found == said, texts
