"""One policy for all experts, or something of each one's own: a row per board and line."""

from leaderboards.boards.board import board_names
from leaderboards.boards.results import read_results
from leaderboards.boards.standing import rival_of, stale, standings
from leaderboards.documents.monoliths import PARTS
from leaderboards.documents.words import mean_said
from leaderboards.results import markdown
from leaderboards.tuning.choosing import load_as_run

OWN = ("identity", "unshared")
"""What names begin with of lines whose experts have a learned vector, or weights, of their own."""


def sharing() -> str:
    """A row per board and line of experts with something of their own: how it stands beside Badger.

    Rows of an earlier definition are left out, and said to be: nobody looked whether arms were alike there.
    """
    rows, left_out = [], []
    for name in (each for each in board_names() if not each.startswith(PARTS)):
        board = load_as_run(name)
        results = read_results(board)
        old = set(stale(board, results))
        found = {line.agent: line for line in standings(board, results) if line.agent.startswith(OWN)}
        for line in (found[agent] for agent in board.agents if agent in found):
            rival = rival_of(board, line.agent)
            if line.versus is None or rival is None:
                continue
            if {line.agent, rival} & old:
                left_out.append(f"{name} ({line.label})")
                continue
            where = f"{line.condition}: " if line.condition else ""
            rows.append(
                [
                    f"{name}: {where}{board.outcome_in(board.main)} in {board.main}",
                    line.label,
                    mean_said(board, results, line.agent),
                    mean_said(board, results, rival),
                    line.versus.told,
                    line.versus.verdict_of_succeeded,
                    f"{line.versus.wins} of {line.versus.estimate.n}",
                    f"{round(line.failed.value * line.failed.n)} of {line.failed.n}",
                ]
            )
    head = ["board", "line", "its mean", "Badger's", "so it is", "where both succeed", "better on seeds"]
    note = f"\n\nLeft out, as their rows are of an earlier definition of the board: {', '.join(left_out)}."
    return markdown([*head, "fails on seeds"], rows) + note * bool(left_out)
