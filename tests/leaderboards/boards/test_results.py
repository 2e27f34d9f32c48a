"""A board's results.csv: what is written is read again, damage is told, and it is what the tasks sum to."""

from pathlib import Path

import numpy as np
import pytest

from leaderboards.boards.board import BoardError, board_names, load_board
from leaderboards.boards.finished import TASKS, put_together, read_tasks
from leaderboards.boards.results import FILE, read_results, results_text, write_results
from leaderboards.boards.rows import RunRows, write_run
from leaderboards.boards.standing import stale
from tests.leaderboards.boards.made_up import failed, made_up
from tests.leaderboards.boards.tiny import tiny_board


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    board = tiny_board(tmp_path, seeds=10)
    made = made_up(board, {"talk": 0.1, "silent": 0.7})
    made["talk"] = [failed(made["talk"][0]), *made["talk"][1:]]
    rows = [row for runs in made.values() for run in runs for row in run.rows.values()]
    write_results(tmp_path / FILE, rows)
    assert read_results(board, tmp_path / FILE) == made
    assert (tmp_path / FILE).read_text() == results_text(rows)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("agent,seed", "agent,sead", 1), "header"),
        (lambda text: text.replace(",ok,", ",ok,x", 1), "line 2"),
        (lambda text: text + text.splitlines()[1] + "\n", "twice"),
        (
            lambda text: "".join(line + "\n" for line in text.splitlines() if ",9,long," not in line),
            "lacks long",
        ),
    ],
)
def test_damage_is_told(tmp_path: Path, change: object, told: str) -> None:
    board = tiny_board(tmp_path, seeds=10)
    runs = made_up(board, {"talk": 0.1})["talk"]
    text = results_text(row for run in runs for row in run.rows.values())
    (tmp_path / FILE).write_text(change(text))  # type: ignore[operator]
    with pytest.raises(BoardError, match=told):
        read_results(board, tmp_path / FILE)


def test_results_are_the_sums_of_the_parquet_file_and_no_order_changes_them(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    draws = np.random.default_rng(0)
    facts = {"status": "ok", "outer_steps": 3, "outer_steps_to_threshold": None, "weights_sha256": "ab"}
    runs = [
        RunRows(
            agent,
            seed,
            {cell: draws.random(board.tasks) for cell in board.cells},
            {**facts, "fingerprint": board.fingerprint(agent)},
        )
        for agent in ("talk", "silent")
        for seed in range(2)
    ]
    written = {}
    for name, order in (("one", runs), ("other", runs[::-1])):
        (tmp_path / name / "rows").mkdir(parents=True)
        for run in order:
            write_run(tmp_path / name / "rows", run)
        put_together(board, tmp_path / name / "rows", tmp_path / name)
        written[name] = [(tmp_path / name / file).read_bytes() for file in (FILE, TASKS)]
    assert written["one"] == written["other"]
    tasks = read_tasks(tmp_path / "one" / TASKS)
    found = read_results(board, tmp_path / "one" / FILE)
    assert len(tasks) == 8
    for (agent, seed, cell), outcomes in tasks.items():
        (run,) = [run for run in found[agent] if run.seed == seed]
        row = run.rows[cell]
        assert (row.mean, row.std, row.tasks) == (outcomes.mean(), outcomes.std(), board.tasks)


@pytest.mark.parametrize("name", board_names())
def test_the_suite_s_results_are_whole(name: str) -> None:
    board = load_board(name)
    found = read_results(board)
    for agent, entrant in board.agents.items():
        if agent not in stale(board, found) and found[agent]:  # an earlier edition had fewer seeds and lines
            assert len(found[agent]) == (1 if entrant.role == "reference" else board.seeds), agent
        assert all(run.ok for run in found[agent])
