"""`badger table`: a published table measured again, cell by cell, beside its numbers."""

import math
from pathlib import Path
from typing import Annotated, Literal

import tyro

from badger_agents.atomic_files import write_atomically
from baselines.tuning import ALGORITHMS
from leaderboards.bandit_table import Compared, cells, compare, is_tuned
from leaderboards.commands.evaluate import check_trials
from leaderboards.commands.figure import as_csv
from leaderboards.commands.train import check_seed, make_folder, progress_bar
from leaderboards.results import Record, markdown, record, show


def table(
    name: Annotated[Literal["rl2"], tyro.conf.Positional] = "rl2",
    *,
    pulls: tuple[int, ...] = (),
    arms: tuple[int, ...] = (),
    algorithms: tuple[str, ...] = (),
    trials: int = 10_000,
    seed: int = 0,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Measure the classical algorithms of RL2's table of bandits, beside the published numbers.

    Every algorithm plays the same test tasks of a cell, with the setting that was best on validation tasks
    (`badger tune bandits`). Published are means over 1,000 tasks (Duan et al. 2016, table 1). A number agrees
    if it lies within 3 combined standard errors of the published one, or within 1 %.

    Args:
        name: Which table: rl2.
        pulls: Only cells with these numbers of pulls; 10, 100 and 500 if not given.
        arms: Only cells with these numbers of arms; 5, 10 and 50 if not given.
        algorithms: Only these, such as ucb1; all if not given.
        trials: Number of test tasks of each cell.
        seed: Which tasks.
        out: CSV file to write as well, row by row.
        json: Print all numbers as one JSON object.
    """
    check_seed(seed)
    check_trials(trials, 2, "--trials")
    wanted = [
        cell for cell in cells() if cell[0] in (pulls or (cell[0],)) and cell[1] in (arms or (cell[1],))
    ]
    if not wanted:
        raise ValueError("no such cell; there are 10, 100 and 500 pulls of 5, 10 and 50 arms")
    if unknown := [one for one in algorithms if one not in ALGORITHMS]:
        raise ValueError(f"--algorithms {unknown[0]!r} is not known; there are: {', '.join(ALGORITHMS)}")
    if out is not None:
        make_folder(out.parent)
    names = algorithms or tuple(ALGORITHMS)
    pairs = [(cell, one) for cell in wanted for one in names]
    untuned = [f"{one} at n={n} k={k}" for (n, k), one in pairs if not is_tuned(n, k, one)]
    if len(untuned) == len(pairs):
        raise ValueError(f"not tuned yet: {', '.join(untuned)}; badger tune bandits does it")
    rows: list[Compared] = []
    with progress_bar() as bar:
        line = bar.add_task("cells", total=len(pairs) - len(untuned), note="")
        for row in compare(wanted, names, trials, seed):
            rows.append(row)
            bar.advance(line)
            records = [as_record(row, seed) for row in rows]
            if out is not None:
                write_atomically(out, as_csv(records).encode())  # at once: a whole table takes minutes
    title = "Bernoulli bandits: total reward, beside Duan et al. 2016, table 1"
    note = f"{trials} test tasks a cell, published on 1,000; agrees: within 3 standard errors of both, or 1 %"
    if untuned:
        note += f"; not tuned yet, and left out: {', '.join(untuned)}"
    if json:
        show(records, as_json=True, title=title, note=note)
    else:
        print(f"{title}\n\n{as_markdown(rows)}\n\n{note}{'' if out is None else f'; numbers: {out}'}")


def as_record(row: Compared, seed: int) -> Record:
    """A result with all that is known of it."""
    half = 1.96 * row.ours_error
    known: Record = {"agent": row.algorithm, "pulls": row.pulls, "arms": row.arms, "split": "test"}
    known["task_seed"] = seed
    if row.setting:
        known |= {"setting": row.setting, "tuned": row.tuned}
    if row.agrees is not None:
        known |= {"published": row.published, "difference": row.difference}
        known |= {"standard_error": row.error, "agrees": str(row.agrees).lower()}
    interval = (row.ours - half, row.ours + half)
    return record("total_reward", row.ours, n=row.tasks, ci95=interval, **known)


def as_markdown(rows: list[Compared]) -> str:
    """The table: a line per number."""
    heads = [
        "pulls",
        "arms",
        "algorithm",
        "tuned",
        "ours",
        "published",
        "difference",
        "standard error",
        "agrees",
    ]
    lines = []
    for row in rows:
        none = math.isnan(row.published)
        tuned = f"{row.setting} = {row.tuned:g}" if row.setting else ""
        digits = 2 if row.pulls < 500 else 1
        against = ["", "", "", ""]
        if not none:
            verdict = "yes" if row.agrees else "**no**"
            difference = f"{row.difference:+.{digits}f}"
            against = [f"{row.published:.1f}", difference, f"{row.error:.{digits}f}", verdict]
        lines.append([row.pulls, row.arms, row.algorithm, tuned, f"{row.ours:.{digits}f}", *against])
    return markdown(heads, lines)
