"""Words of the command line: how an interrupted command ends, and guesses at names that are misspelt."""

import difflib
from collections.abc import Sequence

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def nearest(name: str, known: Sequence[str]) -> str:
    """A guess at what was meant: "; did you mean 'x'?", or "" if nothing is near."""
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""
