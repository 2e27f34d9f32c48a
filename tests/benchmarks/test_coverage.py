"""How often intervals cover the truth: the script's rows are what the documents' table is written from."""

import json
from pathlib import Path

import pytest

from benchmarks.coverage import RATES, coverage
from leaderboards.cli import call
from leaderboards.documents import other_rows


def test_the_table_is_written_from_the_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "coverage.csv"
    call(coverage, "python -m benchmarks.coverage", ["--sets", "4", "--out", str(file), "--json"])
    results = json.loads(capsys.readouterr().out)["results"]
    assert len(results) == len(RATES) * 2 * 3
    monkeypatch.setattr(other_rows, "COVERAGE", file)
    head, _, *rows = other_rows.coverage().splitlines()
    assert head == "| seeds that fail (4 sets each) | 5% | 10% | 15% | 20% |"
    assert len(rows) == len(other_rows.INTERVALS)
    (first,) = (
        row for row in results if (row["interval"], row["seeds"], row["fail"]) == ("bounded", 50, 0.05)
    )
    assert rows[2].split(" | ")[1] == f"{first['value']:.2f} ({first['width']:.2f})"
