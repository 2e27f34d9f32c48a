"""What boards say of talking, of numbers of experts and of monoliths: a table and a sentence each."""

import textwrap
from collections.abc import Sequence

from leaderboards.boards.board import Board, board_names
from leaderboards.boards.claims import verdicts
from leaderboards.boards.results import read_results
from leaderboards.boards.standing import (
    differences_of,
    mean_outcome,
    outcomes,
    scores,
    short,
    stale,
    standings,
)
from leaderboards.documents.monoliths import MONOLITHS, PARTS
from leaderboards.documents.words import OLD, mean_said
from leaderboards.results import markdown
from leaderboards.tuning.choosing import load_as_run

COULD_DO_WITHOUT = ("bandits-v1", "communication-v1", "hot-cold-v1", "scaling-v1")
"""Boards on which each expert is told enough for its own part (on hot-cold-v1 where all hear)."""


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
                    f"{board.agents[best].label or best} {mean_said(board, results, best)}",
                    mean_said(board, results, agent),
                    "" if normal is None else f"{normal.mean():.2f}",
                    "no" if free else "yes",
                    *(mean_said(board, results, line) for line in twins),
                    *["not run"] * (2 - len(twins)),
                    ", ".join(differ[line].verdict_of_succeeded or "-" for line in twins if line in differ),
                    mean_said(board, results, "broadcast") if raw else "",
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
