"""What boards say: order, pairs, failed and few seeds, ablations, and the claim gate, on made-up results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leaderboards import statistics
from leaderboards.boards.board import Board
from leaderboards.boards.claims import Verdict, verdicts, withstands
from leaderboards.boards.results import Run
from leaderboards.boards.standing import (
    ablations,
    difference,
    differences_of,
    failures,
    limits,
    outcomes,
    perfect_p,
    place,
    said,
    short,
    stale,
    standings,
    worst_outcome,
)
from leaderboards.statistics import Estimate, Limits
from tests.leaderboards.boards.made_up import failed, made_up
from tests.leaderboards.boards.tiny import tiny_board

GOOD = {"talk": 0.1, "silent": 1.7, "self-loop": 1.7, "shuffled": 1.9}


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return tiny_board(tmp_path, seeds=10, floor=2.0, ceiling=0.0)


def with_line(board: Board, name: str, **changes: Any) -> Board:
    """The board with a line more, like "talk"."""
    tables = board.model_dump()
    tables["agents"][name] = {**tables["agents"]["talk"], **changes}
    return Board.model_validate(tables)


def test_contestants_and_references_stand_in_one_table_and_controls_in_another(board: Board) -> None:
    results = made_up(board, GOOD)
    talk, zeros = standings(board, results)
    assert (talk.agent, talk.role, talk.seeds) == ("talk", "contestant", 10)
    assert (zeros.agent, zeros.role) == ("zeros", "reference")
    assert not talk.preliminary
    assert talk.succeeded is not None
    assert talk.succeeded.value == talk.mean.value == pytest.approx(0.1, abs=0.02)
    silent, alone, shuffled = ablations(board, results)
    assert [each.agent for each in (silent, alone, shuffled)] == ["silent", "self-loop", "shuffled"]
    assert silent.versus.estimate.value == pytest.approx(1.6, abs=1e-3)
    assert 0 < silent.versus.estimate.low < silent.versus.estimate.high < 2
    assert silent.versus.verdict == "worse"


def test_tests_of_contestants_are_corrected_for_each_other_and_controls_are_not(board: Board) -> None:
    wider = with_line(with_line(board, "mine"), "yours")
    results = made_up(wider, {**GOOD, "mine": 0.11, "yours": 1.9}, spread=0.0, noise=0.02)
    found = differences_of(wider, results)
    assert found.keys() == {"silent", "self-loop", "shuffled", "mine", "yours"}

    def pair(one: str) -> list[np.ndarray]:
        return [outcomes(wider, results[name], "short") for name in (one, "talk")]

    def values(one: str) -> np.ndarray:
        return np.subtract(*pair(one))

    ends = Limits(-2 - 1.2e-4, 2 + 1.2e-4)  # from no error to the floor, with the slack of bounds
    plain = {name: statistics.bounded_p(values(name), ends) for name in found}
    succeeded = statistics.student_p(np.subtract(*np.log(pair("mine"))))  # errors: by their ratios
    corrected = statistics.holm([plain["mine"], plain["yours"]])
    assert [found[name].p for name in ("mine", "yours")] == pytest.approx(corrected)
    assert found["mine"].succeeded_p == pytest.approx(succeeded)  # "yours" has no such test
    assert found["mine"].reach == pytest.approx(found["mine"].estimate.reach)  # the last to be shown
    assert found["mine"].wins == (values("mine") < 0).sum()
    assert found["silent"].p == pytest.approx(plain["silent"])
    assert found["yours"].succeeded is None  # there is no seed on which both succeed
    assert (found["yours"].verdict, found["yours"].verdict_of_succeeded) == ("worse", "")


def test_a_small_difference_is_shown_of_seeds_that_succeed_and_not_of_all(board: Board) -> None:
    wider = with_line(board, "mine")
    found = differences_of(wider, made_up(wider, {**GOOD, "mine": 0.11}))["mine"]
    assert found.verdict_of_succeeded == "worse"
    assert found.told == "no difference shown (one of 0.619 would have shown)"


def test_what_would_have_shown_is_of_the_level_that_is_left_for_all_tests(board: Board) -> None:
    wider = board
    for name in ("a", "b", "c"):
        wider = with_line(wider, name)
    alike = {**GOOD, "a": 0.11, "b": 0.12, "c": 1.9}
    results = made_up(wider, alike, spread=0.0, noise=0.02)
    found = differences_of(wider, results)
    assert found["c"].verdict == "worse"
    values = np.subtract(*(outcomes(wider, results[name], "short") for name in ("a", "talk")))
    ends = Limits(-2 - 1.2e-4, 2 + 1.2e-4)
    assert found["a"].reach == pytest.approx(statistics.bounded(values, ends, 0.05 / 2).reach, rel=1e-3)
    assert found["a"].reach > found["a"].estimate.reach


def test_there_is_no_room_above_an_agent_that_has_no_error(board: Board) -> None:
    results = made_up(board, GOOD)
    assert perfect_p(board, results, "talk") > 0.05
    assert perfect_p(board, results, "silent") < 0.05


def test_intervals_end_where_outcomes_do(board: Board) -> None:
    results = made_up(board, {**GOOD, "talk": 0.05}, spread=0.0, noise=0.0)
    results["talk"] = [
        run._replace(rows={c: r._replace(mean=0.19 if not run.seed else 1e-3) for c, r in run.rows.items()})
        for run in results["talk"]
    ]
    (talk, *_) = standings(board, results)
    assert talk.succeeded is not None
    assert statistics.student(outcomes(board, results["talk"], "short")).low < 0
    assert talk.succeeded.low == pytest.approx(0, abs=1e-3)


def test_a_line_of_another_recipe_or_edition_is_stale(board: Board) -> None:
    results = made_up(board, GOOD)
    assert stale(board, results) == ["talk", "silent", "self-loop", "shuffled", "zeros"]
    results["talk"] = [
        run._replace(rows={c: r._replace(fingerprint=board.fingerprint("talk")) for c, r in run.rows.items()})
        for run in results["talk"]
    ]
    assert "talk" not in stale(board, results)
    assert "talk" in stale(board.model_copy(update={"tasks": 7}), results)


def test_limits_are_the_floor_and_what_was_seen_beyond_it(board: Board) -> None:
    assert limits(board, "short", np.array([0.1])).high == 2.0
    assert limits(board, "long", np.array([0.1])).high == 2.0  # of the same family
    assert limits(board, "short", np.array([0.1, 4.0])).high == 4.0
    assert limits(board, "short", np.array([0.1])).low == pytest.approx(0, abs=1e-3)


def test_a_training_that_failed_counts_as_the_worst_outcome_and_is_told(board: Board) -> None:
    results = made_up(board, GOOD)
    worst = worst_outcome(board, "short")
    assert worst >= 2.0  # no better than the floor
    results["talk"] = [*results["talk"][:8], *(failed(run) for run in results["talk"][8:])]
    talk, _ = standings(board, results)
    assert (talk.seeds, talk.failed.value) == (10, 0.2)
    assert talk.mean.value == pytest.approx((8 * 0.1 + 2 * worst) / 10, abs=0.02)
    (told,) = failures(board, results)
    assert told.startswith("talk 2 of 10")
    assert difference(board, results, "talk", "silent", "short").n == 10  # type: ignore[union-attr]


def test_survivors_are_not_better_than_an_agent_that_never_fails(board: Board) -> None:
    wider = with_line(board, "gambler")
    results = made_up(wider, {**GOOD, "gambler": 0.0})
    results["gambler"] = [*results["gambler"][:5], *(failed(run) for run in results["gambler"][5:])]
    assert [line.agent for line in standings(wider, results)] == ["talk", "gambler", "zeros"]
    assert differences_of(wider, results)["gambler"].verdict != "better"
    assert "better than" not in place(wider, results, "gambler")


def test_few_seeds_are_preliminary(board: Board) -> None:
    talk, _ = standings(board, made_up(board, GOOD, seeds=9))
    assert talk.preliminary


def test_the_same_weights_are_one_line_with_two_names(board: Board) -> None:
    wider = with_line(board, "mine")
    results = made_up(wider, {**GOOD, "mine": 0.1})
    results["mine"] = [
        run._replace(rows={cell: row._replace(weights=f"talk{run.seed}") for cell, row in run.rows.items()})
        for run in results["mine"]
    ]
    labels = [line.label for line in standings(wider, results)]
    assert labels == ["talk, mine", "zeros"]


def test_seeds_are_paired_by_number_and_a_reference_is_there_for_each(board: Board) -> None:
    results = made_up(board, GOOD)
    few: dict[str, list[Run]] = {**results, "talk": results["talk"][2:8]}
    same = difference(board, few, "talk", "silent", "short")
    assert same is not None
    assert same.n == 6
    reference = difference(board, results, "zeros", "talk", "short")
    assert reference is not None
    assert reference.n == 10
    assert reference.value == pytest.approx(0.9, abs=0.05)
    apart = {"talk": results["talk"][:2], "silent": results["silent"][2:]}
    assert difference(board, {**results, **apart}, "talk", "silent", "short") is None


def test_a_claim_holds_up_to_an_outcome_at_which_it_is_not_shown(board: Board) -> None:
    results = made_up(board, GOOD)
    worst = withstands(board, results, "talk")
    assert worst > 2.0  # worse than the floor

    def lowest(at: float) -> float:
        found = [difference(board, results, "talk", name, "short", at) for name in GOOD if name != "talk"]
        return -max(each.high for each in found if each is not None)

    assert lowest(worst) > 0
    assert lowest(worst + 2.0) <= 0


def gate(board: Board, results: Mapping[str, list[Run]]) -> Verdict:
    (verdict,) = verdicts(board, results)
    return verdict


def test_the_gate_passes_where_all_conditions_hold(board: Board) -> None:
    verdict = gate(board, made_up(board, GOOD))
    assert verdict.passed
    assert verdict.sentence.startswith("Communication helps")
    assert len(verdict.checks) == 5


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"silent": 0.1}, "retrained in silence"),
        ({"silent": 0.05}, "retrained in silence"),
        ({"self-loop": 0.1}, "self-loop"),
        ({"shuffled": 0.1}, "messages of other tasks"),
    ],
)
def test_the_gate_says_what_failed(board: Board, change: dict[str, float], failed: str) -> None:
    verdict = gate(board, made_up(board, {**GOOD, **change}, spread=0.0))
    assert not verdict.passed
    assert "helps" not in verdict.sentence
    assert failed in verdict.sentence
    assert sum(not check.holds for check in verdict.checks) == 1


@pytest.mark.parametrize(("outcome", "passes"), [(1.7, True), (0.1, False)])
def test_where_the_silent_may_vote_the_gate_asks_for_more_than_their_vote(
    board: Board, outcome: float, passes: bool
) -> None:
    vote = {"weights_of": "silent", "intervention": "vote", "role": "control", "control_of": "talk"}
    agents = {**board.agents, "vote": type(board.agents["silent"]).model_validate(vote)}
    wider = board.model_copy(update={"agents": agents})
    found = gate(wider, made_up(wider, {**GOOD, "vote": outcome}, spread=0.0))
    assert found.passed is passes
    assert ("better than a vote of the silent" in found.sentence) is not passes


def test_the_gate_asks_for_ten_seeds_and_for_influence(board: Board) -> None:
    assert "10 outer seeds" in gate(board, made_up(board, GOOD, seeds=9)).sentence
    deaf = gate(board, made_up(board, GOOD, influence=0.0))
    assert [check.what for check in deaf.checks if not check.holds] == [
        "messages move others more than those of untrained speakers"
    ]
    assert not gate(board, made_up(board, GOOD, influence=None)).passed


def test_seeds_on_which_it_matters_what_is_said_are_counted(board: Board) -> None:
    results = made_up(board, GOOD, spread=0.0)
    assert "on 10 of 10 seeds" in gate(board, results).protocol
    told = {run.seed: run.rows["short"].mean for run in results["talk"]}
    deaf = []
    for run in results["shuffled"]:  # in seeds 0 to 2 messages of other tasks change nothing
        mean = told[run.seed] if run.seed in (0, 1, 2) else run.rows["short"].mean
        deaf.append(run._replace(rows={cell: row._replace(mean=mean) for cell, row in run.rows.items()}))
    assert "on 7 of 10 seeds" in gate(board, {**results, "shuffled": deaf}).protocol


def test_without_all_controls_there_is_no_verdict(tmp_path: Path) -> None:
    board = tiny_board(tmp_path)
    agents = {name: table for name, table in board.agents.items() if name != "self-loop"}
    assert verdicts(board.model_copy(update={"agents": agents}), made_up(board, GOOD)) == []


def test_learning_sooner_than_in_silence_is_told_in_pairs(board: Board) -> None:
    assert "no difference shown" in gate(board, made_up(board, GOOD)).speed
    never = float("inf")
    talk = [never, *(100.0 + seed for seed in range(1, 10))]
    silent = [never] * 5 + [300.0 + seed for seed in range(5, 10)]
    results = made_up(board, GOOD, thresholds={"talk": talk, "silent": silent})
    told = gate(board, results).speed
    assert "talk 9 of 10 seeds, silent 5 of 10 seeds" in told
    assert "-259 [" in told  # 0, then 101 - 500 and so on, then five times -200
    assert told.endswith("sooner.")
    assert gate(board.model_copy(update={"threshold": None}), results).speed == ""


def test_where_an_agent_stands_is_told_in_words(board: Board) -> None:
    wider = with_line(board, "mine")
    assert place(wider, made_up(wider, {**GOOD, "mine": 1.8}), "mine").startswith(
        "mine: worse than talk (1.7"
    )
    told = place(wider, made_up(wider, {**GOOD, "mine": 0.05}), "mine")
    assert told.startswith("mine: no difference shown to talk (-0.0")
    assert told.endswith("one of 0.631 would have shown; where both succeed better).")
    results = made_up(wider, {**GOOD, "mine": 0.1})
    results["mine"] = [
        run._replace(agent="mine", rows=like.rows)
        for run, like in zip(results["mine"], results["talk"], strict=True)
    ]
    assert place(wider, results, "mine").startswith("mine: no difference shown to talk (0 [-0.6")
    assert "nobody" in place(wider, {**results, "talk": []}, "mine")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.04e-14, "0"), (0.000347, "0.00035"), (0.0157, "0.016"), (72.84, "72.8"), (1234.0, "1234")],
)
def test_numbers_are_short_and_without_exponent(value: float, text: str) -> None:
    assert short(value) == text
    assert said(Estimate(value, np.nan, np.nan, 3)) == text
