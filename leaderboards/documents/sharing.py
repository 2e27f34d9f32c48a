"""One policy for all experts, or something of each one's own: a row per board and line."""

from leaderboards.documents.compared import AT_END, compared, table

OWN = ("identity", "unshared")
"""What names begin with of lines whose experts have a learned vector, or weights, of their own."""


def sharing() -> str:
    """A row per board and line of experts with something of their own: how it stands beside Badger."""
    rows = []
    for each in sorted(compared(OWN), key=lambda each: (each.board.name, each.line.agent)):
        failed = each.line.failed
        rows.append((each, [f"{round(failed.value * failed.n)} of {failed.n}", each.at_end]))
    return table(["board", "line", "fails on seeds", AT_END], rows)
