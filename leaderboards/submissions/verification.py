"""Verification: weights are measured again, here and on tasks that nobody knew, and some are trained again.

No file of the submitter is trusted: what is shown is what is found here, on tasks that nobody knew. Another
kind of processor rounds otherwise, and a trial can then go another way. So means are compared within their
standard errors, not rows.
"""

import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import Recipe
from leaderboards.boards.board import Board
from leaderboards.boards.results import Row
from leaderboards.submissions.contestants import own_code
from leaderboards.submissions.manifest import artifact
from leaderboards.submissions.remote_agent import RemoteAgent, RemoteError, remote_agent
from leaderboards.submissions.season import held_out_seed
from leaderboards.submissions.training_tasks import trials_of
from leaderboards.submissions.validation import Submission

STANDARD_ERRORS = 5.0
"""Standard errors over tasks by which the mean of an outer seed may differ."""

LEVEL = 0.9999
"""Quantile of Student's t beyond which all outer seeds together are too good to be what was measured."""

ROUNDING = 1e-4
"""Share of an outcome by which it may differ besides."""

CHUNK = 500
"""Trials at a time."""


class Verified(NamedTuple):
    """What was found.

    Attributes:
        rows: the results on held-out tasks, without what nobody measured here; the only ones to be shown.
        public: the same on the board's tasks, which weights and code may know by heart.
        trained: mean outcome in the main cell of outer seeds trained again; nan of one that diverged.
        refusals: why it is not verified, a line each; empty if it is.
    """

    rows: list[Row]
    public: list[Row]
    trained: dict[int, float]
    refusals: list[str]


def verify(submission: Submission, nonce: str, *, trust: bool = False, retrain: int = 2) -> Verified:
    """Measure a submission again.

    Args:
        submission: from `validate`.
        nonce: it makes, with the submission's hash, the held-out tasks, and says who is trained again.
        trust: run the submitter's own code, in the process of its own in which the agent runs anyway.
        retrain: how many outer seeds to train again, besides those that are said to have failed. Of two, one
            is not the one of which all others may be copies.

    Raises:
        ValueError: it has code of its own that nobody trusts, or its agent does not act as agents do.
    """
    board, rows = submission.board, submission.rows
    if (code := own_code(submission.recipe)) and not trust:
        raise ValueError(
            f"the recipe names code of its own, which would be run; read {', '.join(code)}, then --trust"
        )
    chosen = random.Random(nonce).sample(submission.seeds, min(retrain, len(submission.seeds)))
    seed = held_out_seed(nonce, artifact(submission.folder))
    found, held_out, twins = [], [], set()
    with remote_agent(submission.folder, board) as agent:
        for cell in submission.cells:
            seen: dict[bytes, int] = {}
            for outer_seed in submission.seeds:
                told = _find(rows, outer_seed, cell)
                agent.open(outer_seed, cell)
                outcomes = _outcomes(agent, board, cell, board.task_seed)
                found.append(_measured(told, outcomes))
                held_out.append(_measured(told, _outcomes(agent, board, cell, seed)))
                if len(np.unique(outcomes)) > len(outcomes) / 2:  # where success is yes or no, many are alike
                    first = seen.setdefault(np.float32(outcomes).round(4).tobytes(), outer_seed)
                    twins |= {(first, outer_seed)} - {(outer_seed, outer_seed)}
        trained = {
            again: float(_outcomes(agent, board, board.main, board.task_seed).mean())
            if agent.open(submission.seeds[0], board.main, train=again)
            else math.nan
            for again in sorted({*chosen, *submission.failed})
        }
    refusals = [
        f"outer seeds {one} and {two} have the same outcomes, task by task" for one, two in sorted(twins)
    ]
    refusals += _differing(rows, found, "again") + _differing(rows, held_out, "on held-out tasks")
    refusals += list(_flattering(submission, found)) + list(_untrained(submission, found, trained))
    failed = [
        _shown(row._replace(status="failed: it diverges when it is trained again"), submission.recipe)
        for row in rows
        if not row.ok
    ]
    shown = [_shown(row, submission.recipe) for row in held_out]
    return Verified(shown + failed, found, trained, refusals)


def _outcomes(agent: RemoteAgent, board: Board, cell: str, task_seed: int) -> np.ndarray:
    """[N], outcomes of the agent on the tasks of a seed; the environment plays in this process."""
    family = board.cells[cell].family()
    outcomes = evaluate(agent, family, board.tasks, seed=task_seed, chunk=CHUNK).outcomes.double().numpy()
    if not np.isfinite(outcomes).all():
        raise RemoteError(f"the agent's outcomes in cell {cell} are not finite")
    return outcomes


def _measured(row: Row, outcomes: np.ndarray) -> Row:
    return row._replace(mean=float(outcomes.mean()), std=float(outcomes.std()))


def _shown(row: Row, recipe: Recipe) -> Row:
    """A row without what only the submitter says; its trials are those of the recipe."""
    return row._replace(
        threshold=None,
        trials=trials_of(recipe),
        operations=None,
        bits=None,
        influence=None,
        influence_untrained=None,
    )


def numbers(rows: Sequence[Row], seed: int | None, cell: str) -> tuple[float, float]:
    """Mean and standard deviation of an outer seed, which must be ok, in a cell."""
    row = _find(rows, seed, cell)
    assert row.mean is not None
    assert row.std is not None
    return row.mean, row.std


def _find(rows: Sequence[Row], seed: int | None, cell: str) -> Row:
    return next(row for row in rows if (row.seed, row.cell) == (seed, cell))


def _differing(told: Sequence[Row], found: Sequence[Row], where: str) -> list[str]:
    """The row that differs most from what was found, if it does by too much."""
    worst, line = 1.0, []
    for row in found:
        (mean, std), (said, spread) = (numbers(each, row.seed, row.cell) for each in (found, told))
        error = math.hypot(std, spread) / math.sqrt(row.tasks)
        most = STANDARD_ERRORS * error + ROUNDING * (abs(mean) + std)
        if abs(mean - said) > worst * most:
            worst = abs(mean - said) / most if most else math.inf
            line = [
                f"outer seed {row.seed} in cell {row.cell} has the mean {said:.6g}; measured {where}"
                f" {mean:.6g}, which may differ by {most:.2g}"
            ]
    return line


def _flattering(submission: Submission, found: Sequence[Row]) -> Iterator[str]:
    """Cells in which outer seeds are better than measured again, each a little, and more than by chance."""
    seeds = submission.seeds
    for cell in submission.cells if len(seeds) > 1 else ():
        better = 1 if submission.board.cells[cell].family().higher_is_better else -1
        again = np.array([numbers(found, seed, cell) for seed in seeds])  # (seeds, 2)
        told = np.array([numbers(submission.rows, seed, cell) for seed in seeds])  # (seeds, 2)
        gains = better * (told - again)[:, 0]  # (seeds,)
        error = float(gains.std(ddof=1)) / math.sqrt(len(gains))
        scale = float(np.abs(again).sum(axis=1).mean())
        if gains.mean() > float(stats.t.ppf(LEVEL, len(gains) - 1)) * error + ROUNDING * scale:
            gain, mean = f"{gains.mean():.2g}", f"{again[:, 0].mean():.6g}"
            yield f"cell {cell} is better by {gain} in all outer seeds; measured again {mean}"


def _untrained(submission: Submission, found: Sequence[Row], trained: dict[int, float]) -> Iterator[str]:
    """Outer seeds that, trained again, are not what the submission says."""
    board = submission.board
    for seed in submission.failed:
        if math.isfinite(trained[seed]):
            yield f"outer seed {seed} is said to have failed; trained again it does not"
    means = np.array([numbers(found, seed, board.main)[0] for seed in submission.seeds])
    again = [trained[seed] for seed in trained if seed not in submission.failed]
    if not again:
        return
    if not np.isfinite(again).all():
        yield "an outer seed that is said to be ok diverges when it is trained again"
        return
    if len(means) < 2:
        yield "one outer seed tells nothing of the spread; train two or more"
        return
    mean, (low, high) = float(np.mean(again)), usual_means(means, len(again))
    if not low <= mean <= high:
        yield (
            f"outer seeds {sorted(trained)} trained again have the mean {mean:.4g}; 99 % of such means lie in"
            f" [{low:.4g}, {high:.4g}]"
        )


def usual_means(means: np.ndarray, again: int) -> tuple[float, float]:
    """Where 99 % of the means of so many trainings lie, if those submitted are trainings like them.

    It finds another agent, not a choice among trainings of this one: see docs/submitting.md.

    Args:
        means: [S], of outer seeds that were submitted, two at least.
        again: how many are trained again.
    """
    middle = float(means.mean())
    half = float(stats.t.ppf(0.995, len(means) - 1)) * float(means.std(ddof=1))
    half = half * math.sqrt(1 / len(means) + 1 / again) + ROUNDING * abs(middle)
    return middle - half, middle + half
