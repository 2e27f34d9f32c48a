"""`badger admin numbers`: write the numbers in documents from results, cards and scores."""

from pathlib import Path
from typing import Annotated

import tyro

from badger_agents.atomic_files import write_atomically
from leaderboards.documents.blocks import filled


def numbers(files: Annotated[tuple[Path, ...], tyro.conf.Positional] = (), *, check: bool = False) -> None:
    """Write the marked blocks of documents anew.

    Args:
        files: Markdown files; README.md and all of docs/ in the working folder if none is given.
        check: Change nothing; fail if a block is not what it would be.
    """
    for file in files or (Path("README.md"), *sorted(Path("docs").rglob("*.md"))):
        text = file.read_text(encoding="utf-8")
        new = filled(text)
        if new == text:
            continue
        if check:
            raise ValueError(f"{file}: its numbers are not those of the results; badger admin numbers {file}")
        write_atomically(file, new.encode())
        print(f"{file}: numbers written anew")
