"""Tuning: every arm tries the same candidates, by one rule, and nothing is tried twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from badger_agents.evaluation import evaluate
from badger_agents.training import loop
from badger_agents.training.loop import train, train_population
from badger_agents.training.run import DivergenceError, RunPlan
from leaderboards.boards import board as boards
from leaderboards.boards.board import Board, BoardError
from leaderboards.boards.units import units_of
from leaderboards.toml_text import recipe_text
from leaderboards.tuning import choosing, trying
from leaderboards.tuning.choosing import (
    FILE,
    TuningRow,
    arms,
    choice_of,
    read_tuning,
    tuned,
    tuning_fingerprint,
    tuning_of,
    with_optimiser,
    write_tuning,
)
from leaderboards.tuning.trying import tune_board
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.command import refused, run

CANDIDATES = [{"kind": "adam", "learning_rate": 0.004}, {"kind": "muon", "learning_rate": 0.02}]
TABLE: dict[str, Any] = {"seeds": [100, 101], "optimisers": CANDIDATES}


def board_of(folder: Path, **changes: Any) -> Board:
    return tiny_board(folder, **{"tuning": TABLE, **changes})


def rows_of(board: Board, agent: str, *means: float | None) -> list[TuningRow]:
    """Rows with these means, candidate by candidate and seed by seed."""
    keys = [(each.model_dump_json(), seed) for each in tuning_of(board).optimisers for seed in (100, 101)]
    fingerprint = tuning_fingerprint(board, agent)
    return [
        TuningRow(agent, candidate, seed, "diverged" if mean is None else "ok", mean, fingerprint)
        for (candidate, seed), mean in zip(keys, means, strict=True)
    ]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Work in this process, told by arm and number of trainings."""
    done: list[tuple[str, int]] = []

    def in_turn(jobs: Any, processes: int, on_told: Callable[..., None], make: Callable[..., Any]) -> None:
        for job in jobs:
            done.append((job.agent, len(job.runs)))
            for row in make(job, lambda told: None):
                on_told(job, row)

    monkeypatch.setattr(trying, "side_by_side", in_turn)
    return done


def test_the_rule(tmp_path: Path) -> None:
    board = board_of(tmp_path, floor=1.0, ceiling=0.0)
    assert choice_of(board, "talk", rows_of(board, "talk", 0.5, 0.5, 0.4, 0.5)).optimiser.kind == "muon"
    assert choice_of(board, "talk", rows_of(board, "talk", 0.5, 0.5, 0.5, 0.5)).optimiser.kind == "adam"
    worse = choice_of(board, "talk", rows_of(board, "talk", 0.5, 0.5, 0.1, None))  # 0.55 with the floor
    assert (worse.optimiser.kind, worse.diverged) == ("adam", 0)
    better = choice_of(board, "talk", rows_of(board, "talk", 0.6, 0.6, 0.1, None))
    assert (better.optimiser.kind, better.mean, better.diverged) == ("muon", pytest.approx(0.55), 1)
    with pytest.raises(BoardError, match="rows of 'talk' are missing; run badger board tune tiny-v1"):
        choice_of(board, "talk", rows_of(board, "talk", 0.5, 0.5, 0.4, 0.5)[:-1])


def test_rows_of_a_line_that_was_measured_otherwise_are_stale(tmp_path: Path) -> None:
    before = board_of(tmp_path)
    lines = {name: line.model_dump() for name, line in before.agents.items()}
    after = board_of(tmp_path, agents=lines | {"talk": lines["talk"] | {"measured": {"temperature": 0.5}}})
    rows = rows_of(before, "talk", 0.4, 0.5, 0.6, 0.6)
    assert choice_of(before, "talk", rows).optimiser.kind == "adam"
    with pytest.raises(BoardError, match="rows of 'talk' are missing"):
        choice_of(after, "talk", rows)


def test_a_choice_at_an_end_of_the_rates_that_were_tried_says_so(tmp_path: Path) -> None:
    rates = [{"kind": "adam", "learning_rate": rate} for rate in (0.008, 0.002, 0.004)] + CANDIDATES[1:]
    board = board_of(tmp_path, tuning=TABLE | {"optimisers": rates})
    for means, end in (
        ((0.5, 0.4, 0.3, 0.4), False),  # 0.004, in the middle
        ((0.3, 0.4, 0.4, 0.4), True),  # the highest
        ((0.4, 0.3, 0.4, 0.4), True),  # the lowest
        ((0.3, 0.4, 0.3, 0.4), False),  # the next one is as good
        ((0.4, 0.4, 0.4, 0.3), False),  # the only one of its kind
    ):
        rows = rows_of(board, "talk", *(mean for mean in means for _ in range(2)))
        assert choice_of(board, "talk", rows).at_end is end, means


def test_where_higher_is_better_the_highest_is_chosen(tmp_path: Path) -> None:
    cells = {"short": {"id": "Badger/XOR-v0"}}
    agents = {"talk": tiny_board(tmp_path).agents["talk"].model_dump() | {"env": {"id": "Badger/XOR-v0"}}}
    agents["talk"]["env"] = {}
    board = board_of(tmp_path, cells=cells, agents=agents, floor=0.5, ceiling=1.0)
    assert board.higher_is_better
    assert choice_of(board, "talk", rows_of(board, "talk", 0.9, 0.9, 0.8, 0.9)).optimiser.kind == "adam"
    assert choice_of(board, "talk", rows_of(board, "talk", 0.9, None, 0.8, 0.8)).optimiser.kind == "muon"


def test_every_trained_arm_is_tuned_and_only_those(tmp_path: Path) -> None:
    board = board_of(tmp_path)
    assert arms(board) == ["talk", "silent", "self-loop"]
    assert arms(board, ["shuffled", "zeros"]) == ["talk"]  # whose weights the first has
    with pytest.raises(ValueError, match="--agents chess"):
        arms(board, ["chess"])


def test_a_row_is_the_mean_of_the_run_alone_on_the_validation_split(
    tmp_path: Path, here: list[tuple[str, int]]
) -> None:
    board = board_of(tmp_path)
    tune_board(board, tmp_path / FILE, agents=["talk"], out=tmp_path / "out")
    rows = read_tuning(tmp_path / FILE)
    assert here == [("talk", 4)]  # side by side
    assert [(row.agent, row.seed, row.status) for row in rows] == [
        ("talk", 100, "ok"),
        ("talk", 101, "ok"),
    ] * 2
    recipe = with_optimiser(board.recipe("talk"), tuning_of(board).optimisers[1])
    last = train(recipe, 101, tmp_path / "alone")
    family = board.cells["short"].family("validation")
    assert rows[3].mean == pytest.approx(evaluate(last.agent(), family, board.tasks).mean, rel=1e-4)
    test = evaluate(last.agent(), board.cells["short"].family(), board.tasks).mean
    assert rows[3].mean != pytest.approx(test, rel=1e-3)


def test_what_is_there_is_kept_and_what_is_stale_is_made_anew(
    tmp_path: Path, here: list[tuple[str, int]]
) -> None:
    board, file = board_of(tmp_path), tmp_path / FILE
    kept = rows_of(board, "talk", 0.1, 0.2, 0.3, 0.4)
    stale = rows_of(board_of(tmp_path, outer_steps=2), "silent", 0.1, 0.2, 0.3, 0.4)
    board = board_of(tmp_path)  # the recipe's file is as it was again
    write_tuning(file, [*kept[:3], *stale])
    tune_board(board, file, agents=["talk", "silent"], out=tmp_path / "out")
    assert sorted(here) == [("silent", 4), ("talk", 1)]
    rows = read_tuning(file)
    assert rows[:3] == kept[:3]
    assert [row.agent for row in rows] == ["talk"] * 4 + ["silent"] * 4
    assert not set(stale) & set(rows)
    before = file.read_bytes()
    tune_board(board, file, agents=["talk", "silent"], out=tmp_path / "out")
    assert len(here) == 2
    assert file.read_bytes() == before


def test_lines_that_are_tuned_alike_share_rows(tmp_path: Path, here: list[tuple[str, int]]) -> None:
    tables = board_of(tmp_path).model_dump()
    tables["agents"]["again"] = tables["agents"]["talk"]
    board = Board.model_validate(tables)
    choices = tune_board(board, tmp_path / FILE, agents=["talk", "again"], out=tmp_path / "out")
    assert here == [("talk", 4)]
    assert choices[0].mean == choices[1].mean
    assert choices[0].agent != choices[1].agent


def test_rows_of_another_board_count_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = board_of(tmp_path, floor=1.0, ceiling=0.0)
    folder = tmp_path / "tiny-v1"
    folder.mkdir()
    (folder / "board.toml").write_text(recipe_text(first.model_dump(exclude_none=True), "For tests."))
    write_tuning(folder / FILE, rows_of(first, "talk", 0.5, 0.5, 0.1, 0.1))
    monkeypatch.setattr(boards, "FOLDER", tmp_path)
    monkeypatch.setattr(choosing, "FOLDER", tmp_path)
    agents = first.model_dump()["agents"]
    agents["zeros"]["cells"] = []
    second = board_of(
        tmp_path, name="other-v1", main="long", agents=agents, tuning=TABLE | {"same_as": "tiny-v1"}
    )
    assert choice_of(second, "talk", []).optimiser.kind == "muon"
    with pytest.raises(BoardError, match="rows of 'silent' are missing"):
        choice_of(second, "silent", [])
    own = rows_of(second, "silent", 0.1, 0.1, 0.5, 0.5)
    assert choice_of(second, "silent", own).optimiser.kind == "adam"


def test_one_that_diverges_is_a_row(
    tmp_path: Path, here: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(plans: list[RunPlan], **settings: Any) -> None:
        train_population(plans)
        raise DivergenceError("lost", {plans[2].folder: "no finite loss"})

    monkeypatch.setattr(loop, "train_population", diverge)
    board = board_of(tmp_path)
    (choice,) = tune_board(board, tmp_path / FILE, agents=["talk"], out=tmp_path / "out")
    rows = read_tuning(tmp_path / FILE)
    assert [(row.status, row.mean is None) for row in rows] == [("ok", False)] * 2 + [
        ("diverged", True),
        ("ok", False),
    ]
    assert choice.optimiser.kind == "adam"


def test_a_tuned_board_trains_with_what_was_chosen(tmp_path: Path) -> None:
    board, file = board_of(tmp_path), tmp_path / FILE
    write_tuning(file, rows_of(board, "talk", 0.5, 0.5, 0.1, 0.1))
    made = tuned(board, file, ["talk", "shuffled"])
    (unit,) = units_of(made, tmp_path, ("talk", "shuffled"))
    assert unit.trained.training is not None
    assert unit.trained.training.optimiser == tuning_of(board).optimisers[1]
    assert made.fingerprint("talk") != board.fingerprint("talk")
    assert made.fingerprint("silent") == board.fingerprint("silent")
    with pytest.raises(BoardError, match="rows of 'silent' are missing; run badger board tune tiny-v1"):
        tuned(board, file)
    assert tuned(tiny_board(tmp_path), file) == tiny_board(tmp_path)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"seeds": [1, 100]}, "tuning.seeds has 1, and the board's own are 0 to 1"),
        ({"seeds": [100, 100]}, "name each once"),
        ({"optimisers": CANDIDATES[:1] * 2}, "one of them twice"),
        ({"optimisers": []}, "at least 1"),
        ({"optimisers": [{"kind": "sgd"}]}, "'adam', 'muon'"),
    ],
)
def test_tables_that_make_no_sense_are_refused(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        board_of(tmp_path, tuning=TABLE | table)


def test_a_damaged_row_is_told_by_its_line(tmp_path: Path) -> None:
    board, file = board_of(tmp_path), tmp_path / FILE
    write_tuning(file, rows_of(board, "talk", 0.5, 0.5, 0.1, None))
    assert [row.mean for row in read_tuning(file)] == [0.5, 0.5, 0.1, None]
    file.write_text(file.read_text().replace(",ok,0.1", ",ok,"))
    with pytest.raises(BoardError, match="line 4 is no row of tuning"):
        read_tuning(file)


def test_the_command_tunes_in_processes_and_the_board_then_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, out = tmp_path / "tiny-v1.toml", tmp_path / "runs"
    file.write_text(recipe_text(board_of(tmp_path).model_dump(exclude_none=True), "For tests."))
    running = ("board", "run", file, "--out", out, "--processes", 1, "--seeds", 1)
    running += ("--agents", "talk", "zeros")
    assert f"run badger board tune {file}" in refused(capsys, *running)
    assert f"run badger board tune {file}" in refused(capsys, "board", "show", file, "--tuning")
    assert "chess" in refused(capsys, "board", "tune", file, "--out", out, "--agents", "chess")
    assert "references" in refused(capsys, "board", "tune", file, "--out", out, "--agents", "zeros")
    assert "--processes" in refused(capsys, "board", "tune", file, "--out", out, "--processes", 0)
    without = tmp_path / "without.toml"
    tables = board_of(tmp_path).model_dump(exclude_none=True, exclude={"tuning"})
    without.write_text(recipe_text(tables, "For tests."))
    assert "no [tuning] table" in refused(capsys, "board", "tune", without, "--out", out)
    done = run(capsys, "board", "tune", file, "--out", out, "--agents", "talk", "--json")
    assert done.status == 0, done.err
    assert [row["agent"] for row in done.results] == ["talk"]
    rows = tmp_path / f"tiny-v1-{FILE}"  # rows of other boards may lie beside them
    assert len(read_tuning(rows)) == 4
    assert run(capsys, *running).status == 0
    shown = run(capsys, "board", "show", file, "--runs", out).out
    assert "talk" in shown
    assert "Optimisers: tuned alike (2 candidates, outer seeds 100, 101," in shown
    assert "earlier definition" not in shown  # rows are of the chosen optimiser, not of the recipe's
    chosen = units_of(tuned(board_of(tmp_path), rows, ["talk"]), out, ("talk",))[0]
    assert (out / "trained" / chosen.trained.name / "seed0").is_dir()


def test_arms_that_do_not_stack_are_trained_one_by_one(tmp_path: Path, here: list[tuple[str, int]]) -> None:
    tables = board_of(tmp_path).model_dump()
    tables["agents"]["talk"]["training"] = {"stages": [{"outer_steps": 1, "env": {"horizon": [2, 3]}}, {}]}
    tune_board(Board.model_validate(tables), tmp_path / FILE, agents=["talk"], out=tmp_path / "out")
    assert here == [("talk", 1)] * 4
