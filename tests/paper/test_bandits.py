"""RL2's table of bandits: the numbers of Duan et al. 2016, table 1, come out again."""

import json
from pathlib import Path

import pytest

from baselines.tuning import ALGORITHMS
from leaderboards.cli import call
from paper.bandits import Compared, anchors, cells, compare, table

OFF = {(10, 50, "gittins")}
"""Numbers that do not agree, and why: docs/bandits.md."""


def check_cell(pulls: int, arms: int, names: list[str], tasks: int) -> None:
    """Within 3 combined standard errors, or 1 %, of the published means, but for those that are known."""
    for row in compare([(pulls, arms)], names, tasks):
        if (pulls, arms, row.algorithm) not in OFF:
            assert row.agrees, row


def test_nine_cells_of_seven_algorithms_were_published() -> None:
    assert len(cells()) == 9
    assert len(anchors()) == 63
    assert {anchor.algorithm for anchor in anchors()} == set(ALGORITHMS) - {"optimistic"}


@pytest.mark.parametrize("arms", [5, 10])
def test_ten_pulls_earn_what_was_published(arms: int) -> None:
    check_cell(10, arms, [name for name in ALGORITHMS if name != "optimistic"], 10_000)


@pytest.mark.slow
@pytest.mark.parametrize(("pulls", "arms"), [cell for cell in cells() if cell[0] < 500])
def test_all_that_is_quick_earns_what_was_published(pulls: int, arms: int) -> None:
    check_cell(pulls, arms, [name for name in ALGORITHMS if name not in ("optimistic", "ots")], 10_000)


def test_an_agreement_is_a_matter_of_errors_or_of_one_percent() -> None:
    row = Compared(100, 5, "ucb1", "c", 0.2, 78.0, 0.1, 77.5, 9_000)
    assert row.difference == 0.5
    assert row.error == pytest.approx(0.1 * 10**0.5)  # nine times as many tasks as published, and those too
    assert row.agrees
    assert row._replace(published=77.1).agrees  # within 3 standard errors
    assert not row._replace(published=77.0).agrees
    assert row._replace(published=77.3, ours_error=0.01).agrees  # within 1 %
    assert row._replace(published=float("nan")).agrees is None


def test_the_command_prints_and_writes_all_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--pulls", "10", "--arms", "5", "--algorithms", "ucb1", "optimistic", "--trials", "200"]
    file = tmp_path / "rl2.csv"
    call(table, "bandits", [*words, "--out", str(file), "--json"])
    ucb1, optimistic = json.loads(capsys.readouterr().out)["results"]
    assert (ucb1["agent"], ucb1["published"], ucb1["tuned"]) == ("ucb1", 6.7, 0.1)
    assert ucb1["difference"] == pytest.approx(ucb1["value"] - 6.7)
    assert "published" not in optimistic
    assert len(file.read_text().splitlines()) == 3
    call(table, "bandits", words)
    text = capsys.readouterr().out
    assert "| 10 | 5 | ucb1 | c = 0.1 |" in text
    assert "| 10 | 5 | optimistic |  |" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pulls", 11), "no such cell"),
        (("--algorithms", "exp3"), "'exp3' is not known; there are: random, gittins"),
        (("--trials", 1), "trials is 1; it must be at least 2"),
    ],
)
def test_what_is_not_there_is_refused(
    words: tuple[object, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call(table, "bandits", [str(word) for word in words])
    assert said in capsys.readouterr().err
