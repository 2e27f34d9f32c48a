"""One policy for several families."""

from leaderboards.boards.results import read_results
from leaderboards.boards.standing import mean_outcome, said, stale
from leaderboards.documents.words import OLD
from leaderboards.results import markdown
from leaderboards.site.left_out import left_out, table_rows
from leaderboards.tuning.choosing import load_as_run


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
