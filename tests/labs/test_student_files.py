"""Grading of a folder: answers in scripts and notebooks, and files that crash, hang or are none."""

import json
import time
from pathlib import Path

import jupytext
import pytest

import labs
from labs import grading
from labs.grading import RESULTS
from labs.student_files import check_file
from tests.leaderboards.command import refused, run

RIGHT = """
# %%
import numpy as np
import labs

# %%
def error(guess, target):
    return 3 * ((guess - target) ** 2).mean(axis=-1)

# %%
labs.check("1.1", error)
"""

WRONG = """
# %%
def triangulate(zero_error, probe_errors, h):
    return probe_errors.T

# %%
labs.check("1.3", triangulate)
"""

FAILS = """
# %%
1 / 0

# %%
this is no Python
"""

ENDLESS = """
# %%
while True:
    pass
"""


def test_a_folder_is_graded_a_json_line_per_exercise(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "lab_01_a_trial.py").write_text(FAILS + RIGHT)
    notebook = jupytext.reads("# %%\n# %matplotlib inline\n" + RIGHT + WRONG, fmt="py:percent")
    jupytext.write(notebook, tmp_path / "ann" / "lab_01.ipynb")
    (tmp_path / "notes.py").write_text("raise SystemExit")
    done = run(capfd, "labs", "check", tmp_path)
    assert done.status == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert {tuple(row) for row in rows} == {("file", "lab", "exercise", "passed", "message")}
    found = {(row["file"], row["exercise"]): (row["passed"], row["message"]) for row in rows}
    assert len(found) == 8
    for file in ("lab_01_a_trial.py", "ann/lab_01.ipynb"):
        assert found[file, "1.1"] == (True, "1.1 is right")
    assert found["ann/lab_01.ipynb", "1.2"] == (False, "1.2: not reached: the file has no check of it")
    passed, message = found["ann/lab_01.ipynb", "1.3"]
    assert not passed
    assert "shape" in message
    assert "raises SyntaxError" in found["lab_01_a_trial.py", "1.4"][1]


def test_a_file_without_end_is_stopped(tmp_path: Path) -> None:
    file = tmp_path / "lab_01.py"
    file.write_text(ENDLESS + RIGHT)
    found = check_file(file, 1, limit=2)
    assert found["1.1"] == (False, "1.1: not reached: the file ran longer than 2 s before it")
    assert not any(passed for passed, _ in found.values())


def test_a_cell_can_read_the_source_of_a_function_of_another(tmp_path: Path) -> None:
    file = tmp_path / "lab_01.py"
    asks = (
        '\n# %%\nimport inspect\n\nlabs.check("1.1", eval(inspect.getsource(error).count("3 *") * "error"))\n'
    )
    file.write_text(RIGHT.partition("\n# %%\nlabs.check")[0] + asks)
    assert check_file(file, 1)["1.1"] == (True, "1.1 is right")


def test_notebooks_are_built_once(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = run(capfd, "labs", "notebooks", tmp_path / "mine")
    assert done.status == 0
    assert "PYTHONPATH" in done.err
    notebook = jupytext.read(tmp_path / "mine" / "lab_01_a_trial.ipynb")
    assert {cell.cell_type for cell in notebook.cells} == {"markdown", "code"}
    again = run(capfd, "labs", "notebooks", tmp_path / "mine")
    assert (again.status, again.out) == (2, "")
    assert "delete one to start it again" in again.err
    (tmp_path / "mine" / "lab_01_a_trial.ipynb").unlink()
    left = {path: path.stat().st_mtime_ns for path in (tmp_path / "mine").iterdir()}
    assert run(capfd, "labs", "notebooks", tmp_path / "mine").status == 0
    assert len(jupytext.read(tmp_path / "mine" / "lab_01_a_trial.ipynb").cells) == len(notebook.cells)
    assert {path: path.stat().st_mtime_ns for path in left} == left  # with what is in them


@pytest.mark.parametrize(
    ("words", "told"),
    [(("nowhere",), "no folder"), ((".",), "no lab in"), ((".", "--seconds", 0), "above 0")],
)
def test_what_cannot_be_graded_is_one_line(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[object, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told in refused(capfd, "labs", "check", *words)


def test_an_answer_without_end_is_wrong_and_others_are_graded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(RESULTS, str(tmp_path / "results.jsonl"))
    monkeypatch.setattr(grading, "PATIENCE", 0.2)
    labs.check("1.1", lambda guess, target: time.sleep(3))
    (row,) = map(json.loads, (tmp_path / "results.jsonl").read_text().splitlines())
    assert not row["passed"]
    assert "no end?" in row["message"]
