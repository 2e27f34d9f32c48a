"""Who may write: a folder has one owner at a time, and writers of one file wait for each other.

The locks are the operating system's, so that one of a killed process is free at once. Where there is a lock,
there is a file `.lock` in the folder, or `.NAME.lock` beside the file, which only a kill leaves behind.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PATIENCE = 60.0
"""Seconds that a writer waits for another that writes the same file; a write takes a moment."""


class OwnedError(ValueError):
    """Another process writes the folder or file; the message says what would do."""


@contextmanager
def owned(*places: Path) -> Iterator[None]:
    """Own folders (which must exist) or files for a while, to write them; the same thread may do so again.

    Raises:
        OwnedError: another process owns one of them.
    """
    with ExitStack() as stack:
        for place in places:
            try:
                stack.enter_context(_held(place, 0))
            except Timeout as error:
                raise OwnedError(
                    f"{place} is being written by another process; wait for its end, or choose another --out"
                ) from error
        yield


@contextmanager
def awaited(*places: Path, seconds: float = -1) -> Iterator[None]:
    """As `owned`, but wait for other owners; as long as it takes if `seconds` is below 0.

    Raises:
        TimeoutError: one did not end in time.
    """
    with ExitStack() as stack:
        for place in sorted(places):  # in one order, so that two do not wait for each other
            stack.enter_context(_held(place, seconds))
        yield


@contextmanager
def _held(place: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of a place; within a process it is one object, which counts how often it is held."""
    place = place.resolve()
    file = place / ".lock" if place.is_dir() else place.with_name(f".{place.name}.lock")
    lock = FileLock(file, is_singleton=True)
    with lock.acquire(timeout=seconds):
        try:
            yield
        finally:
            if lock.lock_counter == 1:  # `acquire` sees that a file it waited for is no more
                with suppress(OSError):  # Windows deletes no open file; it is deleted with its lock
                    file.unlink()
