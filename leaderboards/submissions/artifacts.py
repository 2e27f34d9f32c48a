"""Artifacts of a submission: files within its folder, and weights that are safetensors and nothing else."""

import hashlib
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError, safe_open


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


def check_weights(path: Path, sha256: str) -> None:
    """Check that weights are a sound safetensors file with this hash; nothing in it is run.

    Raises:
        ArtifactError: they are not, such as a pickle under another name.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise ArtifactError(f"{path.name} has SHA-256 {found[:12]}..., the submission says {sha256[:12]}...")
    try:
        with safe_open(path, framework="numpy") as tensors:
            empty = not list(tensors.keys())
    except SafetensorError:
        raise ArtifactError(f"{path.name} is no safetensors file; other formats can run code") from None
    if empty:
        raise ArtifactError(f"{path.name} holds no tensors")
