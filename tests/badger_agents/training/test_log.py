"""The log of a run: rows, what a kill cuts off, and what resuming drops."""

import json
import sys
from pathlib import Path

import pytest

from badger_agents.training.log import RunLog, read_log


def rows(*steps: int) -> list[dict]:
    return [{"step": step, "loss": step / 7, "seconds": step * 0.5} for step in steps]


def write(path: Path, steps: list[int], step: int = 0) -> float:
    with RunLog(path, step) as log:
        for row in rows(*steps):
            log.write(row)
        return log.seconds


def test_rows_come_back_as_written(tmp_path: Path) -> None:
    write(tmp_path / "log", [1, 2, 3])
    assert read_log(tmp_path / "log") == rows(1, 2, 3)
    assert len((tmp_path / "log").read_text().splitlines()) == 3


def test_a_missing_log_has_no_rows(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log") == []


def test_a_fresh_start_drops_all_rows_and_resuming_those_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, [1, 2, 3, 4])
    assert write(path, [3, 5], step=2) == 1.0  # seconds on record at step 2
    assert read_log(path) == rows(1, 2, 3, 5)
    assert write(path, [1]) == 0.0
    assert read_log(path) == rows(1)


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "log"
    write(path, [1, 2])
    path.write_text(path.read_text()[:-cut])
    assert read_log(path) == (rows(1, 2) if cut == 1 else rows(1))
    write(path, [2, 3], step=1)
    assert read_log(path) == rows(1, 2, 3)


def test_a_line_that_is_no_row_ends_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for line in ("[1]", "{}", "[" * 100_000):
        write(path, [1, 2])
        path.write_text(path.read_text() + line + "\n")
        assert read_log(path) == rows(1, 2)


def test_tensorboard_events_are_written_where_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with RunLog(tmp_path / "log", 0, tensorboard=True) as log:
        log.write(rows(1)[0])
    assert [file for file in tmp_path.iterdir() if "tfevents" in file.name]


def test_without_tensorboard_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match=r"pip install 'badger-suite\[tensorboard\]'"):
        RunLog(tmp_path / "log", 0, tensorboard=True)
    assert list(tmp_path.iterdir()) == []


def test_not_a_number_survives(tmp_path: Path) -> None:
    with RunLog(tmp_path / "log", 0) as log:
        log.write({"step": 1, "loss": float("nan")})
    assert (tmp_path / "log").read_text(encoding="utf-8") == '{"step": 1, "loss": null}\n'
    assert json.dumps(read_log(tmp_path / "log")) == '[{"step": 1, "loss": NaN}]'


def test_resuming_voids_the_events_that_will_be_written_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for begun, steps in ((0, (1, 2, 3, 4)), (2, (3, 4, 5))):
        with RunLog(tmp_path / "log", begun, tensorboard=True) as log:
            for row in rows(*steps):
                log.write(row)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4, 5]
