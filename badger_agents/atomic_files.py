"""Files that are written whole or not at all."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from badger_agents.locks import PATIENCE, awaited


def part_of(path: Path) -> Path:
    """Where a file is written before it is put in place."""
    return path.with_name(f".{path.name}.part")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, also when the writer is killed.

    A killed writer can leave `.NAME.part` behind, which the next write replaces. Two writers of one file wait
    for each other.
    """
    part = part_of(path)
    with awaited(path, seconds=PATIENCE):
        try:
            _write_part(part, data)
            os.replace(part, path)
        except OSError:  # a full disk, say: nothing half-written stays
            part.unlink(missing_ok=True)
            raise


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together: all of them, or after an error none.

    Each is written as by `write_atomically`, and none is replaced before all are on the disk. A writer
    killed in the moment of replacing can leave some new and some old.
    """
    with awaited(*files, seconds=PATIENCE):
        _write_together(files)


def _write_together(files: Mapping[Path, bytes]) -> None:
    parts = {path: part_of(path) for path in files}
    before = {path: path.read_bytes() if path.is_file() else None for path in files}
    replaced: list[Path] = []
    try:
        for path, data in files.items():
            _write_part(parts[path], data)
        for path, part in parts.items():
            os.replace(part, path)
            replaced.append(path)
    except OSError:
        for part in parts.values():
            part.unlink(missing_ok=True)
        for path in replaced:
            _put_back(path, before[path])
        raise


def _put_back(path: Path, old: bytes | None) -> None:
    """The file as it was; if that cannot be, the new one stays: it is whole too."""
    part = part_of(path)
    with suppress(OSError):
        if old is None:
            path.unlink()
        else:
            _write_part(part, old)
            os.replace(part, path)
    part.unlink(missing_ok=True)


def _write_part(part: Path, data: bytes) -> None:
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = error.filename or str(part)  # a full disk does not say where
        raise
