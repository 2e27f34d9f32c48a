"""RL2's table of random MDPs (Duan et al. 2016) again: `python -m paper.mdps --out mdps.csv`.

Each algorithm at each number of episodes, with settings chosen on validation tasks, beside the published
number; and the planning variants, which were not published. `--help` has the options.
"""

import csv
import dataclasses
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from badger_agents.agent import Agent
from badger_agents.atomic_files import write_atomically
from badger_agents.evaluation import evaluate
from badger_envs.families.random_mdp import RandomMDP
from baselines.bandits.classical import RandomArm
from baselines.mdps.algorithms import BEB, UCRL2, EpsilonGreedy, OneStepOptimism, PosteriorSampling
from baselines.mdps.knowing import KnownProcess
from leaderboards.cli import call
from leaderboards.options import check_seed, check_trials, progress_bar
from leaderboards.results import Record, as_csv, markdown, record, show
from leaderboards.runs import make_folder

ANCHORS = Path(__file__).parent / "rl2_mdps.csv"
"""Published totals: one row a number of episodes, one column an algorithm."""

PUBLISHED_TASKS = 1_000
"""Test tasks behind each published number."""

ERRORS, SHARE = 3.0, 0.01
"""A difference is explained by chance within so many standard errors, and small within this share."""

CHOOSING = 200
"""Validation tasks on which settings are chosen."""

CHUNK = 500
"""Tasks at once."""

VARIANTS: dict[str, Mapping[str, Any]] = {
    "normal": {},
    "goal, Dirichlet 0.1": {"kind": "goal", "concentration": 0.1},
    "goal, fixed": {"kind": "goal", "concentration": 0},
}
"""Processes: the published ones, and the planning variants."""

PRIORS = (0.0, 1.0)
"""Prior means of rewards that are tried; means are drawn about 1."""

ALGORITHMS: dict[str, list[Agent]] = {
    "random": [RandomArm()],
    "greedy": [EpsilonGreedy(prior_mean=prior) for prior in PRIORS],
    "eps_greedy": [EpsilonGreedy(epsilon, prior_mean=prior) for epsilon in (0.05, 0.1) for prior in PRIORS],
    "psrl": [PosteriorSampling(prior_mean=prior) for prior in PRIORS],
    "opsrl": [PosteriorSampling(10, prior_mean=0.0)],
    "ucrl2": [UCRL2(scale, prior_mean=prior) for scale in (0.03, 0.1, 0.2) for prior in PRIORS],
    "beb": [BEB(beta, prior_mean=prior) for beta in (0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 2.0) for prior in PRIORS],
    "beb_each_step": [BEB(beta, every_step=True) for beta in (0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 2.0)],
    "one_step": [OneStepOptimism(c) for c in (0.1, 0.7, 1.0, 1.5)],
    "one_step_known": [KnownProcess("one step")],
    "known": [KnownProcess()],
}
"""Algorithms by the names of Duan et al. 2016, table 2, each with the settings that are tried. The last four
are not there: BEB that plans at every step, optimism in one step, and two that know the process."""


class Compared(NamedTuple):
    """Ours beside the published number.

    Attributes:
        variant: a key of `VARIANTS`.
        episodes: n.
        algorithm: a key of `ALGORITHMS`.
        setting: what was chosen.
        ours: mean total reward.
        ours_error: its standard error over tasks.
        published: the published mean; not a number if there is none.
        tasks: behind ours.
    """

    variant: str
    episodes: int
    algorithm: str
    setting: str
    ours: float
    ours_error: float
    published: float
    tasks: int

    @property
    def error(self) -> float:
        """Standard error of the difference, if the published tasks vary as ours do; they are others."""
        return self.ours_error * (1 + self.tasks / PUBLISHED_TASKS) ** 0.5

    @property
    def agrees(self) -> bool | None:
        """Whether they are within `ERRORS` standard errors or `SHARE`; None without a published one."""
        if math.isnan(self.published):
            return None
        return abs(self.ours - self.published) <= max(ERRORS * self.error, SHARE * self.published)


def anchors() -> dict[tuple[int, str], float]:
    """The published numbers, by episodes and algorithm."""
    lines = [line for line in ANCHORS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    return {(int(row["n"]), name): float(row[name]) for row in rows for name in row if name != "n"}


def best_published(variant: str, episodes: int) -> float:
    """The highest published number of these processes, whoever earned it; not a number if there is none."""
    found = [value for (number, _), value in anchors().items() if number == episodes]
    return max(found, default=math.nan) if variant == "normal" else math.nan


def compare(
    cells: Sequence[tuple[str, int]], algorithms: Sequence[str], tasks: int, seed: int = 0
) -> Iterator[Compared]:
    """Measure algorithms on the same test tasks of each cell, a variant and a number of episodes."""
    published = anchors()
    for variant, episodes in cells:
        family = RandomMDP(horizon=10 * episodes, split="test", **VARIANTS[variant])
        for name in algorithms:
            agent = chosen(ALGORITHMS[name], family)
            found = evaluate(agent, family, tasks, seed=seed, chunk=CHUNK)
            error = float(found.outcomes.std()) / tasks**0.5
            anchor = published.get((episodes, name), math.nan) if variant == "normal" else math.nan
            yield Compared(variant, episodes, name, _setting(agent), found.mean, error, anchor, tasks)


def chosen(agents: Sequence[Agent], family: RandomMDP) -> Agent:
    """The best on validation tasks."""
    if len(agents) == 1:
        return agents[0]
    validation = dataclasses.replace(family, split="validation")
    if family.kind == "goal":  # there is no prior mean of rewards
        agents = [agent for agent in agents if getattr(agent, "prior_mean", 1.0) == 1.0]
    return max(agents, key=lambda agent: evaluate(agent, validation, CHOOSING, seed=1, chunk=CHUNK).mean)


def _setting(agent: Agent) -> str:
    names: Iterable[str] = getattr(agent, "__dataclass_fields__", ())
    return ", ".join(f"{name} = {getattr(agent, name)}" for name in names)


def table(
    *,
    episodes: tuple[int, ...] = (10, 25, 50, 75, 100),
    algorithms: tuple[str, ...] = (),
    variants: tuple[str, ...] = ("normal",),
    trials: int = 1_000,
    seed: int = 0,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Measure algorithms on RL2's random MDPs, beside the published numbers, and on the planning variants.

    All play the same test tasks, with the settings that were best on 200 validation tasks. Published are
    means over 1,000 tasks (Duan et al. 2016, table 2). A number agrees if it lies within 3 combined standard
    errors of the published one, or within 1 %.

    Args:
        episodes: Numbers of episodes, of 10 steps each.
        algorithms: Only these, such as psrl; all if not given.
        variants: Which processes: "normal", "goal, Dirichlet 0.1", "goal, fixed".
        trials: Number of test tasks of each cell.
        seed: Which tasks.
        out: CSV file to write as well, row by row; what it holds of other cells and algorithms stays in it.
        json: Print all numbers as one JSON object.
    """
    check_seed(seed)
    check_trials(trials, 2, "--trials")
    for option, given, known in (
        ("--algorithms", algorithms, ALGORITHMS),
        ("--variants", variants, VARIANTS),
    ):
        if unknown := [one for one in given if one not in known]:
            raise ValueError(f"{option} {unknown[0]!r} is not known; there are: {', '.join(known)}")
    if not episodes or min(episodes) < 1:
        raise ValueError("--episodes must be numbers from 1 up")
    if out is not None:
        make_folder(out.parent)
    names = algorithms or tuple(ALGORITHMS)
    cells = [(variant, number) for variant in variants for number in episodes]
    rows: list[Compared] = []
    records = [] if out is None else others(out, cells, names)
    kept = len(records)
    with progress_bar() as bar:
        line = bar.add_task("cells", total=len(cells) * len(names), note="")
        for row in compare(cells, names, trials, seed):
            rows.append(row)
            records.append(as_record(row, seed))
            bar.advance(line)
            if out is not None:
                write_atomically(out, as_csv(records).encode())
    title = "Random MDPs: total reward, beside Duan et al. 2016, table 2"
    note = f"{trials} test tasks a cell, published on 1,000; agrees: within 3 standard errors of both, or 1 %"
    if json:
        show(records[kept:], as_json=True, title=title, note=note)
    else:
        print(f"{title}\n\n{as_markdown(rows)}\n\n{note}{'' if out is None else f'; numbers: {out}'}")


def others(file: Path, cells: Sequence[tuple[str, int]], algorithms: Sequence[str]) -> list[Record]:
    """Rows of a file of other cells and algorithms."""
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines()) if file.exists() else []
    again = {(*cell, name) for cell in cells for name in algorithms}
    return [row for row in rows if (row["variant"], int(row["episodes"]), row["agent"]) not in again]


def as_record(row: Compared, seed: int) -> Record:
    """A result with all that is known of it."""
    half = 1.96 * row.ours_error
    known: Record = {"agent": row.algorithm, "variant": row.variant, "episodes": row.episodes}
    known |= {"split": "test", "task_seed": seed, "setting": row.setting}
    if row.agrees is not None:
        known |= {"published": row.published, "difference": row.ours - row.published}
        known |= {"standard_error": row.error, "agrees": str(row.agrees).lower()}
    if not math.isnan(best := best_published(row.variant, row.episodes)):
        known |= {"best_published": best}
    return record("total_reward", row.ours, n=row.tasks, ci95=(row.ours - half, row.ours + half), **known)


def as_markdown(rows: list[Compared]) -> str:
    """The table: a line per number."""
    known = ["processes", "episodes", "algorithm", "setting", "tasks"]
    heads = [*known, "ours", "published", "standard error", "agrees", "best published"]
    lines = []
    for row in rows:
        against = ["", f"{row.ours_error:.2f}", ""]
        if row.agrees is not None:
            against = [f"{row.published:.1f}", f"{row.error:.2f}", "yes" if row.agrees else "**no**"]
        best = best_published(row.variant, row.episodes)
        against.append("" if math.isnan(best) else f"{best:.1f}")
        lines.append(
            [row.variant, row.episodes, row.algorithm, row.setting, row.tasks, f"{row.ours:.1f}", *against]
        )
    return markdown(heads, lines)


if __name__ == "__main__":
    call(table, "python -m paper.mdps", sys.argv[1:])
