"""The claim gate: what has to hold before a board says that communication helps."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from leaderboards import statistics
from leaderboards.boards.board import Board
from leaderboards.boards.rows import RunRows
from leaderboards.boards.standing import difference, said
from leaderboards.card import ENOUGH
from leaderboards.statistics import Estimate


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
    """

    agent: str
    sentence: str
    passed: bool
    checks: tuple[Check, ...]
    speed: str = ""


def verdicts(board: Board, runs: Mapping[str, Sequence[RunRows]]) -> list[Verdict]:
    """The gate for every agent of a board that has all controls: silent, self-loop, shuffled across tasks.

    "Communication helps" is said only where the agent is better than itself retrained without
    communication, better than itself with a self-loop channel (the same computation, no information), and
    worse when messages are shuffled across tasks, each by an interval of paired differences over at least 10
    outer seeds, and where its messages influence what others write more than nothing does.
    """
    return [
        verdict(board, runs, agent, *controls)
        for agent in board.agents
        if (controls := controls_of(board, agent)) is not None
    ]


def controls_of(board: Board, agent: str) -> tuple[str, str, str] | None:
    """Names of an agent's silent, self-loop and shuffled controls, or None if it lacks one."""
    found: dict[str, str] = {}
    for name, entrant in board.agents.items():
        if entrant.control_of != agent:
            continue
        if entrant.intervention == "shuffle across tasks":
            found["shuffled"] = name
        elif entrant.recipe:
            topology = board.recipe(name).agent_settings().get("topology")
            found.setdefault(str(topology), name)
    if not {"none", "self", "shuffled"} <= found.keys():
        return None
    return found["none"], found["self"], found["shuffled"]


def verdict(
    board: Board, runs: Mapping[str, Sequence[RunRows]], agent: str, silent: str, alone: str, shuffled: str
) -> Verdict:
    """The gate for one agent and its controls; see `verdicts`."""
    sign = 1 if board.higher_is_better else -1
    whole = {name: [run for run in runs[name] if run.ok] for name in (agent, silent, alone, shuffled)}
    checks = []
    counts = {name: len(found) for name, found in whole.items()}
    few = ", ".join(f"{name} {count}" for name, count in counts.items() if count < ENOUGH)
    checks.append(Check(f"at least {ENOUGH} outer seeds of each", not few, few or f"{min(counts.values())}"))
    for what, control in (
        ("better than retrained without communication", silent),
        ("better than with a self-loop channel", alone),
        ("shuffling messages across tasks hurts", shuffled),
    ):
        found = difference(whole[agent], whole[control], board.main)
        gain = None if found is None else _turned(found, sign)
        checks.append(Check(what, gain is not None and gain.low > 0, said(gain, 3) or "no runs in common"))
    checks.append(_influence(whole[agent]))
    failed = [check.what for check in checks if not check.holds]
    where = f"on {board.name} ({agent})"
    sentence = (
        f"Communication helps {where}."
        if not failed
        else f"No claim {where}: not shown: {'; '.join(failed)}."
    )
    speed = "" if board.threshold is None else _speed(board.threshold, whole, agent, silent)
    return Verdict(agent, sentence, not failed, tuple(checks), speed)


def _speed(threshold: float, whole: Mapping[str, Sequence[RunRows]], agent: str, silent: str) -> str:
    """Outer steps to the threshold with communication and without; who never gets there has used them all."""
    steps, told = {}, []
    for name in (agent, silent):
        reached = {run.seed: run.facts.get("outer_steps_to_threshold") for run in whole[name]}
        steps[name] = {run.seed: float(reached[run.seed] or run.facts["outer_steps"]) for run in whole[name]}
        count = sum(value is not None for value in reached.values())
        told.append(f"{name} {count} of {len(reached)} seeds")
    common = sorted(steps[agent].keys() & steps[silent].keys(), key=str)
    if not common:
        return ""
    found = statistics.paired(*(np.array([steps[name][seed] for seed in common]) for name in (agent, silent)))
    known = found.low > 0 or found.high < 0
    word = ("later" if found.value > 0 else "sooner") if known else "not distinguishable"
    return (
        f"Training loss below {threshold:g}: {', '.join(told)}; outer steps until then, {agent} minus"
        f" {silent} (a seed that never gets there counts with all its steps): {said(found, 3)}: {word}."
    )


def _influence(runs: Sequence[RunRows]) -> Check:
    what = "messages influence what others write more than silence does"
    pairs = [run.facts["influence"] for run in runs if run.facts.get("influence") is not None]
    if not pairs:
        return Check(what, False, "not measured")
    excess = statistics.over_seeds(np.array([value - null for value, null in pairs]))
    return Check(what, excess.low > 0, said(excess, 3))


def _turned(estimate: Estimate, sign: int) -> Estimate:
    """The estimate, or its negative."""
    if sign > 0:
        return estimate
    return Estimate(-estimate.value, -estimate.high, -estimate.low, estimate.n)
