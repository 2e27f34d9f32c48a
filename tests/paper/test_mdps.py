"""RL2's table of random MDPs: anchors, what agreement means, and the command."""

import json
from pathlib import Path

import pytest

from leaderboards.cli import call
from paper.mdps import ALGORITHMS, Compared, anchors, table


def test_anchors_are_five_numbers_of_episodes_by_eight_algorithms() -> None:
    found = anchors()
    assert len(found) == 40
    assert found[(10, "psrl")] == 138.1
    assert {name for _, name in found} - set(ALGORITHMS) == {"rl2"}


def test_an_agreement_is_a_matter_of_errors_or_of_one_percent() -> None:
    row = Compared("normal", 10, "psrl", "", 140.0, 0.5, 137.0, 1_000)
    assert row.error == pytest.approx(0.5 * 2**0.5)
    assert not row.agrees
    assert row._replace(ours_error=0.8).agrees
    assert row._replace(published=138.7).agrees  # within 1 %
    assert row._replace(published=float("nan")).agrees is None


def test_the_command_prints_and_writes_all_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--episodes", "10", "--algorithms", "random", "known", "--trials", "50"]
    file = tmp_path / "mdps.csv"
    call(table, "mdps", [*words, "--out", str(file), "--json"])
    chance, known = json.loads(capsys.readouterr().out)["results"]
    assert (chance["agent"], chance["published"]) == ("random", 100.1)
    assert known["value"] > chance["value"]
    assert "published" not in known
    assert chance["best_published"] == known["best_published"] == 156.2  # RL2's own
    assert len(file.read_text().splitlines()) == 3
    call(table, "mdps", ["--episodes", "1", "--algorithms", "random", "--trials", "2", "--out", str(file)])
    assert [line.split(",")[3] for line in file.read_text().splitlines()[1:]] == ["10", "10", "1"]
