"""`badger admin score`: what scores are relative to, the floor and the reference of an environment."""

from collections.abc import Mapping
from typing import Annotated

import tyro

from badger_agents.agent import Agent
from badger_agents.atomic_files import write_atomically
from badger_agents.evaluation import evaluate
from badger_agents.locks import awaited
from badger_envs import TABLE, family_of, scoring
from badger_envs.family import Family
from badger_envs.scoring import Anchor, Scale
from baselines.references import candidates_of
from leaderboards.options import check_device
from leaderboards.results import progress_console, record, show

CHOOSING = 2_000
"""Trials on which the best of several candidates is chosen; other trials than those measured."""


def score(
    ids: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    trials: int = 10_000,
    write: bool = False,
    device: str = "cpu",
    json: bool = False,
) -> None:
    """Measure floor and reference, the outcomes of score 0 and score 1, on fresh tasks of the test split.

    The floor is the best of several policies that ignore their input, the reference the best of the
    family's solutions; which is best is decided on other tasks.

    Args:
        ids: Environments; all of the suite if none is given.
        trials: Number of tasks.
        write: Store the results as the suite's constants (badger_envs/scores.json).
        device: Where to compute: cpu, cuda, cuda:1, ...
        json: Print the results as one JSON object.
    """
    check_device(device)
    if trials < 2:
        raise ValueError(f"--trials is {trials}; it must be at least 2")
    measured = {}
    console = progress_console()
    for id in ids or [entry.id for entry in TABLE]:
        name = id.rpartition(":")[2]
        measured[name] = measure(family_of(id, split="test"), trials, device)
        console.print(f"{name}: {measured[name].floor.mean:.4g} to {measured[name].reference.mean:.4g}")
    results = []
    for id, scale in measured.items():
        for label, anchor in (("floor", scale.floor), ("reference", scale.reference)):
            half = 1.96 * anchor.standard_error
            interval = (anchor.mean - half, anchor.mean + half)
            settings = {"id": id, "outcome": scale.outcome, "agent": anchor.agent}
            results.append(record(label, anchor.mean, n=trials, ci95=interval, **settings))
    if write:
        with awaited(scoring.FILE):  # others may have measured other ids in the meantime
            scoring.scales.cache_clear()
            write_atomically(scoring.FILE, scoring.to_json({**scoring.scales(), **measured}).encode())
        scoring.scales.cache_clear()
    show(results, as_json=json, title="Score 0 and score 1", note="test split; interval: 95 % over tasks")


def measure(family: Family, trials: int, device: str = "cpu") -> Scale:
    """The scale of a family, on its split.

    Raises:
        ValueError: nobody has said which agents set it, or the reference is no better than the floor.
    """
    floors, references = candidates_of(family)
    floor, reference = (_best(agents, family, trials, device) for agents in (floors, references))
    gain = (reference.mean - floor.mean) * (1 if family.higher_is_better else -1)
    if gain <= 2 * (floor.standard_error**2 + reference.standard_error**2) ** 0.5:
        raise ValueError(
            f"the reference ({reference.agent}: {reference.mean:.4g}) is no better than "
            f"the floor ({floor.agent}: {floor.mean:.4g}) with {trials} trials; take more, or a better one"
        )
    return Scale(family.outcome, floor, reference)


def _best(agents: Mapping[str, Agent], family: Family, trials: int, device: str) -> Anchor:
    """The best of the agents: chosen on some tasks, measured on others."""
    sign = 1 if family.higher_is_better else -1
    chosen = next(iter(agents))
    if len(agents) > 1:
        few = min(CHOOSING, trials)
        tried = {name: evaluate(one, family, few, seed=1, device=device).mean for name, one in agents.items()}
        chosen = max(tried, key=lambda name: sign * tried[name])
    outcomes = evaluate(agents[chosen], family, trials, seed=0, device=device).outcomes
    error = float(outcomes.std()) / trials**0.5
    return Anchor(chosen, float(outcomes.mean()), error, trials)
