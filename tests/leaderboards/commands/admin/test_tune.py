"""`badger admin tune`: searches, and keeps what it found beside what was there."""

from pathlib import Path

import pytest

from baselines.tuned_settings import read
from tests.leaderboards.command import refused, run


def test_a_search_is_kept_and_the_rest_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bandits.json"
    words = ("admin", "tune", "bandits", "--trials", 20, "--out", file, "--json", "--cells", "n=10 k=5")
    done = run(capsys, *words, "--algorithms", "ucb1", "eps_greedy")
    assert done.status == 0
    assert [row["agent"] for row in done.results] == ["UCB1", "EpsilonGreedy"]
    before = {row.algorithm: row for row in read(file)}
    assert done.value("c") == before["UCB1"].value
    run(capsys, *words, "--algorithms", "ucb1", "--seed", 5)
    after = {row.algorithm: row for row in read(file)}
    assert after["EpsilonGreedy"] == before["EpsilonGreedy"]
    assert (after["UCB1"].seed, after["UCB1"].trials) == (5, 20)
    assert after["UCB1"].outcomes != before["UCB1"].outcomes


def test_ridge_is_tuned_by_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    id = "Badger/VariableIO-lookup-v0"
    file = tmp_path / "maps.json"
    done = run(capsys, "admin", "tune", "variable-io", "--cells", id, "--trials", 50, "--out", file, "--json")
    assert done.value("weight") > 1e-4  # noisy examples, fewer than numbers to learn
    assert [row.cell for row in read(file)] == [id]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bandits", "--cells", "n=7 k=5"), "--cells 'n=7 k=5' is not known; there are: n=10 k=5"),
        (("bandits", "--algorithms", "greedy"), "'greedy' is not known; there are: gittins, ots"),
        (("bandits", "--trials", 1), "trials is 1; it must be at least 2"),
    ],
)
def test_what_is_not_there_is_refused(
    words: tuple[object, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, "admin", "tune", *words)
