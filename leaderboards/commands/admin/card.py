"""The card of a pretrained policy, and the rows behind it."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch

import badger_envs
from badger_agents.recipe.loading import Recipe, recipe_files
from badger_envs.scoring import scale_of
from leaderboards.results import Record, text
from leaderboards.statistics import ENOUGH

MEASURED = {"name", "value", "ci95", "n"}
"""Fields of a record that are not what it holds for."""


class Candidate(NamedTuple):
    """A run that might be shipped.

    Attributes:
        seed: outer seed.
        seconds: training time.
        skipped: outer steps whose update was skipped.
        validation: a record per combination of the recipe's [evaluation] table.
        test: the same of the test split.
        met: ids of the environments met in training, by which a run is scored; none given: by all.
    """

    seed: int
    seconds: float
    skipped: int
    validation: list[Record]
    test: list[Record]
    met: frozenset[str] = frozenset()

    @property
    def scored(self) -> list[Record]:
        """Validation records of environments met in training: what is new must not choose what is shipped."""
        return [row for row in self.validation if not self.met or row["env"] in self.met]

    @property
    def score(self) -> float:
        """Mean validation outcome over the combinations; of several kinds of outcomes, normalised scores."""
        values = [
            scale_of(row["env"]).score(row["value"]) if self.mixed else row["value"] for row in self.scored
        ]
        return float(sum(values) / len(values))

    @property
    def mixed(self) -> bool:
        """Whether outcomes of several kinds are scored: errors and rewards, say."""
        return len({row["name"] for row in self.scored}) > 1

    @property
    def outcome(self) -> str:
        """What `score` is a mean of."""
        return "normalised score" if self.mixed else str(self.scored[0]["name"])


def rows(candidates: list[Candidate]) -> str:
    """All that was measured, as CSV: a row per outer seed, split and combination."""
    records = [row for candidate in candidates for row in (*candidate.validation, *candidate.test)]
    first = ("outer_seed", "split")
    left_out = MEASURED | {*first, "agent", "task_seed", "d"}  # d is dims again
    if len({row["env"] for row in records}) == 1:
        left_out |= {"env"}
    settings = [key for key in dict.fromkeys(key for row in records for key in row) if key not in left_out]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*first, *settings, "outcome", "value", "ci95_low", "ci95_high", "n"])
    for row in records:
        held = (_cell(row.get(key, "")) for key in (*first, *settings))
        writer.writerow([*held, row["name"], row["value"], *row["ci95"], row["n"]])
    return file.getvalue()


def card(
    recipe: Recipe,
    target: str,
    candidates: list[Candidate],
    chosen: int,
    parameters: int,
    weights: bytes,
    options: list[str],
    note: str,
) -> str:
    """The card, in Markdown.

    Args:
        recipe: the recipe of all candidates.
        target: the recipe as the user named it.
        candidates: the runs.
        chosen: place of the one that is shipped.
        parameters: number of weights.
        weights: the file that is shipped.
        options: of `badger admin publish`, where they are not the usual ones.
        note: a sentence more; may be empty.
    """
    assert recipe.training is not None  # there would be no candidates
    name, count, shipped = recipe.name, len(candidates), candidates[chosen]
    preliminary = f" {count} outer seeds are fewer than {ENOUGH}: all of it is preliminary."
    where = recipe_files().get(target)
    file = Path(target).name if where is None else "/".join(where.parts[-3:])
    command = Path(target).name if target.endswith(".toml") else target
    sign = "higher" if shipped.mixed or recipe.family().higher_is_better else "lower"
    commands = [f"badger train {command} --seed {one.seed}" for one in candidates]
    folders = [f"runs/{name}-seed{one.seed}" for one in candidates]
    commands.append(" \\\n    ".join([f"badger admin publish {command}", *folders, *options]))
    commands.append(f"badger evaluate --pretrained {name}")
    lines = [
        f"# {name}",
        "",
        f"A pretrained policy: {recipe.summary or name}.",
        *(["", note] if note else []),
        "",
        "| what | |",
        "|---|---|",
        f"| file | `{name}.safetensors`, SHA-256 `{hashlib.sha256(weights).hexdigest()}` |",
        f"| weights | {parameters:,} |",
        f"| recipe | `{file}`, and whole in the file's metadata |",
        f"| environment | `{recipe.env.id}` |",
        f"| shipped | outer seed {shipped.seed} of {', '.join(str(one.seed) for one in candidates)} |",
        f"| measured with | badger-suite {badger_envs.__version__}, torch {torch.__version__} |",
        "",
        "## Outer seeds",
        "",
        f"Shipped is the median of {count} outer seeds by validation score, not the best (of an even number,"
        f" the worse of the two in the middle).{preliminary if count < ENOUGH else ''}",
        f"The score is the mean {shipped.outcome} over {_many(shipped.scored)},"
        f" {shipped.validation[0]['n']:,} tasks of the validation split each; {sign} is better.",
        "",
        "| outer seed | validation score | training time | outer steps | of those without update |",
        "|---|---|---|---|---|",
        *(
            f"| {_mark(one is shipped, one.seed)} | {text(one.score)} | {one.seconds:,.0f} s |"
            f" {recipe.training.outer_steps:,} | {one.skipped} |"
            for one in candidates
        ),
        "",
        "## Test results",
        "",
        *_test_table(candidates, shipped),
        "",
        f"All rows, validation included: `{name}.csv`.",
        "",
        "## How to repeat it",
        "",
        "```",
        *commands,
        "```",
        "",
    ]
    return "\n".join(lines)


def _test_table(candidates: list[Candidate], shipped: Candidate) -> list[str]:
    """The test outcome of each seed in each combination, and what all of them hold for."""
    tests = shipped.test
    left_out = MEASURED | {"agent", "env", "d", "outer_seed"}
    keys = [key for key in dict.fromkeys(key for row in tests for key in row) if key not in left_out]
    first = {row["env"]: row for row in reversed(tests)}  # of each environment
    varied = [key for key in keys if any(row.get(key) != first[row["env"]].get(key) for row in tests)]
    same = [
        f"{key} {text(tests[0][key])}"
        for key in keys
        if all(row.get(key) == tests[0].get(key) for row in tests)
    ]
    if len(first) > 1:
        tests = [{**row, "outcome": row["name"]} for row in tests]
        varied = ["env", "outcome", *varied]
    heads = [*varied, *(_mark(one is shipped, f"seed {one.seed}") for one in candidates)]
    table = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for number, row in enumerate(tests):
        values = [_mark(one is shipped, _with_interval(one.test[number])) for one in candidates]
        table.append(f"| {' | '.join([*(text(row.get(key, '')) for key in varied), *values])} |")
    outcome = "outcome" if shipped.mixed else shipped.outcome
    said = (
        f"Mean {outcome} over {tests[0]['n']:,} fresh tasks ({', '.join(same)}). After ± is half of a"
        " 95 % interval over tasks: it says nothing of other outer seeds, which the columns beside it show."
        " The shipped one is in bold."
    )
    return [said, "", *table]


def _with_interval(row: Record) -> str:
    low, high = row["ci95"]
    return f"{text(float(row['value']))} ± {(high - low) / 2:.2g}"


def _mark(shipped: bool, what: Any) -> str:
    return f"**{what}**" if shipped else str(what)


def _many(records: list[Record]) -> str:
    return f"{len(records)} combinations of settings" if len(records) > 1 else "the recipe's one setting"


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple) else value
