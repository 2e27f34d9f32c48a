"""The table of experts with weights, or a vector, of their own: its rows, and what it leaves out."""

from pathlib import Path

import pytest

from leaderboards.boards.results import Run
from leaderboards.documents import compared as contestants
from leaderboards.documents import sharing
from tests.leaderboards.boards.made_up import failed, made_up
from tests.leaderboards.boards.tiny import tiny_board

LINES = ["identity", "unshared", "unshared-equal"]
MEANS = {"talk": 0.05, "identity": 0.05, "unshared": 0.02, "unshared-equal": 0.08, "other": 0.07}


def measured_as(runs: list[Run], fingerprint: str) -> list[Run]:
    """The runs as if a board with that fingerprint had made them."""
    return [
        run._replace(rows={cell: row._replace(fingerprint=fingerprint) for cell, row in run.rows.items()})
        for run in runs
    ]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Run]]:
    """Made-up results of the only board, to be changed; a board of parts is named, and cannot be opened."""
    tiny = tiny_board(tmp_path, seeds=10)
    talk = tiny.agents["talk"].model_dump()
    agents = {"talk": talk} | {
        line: talk | {"agent": {"policy": {"hidden_size": 8 + place}}}
        for place, line in enumerate([*LINES, "other"])
    }
    board = tiny_board(tmp_path, seeds=10, floor=1.0, ceiling=0.0, agents=agents)
    made = made_up(board, MEANS, spread=1e-4)
    made["unshared-equal"][0] = failed(made["unshared-equal"][0])
    made = {agent: measured_as(runs, board.fingerprint(agent)) for agent, runs in made.items()}
    monkeypatch.setattr(contestants, "board_names", lambda: ["parts-v1", board.name])
    monkeypatch.setattr(contestants, "load_as_run", {board.name: board}.__getitem__)
    monkeypatch.setattr(contestants, "read_results", lambda _: made)
    monkeypatch.setattr(sharing, "compared", contestants.compared.__wrapped__)  # not remembered
    return made


def test_a_row_per_line_says_how_it_stands_beside_badger(results: dict[str, list[Run]]) -> None:
    head, _, *rows = sharing.sharing().splitlines()
    assert head.startswith("| board | line | its mean | Badger's |")
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[:2] for row in cells] == [["tiny-v1: error in short", line] for line in LINES]
    assert [row[2].split()[0] for row in cells][:2] == ["0.050", "0.020"]
    assert {row[3].split()[0] for row in cells} == {"0.050"}
    assert [row[5] for row in cells] == ["no difference shown", "better", "worse"]
    assert [row[6] for row in cells][1:] == ["10 of 10", "0 of 10"]
    assert [row[7] for row in cells] == ["0 of 10", "0 of 10", "1 of 10"]


def test_rows_of_an_earlier_definition_are_left_out_and_said_to_be(results: dict[str, list[Run]]) -> None:
    results["unshared"] = measured_as(results["unshared"], "earlier")
    text = sharing.sharing()
    assert "| unshared |" not in text
    assert "| unshared-equal |" in text
    assert text.endswith("an earlier definition of the board: tiny-v1 (unshared).")
