"""Held-out seeds belong to nonce, artifact, environment and index."""

import hashlib

import pytest

from leaderboards.submissions.season import SeasonError, check_nonce, check_registered, commitment, task_seed

NONCE = "n" * 32
ARTIFACT = hashlib.sha256(b"weights").hexdigest()


def test_a_seed_is_the_published_formula() -> None:
    digest = hashlib.sha256(f"{NONCE}\n{ARTIFACT}\nBadger/Xor-v0\n3".encode()).hexdigest()
    assert task_seed(NONCE, ARTIFACT, "Badger/Xor-v0", 3) == int(digest[:16], 16) // 2


def test_every_part_changes_the_seed() -> None:
    other = hashlib.sha256(b"other").hexdigest()
    seeds = {
        task_seed(nonce, artifact, env, index)
        for nonce in (NONCE, "m" * 32)
        for artifact in (ARTIFACT, other)
        for env in ("Badger/Xor-v0", "Badger/Xor-v1")
        for index in range(50)
    }
    assert len(seeds) == 400
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_another_nonce_than_the_published_one_is_refused() -> None:
    check_nonce(NONCE, commitment(NONCE))
    with pytest.raises(SeasonError, match="not the one"):
        check_nonce("m" * 32, commitment(NONCE))
    with pytest.raises(SeasonError, match="guessed"):
        commitment("short")


@pytest.mark.parametrize(("artifact", "index"), [("abc", 0), (ARTIFACT.upper(), 0), (ARTIFACT, -1)])
def test_what_is_no_hash_or_index_is_refused(artifact: str, index: int) -> None:
    with pytest.raises(SeasonError):
        task_seed(NONCE, artifact, "Badger/Xor-v0", index)


def test_parts_cannot_run_into_each_other() -> None:
    with pytest.raises(SeasonError, match="one line"):
        task_seed(NONCE + "\n", ARTIFACT, "Badger/Xor-v0", 0)


def test_an_artifact_that_came_late_is_refused() -> None:
    check_registered(ARTIFACT, frozenset({ARTIFACT}))
    with pytest.raises(SeasonError, match="not registered"):
        check_registered(ARTIFACT, frozenset())
