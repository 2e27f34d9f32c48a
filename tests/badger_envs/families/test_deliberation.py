"""Deliberation: answers are those of the puzzle shown, come when due, and take as many hops as is said."""

from typing import Any

import numpy as np
import pytest

from badger_agents.evaluation import evaluate
from badger_envs import keyed_random, make_family
from badger_envs.families.deliberation import MOST, NAME_BITS, Deliberation, Task
from baselines.supervised.local_rules import LocalRule

SIZES = {"prefix": (1, 9), "chase": (1, 9), "maze": (1, 4)}


def puzzles(rows: int = 200, **settings: Any) -> tuple[Deliberation, Task]:
    family = Deliberation(**settings)
    return family, family.sample_task(keyed_random.outer_keys(0, 0, rows, family.split))


@pytest.mark.parametrize("kind", SIZES)
def test_the_answers_are_those_that_a_local_rule_finds_at_any_size(kind: Any) -> None:
    for split in ("train", "test"):
        family = Deliberation(kind=kind, size=SIZES[kind], split=split, horizon=80)
        assert evaluate(LocalRule(), family, 300).mean == 1


@pytest.mark.parametrize(("kind", "size", "hops"), [("prefix", 9, 8), ("chase", 9, 4), ("maze", 3, 14)])
def test_ways_are_as_long_as_the_manual_says_and_no_longer(kind: Any, size: int, hops: int) -> None:
    exact, short = (
        evaluate(LocalRule(), Deliberation(kind=kind, size=size, horizon=hops - less), 5000).outcomes
        for less in (0, 1)
    )
    assert (exact == 1).all()
    assert (short < 1).any()


def test_a_prefix_is_the_product_of_the_bits_up_to_it() -> None:
    _, task = puzzles(size=(1, 7), capacity=15)
    bits = task.inputs[:, :, 0]
    np.testing.assert_array_equal(task.answer, np.cumprod(np.where(bits == 0, 1, bits), axis=1) * task.mask)
    assert set(task.asked) == set(range(1, 8))
    assert abs(bits.mean(0)[0]) < 0.25


def test_pointers_lead_to_one_of_two_ends_with_opposite_bits() -> None:
    _, task = puzzles(kind="chase", size=9)
    names, pointers = task.inputs[:, :, :NAME_BITS], task.inputs[:, :, NAME_BITS:-1]
    same = (names[:, :, None] == names[:, None]).all(-1)
    assert (same == np.eye(9, dtype=bool)).all()  # names differ
    target = (pointers[:, :, None] == names[:, None]).all(-1)  # [B, from, to]
    assert (target.sum(-1) == 1).all()
    ends = target.diagonal(axis1=1, axis2=2)
    assert (ends.sum(-1) == 2).all()
    bit = task.inputs[:, :, -1]
    assert ((bit != 0) == ends).all()
    assert (bit.sum(-1) == 0).all()
    assert sorted((task.answer == 1).sum(-1).tolist())[:: len(bit) - 1] == [4, 5]
    assert 0.3 < ends[:, 0].mean() * 9 / 2 < 3  # anywhere


def test_a_maze_has_walls_between_rooms_and_one_start() -> None:
    family, task = puzzles(kind="maze", size=3, capacity=4)
    assert family.side == 7
    seen = task.inputs.reshape(-1, 7, 7, 2)
    assert not seen[:, 5:].any()
    assert not seen[:, :, 5:].any()
    open_, start = seen[:, :5, :5, 0], seen[:, :5, :5, 1]
    assert (open_[:, ::2, ::2] == 1).all()  # rooms
    assert (open_[:, 1::2, 1::2] == -1).all()  # corners
    assert (start.sum((1, 2)) == 1).all()
    assert (start[:, ::2, ::2].sum(0) > 0).all()
    assert (task.asked == (open_ > 0).sum((1, 2))).all()
    shut = 8 - (open_ > 0).sum((1, 2)) + 9
    assert shut.mean() == pytest.approx(8 / 3, abs=0.3)
    assert 0.4 < (task.answer > 0).sum() / task.asked.sum() < 0.6


@pytest.mark.parametrize("kind", SIZES)
def test_answers_are_due_at_the_end_and_nothing_tells_them_before(kind: Any) -> None:
    family, task = puzzles(50, kind=kind, size=SIZES[kind], horizon=3)
    state = family.initial_state(task)
    for step in range(3):
        seen = family.observe(task, state)
        np.testing.assert_array_equal(seen.inputs, task.inputs)
        assert not seen.feedback.any()
        assert not np.signbit(seen.inputs[seen.inputs == 0]).any()
        assert (seen.flags[:, 1] == (step == 2)).all()
        assert not family.info(task, state)["accuracy"].any()
        moved = family.step(task, state, family.solution(task, state), np.zeros((50, 0)))
        assert (moved.loss == 0).all()
        assert (moved.reward == (step == 2)).all()
        state = moved.state
    assert family.info(task, state)["is_success"].all()
    assert (family.observe(task, state).feedback == 1).all()


def test_only_what_is_asked_counts() -> None:
    family, task = puzzles(kind="maze", size=3, horizon=1)
    state = family.initial_state(task)
    right = family.solution(task, state)
    elsewhere = np.where(right == 0, 1.0, right).astype("f4")
    moved = family.step(task, state, elsewhere, np.zeros((200, 0)))
    assert (moved.reward == 1).all()
    assert (moved.loss == 0).all()
    silent = family.step(task, state, 0 * right, np.zeros((200, 0)))
    assert (silent.reward == 0).all()
    np.testing.assert_allclose(silent.loss, 1, rtol=1e-6)
    np.testing.assert_allclose(family.step(task, state, -right, np.zeros((200, 0))).loss, 4, rtol=1e-6)


def test_a_person_sees_a_maze_from_above_and_a_table_of_numbers() -> None:
    family, task = puzzles(1, kind="maze", size=2, capacity=3)
    picture = family.sketch(task.inputs[0], task.mask[0] > 0)
    assert picture is not None
    rows = [row.ljust(9)[::2] for row in picture.split("\n")]
    seen = task.inputs[0].reshape(5, 5, 2)
    for row, squares in zip(rows, seen, strict=True):
        for letter, (open_, start) in zip(row, squares, strict=True):
            assert letter == ("S" if start else {1: ".", -1: "#", 0: " "}[open_])
    family, task = puzzles(1, kind="chase", size=4, capacity=5)
    table = family.sketch(task.inputs[0], task.mask[0] > 0)
    assert table is not None
    lines = table.split("\n")
    assert len(lines) == 4
    ends = [line for line in lines if ", bit " in line]
    assert {line[-1] for line in ends} == {"+", "-"}
    assert all(line.split()[0] == line.split()[3].strip(",") for line in ends)
    assert Deliberation().sketch(np.ones((8, 1)), np.ones(8, bool)) is None


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"kind": "sum"}, ValueError, "prefix, chase, maze"),
        ({"size": 0}, ValueError, "size is 0"),
        ({"size": 2.0}, TypeError, "size is 2.0"),
        ({"size": (5, 2)}, ValueError, "empty range"),
        ({"kind": "chase", "size": 65}, ValueError, f"the {MOST['chase']} that kind 'chase' takes"),
        ({"kind": "maze", "size": (2, 9)}, ValueError, "test_size"),
        ({"kind": "maze", "size": 3, "capacity": 17}, ValueError, "capacity 17"),
        ({"size": (2, 5), "test_size": 5}, ValueError, "overlaps"),
        ({"shuffle_slots": True}, ValueError, "use False"),
    ],
)
def test_bad_settings_say_what_would_do(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make_family("badger_envs.families.deliberation:Deliberation", settings)
