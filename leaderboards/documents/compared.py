"""Contestants beside Badger on all boards: monoliths, and what a GRU is worth without its parts."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from leaderboards.boards.board import FOLDER as BOARDS
from leaderboards.boards.board import Board, board_names, load_board
from leaderboards.boards.results import read_results
from leaderboards.boards.standing import (
    Difference,
    Standing,
    differences_of,
    perfect_p,
    rival_of,
    stale,
    standings,
)
from leaderboards.documents.words import mean_said
from leaderboards.results import markdown
from leaderboards.statistics import LEVEL
from leaderboards.tuning.choosing import FILE as TUNING
from leaderboards.tuning.choosing import known_choice, load_as_run, read_tuning

PARTS = "parts-"
"""How names of boards begin whose contestants are those of other boards with a part less."""

MONOLITHS = ("gru", "lstm", "transformer", "rl2")
"""What names of monoliths on boards begin with."""


TWINS = {
    "communication": "without talk",
    "exchange": "where each hears itself alone",
    "broadcast": "with readings as they are",
}
"""What a twin is retrained without, or its name, and how pages call it."""

CAPPED = ("deliberation-v1",)
"""Boards on which monoliths cannot answer at all places, whatever they learn: no comparison there counts."""


class Compared(NamedTuple):
    """A contestant beside Badger on a board.

    Attributes:
        board: the board.
        line: the contestant's.
        rival: name of Badger's line.
        difference: the contestant minus Badger.
        kind: "reward" where it learns by what it drew alone; "gradient" else.
        room: whether a perfect agent would have been shown to be better, before any correction.
        old: whether rows are of an earlier definition of the board, for which nobody compared the arms.
    """

    board: Board
    line: Standing
    rival: str
    difference: Difference
    kind: str
    room: bool
    old: bool

    @property
    def where(self) -> str:
        """The board, the line's condition, and what is measured."""
        condition = f"{self.line.condition}: " if self.line.condition else ""
        return f"{self.board.name}: {condition}{self.board.outcome_in(self.board.main)} in {self.board.main}"

    @property
    def said(self) -> list[str]:
        """Both means, verdicts, and the seeds on which the contestant is better: cells of a table."""
        results = read_results(self.board)
        return [
            self.line.label,
            mean_said(self.board, results, self.line.agent),
            mean_said(self.board, results, self.rival),
            self.difference.told,
            self.difference.verdict_of_succeeded,
            f"{self.difference.wins} of {self.difference.estimate.n}",
        ]

    @property
    def at_end(self) -> str:
        """Whether the line's rate was chosen at an end of those tried."""
        return _at_end(self.board, self.line.agent) or "not tuned"

    def verdict(self, test: str) -> str:
        """Of "all" outer seeds, or of those on which "both" succeed."""
        return self.difference.verdict if test == "all" else self.difference.verdict_of_succeeded


AT_END = "its rate at an end of those tried"
"""Head of a column of `Compared.at_end`."""

SAID = ("its mean", "Badger's", "so it is", "where both succeed", "better on seeds")
"""Heads of the cells of `Compared.said`, but for the line's."""


@cache
def compared(begin: tuple[str, ...] = MONOLITHS) -> list[Compared]:
    """Every contestant of some names, of monoliths if not given, on every board that was run.

    Boards of parts are left out.

    Args:
        begin: what the names begin with.
    """
    found = []
    for name in (each for each in board_names() if not each.startswith(PARTS)):
        board = load_as_run(name)
        results = read_results(board)
        old = set(stale(board, results))
        for line in standings(board, results):
            rival = rival_of(board, line.agent)
            if line.versus is None or rival is None or not line.agent.startswith(begin):
                continue
            kind = "reward" if _by_reward(board, line.agent) else "gradient"
            room = perfect_p(board, results, rival) < LEVEL
            earlier = bool({line.agent, rival} & old)
            found.append(Compared(board, line, rival, line.versus, kind, room, earlier))
    return found


def twins_at_end() -> str:
    """A row per kind of twin: on which boards its rate was chosen at an end of those tried, on which not."""
    heaps: dict[str, dict[str, list[str]]] = {label: {"yes": [], "no": []} for label in TWINS.values()}
    for name in board_names():
        board = load_board(name)
        results = read_results(board)
        for line, entrant in board.agents.items():
            label = TWINS.get("broadcast" if line == "broadcast" else entrant.without or "")
            end = _at_end(board, line) if label and results[line] else ""
            if label and end and name not in heaps[label][end]:
                heaps[label][end].append(name)
    rows = [[label, *(", ".join(on) or "none" for on in heap.values())] for label, heap in heaps.items()]
    return markdown(["Badger retrained", "rate at an end of those tried on", "not on"], rows)


def _at_end(board: Board, line: str) -> str:
    """Whether a line's rate was chosen at an end of those tried; "" where none was chosen."""
    if board.tuning is None:
        return ""
    tuned = {row.key: row for row in read_tuning(BOARDS / board.name / TUNING)}
    choice = known_choice(load_board(board.name), line, tuned)
    return "" if choice is None else "yes" if choice.at_end else "no"


def _by_reward(board: Board, line: str) -> bool:
    """Whether a line learns by the rewards of what it drew (on bandits-v1 Badger does not, nor do others)."""
    training = board.recipe(line).training
    if training is None or training.estimator != "policy_gradient":
        return False
    return not training.estimator_settings.get("expected_reward", False)


def table(head: Sequence[str], rows: Sequence[tuple[Compared, Sequence[str]]]) -> str:
    """A table of comparisons, and a note of those that are of an earlier definition and left out.

    Args:
        head: of the first two columns and of those behind `SAID`.
        rows: comparisons, each with its cells behind those of `SAID`.
    """
    shown = [[each.where, *each.said, *more] for each, more in rows if not each.old]
    left_out = [f"{each.board.name} ({each.line.label})" for each, _ in rows if each.old]
    note = f"\n\nLeft out, as their rows are of an earlier definition of the board: {', '.join(left_out)}."
    return markdown([*head[:2], *SAID, *head[2:]], shown) + note * bool(left_out)


def monoliths() -> str:
    """A row per board and monolith: both outcomes, their difference, and what it shows."""
    rows = []
    for each in compared():
        rows.append((each, ["yes" if each.room else "no", each.at_end]))
    return table(["board", "monolith", "could be shown better", AT_END], rows)


def parts_of_monolith() -> str:
    """What a GRU loses and gains by the parts that Badger has, on the board of parts."""
    board = load_as_run("parts-v1")
    results, differ = read_results(board), differences_of(board, read_results(board))
    rows = [["all of them", mean_said(board, results, "gru"), ""]]
    for name, entrant in board.agents.items():
        if entrant.control_of == "gru" and name in differ:
            wins = f"{differ[name].wins} of {differ[name].estimate.n}"
            rows.append([entrant.label or name, mean_said(board, results, name), wins])
    rows.append(["Badger, with all of them", mean_said(board, results, "badger"), ""])
    return markdown(["the GRU's parts", board.outcome_in(board.main), "better than with all, on seeds"], rows)
