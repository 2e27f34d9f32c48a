"""What a submission says of itself: the one model of submission.toml, and the hashes in it."""

import functools
import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

import badger_envs
from badger_agents.agent import Settings
from leaderboards.boards.board import Name

FILE, RECIPE, RESULTS = "submission.toml", "recipe.toml", "results.csv"
"""Names of a submission's files; beside them its weights (`weights_file`), and own code as NAME.py."""

LARGEST = 2**20
"""Bytes that a file of a submission may have, other than weights."""

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", max_length=1000)]


class SubmissionError(ValueError):
    """A submission that cannot be used.

    Attributes:
        lines: what is wrong with it, a line each.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = list(lines)


class Manifest(Settings):
    """A submission: one agent, trained with every outer seed of a board. Scores are not in it, but measured.

    Attributes:
        format: of this file.
        board: which leaderboard, with its version.
        name: of the submission.
        authors: who made it.
        about: what it is, in a few words.
        hardware: on what it was trained.
        suite: version of the suite.
        source_sha256: of the environments' code (`source_sha256`).
        environments: SHA-256 of the golden trajectory of each id (`golden_sha256`): what its version means.
        files: SHA-256 of recipe, results and own code. The results have the hashes of the weights.
    """

    format: Literal[1]
    board: Name
    name: Name
    authors: list[Line] = Field(min_length=1)
    about: Line = ""
    hardware: Line
    suite: Line
    source_sha256: Hash
    environments: dict[Line, Hash] = Field(min_length=1)
    files: dict[Annotated[str, Field(pattern=r"^(recipe\.toml|results\.csv|[A-Za-z_]\w*\.py)$")], Hash]


def weights_file(seed: int) -> str:
    """Name of the file with the weights of an outer seed: a checkpoint without what only training needs."""
    return f"weights-seed{seed}.safetensors"


def artifact(folder: Path) -> str:
    """SHA-256 of a submission: of its manifest, which has or leads to the hashes of all else."""
    return sha256(read(folder, FILE))


def read(folder: Path, name: str) -> bytes:
    """A file of a submission's folder: no link, and of a reasonable size.

    Raises:
        SubmissionError: it is not.
    """
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise SubmissionError(f"{name} is {'a symbolic link' if path.is_symlink() else 'missing'}")
    if path.stat().st_size > LARGEST:
        raise SubmissionError(f"{name} is larger than {LARGEST} bytes")
    return path.read_bytes()


def read_tables(folder: Path, name: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SubmissionError: it is none.
    """
    try:
        return tomllib.loads(read(folder, name).decode("utf-8-sig"))
    except SubmissionError:
        raise
    except (ValueError, RecursionError) as error:
        raise SubmissionError(f"{name} is no TOML: {error}") from None


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a submission's folder.

    Raises:
        SubmissionError: something in it is wrong; all of that.
    """
    try:
        return Manifest.model_validate(read_tables(folder, FILE))
    except ValidationError as error:
        raise SubmissionError(*(f"{FILE}: {line}" for line in told(error))) from None


def told(error: ValidationError) -> list[str]:
    """What pydantic found wrong, a line each."""
    lines = []
    for each in error.errors():
        place = ".".join(str(part) for part in each["loc"]) or "it"
        unknown = each["type"] == "extra_forbidden"
        lines.append(f"{place}: {'not known here; take it out' if unknown else each['msg']}")
    return lines


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@functools.cache
def source_sha256() -> str:
    """Hash of the code of all environments: path and text of each Python file of `badger_envs`, by path."""
    digest, folder = hashlib.sha256(), Path(badger_envs.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.relative_to(folder).as_posix()} {len(text)}\n".encode() + text)
    return digest.hexdigest()
