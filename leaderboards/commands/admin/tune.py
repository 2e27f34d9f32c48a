"""`badger admin tune`: grid searches of the baselines' settings on the validation split, kept as data."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import tyro

from badger_agents.locks import owned
from badger_envs.families.bandit import Bandit
from badger_envs.family import Family
from badger_envs.registry import TABLE, family_of
from baselines.bandits import gittins
from baselines.supervised.classical import Ridge
from baselines.tuned_settings import FOLDER, Tuned, cell_of, read, write
from baselines.tuning import ALGORITHMS, WEIGHTS, Algorithm, search
from leaderboards.options import check_seed, check_trials
from leaderboards.results import Record, progress_console, record, show

PULLS, ARMS = (10, 100, 500), (5, 10, 50)
"""The cells of Duan et al. 2016, table 1."""


class Subject(NamedTuple):
    """What is tuned: families, and algorithms by name."""

    families: list[Family]
    algorithms: dict[str, Algorithm]


def subject_of(name: str) -> Subject:
    """All that belongs to a subject."""
    if name == "bandits":
        families: list[Family] = [Bandit(horizon=n, arms=k) for n in PULLS for k in ARMS]
        return Subject(families, {key: one for key, one in ALGORITHMS.items() if one.setting})
    families = [family_of(entry.id) for entry in TABLE if "VariableIO" in entry.id]
    return Subject(families, {"ridge": Algorithm(Ridge, "weight", WEIGHTS)})


def tune(
    subject: Annotated[Literal["bandits", "variable-io"], tyro.conf.Positional],
    *,
    cells: tuple[str, ...] = (),
    algorithms: tuple[str, ...] = (),
    trials: int = 2_000,
    seed: int = 1,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Search the settings of classical algorithms on the validation split, and keep the best of each cell.

    A recipe or --agent that says "tuned" in place of a number gets what was found here. The file keeps
    the outcome of every value tried; what is not searched this time stays as it was.

    Args:
        subject: bandits: UCB1, epsilon-greedy, optimistic Thompson sampling and the Gittins index, for 10,
            100 and 500 pulls of 5, 10 and 50 arms. variable-io: ridge regression, for every id.
        cells: Only these, such as "n=100 k=5".
        algorithms: Only these, such as ucb1.
        trials: Number of validation tasks for each value.
        seed: Which tasks.
        out: File to write; where the suite keeps its tuned settings if not given.
        json: Print what was found as one JSON object.
    """
    check_seed(seed)
    check_trials(trials, 2, "--trials")
    families, known = subject_of(subject)
    by_cell = {str(cell_of(family)): family for family in families}
    for option, asked, there in (("--cells", cells, by_cell), ("--algorithms", algorithms, known)):
        if unknown := [name for name in asked if name not in there]:
            raise ValueError(f"{option} {unknown[0]!r} is not known; there are: {', '.join(there)}")
    file = FOLDER / f"{subject}.json" if out is None else out
    console, done = progress_console(), []
    with owned(file):  # what another search finds meanwhile would be lost
        rows = {(row.cell, row.algorithm): row for row in (read(file) if file.is_file() else [])}
        for cell in cells or by_cell:
            for name in algorithms or known:
                make, setting, grid = known[name]
                found = search(make, str(setting), grid, by_cell[cell], trials=trials, seed=seed)
                done.append(found)
                rows[(found.cell, found.algorithm)] = found
                order = sorted(rows.values(), key=lambda row: (list(by_cell).index(row.cell), row.algorithm))
                write(file, order)  # at once: a search takes minutes
                console.print(f"{cell}: {found.algorithm}.{setting} = {found.value:g}")
    if out is None and any(found.algorithm == "Gittins" for found in done):
        gittins.store(gittins.tuned_tables())
    results = [record(found.setting, found.value, n=trials, **_what(found)) for found in done]
    show(results, as_json=json, title=f"Tuned settings: {subject}", note=f"validation split; file: {file}")


def _what(found: Tuned) -> Record:
    """What a row holds for, and the best outcome."""
    return {"cell": found.cell, "agent": found.algorithm, "outcome": dict(found.outcomes)[found.value]}
