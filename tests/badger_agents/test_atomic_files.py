"""Files that are replaced whole, and locks on folders."""

import errno
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from badger_agents.atomic_files import write_atomically, write_together
from badger_agents.locks import OwnedError, awaited, owned

# Files are written whole or not at all.


WRITER = """
import itertools, pathlib, sys
from badger_agents import atomic_files
for number in itertools.count():
    atomic_files.write_atomically(pathlib.Path(sys.argv[1]), bytes([number % 256]) * 4_000_000)
"""
ROOT = Path(__file__).parents[2]


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    write_atomically(path, b"old" * 100)
    rng = random.Random(0)
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT)
        part, limit = path.with_name(".data.part"), time.monotonic() + 30
        while not part.exists():
            assert time.monotonic() < limit
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        writer.kill()
        writer.wait()
        data = path.read_bytes()
        assert data == b"old" * 100 or (len(data) == 4_000_000 and len(set(data)) == 1)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["data"]  # what a kill left behind is gone


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "data"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["data"]


def test_files_that_belong_together_are_all_written(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"old")
    write_together({one: b"new", two: b"more"})
    assert (one.read_bytes(), two.read_bytes()) == (b"new", b"more")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.parametrize("last", [0, 1, 2])
@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_of_files_that_belong_together_none_is_new_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, last: int
) -> None:
    paths = [tmp_path / name for name in ("one", "two", "three")]
    for path in paths[1:]:
        path.write_bytes(b"old")
    real, calls = getattr(os, fails), iter(range(9))

    def full(*arguments: object) -> None:
        if next(calls) == last:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="No space left"):
        write_together(dict.fromkeys(paths, b"new"))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"two": b"old", "three": b"old"}


def test_what_cannot_be_put_back_stays_new_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in ("one", "two")]
    for path in paths:
        path.write_bytes(b"old")
    real, calls = os.fsync, iter(range(9))

    def full(descriptor: int) -> None:
        if next(calls) >= 2:  # both are written; then nothing can be
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    def replace_the_first_alone(source: Path, target: Path) -> None:
        if target.name == "two":
            raise OSError(errno.EIO, "Input/output error")
        Path(source).rename(target)

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "replace", replace_the_first_alone)
    with pytest.raises(OSError, match="Input/output error"):
        write_together(dict.fromkeys(paths, b"new"))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"one": b"new", "two": b"old"}


def test_two_writers_of_one_file_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "data"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT) for _ in range(2)]
    limit, seen = time.monotonic() + 60, set()
    try:
        while len(seen) < 40 and time.monotonic() < limit:
            assert [writer.poll() for writer in writers] == [None, None]
            if path.exists():
                data = path.read_bytes()
                assert len(data) == 4_000_000
                assert len(set(data)) == 1
                seen.add((data[0], path.stat().st_mtime_ns))
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert len(seen) == 40


# A folder has one owner; a killed one is none.


def hold(place: Path, told: Connection) -> None:
    with owned(place):
        told.send("held")
        told.recv()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_another_process_owns_is_refused_until_that_is_killed(tmp_path: Path, kind: str) -> None:
    place = tmp_path if kind == "folder" else tmp_path / "file"
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    holder = context.Process(target=hold, args=(place, theirs))
    holder.start()
    assert ours.recv() == "held"
    with pytest.raises(OwnedError, match="is being written by another process"), owned(place):
        pass
    with pytest.raises(TimeoutError), awaited(place, seconds=0.1):
        pass
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with owned(place), owned(place):  # the same thread may, as often as it likes
        pass
    assert not [file for file in tmp_path.iterdir() if not file.name.endswith(".lock")]


def test_of_several_places_all_are_free_after_one_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    holder = context.Process(target=hold, args=(two, theirs))
    holder.start()
    ours.recv()
    with pytest.raises(OwnedError), owned(one, two):
        pass
    ours.send("end")
    holder.join()
    mine, other = context.Pipe()
    again = context.Process(target=hold, args=(one, other))
    again.start()
    assert mine.recv() == "held"
    mine.send("end")
    again.join()
