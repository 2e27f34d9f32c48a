"""Results: flat records, one JSON object, and a table that shows what was measured."""

import json
import math

import pytest

from leaderboards.results import record, show, text


def test_a_record_is_flat_and_leaves_out_what_does_not_apply() -> None:
    assert record("error", 0.5, agent="a") == {"name": "error", "agent": "a", "value": 0.5}
    full = record("time", 2, unit="s", n=3, ci95=(1.0, 3.0), d=4)
    assert full == {"name": "time", "d": 4, "value": 2, "unit": "s", "n": 3, "ci95": [1.0, 3.0]}


def test_json_is_one_object_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [record("error", 0.1234567890123, n=2, ci95=(0.1, 0.2), d=3), record("text", "é [b]x[/b]")]
    show(rows, as_json=True, title="t", note="n")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"title": "t", "note": "n", "results": rows}
    assert err == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_null(capsys: pytest.CaptureFixture[str], value: float) -> None:
    show([record("loss", value, ci95=(value, 1.0))], as_json=True, title="")
    out = capsys.readouterr().out
    assert json.loads(out)["results"] == [{"name": "loss", "value": None, "ci95": [None, 1.0]}]
    assert "NaN" not in out
    assert "Infinity" not in out


def test_a_table_shows_names_values_and_text_with_brackets_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        record("error", 0.0123456, n=10, ci95=(0.01, 0.02)),
        record("folder", "runs/[a]/x", agent="[bold]"),
    ]
    show(rows, as_json=False, title="Title [x]", note="next: badger evaluate runs/[red]")
    out = capsys.readouterr().out
    for word in ("error", "0.012", "[0.010, 0.020]", "runs/[a]/x", "[bold]", "Title [x]", "runs/[red]", "10"):
        assert word in out


def test_settings_that_rows_share_stand_in_the_note_also_where_a_summary_lacks_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shared = {"env": "Badger/Recall-v0", "horizon": 14, "pairs": 8, "split": "test", "asked": "any"}
    rows = [record("accuracy", 0.9, n=10, **shared, seed=seed) for seed in (0, 1)]
    show([*rows, record("median gain", 0.1)], as_json=False, title="t")
    head, _, foot = capsys.readouterr().out.rpartition("median gain")
    assert "horizon" not in head
    assert "seed" in head
    assert "env Badger/Recall-v0; horizon 14" in " ".join(foot.split())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.5, "0.500"),
        (0.0, "0"),
        (1e-5, "1e-05"),
        (123456.7, "1.235e+05"),
        (-0.25, "-0.250"),
        (7, "7"),
        ("x", "x"),
        ([0.1, 2], "[0.100, 2]"),
        (math.nan, "nan"),
    ],
)
def test_cells(value: object, shown: str) -> None:
    assert text(value) == shown
