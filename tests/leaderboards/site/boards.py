"""Three small boards with made-up rows, of which one has not been run, as TOML files and rows in a folder."""

from pathlib import Path

from leaderboards.boards.board import Board
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.site.made_up import write_made_up

TITLE = 'Sizes, "quoted" <b>&amp;</b>'


def three_boards(folder: Path) -> list[tuple[Board, Path]]:
    """Boards and the folders of their rows; each board is also `NAME.toml` in the folder."""
    tiny = tiny_board(folder, seeds=10)
    recipe = tiny.agents["talk"].recipe
    sizes = tiny_board(
        folder,
        name="sizes-v1",
        title=TITLE,
        threshold=None,
        seeds=4,
        scales={"life": {"label": "steps", "cells": ["short", "long"], "values": [4, 6]}},
        agents={
            "talk": {"recipe": recipe},
            "more-experts": {"recipe": recipe, "agent": {"experts": 5}},
            "never": {"recipe": recipe, "agent": {"experts": 4}},
        },
    )
    empty = tiny_board(folder, name="empty-v1", title="Nothing here")
    boards = [(board, folder / "runs" / board.name / "rows") for board in (tiny, sizes, empty)]
    write_made_up(tiny, boards[0][1], seeds=10, failed=1)
    write_made_up(sizes, boards[1][1], seeds=4, without=("never",))
    for board, _ in boards:
        text = recipe_text(board.model_dump(exclude_none=True), "For tests.")
        (folder / f"{board.name}.toml").write_text(text)
    return boards
