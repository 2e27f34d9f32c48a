"""Rows of a submission are the whole grid, finite, and within bounds."""

import pytest

from leaderboards.submissions.rows import RowsError, check_grid, read_rows

HEADER = "outer_seed,cell,task,outcome\n"
LINES = [f"{seed},main,{task},0.5\n" for seed in range(3) for task in range(2)]


def check(lines: list[str]) -> None:
    check_grid(read_rows(HEADER + "".join(lines)), (0, 1, 2), 2, {"main": (0.0, 1.0)})


def test_the_whole_grid_passes() -> None:
    check(LINES)
    assert read_rows(HEADER + LINES[-1]) == {(2, "main", 1): 0.5}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (LINES[:4], "2 rows are missing.*outer seed 2"),  # a bad seed dropped
        ([*LINES, "3,main,0,0.5\n"], "not of this board"),
        ([*LINES, "0,main,0,0.9\n"], "repeats"),
        ([*LINES[1:], "0,main,0,nan\n"], "finite"),
        ([*LINES[1:], "0,main,0,1.5\n"], "outside"),
        ([*LINES[1:], "0,main,0\n"], "is not"),
    ],
)
def test_what_is_tampered_with_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(RowsError, match=message):
        check(lines)


def test_another_header_is_refused() -> None:
    with pytest.raises(RowsError, match="header"):
        read_rows("seed,score\n0,1\n")


def test_what_is_no_csv_is_refused() -> None:
    with pytest.raises(RowsError, match="no CSV"):
        read_rows(HEADER + "x" * 200_000)
