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
    for client in run.clients().values():
        refused = [each.package for each in client.not_installable]
        for package in [*run.constraints(), *client.packages, *client.no_deps, *refused]:
            assert re.fullmatch(r"[\w.\[\]-]+==[\w.]+", package)


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


PIP = (
    "ERROR: Ignored the following versions that require a different python version: 1.2.0 Requires-Python "
    ">=3.7.1,<3.11\nERROR: No matching distribution found for cleanrl==1.2.0\n"
)
NETWORK = (
    "ERROR: Could not find a version that satisfies the requirement cleanrl==1.2.0 (from versions: none)"
)


def test_what_cannot_be_installed_is_expected_with_its_reason():
    (refused,) = run.clients()["cleanrl"].not_installable
    assert run.surprise(refused, 1, PIP) == ""
    assert run.surprise(refused, 1, NETWORK).endswith(NETWORK)
    assert "can be installed now" in run.surprise(refused, 0, "Would install cleanrl-1.2.0")


@pytest.mark.parametrize(
    ("said", "status", "word", "end"),
    [(PIP, 1, "not installable", 0), (NETWORK, 1, "failed", 1), ("Would install", 0, "failed", 1)],
)
def test_the_word_and_status_of_a_client_that_stands_in(
    said, status, word, end, tmp_path, monkeypatch, capsys
):
    def call(command, log, cwd, path=None):
        asked = "--dry-run" in command
        log.write_text(log.read_text() + (said if asked else "fine\n"))
        return status if asked else 0

    monkeypatch.setattr(run, "call", call)
    assert outcome_of("cleanrl", tmp_path, monkeypatch) == end
    assert f" s  {word}: " in capsys.readouterr().out


def test_any_other_failed_installation_is_an_error(tmp_path, monkeypatch, capsys):
    def call(command, log, cwd, path=None):
        log.write_text("ERROR: No matching distribution found for torch==2.13.0\n")
        return int("gymnasium==1.4.0" in command)

    monkeypatch.setattr(run, "call", call)
    for client in ("sb3", "cleanrl"):
        assert outcome_of(client, tmp_path, monkeypatch) == 1
        assert "failed: not installed: ERROR: No matching" in capsys.readouterr().out


def outcome_of(client, folder, monkeypatch):
    """The status of the command for one client."""
    monkeypatch.setattr(run, "build_wheel", lambda *_: folder / "badger_suite-0-py3-none-any.whl")
    monkeypatch.setattr(run.sys, "argv", ["run.py", client, "--cache", str(folder)])
    return run.main()


def test_what_to_expect_has_the_floors_and_references_of_today():
    page = (run.ROOT / "docs" / "what_to_expect.md").read_text(encoding="utf-8")
    for id, scale in scales().items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{id}` |"))
        assert f"| {scale.floor.mean:.3g}, {scale.floor.agent} |" in row
        assert f"| {scale.reference.mean:.3g}, {scale.reference.agent} |" in row
