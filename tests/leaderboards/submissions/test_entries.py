"""Submissions as lines of their board: in the terminal, on the site, self-reported or verified."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from leaderboards.boards.board import BoardError
from leaderboards.boards.rows import read_runs
from leaderboards.site.build import site_files
from leaderboards.submissions import entries
from leaderboards.submissions.rows import by_seed
from leaderboards.submissions.validation import validate
from tests.leaderboards.command import run
from tests.leaderboards.site.made_up import write_made_up
from tests.leaderboards.submissions.made import NAME, SEEDS, Place, say


@pytest.fixture
def hall(made: Place, tmp_path: Path) -> Path:
    """A folder with the submission where a suite has it."""
    shutil.copytree(made.submission, tmp_path / "hall" / "tiny-v1" / NAME)
    return tmp_path / "hall"


def test_a_submission_is_a_line_with_its_own_rows(made: Place, hall: Path) -> None:
    board, runs = entries.with_submissions(made.table, hall)
    (line,) = runs
    assert line == f"{NAME} (self-reported)"
    assert list(board.agents) == [*made.table.agents, line]
    assert board.cells_of(line).keys() == board.cells.keys()
    rows = validate(made.submission, made.table).rows
    for cell in board.cells:
        told = by_seed(rows, range(SEEDS), cell, board.tasks)
        np.testing.assert_array_equal([each.outcomes[cell] for each in runs[line]], told)
    assert [each.seed for each in runs[line]] == list(range(SEEDS))
    assert all(each.facts["parameters"] > 0 for each in runs[line])
    assert line not in made.table.agents  # the board that was given is as it was


def test_verified_is_said(made: Place, hall: Path) -> None:
    folder = hall / "tiny-v1" / NAME
    say("board", "verify", folder, "--board", made.board, "--seeds", 0, 2)
    assert list(entries.with_submissions(made.table, hall)[1]) == [f"{NAME} (verified: 2 of 3 seeds)"]
    say("board", "verify", folder, "--board", made.board)
    assert list(entries.with_submissions(made.table, hall)[1]) == [f"{NAME} (verified)"]


def test_its_budget_is_its_own(made: Place, hall: Path) -> None:
    steps = made.table.recipe("talk").training.outer_steps  # type: ignore[union-attr]
    wider = made.table.model_copy(update={"training": {"outer_steps": steps + 1}})
    board, runs = entries.with_submissions(wider, hall)
    (line,) = runs
    assert board.recipe(line).training.outer_steps == steps  # type: ignore[union-attr]
    assert board.budget_of(line) == {}
    assert board.budget_of("talk") == {"outer_steps": steps + 1}


def test_failed_seeds_and_cells_that_were_left_out_are_as_they_were_said(made: Place, tmp_path: Path) -> None:
    folder = tmp_path / "tiny-v1" / "partly"
    prepare = ("board", "prepare", made.board, "small", "--runs", made.folder / "runs", "--out", folder)
    say(*prepare, "--author", "A. Nobody", "--cells", "short", "--failed", 1)
    board, runs = entries.with_submissions(made.table, tmp_path)
    ((line, found),) = runs.items()
    assert [(each.seed, each.ok) for each in found] == [(0, True), (1, False), (2, True)]
    assert list(board.cells_of(line)) == ["short"]
    rows = validate(made.submission, made.table).rows
    for each in found:
        told = [rows[each.seed or 0, "short", task] for task in range(board.tasks)] if each.ok else []
        np.testing.assert_allclose(each.outcomes.get("short", []), told, rtol=1e-6)


def test_boards_without_submissions_stay_as_they_are(made: Place, tmp_path: Path) -> None:
    board, runs = entries.with_submissions(made.table, tmp_path)
    assert runs == {}
    assert board == made.table


def test_what_is_not_valid_is_one_line(made: Place, hall: Path) -> None:
    manifest = hall / "tiny-v1" / NAME / "submission.toml"
    manifest.write_text(manifest.read_text().replace('"A. Nobody"', '"A. Nobody"]\nscore = [1.0', 1))
    with pytest.raises(BoardError, match=r"submission mine to tiny-v1 is not valid: .*badger board validate"):
        entries.with_submissions(made.table, hall)


def test_no_two_can_have_one_name(made: Place, hall: Path) -> None:
    shutil.copytree(made.submission, hall / "tiny-v1" / "another")
    with pytest.raises(BoardError, match=r"another to tiny-v1 is not valid: it is called 'mine'"):
        entries.with_submissions(made.table, hall)


def test_the_site_and_the_terminal_show_it(
    made: Place,
    hall: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    board, rows = made.table, tmp_path / "rows"
    write_made_up(board, rows, seeds=SEEDS)
    assert all(read_runs(rows, board).values())
    files = site_files([(board, rows)], tmp_path / "site", hall)
    line = f"{NAME} (self-reported)"
    assert line in files["boards/tiny-v1.html"].decode()
    assert any(line in page.decode() for name, page in files.items() if name.startswith("agents/mine"))
    assert line in files["data/tiny-v1.csv"].decode()
    assert str(made.folder) not in "".join(page.decode() for name, page in files.items() if "html" in name)
    assert line not in site_files([(board, rows)], tmp_path / "site")["boards/tiny-v1.html"].decode()
    monkeypatch.setattr("leaderboards.commands.board_text.kept_folder", lambda board: rows)
    monkeypatch.setattr("leaderboards.commands.board.kept_folder", lambda board: rows)
    monkeypatch.setattr("leaderboards.commands.board_text.SUBMISSIONS", hall)
    shown = run(capsys, "board", "show", made.board, "--json")
    assert line in [row["agent"] for row in shown.results]
    (hall / "tiny-v1" / NAME / "episodes.csv.gz").unlink()
    shown = run(capsys, "board", "show", made.board, "--json")
    assert shown.status == 0
    assert line not in [row["agent"] for row in shown.results]
    assert "without submissions: submission mine to tiny-v1 is not valid" in shown.out
    with pytest.raises(BoardError, match="badger board validate"):
        site_files([(board, rows)], tmp_path / "site", hall)
