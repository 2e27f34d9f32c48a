"""What a board says of its agents: outcomes over outer seeds, failures, tested paired differences."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from badger_envs.scoring import scale_of
from leaderboards import statistics
from leaderboards.boards.board import Board
from leaderboards.boards.results import Results, Row, Run
from leaderboards.statistics import ENOUGH, LEVEL, Estimate, Limits

NOT_SHOWN = "no difference shown"


class Difference(NamedTuple):
    """An agent's outcome minus another's in the main cell, paired by outer seed.

    Attributes:
        estimate: the mean difference over all outer seeds, failures included.
        p: P value of the test that it is 0; of contestants corrected for all of them (Holm).
        reach: a difference of this size would have been shown: the longer side of the interval; of
            contestants to whom none is shown, of one at the level of the corrected test.
        succeeded: the mean difference over the seeds on which both succeed, of errors that of their
            logarithms; None if there are none.
        succeeded_p: of that, likewise, corrected for all such tests.
        sign: 1 where more is better, else -1.
        wins: on how many of the outer seeds the one is better.
    """

    estimate: Estimate
    p: float
    reach: float
    succeeded: Estimate | None
    succeeded_p: float
    sign: int
    wins: int

    @property
    def verdict(self) -> str:
        """In words, failures included: only a test below 0.05 says better or worse."""
        return _verdict(self.sign * self.estimate.value, self.p)

    @property
    def verdict_of_succeeded(self) -> str:
        """Likewise of the seeds on which both succeed; "" if there are too few for a test."""
        if self.succeeded is None or math.isnan(self.succeeded.low):
            return ""
        return _verdict(self.sign * self.succeeded.value, self.succeeded_p)

    @property
    def told(self) -> str:
        """The verdict; where nothing is shown, with the difference that would have been."""
        return self.verdict if self.verdict != NOT_SHOWN else not_shown(self.reach)


def _verdict(gain: float, p: float) -> str:
    if p >= LEVEL:
        return NOT_SHOWN
    return "better" if gain > 0 else "worse"


def not_shown(reach: float) -> str:
    """No difference shown, and from what size on one would have been; nan: nothing is known of that."""
    return NOT_SHOWN if math.isnan(reach) else f"{NOT_SHOWN} (one of {short(reach)} would have shown)"


class Standing(NamedTuple):
    """One contestant or reference in the main cell.

    Attributes:
        agent: name of the line.
        label: what the table calls it; with the names of lines that are the very same agent.
        condition: what it holds for, such as "one hears"; "" for all.
        role: contestant or reference.
        seeds: outer seeds.
        failed: share of them that fail (`failed_seeds`).
        score: mean of the normalised score, 0 the floor and 1 the reference; None if the board has none.
        mean: mean of the outcome; failed trainings count as the worst outcome.
        succeeded: mean of the outcome over the seeds that do not fail; None if all do.
        threshold: median outer steps to the board's threshold (inf if most never crossed it), None if none.
        facts: costs, medians over outer seeds.
        seconds: of a training, likewise; None: not known.
        versus: against the board's reference agent of the same condition; None for that agent itself.
    """

    agent: str
    label: str
    condition: str
    role: str
    seeds: int
    failed: Estimate
    score: Estimate | None
    mean: Estimate
    succeeded: Estimate | None
    threshold: float | None
    facts: Row
    seconds: float | None
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
            mean_outcome(board, results[name], board.main),
            differences[name],
        )
        for name, entrant in board.agents.items()
        if entrant.role == "control" and entrant.control_of and name in differences
    ]


def differences_of(board: Board, results: Results) -> dict[str, Difference]:
    """Every contestant against its rival and every control against its agent, in the main cell.

    Tests of contestants over all outer seeds are corrected for each other, and so are those by the seeds on
    which both succeed. Tests of controls are not: what a claim asks of several controls has to hold for each
    (Berger 1982, intersection-union tests).
    """
    same = _same(board, results)
    contestants: list[tuple[str, str]] = []
    controls: list[tuple[str, str]] = []
    for name, entrant in board.agents.items():
        other = entrant.control_of if entrant.role == "control" else rival_of(board, name)
        if entrant.role != "reference" and name not in same and other and results[name] and results[other]:
            (controls if entrant.role == "control" else contestants).append((name, other))
    against = {one: each for (one, _), each in _corrected(board, results, contestants).items()}
    return against | {
        pair[0]: each for pair in controls if (each := _tested(board, results, *pair)) is not None
    }


def failures(board: Board, results: Results) -> list[str]:
    """Which contestants fail on some outer seeds, with the interval of the rate, and the worst outcome.

    Those that fail on as many are told together.
    """
    found: dict[Estimate, list[str]] = {}
    values: dict[Estimate, list[float]] = {}
    for name, entrant in board.agents.items():
        if entrant.role != "contestant" or not results[name]:
            continue
        failed = failed_seeds(board, results[name])
        if failed:
            where = f" ({entrant.condition})" if entrant.condition else ""
            rate = statistics.share(len(failed), len(results[name]))
            found.setdefault(rate, []).append(_shown(board, name) + where)
            values.setdefault(rate, []).extend(outcomes(board, results[name], board.main)[failed])
    worst = min if board.higher_is_better else max
    contestants = [name for name, runs in results.items() if runs and board.agents[name].role == "contestant"]
    if len(contestants) > 1 and any(len(names) == len(contestants) for names in found.values()):
        found = {rate: ["all contestants"] for rate in found}
    return [
        f"{', '.join(names)} {round(rate.value * rate.n)} of {rate.n}"
        f" ({rate.low:.0%} to {rate.high:.0%}; worst {short(worst(values[rate]))})"
        for rate, names in found.items()
    ]


def failing(board: Board) -> str:
    """What counts as a failure on a board, in words."""
    return "training failed" if board.ends is None else f"score below {board.success:g}"


def stale(board: Board, results: Results) -> list[str]:
    """Lines with rows of an earlier definition: of another recipe, other tasks or families than today's."""
    return [
        name
        for name, runs in results.items()
        if runs
        and not name.endswith("(submitted)")
        and {run.facts.fingerprint for run in runs} != {board.fingerprint(name)}
    ]


def place(board: Board, results: Results, agent: str) -> str:
    """Where an agent stands among contestants, in words: than whom it is better (corrected paired tests)."""
    others = [
        name
        for name, entrant in board.agents.items()
        if name != agent and entrant.role == "contestant" and results[name]
    ]
    tests = _corrected(board, results, [(agent, other) for other in others])
    heaps: dict[str, list[str]] = {"better": [], "worse": [], NOT_SHOWN: []}
    for (_, other), each in tests.items():
        size = "" if each.told == each.verdict else f", one of {short(each.reach)} would have shown"
        both = each.verdict_of_succeeded and f"; where both succeed {each.verdict_of_succeeded}"
        heaps[each.verdict].append(f"{_shown(board, other)} ({said(each.estimate)}{size}{both})")
    words = {"better": "better than", "worse": "worse than", NOT_SHOWN: f"{NOT_SHOWN} to"}
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
    family = board.cells[cell].family()
    low, high = family.outcome_bounds
    worst = low if family.higher_is_better else high
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


def limits(board: Board, cell: str, *values: np.ndarray) -> Limits:
    """How good and how bad an outcome can be in a cell: the best of the family, and the floor.

    A seed may end worse than the floor, and does (to 12 in the guessing game, whose floor is 1); where one
    did, the worst that was seen takes its place. That a seed nobody has seen is no worse is an assumption;
    with the worst of the family ten seeds would show nothing of any agent.

    Args:
        board: the board.
        cell: of it.
        values: outcomes that were seen.
    """
    low, high = map(float, board.cells[cell].family().outcome_bounds)
    floor = _floor(board, cell)
    if floor is not None:
        low, high = (floor, high) if board.higher_is_better else (low, floor)
    seen = np.concatenate(values)
    low, high = (end if math.isfinite(end) else seen.mean() for end in (low, high))
    return Limits(min(low, seen.min()), max(high, seen.max()))


def _floor(board: Board, cell: str) -> float | None:
    """Outcome of doing nothing useful; that of the main cell holds for its family."""
    here, main = board.cells[cell], board.cells[board.main]
    if board.ends is not None and type(here.family()) is type(main.family()):
        return board.ends[0]
    try:
        return scale_of(here.id).floor.mean
    except ValueError:
        return None


def mean_outcome(board: Board, runs: Sequence[Run], cell: str) -> Estimate:
    """Mean outcome in a cell over all outer seeds, failures included."""
    values = outcomes(board, runs, cell)
    return statistics.bounded(values, limits(board, cell, values))


def failed_seeds(board: Board, runs: Sequence[Run]) -> list[int]:
    """Places of the runs whose score in the main cell is below the board's `success`, or without weights."""
    normal = scores(board, outcomes(board, runs, board.main))
    bad = [not run.ok for run in runs]
    if normal is not None:
        bad = [failed or score < board.success for failed, score in zip(bad, normal, strict=True)]
    return [place for place, failed in enumerate(bad) if failed]


def difference(
    board: Board, results: Results, one: str, other: str, cell: str, worst: float | None = None
) -> Estimate | None:
    """Outcome of one line minus another's, over the outer seeds of both; a reference has all.

    Args:
        board: the board.
        results: its rows.
        one: a line.
        other: another.
        cell: of the board.
        worst: as bad an outcome as a seed that nobody saw may have, if not as in `limits`.
    """
    pair = _paired(board, results, one, other, cell)
    if pair is None:
        return None
    seen = pair if worst is None else (*pair, np.array([worst]))
    return statistics.bounded(pair[0] - pair[1], _limits_of(board, cell, *seen))


def difference_p(board: Board, results: Results, one: str, other: str, cell: str) -> float:
    """P value of that difference, not corrected; 1 without pairs."""
    pair = _paired(board, results, one, other, cell)
    return 1.0 if pair is None else statistics.bounded_p(pair[0] - pair[1], _limits_of(board, cell, *pair))


def perfect_p(board: Board, results: Results, name: str) -> float:
    """P value, not corrected, of the difference that an agent without any error would have to a line.

    Where it is not below 0.05, no agent can be shown to be better over all outer seeds: there is no room.
    """
    values = outcomes(board, results[name], board.main)
    ends = limits(board, board.main, values)
    best = ends.high if board.higher_is_better else ends.low
    return statistics.bounded_p(best - values, _limits_of(board, board.main, values))


def _limits_of(board: Board, cell: str, *values: np.ndarray) -> Limits:
    """Limits of the difference of two outcomes."""
    low, high = limits(board, cell, *values)
    return Limits(low - high, high - low)


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


def score_said(score: Estimate) -> str:
    """A score with its interval, for a table."""
    if math.isnan(score.low):
        return f"{score.value:z.2f}"
    return f"{score.value:z.2f} [{score.low:z.2f}, {score.high:z.2f}]"


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
    values, failed = outcomes(board, runs, board.main), failed_seeds(board, runs)
    mean, good = mean_outcome(board, runs, board.main), np.delete(values, failed)
    steps = [run.facts.threshold for run in runs if run.facts.threshold is not None]
    return Standing(
        name,
        ", ".join(_shown(board, each) for each in (name, *also)),
        entrant.condition,
        entrant.role,
        len(runs),
        statistics.share(len(failed), len(runs)),
        _score_of(board, mean),
        mean,
        _within(statistics.student(good), board, good) if len(good) else None,
        _median(steps),
        _medians(runs),
        _median([run.seconds for run in runs]),
        differences.get(name),
    )


def _within(estimate: Estimate, board: Board, values: np.ndarray) -> Estimate:
    """An interval cut off where no outcome can be."""
    low, high = limits(board, board.main, values)
    if math.isnan(estimate.low):
        return estimate
    return estimate._replace(low=max(low, estimate.low), high=min(high, estimate.high))


def _score_of(board: Board, mean: Estimate) -> Estimate | None:
    """The mean outcome on the scale of scores."""
    normal = scores(board, np.array(mean[:3]))
    if normal is None:
        return None
    low, high = sorted(normal[1:])
    return Estimate(float(normal[0]), float(low), float(high), mean.n)


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


def _tested(board: Board, results: Results, one: str, other: str) -> Difference | None:
    """The difference of two lines in the main cell, with tests that are not corrected; None without pairs."""
    pair = _paired(board, results, one, other, board.main)
    if pair is None:
        return None
    values, ends = pair[0] - pair[1], _limits_of(board, board.main, *pair)
    normal = scores(board, np.array(pair))
    errors = not board.higher_is_better and np.min(pair) > 0  # of orders of magnitude: ratios are alike
    apart = np.log(pair[0] / pair[1]) if errors else values
    both = apart[:0] if normal is None else apart[(normal >= board.success).all(0)]
    sign = 1 if board.higher_is_better else -1
    found = statistics.bounded(values, ends)
    return Difference(
        found,
        statistics.bounded_p(values, ends),
        found.reach,
        statistics.student(both) if len(both) else None,
        statistics.student_p(both) if len(both) else 1.0,
        sign,
        int((sign * values > 0).sum()),
    )


def _corrected(
    board: Board, results: Results, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Difference]:
    """The differences of pairs of lines, with tests corrected for each other (Holm 1979).

    Those over all outer seeds are one set of tests, those by the seeds on which both succeed another, in
    which there is no pair with too few of them: it could show nothing, and would only weaken the others.
    """
    found = {pair: each for pair in pairs if (each := _tested(board, results, *pair)) is not None}
    p = dict(zip(found, statistics.holm([each.p for each in found.values()]), strict=True))
    both = {pair: each.succeeded_p for pair, each in found.items() if each.verdict_of_succeeded}
    both_p = dict(zip(both, statistics.holm(list(both.values())), strict=True))
    level = LEVEL / max(1, sum(each >= LEVEL for each in p.values()))  # of the next test to be shown
    return {
        pair: each._replace(
            p=p[pair],
            reach=each.reach if p[pair] < LEVEL else _reach(board, results, *pair, level),
            succeeded_p=both_p.get(pair, 1.0),
        )
        for pair, each in found.items()
    }


def _reach(board: Board, results: Results, one: str, other: str, level: float) -> float:
    """The longer side of the interval of a difference at a level."""
    pair = _paired(board, results, one, other, board.main)
    if pair is None:
        return math.nan
    return statistics.bounded(pair[0] - pair[1], _limits_of(board, board.main, *pair), level).reach


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
    names = ("outer_steps", "trials", "parameters", "operations", "bits")
    made: dict[str, Any] = {name: _median([getattr(each, name) for each in facts]) for name in names}
    return facts[0]._replace(**made)


def _median(values: Sequence[float | None]) -> float | None:
    """Of what is known."""
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
