"""One network against many experts: a row per board and monolith."""

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


CAPPED = ("deliberation-v1",)
"""Boards on which GRUs cannot answer at all places, whatever they learn: no comparison with them counts."""


class Compared(NamedTuple):
    """A monolith beside Badger on a board.

    Attributes:
        board: the board.
        line: the monolith's.
        rival: name of Badger's line.
        difference: the monolith minus Badger.
        kind: "gradient" where it is trained as Badger is; "reward" of RL2.
        room: whether a perfect monolith would have been shown to be better, before any correction.
    """

    board: Board
    line: Standing
    rival: str
    difference: Difference
    kind: str
    room: bool

    def verdict(self, test: str) -> str:
        """Of "all" outer seeds, or of those on which "both" succeed."""
        return self.difference.verdict if test == "all" else self.difference.verdict_of_succeeded


@cache
def compared() -> list[Compared]:
    """Every monolith on every board that was run; rows of an earlier definition of a board are left out."""
    found = []
    for name in (each for each in board_names() if not each.startswith(PARTS)):
        board = load_as_run(name)
        results = read_results(board)
        old = set(stale(board, results))
        for line in standings(board, results):
            rival = rival_of(board, line.agent)
            if line.versus is None or rival is None or not line.agent.startswith(MONOLITHS):
                continue
            if not {line.agent, rival} & old:
                kind = "reward" if line.agent.startswith("rl2") else "gradient"
                room = perfect_p(board, results, rival) < LEVEL
                found.append(Compared(board, line, rival, line.versus, kind, room))
    return found


def monoliths() -> str:
    """A row per board and monolith: both outcomes, their difference, and what it shows."""
    rows = []
    for each in compared():
        name, line = each.board.name, each.line
        results = read_results(each.board)
        tuned = {row.key: row for row in read_tuning(BOARDS / name / TUNING)}
        choice = known_choice(load_board(name), line.agent, tuned)
        rows.append(
            [
                f"{name}: {each.board.outcome_in(each.board.main)} in {each.board.main}",
                line.label,
                mean_said(each.board, results, line.agent),
                mean_said(each.board, results, each.rival),
                each.difference.told,
                each.difference.verdict_of_succeeded,
                f"{each.difference.wins} of {each.difference.estimate.n}",
                "yes" if each.room else "no",
                "" if choice is None else "yes" if choice.at_end else "no",
            ]
        )
    head = ["board", "monolith", "its mean", "Badger's", "so it is", "where both succeed", "better on seeds"]
    return markdown([*head, "could be shown better", "its rate at an end of those tried"], rows)


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
