"""How often intervals cover the truth where some outer seeds fail: `python -m benchmarks.coverage`.

Errors of seeds that succeed are lognormal around 0.018, those of seeds that fail lie on a plateau at 2/3, as
in the guessing game. `--help` has the options.
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from badger_agents.atomic_files import write_atomically
from leaderboards.cli import call
from leaderboards.options import check_numbers, progress_console
from leaderboards.results import Record, as_csv, record, show
from leaderboards.statistics import Estimate, Limits, bounded, student

RATES = (0.05, 0.1, 0.15, 0.2)
"""Shares of outer seeds that fail."""

OTHERS = 0.1
"""Of the agent to which a paired difference is taken."""

COUNTS = (10, 50)
"""Outer seeds in a set."""


def with_failures(rate: float, seeds: int, sets: int, seed: int) -> tuple[np.ndarray, float]:
    """Errors [sets, seeds] of seeds that succeed (around 0.018) or stop on a plateau; and the true mean."""
    draws = np.random.default_rng(seed)
    good = np.exp(draws.normal(math.log(0.018), 0.4, (sets, seeds)))
    plateau = 2 / 3 + draws.normal(0, 0.01, (sets, seeds))
    failed = draws.random((sets, seeds)) < rate
    return np.where(failed, plateau, good), (1 - rate) * 0.018 * math.exp(0.08) + rate * 2 / 3


def covered(
    sets: np.ndarray, truth: float, interval: Callable[[np.ndarray], Estimate]
) -> tuple[float, float]:
    """Share of the sets whose interval has the truth in it, and the intervals' mean width."""
    found = [interval(values) for values in sets]
    within = [each.low <= truth <= each.high for each in found]
    return float(np.mean(within)), float(np.mean([each.high - each.low for each in found]))


def measured(sets: int) -> list[Record]:
    """A row for each interval, number of outer seeds and share of them that fails."""
    rows: list[Record] = []
    for rate in RATES:
        for seeds in COUNTS:
            errors, truth = with_failures(rate, seeds, sets, 1)
            others, theirs = with_failures(OTHERS, seeds, sets, 2)
            for name, values, mean, interval in (
                ("student", errors, truth, student),
                ("bounded", errors, truth, lambda each: bounded(each, Limits(0, 1))),
                ("paired", errors - others, truth - theirs, lambda each: bounded(each, Limits(-1, 1))),
            ):
                share, width = covered(values, mean, interval)
                facts: dict[str, Any] = {
                    "interval": name,
                    "seeds": seeds,
                    "fail": rate,
                    "width": round(width, 4),
                }
                rows.append(record("covered", round(share, 4), sets=sets, **facts))
    return rows


def coverage(*, sets: int = 2000, out: Path | None = None, json: bool = False) -> None:
    """Count how often 95 % intervals of a mean over outer seeds cover the true mean where some seeds fail.

    Args:
        sets: Sets of outer seeds that are drawn for each row.
        out: CSV file for the rows; none if not given. That of the documents is
            leaderboards/documents/coverage.csv.
        json: Print the result as one JSON object.
    """
    check_numbers(sets=sets)
    with progress_console().status("drawing"):
        rows = measured(sets)
    if out is not None:
        write_atomically(out, as_csv(rows).encode())
    show(rows, as_json=json, title="How often intervals cover the mean", note=f"{sets} sets each")


if __name__ == "__main__":
    call(coverage, "python -m benchmarks.coverage", sys.argv[1:])
