"""What `badger inspect` measures: outcomes under interventions, and what goes on inside."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from badger_agents.agent import Agent
from badger_agents.badger.agent import BadgerAgent
from badger_agents.evaluation import evaluate
from badger_agents.rollout import rollout
from badger_agents.whitebox import metrics, probes
from badger_agents.whitebox.interventions import INTERVENTIONS, Intervened, Silence, UniformAttention
from badger_agents.whitebox.measures import bits_per_step, equivariance, influence
from badger_agents.whitebox.surgery import Freeze, Remove, Transplanted
from badger_agents.whitebox.trace import Trace, record_trace
from badger_envs import keyed_random
from leaderboards.cells import CHUNK, Case
from leaderboards.results import Record, record

SINGLE = 8
"""Experts that are looked at one by one, and in pairs, at the most."""

WATCHED = 300
"""Trials of which a trace is taken and influence is measured, at the most."""

EXPERTS_WATCHED = 6_000
"""Experts in them, over all trials: so many fit into memory with all that they do."""

PROBED = 64
"""Experts of a trial whose roles are probed, at the most."""

PERMUTATIONS = 100
"""Behind each permutation null."""

BINS = 16
"""Of a histogram of messages."""


class Inside(NamedTuple):
    """What goes on inside an agent.

    Attributes:
        trace: of the watched trials.
        influence: [E, S], root mean squared change of a listener's writing by a speaker's message, over
            the root mean square of all writings.
        records: every measure, one by one.
        summary: a line per measure.
    """

    trace: Trace
    influence: np.ndarray
    records: list[Record]
    summary: list[Record]


def the_badger(case: Case) -> BadgerAgent:
    """The agent to look into.

    Raises:
        ValueError: it is no Badger agent, or has one expert only.
    """
    agent = case.run.agent
    if not isinstance(agent, BadgerAgent):
        raise ValueError(
            f"{case.run.name} is a {type(agent).__name__}; badger inspect looks into agents made of experts"
            " that talk (BadgerAgent)"
        )
    if agent.settings.experts < 2:
        raise ValueError(f"{case.run.name} has 1 expert, who talks to nobody; give --agent experts=2 or more")
    return agent


def treatments(agent: BadgerAgent, receiver: BadgerAgent, horizon: int) -> dict[str, Agent]:
    """Agents to compare with the agent as it is, by what was done to them.

    The last three are of skills cloning: half way another agent with the same weights goes on, with the
    experts' states, with those of other experts, or with none but its own initial ones.

    Args:
        agent: the agent.
        receiver: another with the same weights, to transplant states into.
        horizon: steps of a trial; states move at half of it.
    """
    single = range(min(agent.settings.experts, SINGLE))
    half = horizon // 2
    cloned: dict[str, Agent] = {
        f"states moved after {half} steps": Transplanted(agent, receiver, half),
        f"shuffled states moved after {half}": Transplanted(agent, receiver, half, "shuffled states"),
        f"fresh states after {half} steps": Transplanted(agent, receiver, half, "nothing"),
    }
    return {
        **{name: Intervened(agent, make()) for name, make in INTERVENTIONS.items()},
        **{f"expert {i} removed": Intervened(agent, Remove(i)) for i in single},
        **{f"expert {i} frozen": Intervened(agent, Freeze(i)) for i in single},
        **(cloned if half else {}),  # within a single step there is no half way
    }


def outcomes(
    case: Case, treated: dict[str, Agent], trials: int, seed: int, device: str, advance: Callable[[], object]
) -> Iterator[Record]:
    """The outcome as it is; then for each treatment the difference on the same tasks.

    Args:
        case: the agent and its family.
        treated: from `treatments`.
        trials: number of tasks.
        seed: which tasks.
        device: a torch device.
        advance: called after each.
    """
    name, experts = case.family.outcome, case.settings.get("experts", 1)
    chunk = max(2, min(2_000, CHUNK // experts, trials))
    while chunk > 2 and trials % chunk == 1:  # a trial alone has no other whose messages it could get
        chunk -= 1
    base = evaluate(case.run.agent, case.family, trials, seed=seed, device=device, chunk=chunk)
    advance()
    yield record(name, base.mean, n=trials, ci95=base.ci95, **case.settings)
    for what, agent in treated.items():
        result = evaluate(agent, case.family, trials, seed=seed, device=device, chunk=chunk)
        advance()
        paired = metrics.paired_difference(result.outcomes.numpy(), base.outcomes.numpy())
        yield record(
            f"{name} difference", paired.difference, n=trials, ci95=paired.ci95,
            **case.settings, intervention=what, outcome=result.mean,
        )  # fmt: skip


@torch.no_grad()
def look_inside(case: Case, trials: int, seed: int, device: str) -> Inside:
    """Trace trials and measure what goes on in them.

    Args:
        case: the agent and its family.
        trials: number of tasks; no more than `WATCHED` are looked at.
        seed: which tasks.
        device: a torch device.
    """
    agent, family, settings = the_badger(case), case.family, case.settings
    watched = min(trials, WATCHED, max(10, EXPERTS_WATCHED // agent.settings.experts))
    keys = keyed_random.outer_keys(seed, 0, watched, family.split, like=torch.zeros((), device=device))
    facts = {"agent": case.run.name, "env": case.run.recipe.env.id, "outer_seed": case.run.seed}
    trace = record_trace(agent, family, keys, **facts, split=family.split, task_seed=seed)
    arrays = {name: tensor.cpu().numpy() for name, tensor in trace.tensors.items()}
    names = keys.cpu().numpy()
    writing, speakers = arrays["writing"][..., 0], min(agent.settings.experts, SINGLE)
    size = float(np.sqrt(np.mean(writing.astype(float) ** 2))) or 1.0
    effects = influence(agent, family, keys, speakers=speakers)  # [B, E, S]
    silent = influence(Intervened(agent, Silence()), family, keys[:2], speakers=speakers)

    def one(
        name: str,
        value: float,
        null: float | None = None,
        unit: str | None = None,
        ci95: tuple[float, float] | None = None,
        **more: Any,
    ) -> Record:
        row = record(name, value, unit=unit, n=watched, ci95=ci95, **settings, **more)
        return row if null is None else row | {"null": null}

    by_pair = np.sqrt(effects.mean(0)) / size
    others = [(i, j) for i in range(len(by_pair)) for j in range(speakers) if i != j]
    of_trial = np.mean([effects[:, i, j] for i, j in others], axis=0)  # [B]
    influences = "influence of messages on others' writing"
    summary = [
        one(
            influences, math.sqrt(of_trial.mean()) / size, float(np.sqrt(silent.max())) / size,
            "rms writing", ci95=_root_interval(of_trial, size),
        )
    ]  # fmt: skip
    records = [one(influences, float(by_pair[i, j]), listener=i, speaker=j) for i, j in others]
    for name, values in _coordination(arrays["messages"], writing, speakers, names).items():
        mean = metrics.Excess(*np.mean([tuple(excess) for excess, _ in values], axis=0).tolist())
        summary.append(one(name, mean.value, mean.null, "bits") | {"null95": mean.high})
        records += [one(name, e.value, e.null, "bits", **who) | {"null95": e.high} for e, who in values]
    summary += [
        one(
            "entropy of a message's number",
            metrics.message_entropy(arrays["messages"], BINS),
            math.log2(BINS),
            "bits",
        ),
        one("effective rank of messages", *metrics.effective_rank(arrays["messages"]), "directions"),
        one("bits that an expert may send in a step", bits_per_step(agent, family), 0.0, "bits"),
        *([one("rounds of talk in a step", float(arrays["rounds"].mean()))] if "rounds" in arrays else []),
        *_hearing(case, arrays["attention"], keys, one),
        *_roles(arrays, writing, names, one),
        one("equivariance residual", equivariance(agent, family, keys), 0.0, "rms writing"),
    ]
    return Inside(trace, by_pair, records, summary)


def _root_interval(squares: np.ndarray, size: float) -> tuple[float, float]:
    """Interval over tasks of a root mean square, in units of `size`."""
    low, high = metrics.paired_difference(squares, np.zeros_like(squares)).ci95
    return math.sqrt(max(0.0, low)) / size, math.sqrt(max(0.0, high)) / size


def _coordination(
    messages: np.ndarray, writing: np.ndarray, single: int, names: np.ndarray
) -> dict[str, list[tuple[metrics.Excess, Record]]]:
    """Speaker consistency and instantaneous coordination, with whose they are."""
    said = metrics.symbols(metrics.first_component(metrics.unusual(messages))[0][..., 0])[..., :single]
    done = metrics.symbols(writing)[..., :single]
    orders = probes.trial_permutations(names, PERMUTATIONS)
    return {
        "speaker consistency": [
            (excess, {"speaker": i})
            for i, excess in enumerate(metrics.speaker_consistency(said, done, orders))
        ],
        "instantaneous coordination": [
            (excess, {"listener": i, "speaker": j})
            for (i, j), excess in metrics.instantaneous_coordination(said, done, orders).items()
        ],
    }


def _hearing(case: Case, attention: np.ndarray, keys: Any, one: Callable[..., Record]) -> list[Record]:
    """How many are heard at a time, beside how many could be."""
    even = rollout(Intervened(the_badger(case), UniformAttention()), case.family, keys, record=("attention",))
    heard = metrics.attention_entropy(attention)
    able = metrics.attention_entropy(even.trace["attention"].cpu().numpy())
    if not (able > 0).any():
        return []
    hears = able > 0
    return [one("experts heard at a time", float(heard[hears].mean()), float(able[hears].mean()), "experts")]


def _roles(
    arrays: dict[str, np.ndarray], writing: np.ndarray, names: np.ndarray, one: Callable[..., Record]
) -> list[Record]:
    """What the states tell of roles."""
    steps, trials, experts = writing.shape
    parts = [
        part.reshape(steps, trials, experts, -1) for name, part in arrays.items() if name.startswith("states")
    ]
    states = np.concatenate(parts, axis=-1)[:, :, :PROBED]
    if steps < 2 or states.shape[-1] == 0:
        return []
    roles = {
        "which expert": probes.places(trials, experts),
        "place in the schedule": probes.schedule(_probing(arrays, writing)),
    }
    found = []
    for what, role in ((what, role[:, :PROBED]) for what, role in roles.items()):
        if (role < 0).all():  # nobody wrote anything
            continue
        read = probes.role_decodability(states, role, probes.reassigned(role, names))
        found.append(one(f"role from state: {what}", read.accuracy, read.control, "accuracy"))
    return found


def _probing(arrays: dict[str, np.ndarray], writing: np.ndarray) -> np.ndarray:
    """Writings [T, B, E] less what is usual at the step, as far as there is an output to take them.

    The second number of a reading says how much of an output an expert has, with either membrane.
    """
    share = arrays["readings"][..., 1]
    usual = (writing * share).sum((1, 2)) / np.maximum(share.sum((1, 2)), 1)  # [T]
    return (writing - usual[:, None, None]) * share
