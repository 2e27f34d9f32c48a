"""A folder has one owner; a killed one is none."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from badger_agents.locks import OwnedError, awaited, owned


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
