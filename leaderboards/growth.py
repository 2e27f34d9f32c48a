"""What `badger grow` and `badger transplant` measure: trials in which experts come, go or are exchanged."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growing import Growing, improvement, measure_gain
from badger_agents.badger.growth import Change
from badger_agents.evaluation import Evaluation, evaluate, half_width
from badger_agents.whitebox.surgery import Moved, Transplanted
from badger_envs import keyed_random
from leaderboards.card import ENOUGH
from leaderboards.cells import CHUNK, Case
from leaderboards.plots.seeds import Sweep
from leaderboards.results import Record, record

NOT, GROWN, START = "not grown", "grown", "from the start"
"""Conditions. The last is a control: the agent that growth makes, from the first step on."""

PAIRS = ((GROWN, NOT), (START, NOT), (GROWN, START))
"""What is compared: which condition with which other."""

MOVED: tuple[Moved, ...] = ("states", "shuffled states", "nothing")
"""What a transplant moves."""


class Grown(NamedTuple):
    """What growth did to one outer seed's agent.

    Attributes:
        case: the agent at the start, and where it lives.
        lived: trials by condition; the last condition only if growth changes who there is at its end.
        gains: per pair of conditions, how much better the first is (above 0 whichever way outcomes count).
    """

    case: Case
    lived: dict[str, Evaluation]
    gains: dict[tuple[str, str], Evaluation]


def badger_of(case: Case, command: str) -> BadgerAgent:
    """The agent whose experts are to be changed.

    Raises:
        ValueError: it is not made of experts.
    """
    agent = case.run.agent
    if not isinstance(agent, BadgerAgent):
        raise ValueError(
            f"{case.run.name} is a {type(agent).__name__}; badger {command} changes agents made of experts"
            " (BadgerAgent)"
        )
    return agent


def growing_agent(case: Case, at: int, change: Change, seed: int, device: str) -> Growing:
    """The agent with its growth, tried on the start of a trial: what cannot be shows here.

    Args:
        case: the agent at the start, and where it lives.
        at: after how many steps experts come and go.
        change: who comes and who goes.
        seed: which tasks.
        device: a torch device.

    Raises:
        ValueError: it is no Badger agent, the change cannot be, or it comes after the end of a trial.
    """
    growing = Growing(badger_of(case, "grow"), {at: change})
    growing.initial_state(case.family, keyed_random.agent_keys(_one_key(case, seed, device)))
    return growing


def grow_and_compare(
    case: Case, growing: Growing, trials: int, seed: int, device: str, advance: Callable[[], object]
) -> Grown:
    """Trials without growth, with it, and with as many experts from the start, on the same tasks.

    Args:
        case: the agent at the start, and where it lives.
        growing: from `growing_agent`.
        trials: number of tasks.
        seed: which tasks.
        device: a torch device.
        advance: called at the end.
    """
    first, last = growing.stages[0], growing.stages[-1]
    most = max(stage.settings.experts for stage in growing.stages)
    common: dict[str, Any] = {"seed": seed, "device": device, "chunk": max(1, min(2_000, CHUNK // most))}
    gain = measure_gain(first, case.family, growing.schedule, trials, **common)
    lived, gains = {NOT: gain.without, GROWN: gain.grown}, {(GROWN, NOT): gain.gain}
    if first.settings != last.settings:
        lived[START] = evaluate(last, case.family, trials, **common)
        for pair in PAIRS[1:]:
            gains[pair] = improvement(lived[pair[0]], lived[pair[1]], case.family)
    advance()
    return Grown(case, lived, gains)


def growth_records(found: Sequence[Grown], growing: Growing, at: int) -> list[Record]:
    """Outcomes by condition and paired gains of each outer seed; of several seeds also the median gains.

    Args:
        found: from `grow_and_compare`, outer seeds of one recipe.
        growing: the growth of one of them.
        at: after how many steps it comes.
    """
    rows = []
    for one in found:
        for name, result in one.lived.items():
            settings = {**one.case.settings, "at": at, **_experts(name, growing)}
            outcome, n = one.case.family.outcome, len(result.outcomes)
            rows.append(record(outcome, result.mean, n=n, ci95=result.ci95, **settings, condition=name))
        for (name, against), gain in one.gains.items():
            settings = {**one.case.settings, "at": at, **_experts(name, growing)}
            n = len(gain.outcomes)
            rows.append(
                record(
                    "gain", gain.mean, n=n, ci95=gain.ci95, **settings, condition=name, against=against
                )
            )  # fmt: skip
    if len(found) > 1:
        for name, against in found[0].gains:
            means = [one.gains[name, against].mean for one in found]
            settings = _common(found) | {"at": at, **_experts(name, growing), "condition": name}
            middle = float(np.median(means))
            rows.append(record("median gain", middle, outer_seeds=len(found), **settings, against=against))
    return rows


def curves(found: Sequence[Grown], growing: Growing, at: int) -> tuple[list[Sweep], list[Sweep]]:
    """Loss at each step by condition, and paired gains of loss, with intervals over tasks.

    Args:
        found: from `grow_and_compare`, outer seeds of one recipe.
        growing: the growth of one of them.
        at: after how many steps it comes.
    """

    def sweep(name: str, results: list[Evaluation], **settings: Any) -> Sweep:
        ends = [torch.stack(result.loss_ci95, dim=-1).numpy() for result in results]  # [T, 2] each
        return Sweep(
            name,
            found[0].case.run.name,
            "step",
            tuple(range(1, results[0].losses.shape[0] + 1)),
            tuple(one.case.run.seed for one in found),
            np.stack([result.loss.numpy() for result in results]),
            np.stack(ends),
            results[0].losses.shape[1],
            settings,
        )

    common = {key: item for key, item in _common(found).items() if key != "agent"} | {"at": at}
    losses = [
        sweep("loss", [one.lived[name] for one in found], **common | _experts(name, growing), condition=name)
        for name in found[0].lived
    ]
    gains = [
        sweep(
            "gain of loss", [one.gains[pair] for one in found], **common, condition=pair[0], against=pair[1]
        )
        for pair in found[0].gains
    ]
    return losses, gains


def transplant_records(
    case: Case, receiver: BadgerAgent, at: int, trials: int, seed: int, device: str
) -> list[Record]:
    """Skills cloning: the outcome of an agent that goes on, and by how much others in its place differ.

    Args:
        case: the donor, and where it lives.
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
        mean, ci95 = difference(result, base)
        most = float((result.outcomes - base.outcomes).abs().max())
        rows.append(
            record(f"{family.outcome} difference", mean, n=trials, ci95=ci95, **settings, moved=moved)
            | {"outcome": result.mean, "largest": most}
        )
    return rows


def difference(one: Evaluation, other: Evaluation) -> tuple[float, tuple[float, float]]:
    """Mean of one minus other over the same tasks, and its paired 95 % interval over tasks."""
    paired = one.outcomes - other.outcomes  # (N,); lives may differ in length
    mean, half = float(paired.mean()), float(half_width(paired))
    return mean, (mean - half, mean + half)


def said_of_outer_seeds(cases: Sequence[Case]) -> str:
    """How many outer seeds there are, and whether they are few; "" for agents without weights."""
    if cases[0].run.seed is None:
        return ""
    count = len(cases)
    few = ": preliminary" if count < ENOUGH else ""
    return f"{count} outer seed{'s' if count > 1 else ''}{few}"


def _one_key(case: Case, seed: int, device: str) -> torch.Tensor:
    return keyed_random.outer_keys(seed, 0, 1, case.family.split, like=torch.zeros((), device=device))


def _experts(condition: str, growing: Growing) -> dict[str, int]:
    """How many experts there are in a condition: at the start, and from growth on."""
    first, last = (growing.stages[place].settings.experts for place in (0, -1))
    return {"experts": last if condition == START else first, "then": first if condition == NOT else last}


def _common(found: Sequence[Grown]) -> Record:
    """What the cases say alike, but for the outer seed."""
    first, *others = (one.case.settings for one in found)
    return {
        key: item
        for key, item in first.items()
        if key != "outer_seed" and all(row.get(key) == item for row in others)
    }
