"""`badger bench estimators`: what it prints of memory and time against the horizon."""

from pathlib import Path

import pytest

from tests.badger_agents.small import small_toml
from tests.leaderboards.command import refused, run


def test_memory_of_whole_backpropagation_alone_grows_with_the_horizon(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--horizon", "16", "4", "--window", "2", "--pairs", "4", "--seconds", "0.05", "--json"]
    rows = run(capsys, "bench", "estimators", small_toml(tmp_path), *words).results
    assert len(rows) == 8
    memory = {(row["estimator"], row["horizon"]): row["peak_MB"] for row in rows}
    growth = {name: memory[name, 16] / memory[name, 4] for name, _ in memory}
    assert growth["backpropagation"] > 2
    assert growth["checkpointing"] < 0.8 * growth["backpropagation"]
    assert growth["truncated"] == pytest.approx(1, abs=0.1)
    assert growth["evolution"] == pytest.approx(1, abs=0.1)
    for row in rows:
        assert row["value"] > 0
        assert (row["time_ratio"] == 1) == (row["estimator"] == "backpropagation")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["xor-handcrafted"], "training"),
        (["--pairs", "3"], "multiple of pairs"),
        (["--window", "0"], "must be above 0"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert message in refused(capsys, "bench", "estimators", *words)
