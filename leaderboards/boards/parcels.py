"""Units that travel: all that a machine without our files needs to make one, and what it tells back."""

import queue
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from badger_agents.atomic_files import write_together
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.training.checkpoint import settle
from badger_agents.training.loop import CHECKPOINT, LOG
from badger_envs import __version__
from leaderboards.boards.board import Board
from leaderboards.boards.units import Unit, run_folder
from leaderboards.boards.work import Steps, Told, make

TOLD_EVERY = 1.0
"""Seconds between what a unit tells of its training."""


class Parcel(NamedTuple):
    """A unit and the files that it stands on.

    Attributes:
        unit: what is to be made; its folder and the paths in its board mean nothing elsewhere.
        tables: its recipe, as read where it was packed.
        code: a user's own code, by the recipe's key ("kind", "policy").
        files: of its seeds' run folders, by path relative to the folder of all boards' work.
        version: of the suite that packed it.
    """

    unit: Unit
    tables: dict[str, Any]
    code: dict[str, bytes]
    files: dict[str, bytes]
    version: str


class Trained(NamedTuple):
    """What a unit tells of its run folders when there are new checkpoints: all their files, by path."""

    files: dict[str, bytes]


class Failed(NamedTuple):
    """What a unit tells if it cannot be made: the traceback."""

    traceback: str


class PackedBoard(Board):
    """A board of which one recipe is used, and that is read already: its files are elsewhere."""

    packed: Recipe

    def recipe(self, agent: str) -> Recipe:
        """That recipe."""
        return self.packed


def pack(unit: Unit) -> Parcel:
    """Pack a unit with what was trained of it so far."""
    tables, code = unit.recipe.model_dump(), {}
    for key in ("kind", "policy"):
        file = str(tables["agent"].get(key, "")).rpartition(":")[0]
        if file.endswith(".py"):
            code[key] = Path(file).read_bytes()
    if len(unit.seeds) > 1:  # we may have been killed while we put checkpoints in place
        settle(folder / CHECKPOINT for folder in _folders(unit))
    return Parcel(unit, tables, code, _contents(unit), __version__)


def unpack(parcel: Parcel, folder: Path) -> Unit:
    """Unpack a unit into an empty folder; it leads to the same weights and rows as where it was packed.

    Raises:
        ValueError: another version of the suite packed it.
    """
    if parcel.version != __version__:
        raise ValueError(f"it has badger-suite {__version__}, and was sent work of {parcel.version}")
    agent = dict(parcel.tables["agent"])
    for key, text in parcel.code.items():
        file = folder / f"{key}.py"
        file.write_bytes(text)
        agent[key] = f"{file}:{agent[key].rpartition(':')[2]}"
    put_files(folder, parcel.files)
    recipe = check_recipe({**parcel.tables, "agent": agent}, "recipe that was sent")
    board = PackedBoard.model_validate({**dict(parcel.unit.board), "packed": recipe})
    return parcel.unit._replace(board=board, out=folder)


def put_files(out: Path, files: dict[str, bytes]) -> None:
    """Put files of run folders where they belong: all of them, or after an error none."""
    for name in files:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
    write_together({out / name: data for name, data in files.items()})


def made(parcel: Parcel) -> Iterator[Told | Trained | Failed]:
    """Make a unit in a folder of its own that is deleted afterwards, one thread of work.

    Checkpoints are told before the rows that were measured with them, and every second if there are new
    ones: who keeps them can have the work go on elsewhere, to the same bits.

    Yields:
        What it tells, at once; Failed is the last.
    """
    told: queue.SimpleQueue[Told | Trained | Failed | None] = queue.SimpleQueue()
    stopped = threading.Event()
    with TemporaryDirectory(prefix="badger-", ignore_cleanup_errors=True) as folder:
        unit = unpack(parcel, Path(folder))
        worker = threading.Thread(target=_work, args=(unit, told, stopped), daemon=True)
        worker.start()
        try:
            while True:
                try:
                    item = told.get(timeout=TOLD_EVERY)  # nobody could interrupt an endless one
                except queue.Empty:
                    continue
                if item is None:
                    return
                yield item
        finally:
            stopped.set()
            worker.join()


class _StoppedError(Exception):
    """Nobody waits for the unit any more."""


def _work(
    unit: Unit, told: "queue.SimpleQueue[Told | Trained | Failed | None]", stop: threading.Event
) -> None:
    """The thread in which a unit is made."""
    known, last = _state(unit), time.monotonic()

    def tell(item: Told) -> None:
        nonlocal known, last
        if stop.is_set():
            raise _StoppedError
        now = time.monotonic()
        if isinstance(item, Steps) and now - last < TOLD_EVERY:
            return
        last, state = now, _state(unit)
        if state != known:
            known = state
            told.put(Trained(_contents(unit)))
        told.put(item)

    try:
        for run in make(unit, tell):
            tell(run)
    except _StoppedError:
        pass
    except BaseException:
        told.put(Failed(traceback.format_exc()))
    told.put(None)


def _folders(unit: Unit) -> list[Path]:
    """Run folders of a unit's seeds; none for a reference."""
    return [run_folder(unit.out, unit.board, unit.source, seed) for seed in unit.seeds if seed is not None]


def _files(unit: Unit) -> list[Path]:
    """Files of its run folders, checkpoints last: a log may be ahead of its checkpoint, but not behind it."""
    found = [path for folder in _folders(unit) if folder.is_dir() for path in folder.iterdir()]
    whole = [path for path in found if path.is_file() and not path.name.startswith(".")]
    return sorted(whole, key=lambda path: (path.name == CHECKPOINT, path))


def _contents(unit: Unit) -> dict[str, bytes]:
    return {path.relative_to(unit.out).as_posix(): path.read_bytes() for path in _files(unit)}


def _state(unit: Unit) -> dict[Path, tuple[int, int]]:
    """Changes with every new checkpoint, and with all else but a longer log.

    Each writing makes a new file; times of change alone are coarse on some systems.
    """
    found = {path: path.stat() for path in _files(unit) if path.name != LOG}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}
