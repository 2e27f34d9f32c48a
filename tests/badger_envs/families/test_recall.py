"""Recall: who is told what, who is asked what, what counts, and that nothing else tells the answer."""

import re
from typing import Any

import numpy as np
import pytest

from badger_envs import keyed_random, make_family
from badger_envs.families.recall import Recall


def keys_of(rows: int, split: str = "train") -> np.ndarray:
    return keyed_random.outer_keys(0, 0, rows, split)


def play(family: Recall, task: Any, sign: float = 1) -> tuple[list, list, Any]:
    """Observations, transitions and last state of answering rightly, or with another sign."""
    state, observations, transitions = family.initial_state(task), [], []
    for _ in range(family.horizon):
        observations.append(family.observe(task, state))
        action = (sign * family.solution(task, state)).astype(family.dtype)
        transitions.append(family.step(task, state, action, np.zeros((len(task.mask), 0))))
        state = transitions[-1].state
    return observations, transitions, state


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("asked", ["any", "holder", "other"])
def test_what_one_was_told_is_asked_of_whom_the_setting_says(asked: Any, shuffle: bool) -> None:
    family = Recall(
        pairs=(1, 5), members=(2, 3), asked=asked, questions=3, capacity=9, shuffle_slots=shuffle, horizon=13
    )
    task = family.sample_task(keys_of(300))
    observations, transitions, state = play(family, task)
    assert (family.info(task, state)["accuracy"] == 1).all()
    inputs = np.stack([seen.inputs for seen in observations], axis=1)  # [B, T, O, F]
    same = []
    for row, shown in enumerate(inputs):
        told, asks = np.argwhere(shown[..., -2] == 1), np.argwhere(shown[..., -1] == 1)  # (step, slot) each
        assert told[:, 0].tolist() == list(range(len(told)))
        assert asks[:, 0].tolist() == [10, 11, 12]
        assert np.abs(shown).sum(-1).astype(bool).sum(-1).max() == 1  # in one slot at the most
        turns = np.bincount(told[:, 1], minlength=9)[task.mask[row] > 0]
        assert turns.max() - turns.min() <= 1  # members take turns
        keys, values = shown[tuple(told.T)][:, :8], shown[tuple(told.T)][:, 8]
        assert np.allclose((keys**2).sum(-1), 1, atol=1e-5)
        assert set(values) <= {-1, 1}
        for step, slot in asks:
            assert shown[step, slot, 8] == 0
            (which,) = np.flatnonzero((keys == shown[step, slot, :8]).all(-1))
            same.append(told[which, 1] == slot)
            answer = family.solution(task, state._replace(time=np.full(300, step)))[row]
            assert answer[slot] == values[which]
            assert np.count_nonzero(answer) == 1
    assert {"any": 0.2 < np.mean(same) < 0.6, "holder": all(same), "other": not any(same)}[asked]
    assert not np.signbit(inputs[inputs == 0]).any()
    assert [set(each.loss) for each in transitions] == [{0.0}] * 13


def test_answers_are_asked_from_the_last_to_the_first_without_keys() -> None:
    family = Recall(kind="autoencode", pairs=3, questions=5)
    task = family.sample_task(keys_of(40))
    observations, _, state = play(family, task)
    assert family.slots.input_size == 3
    told = np.stack([seen.inputs[..., 0].sum(-1) for seen in observations[:3]], axis=1)  # [B, 3]
    answers = [family.solution(task, state._replace(time=np.full(40, step))).sum(-1) for step in range(5, 10)]
    assert (np.stack(answers, axis=1) == told[:, [2, 1, 0, 2, 1]]).all()


def test_what_was_told_some_steps_before_is_asked_of_whoever_is_told_now() -> None:
    family = Recall(kind="repeat-previous", pairs=(1, 3), test_pairs=(4, 5), horizon=9)
    task = family.sample_task(keys_of(40))
    observations, _, state = play(family, task)
    seen = np.stack([each.inputs.sum(1) for each in observations], axis=1)  # [B, T, (value, told, asked)]
    assert family.slots.input_size == 3
    assert (seen[..., 1] == 1).all()
    back = (seen[..., 2] == 0).sum(1)  # [B], steps before the first question
    assert set(back) == {1, 2, 3}
    for trial, steps in enumerate(back):
        assert (seen[trial, steps:, 2] == 1).all()
        assert (task.answer[trial, steps:] == seen[trial, : 9 - steps, 0]).all()
    assert [each.flags[:, 1].sum() for each in observations] == [(back <= step).sum() for step in range(9)]
    assert len(np.unique(task.slot)) == 4
    assert (family.info(task, state)["accuracy"] == 1).all()


def test_a_key_is_counted_over_all_members() -> None:
    family = Recall(kind="count", pairs=3, width=4, horizon=12)
    task = family.sample_task(keys_of(30))
    observations, _, state = play(family, task)
    for trial in range(30):
        told: list[tuple[float, ...]] = []
        for step, seen in enumerate(observations):
            slot = int(task.slot[trial, step])
            *key, value, is_told, is_asked = seen.inputs[trial, slot].tolist()
            assert (value, is_told, is_asked) == (0, 1, 1)
            told.append(tuple(key))
            assert task.answer[trial, step] == 2 * (told.count(tuple(key)) % 2) - 1
        assert 1 < len(set(told)) <= 3
    assert (family.info(task, state)["accuracy"] == 1).all()


def test_the_last_step_of_a_question_counts_and_zeros_and_wrong_answers_earn_nothing() -> None:
    family = Recall(questions=2, patience=3)
    task = family.sample_task(keys_of(30))
    for sign, loss, accuracy in ((1, 0, 1), (0, 1, 0), (-1, 4, 0)):
        observations, transitions, state = play(family, task, sign)
        counts = [6, 9]
        for time, (seen, moved) in enumerate(zip(observations, transitions, strict=True)):
            assert (seen.flags[:, 1] == (time in counts)).all()
            assert (moved.loss == (loss if time >= 4 else 0)).all()
            assert (moved.reward == (accuracy / 2 if time in counts else 0)).all()
            assert (moved.state.feedback == ((2 * accuracy - 1) if time in counts else 0)).all()
        assert (family.info(task, state)["accuracy"] == accuracy).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"horizon": 7}, "it must be 8 at least"),
        ({"pairs": (1, 4), "horizon": 11}, "it must be 12 at least"),
        ({"patience": 2, "horizon": 11}, r"12 at least: .* questions \(4\) their patience \(2\)"),
        ({"asked": "other", "members": 1}, "asked 'other' needs 2"),
        ({"asked": "all"}, "one of any, holder, other"),
        ({"width": 1}, "width is 1"),
        ({"kind": "count", "questions": 3}, "questions is 3; kind 'count' asks at every step"),
        ({"kind": "repeat-previous", "patience": 2}, "patience is 2.* leave it at 1"),
        ({"kind": "repeat-previous", "pairs": (2, 3), "horizon": 5}, "it must be above 5"),
    ],
)
def test_bad_settings_say_what_would_do(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_family("badger_envs.families.recall:Recall", settings)


@pytest.mark.parametrize("kind", ["lookup", "autoencode"])
def test_who_plays_reads_who_is_told_or_asked_what(kind: Any) -> None:
    family = Recall(kind=kind)
    task = family.sample_task(keys_of(1))
    observations, _, _ = play(family, task)
    said = [family.sketch(seen.inputs[0], seen.input_mask[0] > 0) for seen in observations]
    whom = ["nothing" if slot < 0 else f"member {slot}" for slot in task.slot[0]]
    assert [text.split(" is ")[0] for text in said] == whom
    told, asked = said[int(task.row[0, 6]) - 4], said[6]
    assert told.endswith(f": {task.answer[0, 6]:+.0f}")
    assert told.partition("told ")[2].startswith(asked.partition("asked ")[2])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("repeat-previous", r"told a value: [+-]1, and asked for an earlier"),
        ("count", r"told \(.*\): an odd number"),
    ],
)
def test_who_plays_reads_that_who_is_told_is_asked_at_once(kind: Any, words: str) -> None:
    family = Recall(kind=kind)
    observations, _, _ = play(family, family.sample_task(keys_of(1)))
    assert re.search(words, family.sketch(observations[-1].inputs[0], observations[-1].input_mask[0] > 0))
