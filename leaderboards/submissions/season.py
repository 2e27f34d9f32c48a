"""Seasons: held-out task seeds that nobody knows before the weights they belong to are registered.

The hash of a nonce is published when a season opens, artifacts are registered by their hash while it is open,
and the nonce is revealed when it closes. Task seeds follow from both, so they cannot be trained on or chosen.
"""

import hashlib
import re

_HASH = re.compile(r"[0-9a-f]{64}")


class SeasonError(ValueError):
    """A nonce, hash or seed that does not belong to the season; the message says why."""


def commitment(nonce: str) -> str:
    """What is published of a nonce when a season opens: its SHA-256 in hexadecimal digits."""
    if len(nonce) < 32:
        raise SeasonError(f"the nonce has {len(nonce)} characters; it takes 32 or more, or it can be guessed")
    return hashlib.sha256(nonce.encode()).hexdigest()


def check_nonce(nonce: str, published: str) -> None:
    """Check a revealed nonce against the hash that was published.

    Raises:
        SeasonError: it is another nonce.
    """
    if commitment(nonce) != published:
        raise SeasonError("the revealed nonce is not the one whose hash was published for this season")


def task_seed(nonce: str, artifact: str, env_id: str, index: int) -> int:
    """Seed of one held-out task, in [0, 2^63): the same for everybody who knows nonce and artifact.

    Args:
        nonce: of the season, revealed at its close.
        artifact: SHA-256 of what is submitted (`schema.Manifest.artifact`), 64 lower-case hexadecimal digits.
        env_id: registered id of the environment, with its version.
        index: of the task, from 0.

    Raises:
        SeasonError: the artifact is no such hash, the index is negative, or a name holds a line's end.
    """
    if not _HASH.fullmatch(artifact):
        raise SeasonError(f"artifact {artifact!r} is no SHA-256; it takes 64 lower-case hexadecimal digits")
    if index < 0:
        raise SeasonError(f"task index {index} is negative; tasks count from 0")
    if "\n" in nonce + env_id:  # a line for each part: two lists of parts never give the same text
        raise SeasonError("nonce and environment id are one line each")
    text = "\n".join([nonce, artifact, env_id, str(index)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def check_registered(artifact: str, registered: frozenset[str]) -> None:
    """Check that an artifact was registered before the season closed.

    Raises:
        SeasonError: it was not.
    """
    if artifact not in registered:
        raise SeasonError(f"artifact {artifact[:12]}... was not registered before the season closed")
