"""Tables from rows that are no results of a board: cards, scores, sequences, coverage of intervals."""

import csv
import statistics
from collections.abc import Mapping
from pathlib import Path

from badger_agents.loading import FOLDER as PRETRAINED
from badger_envs import scoring
from leaderboards.boards.board import FOLDER as BOARDS
from leaderboards.boards.standing import short
from leaderboards.results import markdown


def sizes() -> str:
    """The shipped `guessing-attentional` by hidden numbers, and the spread of its outer seeds."""
    errors = _errors_by_size()
    median = [short(statistics.median(each)) for each in errors.values()]
    ends = [f"{short(min(each))} to {short(max(each))}" for each in errors.values()]
    head = ["hidden numbers", *map(str, errors)]
    return markdown(head, [["error, median of 3 outer seeds", *median], ["lowest to highest", *ends]])


def _errors_by_size() -> dict[int, list[float]]:
    """Errors of the outer seeds of `guessing-attentional`, by hidden numbers."""
    text = (PRETRAINED / "guessing-attentional.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    rows = [row for row in rows if row["split"] == "test" and row["experts"] == "20"]
    by_size: dict[int, list[float]] = {}
    for row in rows:
        by_size.setdefault(int(row["dims"]), []).append(float(row["value"]))
    return {dims: by_size[dims] for dims in (1, 3, 6, 10, 15, 19)}


GRADUAL = "gradual.csv"
"""File beside a board of sequences with rows of `python -m paper.gradual`."""


def gradual() -> str:
    """Losses of visits in a sequence of tasks, by agent, and what of the first one was kept."""
    file = BOARDS / "sequence-v1" / GRADUAL
    if not file.is_file():
        return "Not run yet."
    with file.open(encoding="utf-8", newline="") as stream:
        found = [row for row in csv.DictReader(stream) if not row["run"]]
    rows = [
        [name, *(_with_ends(row) for row in found if row["agent"] == name), seeds]
        for name, seeds in {row["agent"]: row["outer_seeds"] for row in found}.items()
    ]
    return markdown(["agent", *dict.fromkeys(row["name"] for row in found), "outer seeds"], rows)


def _with_ends(row: Mapping[str, str]) -> str:
    """A value with its interval."""
    value, low, high = (short(float(row[name])) for name in ("value", "ci95_low", "ci95_high"))
    return f"{value} ({low} to {high})"


FAMILIES = {
    "GuessingGame-v0": "coordination: find hidden numbers from one global error",
    "XOR-v0": "passing on hidden information: parity of bits, each seen by one expert",
    "HotCold-v0": 'optimisation of a hidden function from "hotter" and "colder"',
    "VariableIO-v0": "learning a hidden map from examples, any number of inputs and outputs",
    "Bandit-v0": "exploration: arms of unknown reward",
    "RandomMDP-v0": "exploration of states and actions, in several episodes of one process",
    "Sequence-v0": "gradual learning: two tasks and the first again; forgetting and transfer",
    "RandomMDP-goal-v0": "planning: a goal and the ways to it, found out in several episodes",
    "Recall-v0": "memory spread over members: what one was told, another is asked",
    "HiddenProfile-v0": "pooling what each member of a group knows, against what all know",
    "Deliberation-v0": "thinking time: prefix parities, pointers and mazes, longer than in training",
    "Synthetic-v0": "learning to learn: hidden maps, goals and feedback of many kinds, a prior to train on",
    "Digits-v0": "learning to read handwriting from a stream of examples under a random projection",
}
"""An id of each family, and what it selects for."""


def families() -> str:
    """What each family selects for, with floor and reference of one of its ids."""
    rows = []
    for name, what in FAMILIES.items():
        scale = scoring.scale_of(f"Badger/{name}")
        ends = [f"{short(end.mean)} ({end.agent})" for end in (scale.floor, scale.reference)]
        rows.append([f"`Badger/{name}`", what, scale.outcome.replace("_", " "), *ends])
    return markdown(["id", "selects for", "outcome", "floor (score 0)", "reference (score 1)"], rows)


COVERAGE = Path(__file__).with_name("coverage.csv")
"""Rows of `python -m benchmarks.coverage`."""

INTERVALS = {
    ("student", "10"): "Student, 10 seeds",
    ("bounded", "10"): "`bounded`, 10 seeds (mean width)",
    ("bounded", "50"): "`bounded`, 50 seeds (mean width)",
    ("paired", "10"): "paired difference to an agent of which 10 % fail: 10 seeds",
    ("paired", "50"): "the same with 50 seeds",
}
"""What the table of coverage has a row of, and calls it."""


def coverage() -> str:
    """How often intervals cover the mean, by the share of outer seeds that fails."""
    with COVERAGE.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    rates = list(dict.fromkeys(row["fail"] for row in found))
    rows = []
    for (interval, seeds), told in INTERVALS.items():
        those = [row for row in found if (row["interval"], row["seeds"]) == (interval, seeds)]
        cells = {row["fail"]: f"{float(row['value']):.2f}" for row in those}
        if interval != "student":
            cells = {row["fail"]: f"{cells[row['fail']]} ({float(row['width']):.2f})" for row in those}
        rows.append([told, *(cells[rate] for rate in rates)])
    return markdown(
        [f"seeds that fail ({found[0]['sets']} sets each)", *(f"{float(rate):.0%}" for rate in rates)], rows
    )
