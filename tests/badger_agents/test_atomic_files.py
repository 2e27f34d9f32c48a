"""Files are written whole or not at all."""

import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from badger_agents import atomic_files
from badger_agents.atomic_files import write_atomically, write_together

WRITER = """
import importlib.util, itertools, pathlib, sys
spec = importlib.util.spec_from_file_location("files", sys.argv[1])
atomic_files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(atomic_files)
for number in itertools.count():
    atomic_files.write_atomically(pathlib.Path(sys.argv[2]), bytes([number % 256]) * 4_000_000)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    write_atomically(path, b"old" * 100)
    rng = random.Random(0)
    for _ in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, atomic_files.__file__, str(path)])
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
