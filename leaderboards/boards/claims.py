"""The claim gate: what has to hold before a board says that communication helps."""

import math
from typing import NamedTuple

import numpy as np

from leaderboards import statistics
from leaderboards.boards.board import Board
from leaderboards.boards.results import Results
from leaderboards.boards.standing import difference, limits, not_shown, outcomes, said, scores
from leaderboards.statistics import ENOUGH, Estimate, Limits

HEARD = 0.1
"""Where messages of other tasks cost an outer seed so much of its score, what is said there is of use."""


class Check(NamedTuple):
    """One condition: what is asked, whether it holds, and the numbers."""

    what: str
    holds: bool
    numbers: str


class Verdict(NamedTuple):
    """What may be said of an agent's communication on a board.

    Attributes:
        agent: the agent.
        sentence: "communication helps ...", or what failed.
        passed: whether all checks hold.
        checks: each of them.
        speed: whether it learns sooner than in silence, in words; "" where the board has no threshold.
        protocol: in how many outer seeds messages came to be of use, in words; "" where that is not known.
    """

    agent: str
    sentence: str
    passed: bool
    checks: tuple[Check, ...]
    speed: str = ""
    protocol: str = ""


def verdicts(board: Board, results: Results) -> list[Verdict]:
    """The gate for every agent of a board that has all controls: silent, self-loop, shuffled across tasks.

    "Communication helps" is said only where the agent is better than itself retrained without
    communication, better than itself with a self-loop channel (the same computation, no information), better
    than a vote of the silent ones where the board has it, and worse when messages are shuffled across tasks,
    each by an interval of paired differences over at least 10 outer seeds, failures included, and where its
    messages influence what others write more than those of untrained speakers do, seed by seed.
    """
    return [
        verdict(board, results, agent, *controls)
        for agent in board.agents
        if (controls := controls_of(board, agent)) is not None
    ]


def controls_of(board: Board, agent: str) -> tuple[str, str, str] | None:
    """Names of an agent's silent, self-loop and shuffled controls, or None if it lacks one."""
    found: dict[str, str] = {}
    for name, entrant in board.agents.items():
        if entrant.control_of == agent:
            kind = "shuffled" if entrant.intervention == "shuffle across tasks" else entrant.without
            found.setdefault(kind, name)
    if not {"communication", "exchange", "shuffled"} <= found.keys():
        return None
    return found["communication"], found["exchange"], found["shuffled"]


def gate_controls(board: Board, agent: str) -> tuple[str, ...]:
    """Names of all controls against which the gate asks for a difference; none if the agent lacks one."""
    controls = controls_of(board, agent)
    return () if controls is None else (*controls, *_votes(board, agent))


def _votes(board: Board, agent: str) -> list[str]:
    return [
        name
        for name, entrant in board.agents.items()
        if entrant.control_of == agent and entrant.intervention == "vote"
    ]


def verdict(board: Board, results: Results, agent: str, silent: str, alone: str, shuffled: str) -> Verdict:
    """The gate for one agent and its controls; see `verdicts`."""
    sign = 1 if board.higher_is_better else -1
    votes = [("better than a vote of the silent", name) for name in _votes(board, agent)]
    controls = (agent, silent, alone, shuffled, *(name for _, name in votes))
    counts = {name: len(results[name]) for name in controls}
    few = ", ".join(f"{name} {count}" for name, count in counts.items() if count < ENOUGH)
    checks = [Check(f"at least {ENOUGH} outer seeds of each", not few, few or f"{min(counts.values())}")]
    for what, control in (
        ("better than retrained in silence", silent),
        ("better than with a self-loop channel", alone),
        *votes,
        ("messages of other tasks hurt", shuffled),
    ):
        found = difference(board, results, agent, control, board.main)
        gained = None if found is None else _turned(found, sign)
        holds = gained is not None and gained.low > 0
        numbers = "no runs in common" if gained is None else said(gained)
        if gained is not None and gained.low <= 0 <= gained.high:
            numbers += f": {not_shown(gained.reach)}"
        checks.append(Check(what, holds, numbers))
    checks.append(_influence(results, agent))
    failed = [check.what for check in checks if not check.holds]
    label, condition = board.agents[agent].label or agent, board.agents[agent].condition
    where = f"on {board.name} ({label}{', ' + condition if condition else ''})"
    sentence = (
        f"Communication helps {where}."
        if not failed
        else f"No claim {where}: not shown: {'; '.join(failed)}."
    )
    speed = "" if board.threshold is None else _speed(board.threshold, results, agent, silent)
    protocol = _protocol(board, results, agent, shuffled)
    return Verdict(agent, sentence, not failed, tuple(checks), speed, protocol)


def withstands(board: Board, results: Results, agent: str) -> float:
    """How badly a seed that nobody saw may end, for the gate's differences of an agent to be shown still.

    The limit of outcomes is an assumption (see `leaderboards.boards.standing.limits`); this says how far it
    carries: beyond the worst outcome returned some difference of the gate is no longer shown, to 1 % of the
    way from the best outcome to the worst of the family, or to a hundred times the floor where that has none.
    """
    sign = 1 if board.higher_is_better else -1
    controls = [name for name in gate_controls(board, agent) if results[name]]
    low, high = limits(board, board.main, outcomes(board, results[agent], board.main))
    best, usual = (high, low) if sign > 0 else (low, high)

    def shown(worst: float) -> bool:
        found = [difference(board, results, agent, name, board.main, worst) for name in controls]
        return all(each is not None and _turned(each, sign).low > 0 for each in found)

    family_low, family_high = board.cells[board.main].family().outcome_bounds
    worst = family_low if sign > 0 else family_high
    far = worst if math.isfinite(worst) else best + 100 * (usual - best)
    if shown(far):
        return worst
    near, step = usual, abs(far - best) / 1000
    while abs(far - near) > step:
        middle = (near + far) / 2
        near, far = (middle, far) if shown(middle) else (near, middle)
    return near


def _protocol(board: Board, results: Results, agent: str, shuffled: str) -> str:
    """In how many outer seeds it matters what messages say, in words."""
    own, other = ({run.seed: run for run in results[name]} for name in (agent, shuffled))
    common = sorted(own.keys() & other.keys(), key=str)
    heard, misled = (
        scores(board, outcomes(board, [of[seed] for seed in common], board.main)) for of in (own, other)
    )
    if not common or heard is None or misled is None:
        return ""
    formed = int((heard - misled >= HEARD).sum())
    return f"Other tasks' messages cost at least {HEARD:g} of the score on {formed} of {len(common)} seeds."


def _speed(threshold: float, results: Results, agent: str, silent: str) -> str:
    """Outer steps to the threshold with communication and without; who never gets there has used them all."""
    steps: dict[str, dict[int | None, float]] = {}
    told = []
    for name in (agent, silent):
        reached = {
            run.seed: (run.facts.threshold, float(run.facts.outer_steps or 0))
            for run in results[name]
            if run.facts.threshold is not None
        }
        steps[name] = {seed: min(crossed, every) for seed, (crossed, every) in reached.items()}
        count = sum(not math.isinf(crossed) for crossed, _ in reached.values())
        told.append(f"{name} {count} of {len(reached)} seeds")
    common = sorted(steps[agent].keys() & steps[silent].keys(), key=str)
    if not common:
        return ""
    one, other = (np.array([steps[name][seed] for seed in common]) for name in (agent, silent))
    most = float(max(one.max(), other.max()))
    found = statistics.bounded(one - other, Limits(-most, most))
    known = found.low > 0 or found.high < 0
    word = ("later" if found.value > 0 else "sooner") if known else not_shown(found.reach)
    return (
        f"Training loss below {threshold:g}: {', '.join(told)}; outer steps until then, {agent} minus"
        f" {silent} (a seed that never gets there counts with all its steps): {said(found)}: {word}."
    )


def _influence(results: Results, agent: str) -> Check:
    what = "messages move others more than those of untrained speakers"
    pairs = [(run.facts.influence, run.facts.influence_untrained) for run in results[agent]]
    known = [value - null for value, null in pairs if value is not None and null is not None]
    if not known:
        return Check(what, False, "not measured")
    excess = statistics.student(np.array(known))
    return Check(what, excess.low > 0, said(excess))


def _turned(estimate: Estimate, sign: int) -> Estimate:
    """The estimate, or its negative."""
    if sign > 0:
        return estimate
    return Estimate(-estimate.value, -estimate.high, -estimate.low, estimate.n)
