"""RL2's table of bandits (Duan et al. 2016) again: `python -m paper.bandits --out bandits.csv`.

Each classical algorithm in each cell, with its tuned setting, beside the published number. `--help` has the
options.
"""

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from badger_agents.atomic_files import write_atomically
from badger_agents.evaluation import evaluate
from badger_envs.families.bandit import Bandit
from baselines.tuned_settings import TUNED, all_tuned, cell_of, tuned_setting
from baselines.tuning import ALGORITHMS, chunk_of
from leaderboards.cli import call
from leaderboards.options import check_seed, check_trials, progress_bar
from leaderboards.results import Record, as_csv, markdown, record, show
from leaderboards.runs import make_folder

ANCHORS = Path(__file__).parent / "rl2_bandits.csv"
"""Published totals: one row a cell, one column an algorithm."""

PUBLISHED_TASKS = 1_000
"""Test tasks behind each published number."""

ERRORS, SHARE = 3.0, 0.01
"""A difference is explained by chance within so many standard errors, and small within this share."""


class Anchor(NamedTuple):
    """A published number: pulls, arms, the algorithm's name in `ALGORITHMS`, mean total reward."""

    pulls: int
    arms: int
    algorithm: str
    value: float


class Compared(NamedTuple):
    """Ours beside the published number.

    Attributes:
        pulls: n.
        arms: k.
        algorithm: name in `ALGORITHMS`.
        setting: the tuned setting's name; "" if it has none.
        tuned: its value; not a number if there is none.
        ours: mean total reward.
        ours_error: its standard error over tasks.
        published: the published mean; not a number if there is none.
        tasks: behind ours.
    """

    pulls: int
    arms: int
    algorithm: str
    setting: str
    tuned: float
    ours: float
    ours_error: float
    published: float
    tasks: int

    @property
    def difference(self) -> float:
        """Ours less the published one."""
        return self.ours - self.published

    @property
    def error(self) -> float:
        """Standard error of the difference, if the published tasks vary as ours do; they are others."""
        return self.ours_error * (1 + self.tasks / PUBLISHED_TASKS) ** 0.5

    @property
    def agrees(self) -> bool | None:
        """Whether they are within `ERRORS` standard errors or `SHARE`; None without a published one."""
        if math.isnan(self.published):
            return None
        return abs(self.difference) <= max(ERRORS * self.error, SHARE * self.published)


def anchors() -> list[Anchor]:
    """The published numbers of the algorithms that are here, row by row."""
    lines = [line for line in ANCHORS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = []
    for row in csv.DictReader(lines):
        for name in ALGORITHMS:
            if row.get(name):
                found.append(Anchor(int(row["n"]), int(row["k"]), name, float(row[name])))
    return found


def cells() -> list[tuple[int, int]]:
    """The published cells: pulls and arms."""
    return list(dict.fromkeys((anchor.pulls, anchor.arms) for anchor in anchors()))


def is_tuned(pulls: int, arms: int, algorithm: str) -> bool:
    """Whether the algorithm has no setting, or one that has been tuned for this cell."""
    make, setting, _ = ALGORITHMS[algorithm]
    if setting is None:
        return True
    cell = cell_of(Bandit(horizon=pulls, arms=arms))
    return any(
        (found.cell, found.algorithm) == (cell, getattr(make, "__name__", "")) for found in all_tuned()
    )


def compare(
    cells: Sequence[tuple[int, int]], algorithms: Sequence[str], tasks: int, seed: int = 0
) -> Iterator[Compared]:
    """Measure algorithms, with their tuned settings, on the same test tasks of each cell, those tuned for it.

    Args:
        cells: pulls and arms of each.
        algorithms: names in `ALGORITHMS`.
        tasks: fresh tasks of the test split, at least 2.
        seed: which.

    Yields:
        One result after another.
    """
    published = {anchor[:3]: anchor.value for anchor in anchors()}
    for pulls, arms in cells:
        family = Bandit(horizon=pulls, arms=arms, split="test")
        for name in (name for name in algorithms if is_tuned(pulls, arms, name)):
            make, setting, _ = ALGORITHMS[name]
            value = math.nan
            agent = make()
            if setting is not None:
                value = tuned_setting(getattr(make, "__name__", name), setting, family)
                agent = make(**{setting: TUNED})
            found = evaluate(agent, family, tasks, seed=seed, chunk=chunk_of(agent, family))
            error = float(found.outcomes.std()) / tasks**0.5
            anchor = published.get((pulls, arms, name), math.nan)
            yield Compared(pulls, arms, name, setting or "", value, found.mean, error, anchor, tasks)


def table(
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
    (`badger admin tune bandits`). Published are means over 1,000 tasks (Duan et al. 2016, table 1). A number
    agrees if it lies within 3 combined standard errors of the published one, or within 1 %.

    Args:
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
        raise ValueError(f"not tuned yet: {', '.join(untuned)}; badger admin tune bandits does it")
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


if __name__ == "__main__":
    call(table, "python -m paper.bandits", sys.argv[1:])
