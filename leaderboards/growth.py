"""What `badger grow` and `badger transplant` measure: trials in which experts come, go or are exchanged."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growing import Growing, improvement, measure_gain
from badger_agents.badger.growth import Change
from badger_agents.evaluation import Evaluation, evaluate, interval
from badger_agents.whitebox.surgery import Moved, Transplanted
from badger_envs import keyed_random
from leaderboards.cells import CHUNK, Case
from leaderboards.results import Record, record
from leaderboards.statistics import ENOUGH

NOT, GROWN, START = "not grown", "grown", "from the start"
"""Conditions. The last is a control: the agent that growth makes, from the first step on."""

MOVED: tuple[Moved, ...] = ("states", "shuffled states", "nothing")
"""What a transplant moves."""


class Grown(NamedTuple):
    """What growth did to one outer seed's agent.

    Attributes:
        case: the agent at the start, and its family.
        experts: by condition, how many there are at the start, and how many then.
        outcomes: trials by condition; the last condition only if growth changes who there is at its end.
        gains: per pair of conditions, how much better the first is (above 0 whichever way outcomes count).
    """

    case: Case
    experts: Mapping[str, tuple[int, int]]
    outcomes: dict[str, Evaluation]
    gains: dict[tuple[str, str], Evaluation]


def badger_of(case: Case, command: str) -> BadgerAgent:
    """The agent whose experts are to be changed; ValueError if it is not made of experts."""
    agent = case.run.agent
    if not isinstance(agent, BadgerAgent):
        raise ValueError(
            f"{case.run.name} is a {type(agent).__name__}; badger {command} changes agents made of experts"
            " (BadgerAgent)"
        )
    return agent


def growing_agent(case: Case, at: int, change: Change, seed: int, device: str) -> Growing:
    """The agent with its growth after `at` steps, tried on the start of a trial: what cannot be shows here.

    Raises:
        ValueError: it is no Badger agent, the change cannot be, or it comes after the end of a trial.
    """
    growing = Growing(badger_of(case, "grow"), {at: change})
    one = keyed_random.outer_keys(seed, 0, 1, case.family.split, like=torch.zeros((), device=device))
    growing.initial_state(case.family, keyed_random.agent_keys(one))
    return growing


def grow_and_compare(case: Case, growing: Growing, trials: int, seed: int, device: str) -> Grown:
    """Trials without growth, with it, and with as many experts from the start, on the same tasks.

    Args:
        case: the agent at the start, and its family.
        growing: from `growing_agent`.
        trials: number of tasks.
        seed: which tasks.
        device: a torch device.
    """
    first, last = growing.stages[0], growing.stages[-1]
    few, many = first.settings.experts, last.settings.experts
    most = max(stage.settings.experts for stage in growing.stages)
    common: dict[str, Any] = {"seed": seed, "device": device, "chunk": max(1, min(2_000, CHUNK // most))}
    gain = measure_gain(first, case.family, growing.schedule, trials, **common)
    outcomes, gains = {NOT: gain.without, GROWN: gain.grown}, {(GROWN, NOT): gain.gain}
    if first.settings != last.settings:
        outcomes[START] = evaluate(last, case.family, trials, **common)
        for one, other in ((START, NOT), (GROWN, START)):
            gains[one, other] = improvement(outcomes[one], outcomes[other], case.family)
    return Grown(case, {NOT: (few, few), GROWN: (few, many), START: (many, many)}, outcomes, gains)


def growth_records(found: Sequence[Grown], at: int) -> list[Record]:
    """Outcomes by condition and paired gains of each outer seed; of several seeds also the median gains.

    Args:
        found: from `grow_and_compare`, outer seeds of one recipe.
        at: after how many steps growth comes.
    """
    rows = []
    for one in found:
        results = [
            *((one.case.family.outcome, name, {}, result) for name, result in one.outcomes.items()),
            *(("gain", name, {"against": against}, gain) for (name, against), gain in one.gains.items()),
        ]
        for what, name, other, result in results:
            experts, then = one.experts[name]
            settings = {**one.case.settings, "at": at, "experts": experts, "then": then, "condition": name}
            rows.append(
                record(
                    what, result.mean, n=len(result.outcomes), ci95=result.ci95, **settings, **other
                )
            )  # fmt: skip
    for name, against in found[0].gains if len(found) > 1 else ():
        middle = float(np.median([one.gains[name, against].mean for one in found]))
        known: Record = {"agent": found[0].case.run.name, "at": at, "condition": name, "against": against}
        rows.append(record("median gain", middle, outer_seeds=len(found), **known))
    return rows


def transplant_records(
    case: Case, receiver: BadgerAgent, at: int, trials: int, seed: int, device: str
) -> list[Record]:
    """Skills cloning: the outcome of an agent that goes on, and by how much others in its place differ.

    Args:
        case: the donor, and its family.
        receiver: a fresh agent with the same weights, which goes on in the donor's place.
        at: after how many steps.
        trials: number of tasks.
        seed: which tasks.
        device: a torch device.
    """
    donor, family = badger_of(case, "transplant"), case.family
    common: dict[str, Any] = {"seed": seed, "device": device}
    common["chunk"] = max(1, min(2_000, CHUNK // donor.settings.experts))
    base = evaluate(donor, family, trials, **common)
    settings = {**case.settings, "at": at}
    rows = [
        record(family.outcome, base.mean, n=trials, ci95=base.ci95, **settings, moved="nobody: it goes on")
    ]
    for moved in MOVED:
        result = evaluate(Transplanted(donor, receiver, at, moved), family, trials, **common)
        paired = result.outcomes - base.outcomes
        settings["moved"] = moved
        name, mean = f"{family.outcome} difference", float(paired.mean())
        rows.append(
            record(name, mean, n=trials, ci95=interval(paired), **settings)
            | {"outcome": result.mean, "largest": float(paired.abs().max())}
        )
    return rows


def said_of_outer_seeds(cases: Sequence[Case]) -> str:
    """How many outer seeds there are, and whether they are few; "" for agents without weights."""
    if cases[0].run.seed is None:
        return ""
    count = len(cases)
    few = ": preliminary" if count < ENOUGH else ""
    return f"{count} outer seed{'s' if count > 1 else ''}{few}"
