"""What several tables say alike."""

from leaderboards.boards.board import Board
from leaderboards.boards.results import Results
from leaderboards.boards.standing import mean_outcome, short

OLD = " (earlier definition)"
"""What is said of lines that were measured by another definition of the board than today's."""


def mean_said(board: Board, results: Results, agent: str) -> str:
    """Mean outcome over outer seeds, with its interval."""
    found = mean_outcome(board, results[agent], board.main)
    return f"{short(found.value)} ({short(found.low)} to {short(found.high)})"
