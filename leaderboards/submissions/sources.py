"""Which environments rows were made on: hashes of what an id means, and of the code that says so.

What the version of an id means is its golden trajectory (`badger_envs.testing.golden`): draws, observations
and rewards of stored trials. Its hash is what a submission must agree on, as code may change, down to a
comment, while an environment stays what it is; code that plays differently needs a new version. The hash
of the code itself is kept beside it.
"""

import functools
import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import badger_envs
from badger_envs.testing.golden import FOLDER, check_golden, golden_file

ENVIRONMENTS = Path(badger_envs.__file__).parent
"""Where the code of all environments lies."""


def golden_sha256(id: str, folder: Path = FOLDER) -> str | None:
    """Hash of an id's stored golden trajectory: name, type, shape, bytes of each array; None without one."""
    path = golden_file(id, folder)
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with np.load(path, allow_pickle=False) as stored:
        for name in sorted(stored.files):
            array = np.ascontiguousarray(stored[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return digest.hexdigest()


@functools.cache
def source_sha256() -> str:
    """Hash of the code of all environments: path and text of each Python file of `badger_envs`, by path."""
    digest = hashlib.sha256()
    for path in sorted(ENVIRONMENTS.rglob("*.py")):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.relative_to(ENVIRONMENTS).as_posix()} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def check_sources(ids: Iterable[str]) -> None:
    """Check that the code here plays ids as their golden trajectories say.

    Raises:
        ValueError: it does not, or there is none for an id.
    """
    for id in ids:
        try:
            check_golden(id)
        except AssertionError as error:
            raise ValueError(str(error)) from None


def commit() -> str:
    """Commit of the suite's repository; empty without one, or with changes that are not committed."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=ENVIRONMENTS, capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()

    try:
        if git("ls-files", "__init__.py") and not git("status", "--porcelain", "--untracked-files=no"):
            return git("rev-parse", "HEAD")
    except (OSError, subprocess.SubprocessError):
        pass
    return ""
