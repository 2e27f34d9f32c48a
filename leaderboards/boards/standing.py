"""What a board says: each agent's outcome over outer seeds, paired differences, groups."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from leaderboards import statistics
from leaderboards.boards.board import Board
from leaderboards.boards.rows import RunRows
from leaderboards.card import ENOUGH
from leaderboards.statistics import Estimate


class Line(NamedTuple):
    """One agent on a board.

    Attributes:
        agent: its name.
        role: contestant, control or reference.
        seeds: outer seeds with rows; failed: those whose training failed.
        cells: mean outcome in each cell.
        middle: inter-quartile mean in the main cell.
        difference: outcome minus that of the agent with which it is compared, in pairs; None if that has no
            runs in common.
        compared_with: that agent.
        group: letters; agents that share one are not distinguishable. "" for references, and with too few
            outer seeds.
        facts: parameters, seconds and trials per outer seed, medians.
    """

    agent: str
    role: str
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    cells: dict[str, Estimate]
    middle: Estimate
    difference: Estimate | None
    compared_with: str | None
    group: str
    facts: dict[str, float]

    @property
    def preliminary(self) -> bool:
        """Whether there are too few outer seeds for a claim."""
        return self.role != "reference" and len(self.seeds) < ENOUGH


def standing(board: Board, runs: Mapping[str, Sequence[RunRows]]) -> list[Line]:
    """The lines of a board from the best on, by the mean in the main cell; those without rows come last.

    Args:
        board: the board.
        runs: of each agent, as `rows.read_runs` gives them.
    """
    whole = {agent: [run for run in found if run.ok] for agent, found in runs.items()}
    ranked = [agent for agent, found in whole.items() if found]
    enough = [agent for agent in ranked if len(whole[agent]) >= ENOUGH]
    letters = statistics.groups(
        [seed_means(whole[agent], board.main) for agent in enough], higher_is_better=board.higher_is_better
    )
    group = dict(zip(enough, letters, strict=True))
    lines = []
    for agent in ranked:
        entrant = board.agents[agent]
        cells = {
            cell: statistics.over_seeds(seed_means(whole[agent], cell)) for cell in board.cells_of(agent)
        }
        main = seed_means(whole[agent], board.main)
        other = entrant.control_of or board.baseline
        compared = other if other != agent and whole.get(other) else None
        lines.append(
            Line(
                agent,
                entrant.role,
                tuple(run.seed for run in whole[agent] if run.seed is not None),
                tuple(run.seed for run in runs[agent] if not run.ok and run.seed is not None),
                cells,
                statistics.over_seeds(main, statistics.interquartile_mean),
                None if compared is None else difference(whole[agent], whole[compared], board.main),
                compared,
                group.get(agent, ""),
                _facts(whole[agent]),
            )
        )
    sign = -1 if board.higher_is_better else 1
    return sorted(lines, key=lambda line: sign * line.cells[board.main].value)


def place(board: Board, runs: Mapping[str, Sequence[RunRows]], agent: str) -> str:
    """Where an agent stands among contestants: than whom it is better, by paired differences, in words."""
    sign = 1 if board.higher_is_better else -1
    whole = {name: [run for run in found if run.ok] for name, found in runs.items()}
    heaps: dict[str, list[str]] = {"better than": [], "worse than": [], "not distinguishable from": []}
    for other, entrant in board.agents.items():
        if other == agent or entrant.role != "contestant" or not whole[other] or not whole[agent]:
            continue
        found = difference(whole[agent], whole[other], board.main)
        known = found is not None and (found.low > 0 or found.high < 0)
        better = found is not None and sign * found.value > 0
        heap = ("better than" if better else "worse than") if known else "not distinguishable from"
        heaps[heap].append(f"{other} ({said(found, 3)})" if known else other)
    told = [f"{heap} {', '.join(others)}" for heap, others in heaps.items() if others]
    return f"{agent} is {'; '.join(told)}" if told else f"{agent} has nobody to be compared with yet"


def seed_means(runs: Sequence[RunRows], cell: str) -> np.ndarray:
    """[N], mean outcome of each run over the tasks of a cell."""
    return np.array([run.outcomes[cell].mean() for run in runs])


def difference(one: Sequence[RunRows], other: Sequence[RunRows], cell: str) -> Estimate | None:
    """Outcome of one agent minus the other, over the outer seeds of both; a reference has all."""
    by_seed = [{run.seed: run.outcomes[cell].mean() for run in runs} for runs in (one, other)]
    if None in by_seed[0]:
        by_seed[0] = dict.fromkeys(by_seed[1], by_seed[0][None])
    if None in by_seed[1]:
        by_seed[1] = dict.fromkeys(by_seed[0], by_seed[1][None])
    common = sorted(by_seed[0].keys() & by_seed[1].keys(), key=lambda seed: -1 if seed is None else seed)
    if not common:
        return None
    return statistics.paired(*(np.array([means[seed] for seed in common]) for means in by_seed))


def steps_to_threshold(runs: Sequence[RunRows]) -> tuple[float | None, str]:
    """Median outer step at which runs crossed the board's threshold, and as text with how many of them did.

    Runs that never did have no number; (None, "") where none was asked.
    """
    asked = [run.facts["outer_steps_to_threshold"] for run in runs if "outer_steps_to_threshold" in run.facts]
    crossed = [steps for steps in asked if steps is not None]
    if not asked:
        return None, ""
    if not crossed:
        return None, f"never (0 of {len(asked)})"
    median = float(np.median(crossed))
    return median, f"{median:,.0f} ({len(crossed)} of {len(asked)})"


def said(estimate: Estimate | None, digits: int = 4) -> str:
    """An estimate as text: value, and the interval in brackets if there is one."""
    if estimate is None:
        return ""
    value = f"{estimate.value:.{digits}g}"
    if math.isnan(estimate.low):
        return value
    return f"{value} [{estimate.low:.{digits}g}, {estimate.high:.{digits}g}]"


def _facts(runs: Sequence[RunRows]) -> dict[str, float]:
    known: dict[str, Any] = {}
    for name in (
        "parameters",
        "trials",
        "seconds",
        "outer_steps",
        "outer_steps_to_threshold",
        "bits_per_step",
    ):
        values = [run.facts[name] for run in runs if run.facts.get(name) is not None]
        if values:
            known[name] = float(np.median(values))
    return known
