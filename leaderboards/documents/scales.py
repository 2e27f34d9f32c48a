"""Outcomes over a scale of a board, or in all of its cells."""

import numpy as np

from leaderboards.boards.board import Board
from leaderboards.boards.results import read_results
from leaderboards.boards.standing import outcomes, short, stale
from leaderboards.documents.words import OLD
from leaderboards.results import markdown
from leaderboards.tuning.choosing import load_as_run


def over(name: str, scale: str, spread: bool = False, controls: bool = False) -> str:
    """Mean outcomes over a scale of a board: a row per contestant and reference.

    Args:
        name: of the board.
        scale: of the board.
        spread: whether the lowest and the highest outer seed are told.
        controls: also a row for each control; if not, for those alone that are born anew.
    """
    board = load_as_run(name)
    cells = board.scales[scale].cells
    results = read_results(board)
    old = stale(board, results)
    rows = [
        [
            _called(board, agent) + OLD * (agent in old),
            *(
                _over_seeds(outcomes(board, results[agent], cell), spread)
                if cell in board.cells_of(agent)
                else ""
                for cell in cells
            ),
        ]
        for agent, entrant in board.agents.items()
        if results[agent]
        and (controls or entrant.role != "control" or entrant.born_anew)
        and set(cells[:2]) <= set(board.cells_of(agent))
    ]
    values = [f"{value:g}" for value in board.scales[scale].values]
    return markdown([f"mean {board.outcome_in(board.main)}, by {board.scales[scale].label}", *values], rows)


def by_cell(name: str, changed: bool = False) -> str:
    """Mean outcomes in every cell of a board: a row per line that is trained for it, and per reference.

    Args:
        name: of the board.
        changed: also a row for each line with another's weights; and lowest and highest outer seeds.
    """
    board = load_as_run(name)
    results = read_results(board)
    rows = [
        [
            _called(board, agent),
            *(
                _over_seeds(outcomes(board, runs, cell), changed) if cell in board.cells_of(agent) else ""
                for cell in board.cells
            ),
        ]
        for agent, runs in results.items()
        if runs and (changed or board.agents[agent].weights_of is None)
    ]
    outcome = board.outcome_in(board.main)
    others = {cell: board.outcome_in(cell) for cell in board.cells if board.outcome_in(cell) != outcome}
    head = [f"{cell} ({others[cell]})" if cell in others else cell for cell in board.cells]
    return markdown([f"mean {outcome}", *head], rows) if rows else "Not run yet."


def _called(board: Board, agent: str) -> str:
    """What a table calls a line, with its condition; one that is born anew with its agent's name."""
    entrant = board.agents[agent]
    label = f"{entrant.control_of} {entrant.label}" if entrant.born_anew else entrant.label or agent
    return ", ".join(filter(None, (label, entrant.condition)))


def _over_seeds(values: np.ndarray, spread: bool) -> str:
    """A mean, and behind it the lowest and the highest if asked and if there are several."""
    ends = f" ({short(values.min())} to {short(values.max())})" if spread and len(values) > 1 else ""
    return short(values.mean()) + ends
