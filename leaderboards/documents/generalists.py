"""One policy for all families, and for all but one."""

from leaderboards.boards.results import read_results
from leaderboards.results import markdown
from leaderboards.site.left_out import left_out, table_rows
from leaderboards.tuning.choosing import load_as_run


def families_left_out() -> str:
    """Scores of each family by agent, trained on all families, without it, or on it alone."""
    board = load_as_run("generalist-v2")
    results = read_results(board)
    if not any(results.values()):
        return "Not run yet."
    head, *rows = table_rows(left_out(board, results))
    return markdown(head, rows)
