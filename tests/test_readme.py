"""The README's examples run, are short, and its commands exist."""

import re
import shlex
from pathlib import Path

import pytest

from leaderboards import cli

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHORTER = {"10_000": "64", "range(400)": "range(2)", "% 50 == 49": "% 2 == 1"}
"""Budgets, cut down to show that the code works."""


def test_there_is_an_example_for_each_user_of_at_most_20_lines() -> None:
    assert len(EXAMPLES) == 4
    assert max(len(example.strip().splitlines()) for example in EXAMPLES) <= 20


@pytest.mark.filterwarnings("ignore:.*PettingZoo:DeprecationWarning")
@pytest.mark.parametrize("number", range(4))
def test_an_example_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = EXAMPLES[number]
    for long, short in SHORTER.items():
        code = code.replace(long, short)
    exec(compile(code, f"README example {number}", "exec"), {})
    assert "error" in capsys.readouterr().out or number != 3


def test_the_policy_of_the_example_is_trained_and_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (policy,) = [example for example in EXAMPLES if "ExpertPolicy" in example]
    Path("my_policy.py").write_text(policy, encoding="utf-8")
    train, evaluate = re.findall(r"^badger (.*MyPolicy\S*)$", README, re.MULTILINE)
    cli.main([*shlex.split(train), "--outer-steps", "2"])
    cli.main([*shlex.split(evaluate), "--trials", "20"])


def test_pictures_and_pages_that_it_links_to_are_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert len(links) >= 4
    assert [link for link in links if not (Path(__file__).parents[1] / link).exists()] == []
