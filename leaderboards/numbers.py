"""Numbers in documents: marked blocks, written from the boards' results, the cards' rows and the scores."""

import csv
import difflib
import re
import statistics as plain
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from badger_agents.loading import FOLDER as PRETRAINED
from badger_envs import scoring
from leaderboards.boards.board import FOLDER as BOARDS
from leaderboards.boards.board import Board, board_names, load_board
from leaderboards.boards.claims import verdicts
from leaderboards.boards.csv_rows import read_rows
from leaderboards.boards.results import Results, read_results
from leaderboards.boards.standing import (
    differences_of,
    mean_outcome,
    outcomes,
    rival_of,
    said,
    scores,
    short,
    stale,
    standings,
)
from leaderboards.results import markdown
from leaderboards.site.left_out import left_out, table_rows
from leaderboards.tuning.choosing import FILE as TUNING
from leaderboards.tuning.choosing import known_choice, load_as_run, read_tuning

BLOCK = re.compile(r"<!-- numbers: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
"""A block: what stands between its first and its last line is written by `filled`."""


def filled(text: str) -> str:
    """A document with all its blocks written anew.

    Raises:
        ValueError: a block has a name that is not known.
    """

    def block(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in BLOCKS:
            near = difflib.get_close_matches(name, BLOCKS, 1)
            raise ValueError(f"no numbers {name!r}; there are {', '.join(near or BLOCKS)}")
        return f"<!-- numbers: {name} -->\n{BLOCKS[name]()}\n<!-- end -->"

    return BLOCK.sub(block, text)


def boards() -> str:
    """A row per board and condition: the best contestant's mean, Badger, Badger in silence, the claim."""
    rows = []
    for name in board_names():
        board = load_as_run(name)
        results = read_results(board)
        claims = {each.agent: each.passed for each in verdicts(board, results)}
        differ = differences_of(board, results)
        agents = [agent for agent in board.agents if agent in claims and results[agent]]
        contestants = [a for a, e in board.agents.items() if e.role == "contestant" and results[a]]
        if not contestants:
            continue
        old = stale(board, results)
        sign = 1 if board.higher_is_better else -1
        best = max(contestants, key=lambda a: sign * outcomes(board, results[a], board.main).mean())
        for agent in agents:
            condition = board.agents[agent].condition
            free = name in COULD_DO_WITHOUT and not condition.startswith("one")
            claim = "communication helps" if claims[agent] else "no claim"
            normal = scores(board, outcomes(board, results[agent], board.main))
            twins = [line for line in _retrained_without(board, agent) if results[line]]
            raw = "broadcast" in board.agents and results["broadcast"] and agent == board.baseline
            rows.append(
                [
                    f"{name}{', ' + condition if condition else ''}{OLD * (agent in old)}",
                    f"{board.outcome_in(board.main)} in {board.main}",
                    str(len(results[agent])),
                    f"{board.agents[best].label or best} {_mean(board, results, best)}",
                    _mean(board, results, agent),
                    "" if normal is None else f"{normal.mean():.2f}",
                    "no" if free else "yes",
                    *(_mean(board, results, line) for line in twins),
                    *["not run"] * (2 - len(twins)),
                    ", ".join(differ[line].verdict_of_succeeded or "-" for line in twins if line in differ),
                    _mean(board, results, "broadcast") if raw else "",
                    claim,
                ]
            )
    head = [
        "board",
        "outcome",
        "outer seeds",
        "best mean of the contestants",
        "Badger",
        "its score",
        "must they talk?",
        "Badger retrained without talk",
        "where each hears itself alone",
        "which are, where both succeed",
        "as they are",
        "claim",
    ]
    return markdown(head, rows)


def sizes() -> str:
    """The shipped `guessing-attentional` by hidden numbers, and the spread of its outer seeds."""
    errors = _errors_by_size()
    median = [short(plain.median(each)) for each in errors.values()]
    ends = [f"{short(min(each))} to {short(max(each))}" for each in errors.values()]
    head = ["hidden numbers", *map(str, errors)]
    return markdown(head, [["error, median of 3 outer seeds", *median], ["lowest to highest", *ends]])


def _errors_by_size() -> dict[int, list[float]]:
    """Errors of the outer seeds of `guessing-attentional`, by hidden numbers."""
    text = (PRETRAINED / "guessing-attentional.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    rows = [row for row in rows if row["split"] == "test" and row["experts"] == "20"]
    by_size: dict[int, list[float]] = {}
    for row in rows:
        by_size.setdefault(int(row["dims"]), []).append(float(row["value"]))
    return {dims: by_size[dims] for dims in (1, 3, 6, 10, 15, 19)}


COULD_DO_WITHOUT = ("bandits-v1", "communication-v1", "hot-cold-v1", "scaling-v1")
"""Boards on which each expert is told enough for its own part (on hot-cold-v1 where all hear)."""


def findings() -> str:
    """What today's results say of talking, of numbers of experts and of monoliths: a sentence each."""
    helped: list[str] = []
    others: list[str] = []
    some: list[str] = []  # of them, where both succeed
    against: list[str] = []  # where both succeed a twin that hears nobody else is better
    monolith: dict[tuple[str, str], list[str]] = {}  # boards by test and verdict
    for name in board_names():
        board = load_as_run(name)
        results = read_results(board)
        old = stale(board, results)
        claims = {
            each.agent: each.passed
            for each in verdicts(board, results)
            if each.agent not in old
            and all(results[name] for name in (each.agent, *_retrained_without(board, each.agent)))
        }
        if claims:
            (helped if any(claims.values()) else others).append(name)
            differ = differences_of(board, results)
            twins = {
                differ[line].verdict_of_succeeded
                for agent in claims
                for line in _retrained_without(board, agent)
                if line in differ
            }
            if "better" in twins:
                against.append(name)
            elif not any(claims.values()) and "worse" in twins:
                some.append(name)
        for line in [] if name.startswith(PARTS) else standings(board, results):
            if line.versus is not None and line.agent.startswith(MONOLITHS) and line.agent not in old:
                monolith.setdefault(("all", line.versus.verdict), []).append(name)
                monolith.setdefault(("both", line.versus.verdict_of_succeeded), []).append(name)
    game = load_as_run("guessing-game-v1")
    results = read_results(game)
    talking, silent_mean = (
        short(mean_outcome(game, results[agent], game.main).value) for agent in ("badger", "no-communication")
    )
    scaling = load_as_run("scaling-v1")
    runs = read_results(scaling)
    by_cell = {cell: outcomes(scaling, runs["badger"], cell) for cell in scaling.cells_of("badger")}
    of = {cell: short(errors.mean()) for cell, errors in by_cell.items()}
    alone = int((by_cell["experts-1"] < by_cell["d6"]).sum())
    monoliths_there = [line for line in scaling.agents if line.startswith(MONOLITHS) and runs[line]]
    least = all(
        by_cell[cell].mean() < outcomes(scaling, runs[line], cell).mean()
        for cell in ("d8", "d12")
        for line in monoliths_there
        if not scaling.agents[line].control_of
    )
    must, may = ([name for name in helped if (name in COULD_DO_WITHOUT) is free] for free in (False, True))
    count = sum(len(found) for (test, _), found in monolith.items() if test == "all")
    told = {
        (test, verdict): f"{len(on)}{f' ({_listed(list(dict.fromkeys(on)))})' * bool(on)}"
        for test in ("all", "both")
        for verdict in ("better", "worse")
        for on in [monolith.get((test, verdict), [])]
    }
    lines = (
        "*When is talking worth it?* Where an expert sees or hears a part alone it helps: on"
        f" {_listed(must)}. Where it could do without, help is shown on {_listed(may)}, not on"
        f" {_listed(others)}; by the seeds alone on which both succeed, some on {_listed(some)}, and a twin"
        f" that hears nobody else is better on {_listed(against)}. On guessing-game-v1, where one expert"
        f" hears the error, the mean error is {talking}, and {silent_mean} after retraining without talk:"
        " [talking](docs/findings/talking.md).",
        "*How many experts?* More are no better. One policy, trained with 1 to 8 experts on up to 6 numbers,"
        f" has an error of {of['experts-1']} with 1 expert and 6 numbers, {of['d6']} with 12 (one is better"
        f" on {alone} of {len(runs['badger'])} outer seeds of scaling-v1), {of['experts-80']} with 80; and"
        f" {of['d8']} with 8 numbers, {of['d12']} with 12, in the mean {'less' if least else 'not less'} than"
        " each monolith: [experts](docs/findings/experts.md).",
        f"*Monolith or many?* In {count} comparisons on all boards one network of as many weights, operations"
        f" or state, or RL², is shown to be better than Badger in {told['all', 'better']}, worse in"
        f" {told['all', 'worse']}; by the seeds alone on which both succeed, better in"
        f" {told['both', 'better']}, worse in {told['both', 'worse']}:"
        " [monoliths](docs/findings/monolith.md).",
    )
    return "\n".join(
        textwrap.fill(f"- {line}", 120, subsequent_indent="  ", break_on_hyphens=False) for line in lines
    )


def _retrained_without(board: Board, agent: str) -> list[str]:
    """Lines of a board that are an agent retrained without talk, or without exchange."""
    return [name for name, line in board.agents.items() if line.control_of == agent and line.without]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "no board"


def over(name: str, scale: str, spread: bool = False) -> str:
    """Mean outcomes over a scale of a board: a row per contestant and reference.

    Args:
        name: of the board.
        scale: of the board.
        spread: whether the lowest and the highest outer seed are told.
    """
    board = load_as_run(name)
    cells = board.scales[scale].cells
    results = read_results(board)
    old = stale(board, results)
    rows = [
        [
            ", ".join(filter(None, (_called(board, agent), entrant.condition))) + OLD * (agent in old),
            *(
                _over_seeds(outcomes(board, results[agent], cell), spread)
                if cell in board.cells_of(agent)
                else ""
                for cell in cells
            ),
        ]
        for agent, entrant in board.agents.items()
        if results[agent]
        and (entrant.role != "control" or entrant.born_anew)
        and set(cells[:2]) <= set(board.cells_of(agent))
    ]
    values = [f"{value:g}" for value in board.scales[scale].values]
    return markdown([f"mean {board.outcome_in(board.main)}, by {board.scales[scale].label}", *values], rows)


def _called(board: Board, agent: str) -> str:
    """What a table calls a line; one that is born anew with the name of the agent that it is."""
    label = board.agents[agent].label or agent
    return f"{board.agents[agent].control_of} {label}" if board.agents[agent].born_anew else label


def _over_seeds(values: np.ndarray, spread: bool) -> str:
    """A mean, and behind it the lowest and the highest if asked and if there are several."""
    ends = f" ({short(values.min())} to {short(values.max())})" if spread and len(values) > 1 else ""
    return short(values.mean()) + ends


OLD = " (earlier definition)"
"""What is said of lines that were measured by another definition of the board than today's."""

PARTS = "parts-"
"""How names of boards begin whose contestants are those of other boards with a part less."""

MONOLITHS = ("gru", "lstm", "transformer", "rl2")
"""What names of monoliths on boards begin with."""


def monoliths() -> str:
    """A row per board and monolith: both outcomes, their difference, and what it shows.

    Rows of an earlier definition are left out, and said to be: nobody looked whether arms were alike there.
    """
    rows, left_out = [], []
    for name in (each for each in board_names() if not each.startswith(PARTS)):
        board = load_as_run(name)
        results = read_results(board)
        old = set(stale(board, results))
        tuned = {row.key: row for row in read_tuning(BOARDS / name / TUNING)}
        for line in standings(board, results):
            rival = rival_of(board, line.agent)
            if line.versus is None or rival is None or not line.agent.startswith(MONOLITHS):
                continue
            if {line.agent, rival} & old:
                left_out.append(f"{name} ({line.label})")
                continue
            choice = known_choice(load_board(name), line.agent, tuned)
            rows.append(
                [
                    f"{name}: {board.outcome_in(board.main)} in {board.main}",
                    line.label,
                    _mean(board, results, line.agent),
                    _mean(board, results, rival),
                    line.versus.told,
                    line.versus.verdict_of_succeeded,
                    f"{line.versus.wins} of {line.versus.estimate.n}",
                    "" if choice is None else "yes" if choice.at_end else "no",
                ]
            )
    head = ["board", "monolith", "its mean", "Badger's", "so it is", "where both succeed", "better on seeds"]
    text = markdown([*head, "its rate at an end of those tried"], rows)
    note = f"\n\nLeft out, as their rows are of an earlier definition of the board: {', '.join(left_out)}."
    return text + note * bool(left_out)


def parts_of_monolith() -> str:
    """What a GRU loses and gains by the parts that Badger has, on the board of parts."""
    board = load_as_run("parts-v1")
    results, differ = read_results(board), differences_of(board, read_results(board))
    rows = [["all of them", _mean(board, results, "gru"), ""]]
    for name, entrant in board.agents.items():
        if entrant.control_of == "gru" and name in differ:
            wins = f"{differ[name].wins} of {differ[name].estimate.n}"
            rows.append([entrant.label or name, _mean(board, results, name), wins])
    rows.append(["Badger, with all of them", _mean(board, results, "badger"), ""])
    return markdown(["the GRU's parts", board.outcome_in(board.main), "better than with all, on seeds"], rows)


def generalist() -> str:
    """What the generalist reaches in each family, beside itself in silence and untrained."""
    board = load_as_run("generalist-v1")
    results = read_results(board)
    old = stale(board, results)
    rows = [
        [
            f"{board.outcome_in(cell)} in {cell}",
            *(
                said(mean_outcome(board, results[agent], cell)) if results[agent] else "not run"
                for agent in ("badger", "silenced", "untrained")
            ),
        ]
        for cell in board.cells
    ]
    head = f"trained on three families{OLD * ('badger' in old)}"
    return markdown(["outcome", head, "silence", "untrained"], rows)


def families_left_out() -> str:
    """Scores of each family by agent, trained on all families, without it, or on it alone."""
    board = load_as_run("generalist-v2")
    results = read_results(board)
    if not any(results.values()):
        return "Not run yet."
    head, *rows = table_rows(left_out(board, results))
    return markdown(head, rows)


GRADUAL = "gradual.csv"
"""File beside a board of sequences with rows of `python -m paper.gradual`."""


def gradual() -> str:
    """Losses of visits in a sequence of tasks, by agent, and what of the first one was kept."""
    file = BOARDS / "sequence-v1" / GRADUAL
    if not file.is_file():
        return "Not run yet."
    with file.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    rows = [
        [name, *(short(float(row["value"])) for row in found if row["agent"] == name), seeds]
        for name, seeds in {row["agent"]: row["outer_seeds"] for row in found}.items()
    ]
    return markdown(["agent", *dict.fromkeys(row["name"] for row in found), "outer seeds"], rows)


FAMILIES = {
    "GuessingGame-v0": "coordination: find hidden numbers from one global error",
    "XOR-v0": "passing on hidden information: parity of bits, each seen by one expert",
    "HotCold-v0": 'optimisation of a hidden function from "hotter" and "colder"',
    "VariableIO-v0": "learning a hidden map from examples, any number of inputs and outputs",
    "Bandit-v0": "exploration: arms of unknown reward",
    "RandomMDP-v0": "exploration of states and actions, in several episodes of one process",
    "Sequence-v0": "gradual learning: two tasks and the first again; forgetting and transfer",
    "RandomMDP-goal-v0": "planning: a goal and the ways to it, found out in several episodes",
    "Recall-v0": "memory spread over members: what one was told, another is asked",
    "HiddenProfile-v0": "pooling what each member of a group knows, against what all know",
    "Deliberation-v0": "thinking time: prefix parities, pointers and mazes, longer than in training",
    "Synthetic-v0": "learning to learn: hidden maps, goals and feedback of many kinds, a prior to train on",
    "Digits-v0": "learning to read handwriting from a stream of examples under a random projection",
}
"""An id of each family, and what it selects for."""


def families() -> str:
    """What each family selects for, with floor and reference of one of its ids."""
    rows = []
    for name, what in FAMILIES.items():
        scale = scoring.scale_of(f"Badger/{name}")
        ends = [f"{short(end.mean)} ({end.agent})" for end in (scale.floor, scale.reference)]
        rows.append([f"`Badger/{name}`", what, scale.outcome.replace("_", " "), *ends])
    return markdown(["id", "selects for", "outcome", "floor (score 0)", "reference (score 1)"], rows)


def processors() -> str:
    """How far means of lines move between two sets of instructions, on boards where that was measured."""
    rows = []
    for name in board_names():
        for move in moves(measured) if (measured := read_rows(Measured, BOARDS / name / PROCESSORS)) else ():
            means = [
                f"{short(mean)} ({each})" for mean, each in zip(move.means, move.instructions, strict=True)
            ]
            apart = short(abs(move.means[1] - move.means[0]))
            rows.append([name, move.agent, str(move.seeds), *means, apart, short(move.largest)])
    head = [
        "board",
        "agent",
        "outer seeds",
        "mean",
        "mean under the other",
        "apart",
        "one outer seed at most",
    ]
    return markdown(head, rows)


COVERAGE = Path(__file__).with_name("coverage.csv")
"""Rows of `python -m benchmarks.coverage`."""

INTERVALS = {
    ("student", "10"): "Student, 10 seeds",
    ("bounded", "10"): "`bounded`, 10 seeds (mean width)",
    ("bounded", "50"): "`bounded`, 50 seeds (mean width)",
    ("paired", "10"): "paired difference to an agent of which 10 % fail: 10 seeds",
    ("paired", "50"): "the same with 50 seeds",
}
"""What the table of coverage has a row of, and calls it."""


def coverage() -> str:
    """How often intervals cover the mean, by the share of outer seeds that fails."""
    with COVERAGE.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    rates = list(dict.fromkeys(row["fail"] for row in found))
    rows = []
    for (interval, seeds), told in INTERVALS.items():
        those = [row for row in found if (row["interval"], row["seeds"]) == (interval, seeds)]
        cells = {row["fail"]: f"{float(row['value']):.2f}" for row in those}
        if interval != "student":
            cells = {row["fail"]: f"{cells[row['fail']]} ({float(row['width']):.2f})" for row in those}
        rows.append([told, *(cells[rate] for rate in rates)])
    return markdown(
        [f"seeds that fail ({found[0]['sets']} sets each)", *(f"{float(rate):.0%}" for rate in rates)], rows
    )


PROCESSORS = "processors.csv"
"""File beside a board with such rows (see `benchmarks/processors.py`)."""


class Measured(NamedTuple):
    """An outer seed's mean outcome in the main cell, trained and measured under one set of instructions."""

    agent: str
    seed: int
    processor: str
    instructions: str
    mean: float


class Move(NamedTuple):
    """What changes of a line with the instructions.

    Attributes:
        agent: the line.
        seeds: how many outer seeds.
        instructions: the two sets.
        means: over the outer seeds, under each.
        largest: difference of one outer seed.
    """

    agent: str
    seeds: int
    instructions: tuple[str, str]
    means: tuple[float, float]
    largest: float


def moves(rows: Sequence[Measured]) -> list[Move]:
    """What changes of each line, from the first set of instructions to the second.

    Raises:
        ValueError: there are not two, or they do not have the same outer seeds.
    """
    sets = list(dict.fromkeys(row.instructions for row in rows))
    if len(sets) != 2:
        raise ValueError(f"instructions are {', '.join(sets) or 'none'}; two are compared")
    found = []
    for agent in dict.fromkeys(row.agent for row in rows):
        one, other = (
            {row.seed: row.mean for row in rows if (row.agent, row.instructions) == (agent, each)}
            for each in sets
        )
        if one.keys() != other.keys():
            raise ValueError(f"{agent} has other outer seeds under {sets[0]} than under {sets[1]}")
        ends = sum(one.values()) / len(one), sum(other.values()) / len(other)
        largest = max(abs(other[seed] - one[seed]) for seed in one)
        found.append(Move(agent, len(one), (sets[0], sets[1]), ends, largest))
    return found


def _mean(board: Board, results: Results, agent: str) -> str:
    """Mean outcome over outer seeds, with its interval."""
    found = mean_outcome(board, results[agent], board.main)
    return f"{short(found.value)} ({short(found.low)} to {short(found.high)})"


BLOCKS: dict[str, Callable[[], str]] = {
    "boards": boards,
    "findings": findings,
    "sizes": sizes,
    "families": families,
    "processors": processors,
    "coverage": coverage,
    "monoliths": monoliths,
    "parts-monolith": parts_of_monolith,
    "generalist": generalist,
    "families-left-out": families_left_out,
    "gradual": gradual,
    "scaling-dimensions": partial(over, "scaling-v1", "dimensions"),
    "scaling-experts": partial(over, "scaling-v1", "experts"),
    "scaling-life": partial(over, "scaling-v1", "life"),
    "members": partial(over, "hidden-profile-v1", "members"),
    "members-misled": partial(over, "hidden-profile-v1", "hidden"),
    "holding": partial(over, "recall-v1", "experts"),
    "vanished": partial(over, "recall-v1", "vanished"),
    "bits": partial(over, "deliberation-v1", "bits"),
    "thinking": partial(over, "deliberation-v1", "steps", spread=True),
}
"""What a block may be called, and what writes it."""
