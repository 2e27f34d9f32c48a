"""A board's results and costs: what is written is read again, damage is told, and what tasks sum to."""

import re
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from leaderboards.boards.board import BoardError, board_names
from leaderboards.boards.csv_rows import rows_text
from leaderboards.boards.finished import TASKS, keep_runs, put_together
from leaderboards.boards.results import COSTS, FILE, Cost, Row, read_costs, read_results
from leaderboards.boards.rows import RunRows, write_run
from leaderboards.boards.standing import stale, standings
from leaderboards.site.board_text import cost_lines
from leaderboards.tuning.choosing import load_as_run
from tests.leaderboards.boards.made_up import failed, made_up
from tests.leaderboards.boards.tiny import tiny_board


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    board = tiny_board(tmp_path, seeds=10)
    made = made_up(board, {"talk": 0.1, "silent": 0.7})
    made["talk"] = [failed(made["talk"][0]), *made["talk"][1:]]
    rows = [row for runs in made.values() for run in runs for row in run.rows.values()]
    (tmp_path / FILE).write_text(rows_text(Row, rows))
    costs = {(run.agent, run.seed): run.seconds for runs in made.values() for run in runs}
    (tmp_path / COSTS).write_text(rows_text(Cost, (Cost(*key, each) for key, each in costs.items())))
    assert read_results(board, tmp_path / FILE) == made
    assert read_costs(tmp_path / COSTS) == costs


def test_without_costs_nothing_but_seconds_is_missing(tmp_path: Path) -> None:
    board = tiny_board(tmp_path, seeds=10)
    made = made_up(board, {"talk": 0.1, "silent": 0.7})
    rows = [row for runs in made.values() for run in runs for row in run.rows.values()]
    (tmp_path / FILE).write_text(rows_text(Row, rows))
    found = read_results(board, tmp_path / FILE)
    assert found == {agent: [run._replace(seconds=None) for run in runs] for agent, runs in made.items()}
    told = [cost_lines(board, results) for results in (made, found)]
    changed = [(full.split(), bare.split()) for full, bare in zip(*told, strict=True) if full != bare]
    assert changed
    assert all(full[-1] == "1" and full[:-1] == bare for full, bare in changed)
    assert {line.seconds for line in standings(board, found)} == {None}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("agent,seed\n", "header"),
        ("agent,seed,seconds\ntalk,0,soon\n", "line 2"),
        ("agent,seed,seconds\ntalk,0\n", "line 2"),
        ("agent,seed,seconds\ntalk,0,1.0\ntalk,0,1.0\n", "line 3"),
        ("agent,seed,seconds\ntalk,0,nan\n", "line 2"),
        ("agent,seed,seconds\ntalk,0,-1\n", "line 2"),
    ],
)
def test_damaged_costs_are_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / COSTS).write_text(text)
    with pytest.raises(BoardError, match=told):
        read_costs(tmp_path / COSTS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("agent,seed", "agent,sead", 1), "header"),
        (lambda text: text.replace(",ok,", ",ok,x", 1), "line 2"),
        (lambda text: text + text.splitlines()[1] + "\n", "twice"),
        (lambda text: re.sub(",ok,[^,]*,", ",ok,,", text, count=1), "line 2 is ok without a finite mean"),
        (lambda text: re.sub(",ok,[^,]*,", ",ok,nan,", text, count=1), "line 2 is ok without a finite mean"),
        (lambda text: text.replace("talk,0,", "talk,77,", 1), "line 2 has seed 77"),
        (
            lambda text: "".join(line + "\n" for line in text.splitlines() if ",9,long," not in line),
            "lacks long",
        ),
    ],
)
def test_damage_is_told(tmp_path: Path, change: object, told: str) -> None:
    board = tiny_board(tmp_path, seeds=10)
    runs = made_up(board, {"talk": 0.1})["talk"]
    text = rows_text(Row, (row for run in runs for row in run.rows.values()))
    (tmp_path / FILE).write_text(change(text))  # type: ignore[operator]
    with pytest.raises(BoardError, match=told):
        read_results(board, tmp_path / FILE)


def test_results_are_the_sums_of_the_parquet_file_and_no_order_changes_them(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    draws = np.random.default_rng(0)
    facts = {
        "status": "ok",
        "outer_steps": 3,
        "outer_steps_to_threshold": None,
        "weights_sha256": "ab",
        "seconds": 2.5,
    }
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
        written[name] = [(tmp_path / name / file).read_bytes() for file in (FILE, COSTS, TASKS)]
    assert written["one"] == written["other"]
    tasks = parquet.read_table(tmp_path / "one" / TASKS).to_pylist()
    found = read_results(board, tmp_path / "one" / FILE)
    assert len(tasks) == 8
    for task in tasks:
        (run,) = [run for run in found[task["agent"]] if run.seed == task["seed"]]
        row, outcomes = run.rows[task["cell"]], np.array(task["outcomes"])
        assert run.seconds == 2.5
        assert (row.mean, row.std, row.tasks) == (outcomes.mean(), outcomes.std(), board.tasks)


def test_what_is_kept_stays_where_it_was_not_made_again(tmp_path: Path) -> None:
    board = tiny_board(tmp_path, seeds=10)
    first = made_up(board, {"talk": 0.1, "silent": 0.7})
    again = made_up(board, {"talk": 0.2, "silent": 0.7})
    halves = {
        "kept": [*first["talk"], *first["silent"][:9]],
        "new": [*first["silent"][9:], *again["talk"][3:]],
    }
    for name, runs in halves.items():
        (tmp_path / name).mkdir()
        rows = [row for run in runs for row in run.rows.values()]
        (tmp_path / name / FILE).write_text(rows_text(Row, rows))
        costs = [Cost(run.agent, run.seed, run.seconds) for run in runs]
        (tmp_path / name / COSTS).write_text(rows_text(Cost, costs))
    keep_runs(board, tmp_path / "new", tmp_path / "kept")
    found = read_results(board, tmp_path / "kept" / FILE)
    assert found["talk"] == [*first["talk"][:3], *again["talk"][3:]]
    assert found["silent"] == first["silent"]
    keep_runs(board, tmp_path / "kept", tmp_path / "alone")
    assert (tmp_path / "alone" / FILE).read_bytes() == (tmp_path / "kept" / FILE).read_bytes()


@pytest.mark.parametrize("name", board_names())
def test_the_suite_s_results_are_whole(name: str) -> None:
    board = load_as_run(name)
    found = read_results(board)
    for agent, entrant in board.agents.items():
        if agent not in stale(board, found) and found[agent]:  # an earlier edition had fewer seeds and lines
            assert len(found[agent]) == (1 if entrant.role == "reference" else board.seeds), agent
        assert all(run.ok for run in found[agent])


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff")
    with pytest.raises(BoardError, match=f"{FILE} is no UTF-8 text"):
        read_results(tiny_board(tmp_path), tmp_path / FILE)
