"""Artifacts of a submission: files within its folder, and weights that are safetensors and nothing else."""

import hashlib
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError, safe_open

LARGEST_WEIGHTS = 2**30
"""Bytes that the weights of one outer seed may have."""


class ArtifactError(ValueError):
    """A file of a submission that cannot be used; the message says why."""


def inside(folder: Path, name: str) -> Path:
    """A file of a folder, named relative to it.

    Raises:
        ArtifactError: the name leads out of the folder, by itself or by a link, or no file is there.
    """
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name:
        raise ArtifactError(f"{name!r} leads out of the submission's folder; name a file in it")
    path = folder
    for part in pure.parts:
        path = path / part
        if path.is_symlink():
            raise ArtifactError(f"{name!r} is, or lies behind, a symbolic link; submit the file itself")
    if not path.is_file():
        raise ArtifactError(f"{name!r} is not in the submission's folder")
    return path


def walk(folder: Path) -> Iterator[str]:
    """Names of all that is no folder, relative to a folder; links are named and not followed."""
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield (Path(place) / name).relative_to(folder).as_posix()


def read_text(path: Path, limit: int) -> str:
    """Text of a file that has a limited size.

    Raises:
        ArtifactError: it is larger, or no UTF-8 text.
    """
    with path.open("rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise ArtifactError(f"{path.name} is larger than {limit} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ArtifactError(f"{path.name} is no UTF-8 text") from None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read as a stream."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_hash(path: Path, sha256: str, limit: int) -> None:
    """Check that a file has this hash, and a limited size.

    Raises:
        ArtifactError: it has not.
    """
    if path.stat().st_size > limit:
        raise ArtifactError(f"{path.name} is larger than {limit} bytes")
    found = sha256_of(path)
    if found != sha256:
        raise ArtifactError(f"{path.name} has SHA-256 {found[:12]}..., the submission says {sha256[:12]}...")


def check_weights(path: Path, sha256: str) -> int:
    """Check that weights are a sound safetensors file with this hash; nothing in it is run.

    Returns:
        How many numbers they are.

    Raises:
        ArtifactError: they are not, such as a pickle under another name.
    """
    check_hash(path, sha256, LARGEST_WEIGHTS)
    try:
        with safe_open(path, framework="numpy") as tensors:
            shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118
    except SafetensorError:
        raise ArtifactError(f"{path.name} is no safetensors file; other formats can run code") from None
    if not shapes:
        raise ArtifactError(f"{path.name} holds no tensors")
    return sum(math.prod(shape) for shape in shapes)
