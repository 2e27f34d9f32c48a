"""Hashes of environments follow what an id means."""

from pathlib import Path

import numpy as np
import pytest

from badger_envs import TABLE
from leaderboards.submissions import sources
from leaderboards.submissions.sources import check_sources, golden_sha256, source_sha256


def test_every_id_has_a_hash_of_its_own_unless_it_means_the_same() -> None:
    hashes = {entry.id: golden_sha256(entry.id) for entry in TABLE}
    assert None not in hashes.values()
    assert hashes["Badger/XOR-2-v0"] != hashes["Badger/XOR-3-v0"]
    assert hashes["Badger/GuessingGame-v0"] == hashes["Badger/GuessingGame-d3-v0"]
    assert golden_sha256("Badger/Chess-v0") is None


def test_the_hash_is_of_what_is_stored_and_not_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "Toy-v0.npz"
    arrays = {"reward": np.arange(6.0, dtype=np.float32).reshape(3, 2), "draws": np.array("abc")}
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    first = golden_sha256("Toy-v0", tmp_path)
    np.savez(path, **dict(reversed(arrays.items())))  # type: ignore[arg-type]
    assert golden_sha256("Toy-v0", tmp_path) == first
    for changed in (arrays["reward"] + 1e-6, arrays["reward"].reshape(2, 3), arrays["reward"].astype(float)):
        np.savez(path, **{**arrays, "reward": changed})  # type: ignore[arg-type]
        assert golden_sha256("Toy-v0", tmp_path) != first


def test_code_that_plays_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_sources(["Badger/XOR-v0"])
    from badger_envs.families.guessing_game import GuessingGame

    monkeypatch.setattr(
        GuessingGame, "step", lambda self, task, state, action, noise: _easy(self, task, state)
    )
    with pytest.raises(ValueError, match="no longer plays as its version says"):
        check_sources(["Badger/GuessingGame-v0"])


def _easy(self: object, task: object, state: object) -> object:
    from badger_envs.families.guessing_game import State
    from badger_envs.family import Transition

    error = state.error * 0  # type: ignore[attr-defined]
    time = state.time + 1  # type: ignore[attr-defined]
    moved = State(state.outputs, error, time)  # type: ignore[attr-defined]
    return Transition(moved, -error, error, time == self.horizon)  # type: ignore[attr-defined]


def test_the_source_hash_follows_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\n")
    monkeypatch.setattr(sources, "ENVIRONMENTS", tmp_path)
    found = []
    for content in (b"x = 1\n", b"x = 1\r\n", b"x = 2\n"):
        (tmp_path / "a.py").write_bytes(content)
        source_sha256.cache_clear()
        found.append(source_sha256())
    source_sha256.cache_clear()
    assert found[0] == found[1] != found[2]
