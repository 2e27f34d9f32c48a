"""Preparing a submission: from a board's rows and checkpoints, or from runs of one's own."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.loop import CHECKPOINT
from leaderboards.boards.board import Board
from leaderboards.boards.rows import RunRows, write_run
from leaderboards.submissions import preparing
from leaderboards.submissions.preparing import of_board, of_runs, weights_sha256, write_submission
from leaderboards.submissions.validation import validate
from tests.leaderboards.submissions.made import Place

FACTS = {"name": "a", "authors": ["A. Nobody"], "about": "", "hardware": "a machine"}


def board_runs(made: Place, folder: Path, board: Board) -> None:
    """What `badger board run` leaves of "talk", whose outer seed 1 failed: rows, facts, checkpoints."""
    _, own = of_runs(board, "small", made.folder / "runs", tuple(board.cells), ())
    rows = folder / board.name / "rows"
    rows.mkdir(parents=True)
    for run in own:
        assert run.weights is not None
        facts = {"status": "ok", "fingerprint": board.fingerprint("talk"), "outer_steps": 3, "seconds": 1.5}
        facts |= {"trials": None, "weights_sha256": weights_sha256(run.weights)}
        failed = {**facts, "status": "failed: no finite loss"}
        told = RunRows("talk", run.seed, {} if run.seed == 1 else dict(run.outcomes), facts)
        write_run(rows, told._replace(facts=failed) if run.seed == 1 else told)
    shutil.copytree(made.folder / "runs", folder / "wherever")
    (folder / "wherever" / "half-written.safetensors").write_bytes(b"half")


def test_a_line_of_a_board_brings_its_rows_costs_and_failures(made: Place, tmp_path: Path) -> None:
    board = made.table
    board_runs(made, tmp_path, board)
    recipe, runs = of_board(board, "talk", tmp_path)
    manifest = write_submission(tmp_path / "a", board, recipe, runs, FACTS)
    report = validate(tmp_path / "a", board)
    assert report.violations == []
    assert manifest.seeds == (0, 2)
    assert [run.status for run in manifest.runs] == ["ok", "failed: no finite loss", "ok"]
    assert [run.seconds for run in manifest.runs] == [1.5] * 3
    assert [run.trials for run in manifest.runs] == [None] * 3
    for seed in (0, 2):
        told = load_checkpoint(made.folder / "runs" / f"small-seed{seed}" / CHECKPOINT).weights
        kept = load_file(tmp_path / "a" / f"weights-seed{seed}.safetensors")
        assert weights_sha256(kept) == weights_sha256(told)
    rows = validate(made.submission, board).rows
    assert report.rows == {key: value for key, value in rows.items() if key[0] != 1}
    again = write_submission(tmp_path / "b", board, recipe, runs, FACTS)
    assert again == manifest
    for path in (tmp_path / "a").iterdir():
        assert (tmp_path / "b" / path.name).read_bytes() == path.read_bytes()


def test_weights_of_other_rows_are_not_taken(made: Place, tmp_path: Path) -> None:
    board_runs(made, tmp_path, made.table)
    shutil.rmtree(tmp_path / "wherever" / "small-seed2")
    with pytest.raises(ValueError, match="weights of talk with outer seed 2 are nowhere"):
        of_board(made.table, "talk", tmp_path)


def test_runs_of_one_s_own_are_measured_on_the_board(made: Place) -> None:
    _, runs = of_runs(made.table, "small", made.folder / "runs", ("long",), (0,))
    assert [run.status for run in runs] == ["failed: told by the submitter", "ok", "ok"]
    told = validate(made.submission, made.table).rows
    for run in runs[1:]:
        assert list(run.outcomes) == ["long"]
        np.testing.assert_allclose(
            run.outcomes["long"], [told[run.seed, "long", task] for task in range(6)], rtol=1e-6
        )


def test_nothing_is_left_when_the_disk_is_full(
    made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, runs = of_runs(made.table, "small", made.folder / "runs", ("short",), ())
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "weights-seed2.safetensors":
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_submission(tmp_path / "a", made.table, recipe, runs, FACTS)
    assert list(tmp_path.iterdir()) == []


def test_environments_that_play_otherwise_are_not_submitted(
    made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, runs = of_runs(made.table, "small", made.folder / "runs", ("short",), ())

    def refuse(ids: list[str]) -> None:
        raise ValueError(f"{ids[0]} no longer plays as its version says")

    monkeypatch.setattr(preparing, "check_sources", refuse)
    with pytest.raises(ValueError, match="no longer plays"):
        write_submission(tmp_path / "a", made.table, recipe, runs, FACTS)
    assert list(tmp_path.iterdir()) == []


def test_the_machine_is_told_in_a_few_words() -> None:
    assert "CPU cores" in preparing.hardware()
