"""Where a board's rows come from: what was not run, is of an earlier definition, was tuned, and how."""

from collections.abc import Sequence

from leaderboards.boards.board import Board
from leaderboards.boards.results import Results
from leaderboards.boards.standing import Standing, rival_of, stale
from leaderboards.tuning.choosing import TuningRow, known_choice

NAMED = 16
"""How many lines that were not run are named, the others are counted."""


def earlier(board: Board, results: Results) -> str:
    """Which lines were measured by another definition than today's, in words; "" if none."""
    old = stale(board, results)
    every = len(old) == sum(bool(runs) for runs in results.values())
    return f"Rows of an earlier definition of the board: {'all' if every else ', '.join(old)}." if old else ""


def origins(board: Board, results: Results, tuning: Sequence[TuningRow]) -> list[str]:
    """Which lines were not run, how the others' optimisers were chosen, which processors differ, a line each.

    Args:
        board: the board.
        results: its runs.
        tuning: the rows of its tuning.
    """
    lacking = [name for name in board.agents if not results[name]]
    more = f" and {len(lacking) - NAMED} more" * (len(lacking) > NAMED)
    told = [f"Not run: {', '.join(lacking[:NAMED])}{more}."] * bool(lacking)
    return told + _tuned(board, results, tuning) + _processors(results)


def trials(board: Board, results: Results, line: Standing) -> str:
    """Trials that a contestant met in training, and how many times those of its rival that is."""
    own, rival = line.facts.trials, rival_of(board, line.agent)
    if own is None:
        return ""
    theirs = {run.facts.trials for run in results[rival]} if rival else set()
    if len(theirs) != 1 or not (other := theirs.pop()) or other == own:
        return f"{own:,.0f}"
    return f"x{own / other:.2g} {own:,.0f}"


def _tuned(board: Board, results: Results, tuning: Sequence[TuningRow]) -> list[str]:
    """How the optimisers of lines that were run by today's definition were chosen."""
    old = set(stale(board, results))
    trained = [
        name
        for name, entrant in board.agents.items()
        if results[name] and name not in old and entrant.role != "reference" and not entrant.weights_of
    ]
    if not trained:
        return []
    if board.tuning is None:
        return ["No optimiser is tuned here: each is its recipe's, or the line's."]
    rows = {row.key: row for row in tuning}
    choices = {name: choice for name in trained if (choice := known_choice(board, name, rows)) is not None}
    if not choices:
        return ["No optimiser was tuned: each is its recipe's."]
    without = ", ".join(name for name in trained if name not in choices)
    by = ", ".join(map(str, board.tuning.seeds))
    tried = f"{len(board.tuning.optimisers)} candidates, outer seeds {by}, validation"
    told = f"Optimisers: tuned alike ({tried}){f', but not {without}' * bool(without)}"
    if ends := sum(choice.at_end for choice in choices.values()):
        told += f"; {ends} of {len(choices)} chosen at an end of the rates tried (--tuning)"
    return [f"{told}."]


def _processors(results: Results) -> list[str]:
    """On how many kinds of processor lines were measured, where it is more than one."""
    kinds: dict[str, set[str]] = {}  # lines of each
    for agent, runs in results.items():
        for row in (row for run in runs for row in run.rows.values() if row.processor):
            kind = f"{row.processor.removesuffix(' Processor')} {row.instructions}"
            kinds.setdefault(kind, set()).add(agent)
    if len(kinds) < 2:
        return []
    most = sorted(kinds, key=lambda kind: -len(kinds[kind]))
    told = ", ".join(f"{len(kinds[kind])} {kind}" for kind in most)
    return [f"Lines by processor (rounding differs): {told}."]
