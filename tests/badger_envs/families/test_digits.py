"""Digits: what is shown, when its class is told, and that held-out images and tasks stay apart."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from badger_envs import keyed_random, make_family
from badger_envs.families.digits import Digits, State, Task, _images
from badger_envs.family import Observation, Transition


def played(
    rows: int = 60, seed: int = 0, **settings: Any
) -> tuple[Digits, Task, list[State], list[Observation], list[Transition]]:
    """A trial in which the right class is written, after a first answer of zeros."""
    family = Digits(**settings)
    keys = keyed_random.outer_keys(seed, 0, rows, family.split)
    task, noise = family.sample_task(keys), family.noise(keys, family.horizon)
    states, observations, transitions = [family.initial_state(task)], [], []
    for time in range(family.horizon):
        observations.append(family.observe(task, states[-1]))
        action = family.solution(task, states[-1]) * (time > 0)
        transitions.append(family.step(task, states[-1], action, noise[:, time]))
        states.append(transitions[-1].state)
    return family, task, states, [*observations, family.observe(task, states[-1])], transitions


def rows_of(images: np.ndarray) -> set[bytes]:
    return {row.round(6).astype("f4").tobytes() for row in images}


def test_classes_are_told_one_step_late_and_answers_after_the_first_count() -> None:
    family, task, states, observations, transitions = played(classes=(2, 5), horizon=12)
    for time, (before, seen) in enumerate(zip(states, observations[1:], strict=False)):
        np.testing.assert_array_equal(seen.output_feedback[:, :, 0], before.target)
        assert (seen.feedback == (time > 0)).all()
    assert not observations[0].output_feedback.any()
    assert (np.stack([state.target for state in states]).sum(-1) == 1).all()
    assert (states[0].target * (1 - task.mask) == 0).all()
    np.testing.assert_allclose(transitions[0].loss, 1, rtol=1e-5)
    assert (np.stack([transition.loss for transition in transitions[1:]]) < 0.01).all()
    np.testing.assert_allclose(sum(transition.reward for transition in transitions), 1, rtol=1e-6)
    info = family.info(task, states[-1])
    assert (info["accuracy"] == 1).all()
    assert info["is_success"].all()
    assert transitions[-1].terminated.all()


def test_only_one_highest_value_in_a_used_slot_is_an_answer() -> None:
    family = Digits(classes=3, capacity=8, horizon=5)
    keys = keyed_random.outer_keys(0, 0, 30)
    task = family.sample_task(keys)
    state = family.initial_state(task)._replace(time=np.ones(30, np.int64))
    target, noise = state.target, np.zeros((30, 1), "f4")
    low = np.where(target > 0, -0.5, -1.0).astype("f4")
    elsewhere = np.where(task.mask > 0, low, 1).astype("f4")
    for action, right in ((low, 1), (elsewhere, 1), (-target, 0), (0 * target, 0), (target * 0 + 1, 0)):
        assert (family.step(task, state, action, noise).state.right == right).all()
    losses = [family.step(task, state, action, noise).loss for action in (low, elsewhere)]
    np.testing.assert_array_equal(*losses)


def test_images_of_a_class_do_not_repeat_and_classes_are_equally_likely() -> None:
    _, task, states, _, _ = played(rows=40, projected=False, split="test", horizon=100)
    shown = np.stack([state.shown for state in states[:-1]], 1)  # [B, T, 64]
    assert all(len(rows_of(shown[row])) == 100 for row in range(40))
    share = np.stack([state.target for state in states[:-1]]).mean((0, 1))
    assert abs(share - 0.1).max() < 0.03
    assert (np.sort(task.digit, axis=1) == np.arange(10)).all()
    assert len(np.unique(task.digit[:, 0])) == 10


def test_the_test_split_has_images_that_no_training_shows() -> None:
    shown = {
        split: rows_of(np.concatenate([s.shown for s in played(rows=80, split=split, projected=False)[2]]))
        for split in ("train", "validation", "test")
    }
    assert not shown["test"] & (shown["train"] | shown["validation"])
    assert len(shown["test"]) == 430  # all of them
    assert [len(rows_of(images)) for images in _images().pixels] == [1310, 430]


def test_a_projection_is_a_rotation_of_its_own_in_each_task() -> None:
    _, task, states, observations, _ = played(rows=4, horizon=60, inputs=16)
    _, _, plain, _, _ = played(rows=4, horizon=60, inputs=16, projected=False)
    images = np.stack([state.shown for state in plain], 1) - _images().mean
    images *= _images().scale
    turned = np.stack([state.shown for state in states], 1)  # [B, T, 64]
    np.testing.assert_allclose(turned @ turned.swapaxes(1, 2), images @ images.swapaxes(1, 2), atol=1e-3)
    assert abs(turned.mean()) < 0.1
    assert turned.var() == pytest.approx(1, abs=0.15)
    np.testing.assert_array_equal(observations[0].inputs.reshape(4, 64), states[0].shown)
    maps = [np.linalg.lstsq(images[row], turned[row], rcond=None)[0] for row in range(4)]
    assert min(abs(a - b).max() for i, a in enumerate(maps) for b in maps[:i]) > 0.1
    assert (task.signs**2 == 1).all()


def test_without_a_projection_a_slot_is_a_square_of_pixels() -> None:
    family, _, states, observations, _ = played(rows=1, projected=False, inputs=4, slot_size=16, horizon=2)
    picture = family.sketch(observations[0].inputs[0], observations[0].input_mask[0] > 0)
    assert picture is not None
    shades = " .:-=+*#%"
    drawn = np.array([[shades.index(pixel) for pixel in row.ljust(16)[::2]] for row in picture.split("\n")])
    patches = ((observations[0].inputs[0] + 1) * 4).round().reshape(4, 16)
    for patch, corner in zip(patches, ((0, 0), (0, 4), (4, 0), (4, 4)), strict=True):
        square = drawn[corner[0] : corner[0] + 4, corner[1] : corner[1] + 4]
        assert sorted(square.ravel()) == sorted(patch)
    assert states[0].shown.max() <= 1
    assert Digits().sketch(observations[0].inputs[0], observations[0].input_mask[0] > 0) is None


def test_without_scikit_learn_one_line_says_what_would_do() -> None:
    code = """
import sys
sys.modules["sklearn"] = None
import gymnasium as gym, badger_envs
gym.make("Badger/XOR-v0")
try:
    gym.make("Badger/Digits-v0")
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Digits needs scikit-learn: pip install 'badger-suite[digits]'\n"


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"classes": 1}, ValueError, "from 2 to 10"),
        ({"classes": (2, 8)}, ValueError, r"test_classes \(9, 15\)"),
        ({"inputs": 17}, ValueError, "the 64 numbers of an image"),
        ({"inputs": (4, 8), "slot_size": 8}, ValueError, "slot_size 8"),
        ({"slot_size": 65}, ValueError, "slot_size is 65"),
        ({"projected": "yes"}, TypeError, "projected is 'yes'"),
        ({"horizon": 1}, ValueError, "horizon is 1"),
        ({"capacity": 9}, ValueError, "capacity is 9"),
        ({"shuffle_slots": True}, ValueError, "use False"),
    ],
)
def test_bad_settings_say_what_would_do(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make_family("badger_envs.families.digits:Digits", settings)
