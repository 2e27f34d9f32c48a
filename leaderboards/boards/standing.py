"""What a board says of its agents: outcomes over outer seeds, failures, tested paired differences."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from leaderboards import statistics
from leaderboards.boards.board import Board
from leaderboards.boards.bounds import outcome_bounds
from leaderboards.boards.results import Results, Row, Run
from leaderboards.statistics import ENOUGH, LEVEL, Estimate

SOLVED = 0.9
"""Normalised score from which on an outer seed has solved the main cell."""


class Difference(NamedTuple):
    """An agent's outcome minus another's in one cell, paired by outer seed.

    Attributes:
        estimate: the mean difference.
        p: P value of the test that it is 0, corrected over all tests of the board (Holm).
        better: whether it is in the agent's favour.
    """

    estimate: Estimate
    p: float
    better: bool

    @property
    def verdict(self) -> str:
        """In words: only a corrected test below 0.05 says better or worse."""
        if self.p >= LEVEL:
            return "no difference shown"
        return "better" if self.better else "worse"


class Standing(NamedTuple):
    """One contestant or reference in the main cell.

    Attributes:
        agent: name of the line.
        label: what the table calls it; with the names of lines that are the very same agent.
        condition: what it holds for, such as "one hears"; "" for all.
        role: contestant or reference.
        seeds: outer seeds; solved: of them, those with a normalised score of `SOLVED` or more; failed: those
            that are no better than the floor, or whose training failed.
        score: interquartile mean of the normalised score, 0 the floor and 1 the reference; None if the
            board has none.
        middle: interquartile mean of the outcome; failed trainings count as the worst outcome.
        mean: mean of the outcome.
        threshold: median outer steps to the board's threshold (inf if most never crossed it), None if none.
        facts: costs, medians over outer seeds.
        versus: against the board's reference agent of the same condition; None for that agent itself.
    """

    agent: str
    label: str
    condition: str
    role: str
    seeds: int
    solved: int
    failed: int
    score: Estimate | None
    middle: Estimate
    mean: Estimate
    threshold: float | None
    facts: Row
    versus: Difference | None

    @property
    def preliminary(self) -> bool:
        """Whether there are too few outer seeds for a claim."""
        return self.role != "reference" and self.seeds < ENOUGH


class Ablation(NamedTuple):
    """An agent with one thing taken away, minus the agent itself.

    Attributes:
        of: the agent.
        agent: name of the line.
        label: what is taken away.
        condition: as of the agent.
        mean: its own mean outcome.
        versus: it minus the agent.
    """

    of: str
    agent: str
    label: str
    condition: str
    mean: Estimate
    versus: Difference


def standings(board: Board, results: Results) -> list[Standing]:
    """Contestants, then references, each the best first; a line with another's weights joins it."""
    same = _same(board, results)
    names = [name for name, entrant in board.agents.items() if entrant.role != "control" and results[name]]
    names = [name for name in names if name not in same]
    differences = differences_of(board, results)
    sign = -1 if board.higher_is_better else 1
    lines = [
        _standing(
            board, results, name, [other for other, first in same.items() if first == name], differences
        )
        for name in names
    ]
    return sorted(lines, key=lambda line: (line.role == "reference", sign * line.mean.value))


def ablations(board: Board, results: Results) -> list[Ablation]:
    """What each control of each agent costs or brings, in the main cell."""
    differences = differences_of(board, results)
    return [
        Ablation(
            entrant.control_of,
            name,
            entrant.label or entrant.intervention or name,
            board.agents[entrant.control_of].condition,
            statistics.over_seeds(outcomes(board, results[name], board.main)),
            differences[name],
        )
        for name, entrant in board.agents.items()
        if entrant.role == "control" and entrant.control_of and name in differences
    ]


def differences_of(board: Board, results: Results) -> dict[str, Difference]:
    """Every contestant against its rival and every control against its agent, in the main cell.

    Tests are corrected for the number of all of them together.
    """
    same = _same(board, results)
    pairs = []
    for name, entrant in board.agents.items():
        other = entrant.control_of if entrant.role == "control" else rival_of(board, name)
        if entrant.role != "reference" and name not in same and other and results[name] and results[other]:
            pairs.append((name, other))
    return _tested(board, results, pairs)


def failures(board: Board, results: Results) -> list[str]:
    """Which trained agents fail on some outer seeds: no better than the floor, or not trained to the end."""
    told = []
    for name, entrant in board.agents.items():
        if entrant.role != "contestant" or not results[name]:
            continue
        failed = failed_seeds(board, results[name])
        if failed:
            values = outcomes(board, results[name], board.main)[failed]
            worst = values.min() if board.higher_is_better else values.max()
            where = f", {entrant.condition}" if entrant.condition else ""
            told.append(
                f"{_shown(board, name)}{where} {len(failed)} of {len(results[name])} (to {short(worst)})"
            )
    return told


def place(board: Board, results: Results, agent: str) -> str:
    """Where an agent stands among contestants, in words: than whom it is better (corrected paired tests)."""
    others = [
        name
        for name, entrant in board.agents.items()
        if name != agent and entrant.role == "contestant" and results[name]
    ]
    tested = {other: _tested(board, results, [(agent, other)]).get(agent) for other in others}
    found = {other: each for other, each in tested.items() if each is not None}
    corrected = statistics.holm([each.p for each in found.values()])
    heaps: dict[str, list[str]] = {"better": [], "worse": [], "no difference shown": []}
    for (other, each), p in zip(found.items(), corrected, strict=True):
        heaps[each._replace(p=p).verdict].append(f"{_shown(board, other)} ({said(each.estimate)})")
    words = {"better": "better than", "worse": "worse than", "no difference shown": "no difference shown to"}
    told = [f"{words[heap]} {', '.join(names)}" for heap, names in heaps.items() if names]
    return f"{agent}: {'; '.join(told)}." if told else f"{agent} has nobody to be compared with yet."


def rival_of(board: Board, name: str) -> str | None:
    """The board's reference agent, or that of the line's condition; None for that agent itself."""
    condition = board.agents[name].condition
    rivals = [board.baseline] if not condition else []
    rivals += [
        other
        for other, entrant in board.agents.items()
        if entrant.role == "contestant" and entrant.condition == condition
    ]
    return None if not rivals or rivals[0] == name else rivals[0]


def outcomes(board: Board, runs: Sequence[Run], cell: str) -> np.ndarray:
    """[N], mean outcome of each run in a cell; a training that failed counts as the worst there is."""
    worst = worst_outcome(board, cell)
    means = [run.rows[cell].mean for run in runs]
    return np.array([worst if mean is None else mean for mean in means])


def worst_outcome(board: Board, cell: str) -> float:
    """The worst outcome that the family allows, or the floor where that is worse or nothing is known."""
    low, high = outcome_bounds(board.cells[cell].family())
    worst = low if board.higher_is_better else high
    if board.ends is None or cell != board.main:
        return worst
    floor = board.ends[0]
    if math.isinf(worst):
        return floor
    return min(worst, floor) if board.higher_is_better else max(worst, floor)


def scores(board: Board, values: np.ndarray) -> np.ndarray | None:
    """Normalised scores of outcomes in the main cell: 0 the floor, 1 the reference; None if it has none."""
    if board.ends is None:
        return None
    floor, ceiling = board.ends
    return (values - floor) / (ceiling - floor)


def failed_seeds(board: Board, runs: Sequence[Run]) -> list[int]:
    """Places of the runs that are no better than the floor of the main cell, or failed in training."""
    normal = scores(board, outcomes(board, runs, board.main))
    bad = [not run.ok for run in runs]
    if normal is not None:
        bad = [failed or score <= 0 for failed, score in zip(bad, normal, strict=True)]
    return [place for place, failed in enumerate(bad) if failed]


def difference(board: Board, results: Results, one: str, other: str, cell: str) -> Estimate | None:
    """Outcome of one line minus another's, over the outer seeds of both; a reference has all."""
    pair = _paired(board, results, one, other, cell)
    return None if pair is None else statistics.paired(*pair)


def short(value: float) -> str:
    """A number for a table: three figures, two of small ones, never an exponent."""
    if abs(value) < 5e-6 or abs(value) >= 100:
        return f"{value:.0f}".replace("-0", "0")
    power = math.floor(math.log10(abs(value)))
    return f"{value:.{max(0, 2 - power if power > -2 else 1 - power)}f}"


def said(estimate: Estimate) -> str:
    """An estimate with its interval, for a table."""
    if math.isnan(estimate.low):
        return short(estimate.value)
    return f"{short(estimate.value)} [{_end(estimate.low)}, {_end(estimate.high)}]"


def _end(value: float) -> str:
    """An end of an interval: two figures, one of small ones."""
    if abs(value) < 5e-6 or abs(value) >= 10:
        return f"{value:.{0 if abs(value) >= 100 or abs(value) < 1 else 1}f}".replace("-0", "0")
    figures = 1 if abs(value) < 1e-3 else 2
    return f"{value:.{max(0, figures - 1 - math.floor(math.log10(abs(value))))}f}"


def _standing(
    board: Board, results: Results, name: str, also: list[str], differences: dict[str, Difference]
) -> Standing:
    runs, entrant = results[name], board.agents[name]
    values = outcomes(board, runs, board.main)
    normal = scores(board, values)
    steps = [run.facts.threshold for run in runs if run.facts.threshold is not None]
    return Standing(
        name,
        " = ".join(_shown(board, each) for each in (name, *also)),
        entrant.condition,
        entrant.role,
        len(runs),
        0 if normal is None else int((normal >= SOLVED).sum()),
        len(failed_seeds(board, runs)),
        None if normal is None else statistics.over_seeds(normal, statistics.interquartile_mean),
        statistics.over_seeds(values, statistics.interquartile_mean),
        statistics.over_seeds(values),
        float(np.median(steps)) if steps else None,
        _medians(runs),
        differences.get(name),
    )


def _shown(board: Board, name: str) -> str:
    return board.agents[name].label or name


def _same(board: Board, results: Results) -> dict[str, str]:
    """Lines that are another contestant: the same weights, all seeds, under the same condition."""
    first: dict[tuple[str, ...], str] = {}
    same = {}
    for name, entrant in board.agents.items():
        hashes = tuple(run.facts.weights for run in results[name])
        if entrant.role != "contestant" or not hashes or not all(hashes):
            continue
        found = first.setdefault((entrant.condition, *hashes), name)
        if found != name:
            same[name] = found
    return same


def _tested(board: Board, results: Results, pairs: list[tuple[str, str]]) -> dict[str, Difference]:
    """Differences of pairs in the main cell, by the first's name, with tests corrected for their number."""
    found, p_values = {}, []
    for one, other in pairs:
        pair = _paired(board, results, one, other, board.main)
        if pair is not None:
            found[one] = statistics.paired(*pair)
            p_values.append(statistics.paired_p(*pair))
    sign = 1 if board.higher_is_better else -1
    corrected = statistics.holm(p_values)
    return {
        name: Difference(estimate, p, sign * estimate.value > 0)
        for (name, estimate), p in zip(found.items(), corrected, strict=True)
    }


def _paired(
    board: Board, results: Results, one: str, other: str, cell: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Outcomes of two lines on the outer seeds of both; those of a reference are repeated."""
    by_seed = []
    for name in (one, other):
        runs = [run for run in results[name] if cell in run.rows]
        by_seed.append(dict(zip((run.seed for run in runs), outcomes(board, runs, cell), strict=True)))
    if None in by_seed[0]:
        by_seed[0] = dict.fromkeys(by_seed[1], by_seed[0][None])
    if None in by_seed[1]:
        by_seed[1] = dict.fromkeys(by_seed[0], by_seed[1][None])
    common = sorted(by_seed[0].keys() & by_seed[1].keys(), key=lambda seed: -1 if seed is None else seed)
    if not common:
        return None
    first, second = (np.array([means[seed] for seed in common]) for means in by_seed)
    return first, second


def _medians(runs: Sequence[Run]) -> Row:
    """The facts of a line: medians over its outer seeds of what is a number."""
    facts = [run.facts for run in runs]
    made: dict[str, Any] = {}  # a median of whole numbers need not be whole
    for name in ("outer_steps", "trials", "parameters", "operations", "seconds", "bits"):
        values = [value for each in facts if (value := getattr(each, name)) is not None]
        made[name] = float(np.median(values)) if values else None
    return facts[0]._replace(**made)
