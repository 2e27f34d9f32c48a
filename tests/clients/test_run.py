"""The page of client libraries shows lines that are run, and what is run for a client is pinned."""

import importlib.util
import re
from pathlib import Path

import pytest

from badger_envs.scoring import scales

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("run_clients", HERE / "run.py")
run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(run)


def test_every_block_of_code_of_the_page_belongs_to_a_client():
    page = run.PAGE.read_text(encoding="utf-8")
    blocks = run.blocks(page)
    assert len(blocks) == len(re.findall(r"^```\w+$", page, re.M))
    assert {block.client for block in blocks} == set(run.clients())
    for block in blocks:
        assert block.language in run._INTERPRETER
        if block.language == "python":
            compile(block.text, block.client, "exec")


def test_every_script_belongs_to_a_client():
    assert {path.stem.removeprefix("try_") for path in HERE.glob("try_*.py")} <= set(run.clients())


def test_requirements_are_pinned():
    for path in run.REQUIREMENTS.rglob("*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert line.startswith("#") or re.fullmatch(r"[\w.\[\]-]+==[\w.]+", line), f"{path.name}: {line}"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("a\nTraceback (most recent call last):\n  File x\nValueError: no\nsecond line\n", "ValueError: no"),
        (
            "Collecting x\nERROR: No matching distribution found for x\n",
            "ERROR: No matching distribution found for x",
        ),
        ("", "no output"),
    ],
)
def test_the_first_line_of_an_error_is_found(log, line):
    assert run.first_error(log) == line


def test_what_to_expect_has_the_floors_and_references_of_today():
    page = (run.ROOT / "docs" / "what_to_expect.md").read_text(encoding="utf-8")
    for id, scale in scales().items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{id}` |"))
        assert f"| {scale.floor.mean:.3g}, {scale.floor.agent} |" in row
        assert f"| {scale.reference.mean:.3g}, {scale.reference.agent} |" in row
