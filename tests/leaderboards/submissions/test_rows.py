"""Rows of a submission are the whole grid, finite, and within bounds."""

import numpy as np
import pytest

from leaderboards.submissions.rows import (
    RowsError,
    by_seed,
    grid_violations,
    read_held_out,
    read_rows,
    write_held_out,
    write_rows,
)

HEADER = "outer_seed,cell,task,outcome\n"
LINES = [f"{seed},main,{task},0.5\n" for seed in range(3) for task in range(2)]


def check(lines: list[str]) -> list[str]:
    return grid_violations(read_rows(HEADER + "".join(lines)), (0, 1, 2), 2, {"main": (0.0, 1.0)})


def test_the_whole_grid_passes() -> None:
    assert check(LINES) == []
    assert read_rows(HEADER + LINES[-1]) == {(2, "main", 1): 0.5}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (LINES[:4], "2 rows are missing, such as outer seed 2"),  # a bad seed dropped
        ([*LINES, "3,main,0,0.5\n"], "1 rows are not of this board"),
        ([*LINES[1:], "0,main,0,1.5\n"], "outside"),
        ([*LINES[1:], "0,main,0,-0.1\n"], "outside"),
    ],
)
def test_what_is_not_the_grid_is_told(lines: list[str], message: str) -> None:
    (line,) = check(lines)
    assert message in line


def test_all_that_is_wrong_is_told_a_line_each() -> None:
    assert len(check([*LINES[:4], "3,main,0,0.5\n", "2,main,0,7\n"])) == 3


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*LINES, "0,main,0,0.9\n"], "repeats"),
        ([*LINES, "00,main,0,0.9\n"], "repeats"),
        ([*LINES[1:], "0,main,0,nan\n"], "finite"),
        ([*LINES[1:], "0,main,0,inf\n"], "finite"),
        ([*LINES[1:], "0,main,0\n"], "is not"),
        ([*LINES[1:], "0,main,0,0.5,0.4\n"], "is not"),
        ([*LINES[1:], "0,main,first,0.5\n"], "is not"),
    ],
)
def test_what_is_no_row_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(RowsError, match=message):
        check(lines)


def test_what_is_written_is_read_again() -> None:
    outcomes = {seed: {"a": np.array([0.25, 1 / 3]), "b": np.array([1e-9, 12.0])} for seed in (2, 0)}
    rows = read_rows(write_rows(outcomes))
    assert list(rows) == sorted(rows)
    np.testing.assert_allclose(by_seed(rows, (0, 2), "a", 2), [outcomes[0]["a"]] * 2, rtol=1e-6)
    seeds = {"a": [2**63 - 1, 5], "b": [6, 7]}
    held, found = read_held_out(write_held_out(outcomes, seeds))
    assert held == rows
    assert found[2, "a", 0] == 2**63 - 1
    assert {key[1:]: seed for key, seed in found.items()} == {
        (cell, task): seed for cell, each in seeds.items() for task, seed in enumerate(each)
    }


def test_another_header_is_refused() -> None:
    with pytest.raises(RowsError, match="header"):
        read_rows("seed,score\n0,1\n")


def test_what_is_no_csv_is_refused() -> None:
    with pytest.raises(RowsError, match="no CSV"):
        read_rows(HEADER + "x" * 200_000)
