"""The README's examples run, its commands exist, links lead somewhere, numbers are the results'."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from leaderboards import cli
from leaderboards.documents.blocks import BLOCKS, filled

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_examples_are_short_and_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(EXAMPLES) == 3
    assert max(len(example.strip().splitlines()) for example in EXAMPLES) <= 20
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(compile(example, "README", "exec"), names)
    error = float(re.findall(r"error ([\d.]+) after 20 steps", capsys.readouterr().out)[0])
    assert error < 0.1  # the trained agent finds the numbers


def test_the_policy_of_the_example_is_trained_and_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (policy,) = [example for example in EXAMPLES if "ExpertPolicy" in example]
    Path("my_policy.py").write_text(policy, encoding="utf-8")
    (train,) = re.findall(r"^badger (train .*MyPolicy)$", README, re.MULTILINE)
    (evaluate,) = re.findall(r"^badger (evaluate .*MyPolicy\S*)$", README, re.MULTILINE)
    cli.main([*shlex.split(train), "--outer-steps", "2"])
    cli.main([*shlex.split(evaluate), "--trials", "20"])


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

MADE = re.compile(r"docs/(boards|reference|labs|environments|agents/pretrained)\b.*\.md$")
"""Pages that `make docs` makes, and whose links it checks."""


def test_every_block_of_numbers_is_in_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall(r"<!-- numbers: ([\w-]+) -->", text)) == set(BLOCKS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_and_numbers_are_those_of_the_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    links = re.findall(r"\]\((?!http)([^)#]+)", prose)
    places = [os.path.relpath(page.parent / link, ROOT) for link in links]
    assert [place for place in places if not (ROOT / place).exists() and not MADE.match(place)] == []
    assert filled(text) == text  # else: badger admin numbers
