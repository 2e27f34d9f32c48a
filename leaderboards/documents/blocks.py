"""Marked blocks of documents, and what writes each."""

import difflib
import re
from collections.abc import Callable
from functools import partial

from leaderboards.documents.compared import monoliths, parts_of_monolith, twins_at_end
from leaderboards.documents.findings import boards, findings
from leaderboards.documents.generalists import families_left_out, parts_of_generalist, seeds_better
from leaderboards.documents.instructions import processors
from leaderboards.documents.other_rows import coverage, families, gradual, sizes
from leaderboards.documents.scales import by_cell, over
from leaderboards.documents.sharing import sharing

BLOCK = re.compile(r"<!-- numbers: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
"""A block: what stands between its first and its last line is written by `filled`."""


def filled(text: str) -> str:
    """A document with all its blocks written anew.

    Raises:
        ValueError: a block has a name that is not known.
    """

    def block(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in BLOCKS:
            near = difflib.get_close_matches(name, BLOCKS, 1)
            raise ValueError(f"no numbers {name!r}; there are {', '.join(near or BLOCKS)}")
        return f"<!-- numbers: {name} -->\n{BLOCKS[name]()}\n<!-- end -->"

    return BLOCK.sub(block, text)


BLOCKS: dict[str, Callable[[], str]] = {
    "boards": boards,
    "findings": findings,
    "sizes": sizes,
    "families": families,
    "processors": processors,
    "coverage": coverage,
    "monoliths": monoliths,
    "parts-monolith": parts_of_monolith,
    "sharing": sharing,
    "twins-at-end": twins_at_end,
    "families-left-out": families_left_out,
    "left-out-seeds": seeds_better,
    "parts-generalist": parts_of_generalist,
    "prior": partial(by_cell, "prior-v1", changed=True),
    "parts-prior": partial(by_cell, "parts-prior-v1", changed=True),
    "gradual": gradual,
    "hot-cold": partial(by_cell, "hot-cold-v1"),
    "planning": partial(by_cell, "random-mdp-v1"),
    "scaling-dimensions": partial(over, "scaling-v1", "dimensions"),
    "scaling-experts": partial(over, "scaling-v1", "experts"),
    "scaling-life": partial(over, "scaling-v1", "life"),
    "longer-life": partial(over, "longer-v1", "life", spread=True, controls=True),
    "members": partial(over, "hidden-profile-v1", "members"),
    "members-misled": partial(over, "hidden-profile-v1", "hidden"),
    "holding": partial(over, "recall-v1", "experts"),
    "vanished": partial(over, "recall-v1", "vanished"),
    "bits": partial(over, "deliberation-v1", "bits"),
    "thinking": partial(over, "deliberation-v1", "steps", spread=True),
}
"""What a block may be called, and what writes it."""
