"""The guessing game: its error, its statistics, sizes, shuffling, gradients."""

import numpy as np
import pytest
import torch

from badger_envs.families.guessing_game import GuessingGame
from badger_envs.keyed_random import outer_keys

ROWS = 20_000


def first_error(family: GuessingGame, write: object, rows: int = ROWS) -> np.ndarray:
    """Errors [B] of one step that writes `write` (anything that fits [B, O])."""
    keys = outer_keys(3, 0, rows, family.split)
    task = family.sample_task(keys)
    state = family.initial_state(task)
    action = np.broadcast_to(np.asarray(write, family.dtype), state.outputs.shape)
    return family.step(task, state, action, family.noise(keys, 1)[:, 0]).state.error


def close(values: np.ndarray, expected: float) -> bool:
    return abs(values.mean() - expected) < 4 * values.std() / len(values) ** 0.5


@pytest.mark.parametrize("dims", [1, 3, 10])
def test_zeros_score_one_on_average_and_random_guesses_two(dims: int) -> None:
    family = GuessingGame(dims=dims)
    assert close(first_error(family, 0), 1)
    guesses = 2 * np.random.default_rng(0).random((ROWS, dims)) - 1
    assert close(first_error(family, guesses), 2)


def test_the_same_number_everywhere_scores_at_best_one_minus_one_over_d() -> None:
    family = GuessingGame(dims=4)
    target = family.sample_task(outer_keys(3, 0, ROWS)).target
    assert close(first_error(family, target.mean(axis=1, keepdims=True)), 1 - 1 / 4)


def test_the_error_is_three_times_the_mean_square() -> None:
    family = GuessingGame(dims=5)
    keys = outer_keys(0, 0, 6)
    task = family.sample_task(keys)
    action = np.linspace(-1, 1, 30, dtype=np.float32).reshape(6, 5)
    moved = family.step(task, family.initial_state(task), action, family.noise(keys, 1)[:, 0])
    expected = 3 * ((action - task.target) ** 2).mean(axis=1)
    assert np.allclose(moved.state.error, expected, rtol=1e-6)
    assert np.array_equal(moved.reward, -moved.state.error)
    assert np.array_equal(moved.loss, moved.state.error)
    assert np.array_equal(family.observe(task, moved.state).feedback[:, 0], moved.state.error)
    assert np.array_equal(family.info(task, moved.state)["error"], moved.state.error)


def test_the_solution_scores_zero_and_succeeds() -> None:
    family = GuessingGame(dims=(1, 6), shuffle_slots=True)
    keys = outer_keys(0, 0, 50)
    task = family.sample_task(keys)
    start = family.initial_state(task)
    state = family.step(task, start, family.solution(task, start), family.noise(keys, 1)[:, 0]).state
    assert np.all(state.error == 0)
    assert family.info(task, state)["is_success"].all()


def test_the_first_observation_shows_zeros_and_their_error() -> None:
    family = GuessingGame()
    task = family.sample_task(outer_keys(0, 0, 8))
    seen = family.observe(task, family.initial_state(task))
    assert np.all(seen.outputs == 0)
    assert np.allclose(seen.feedback[:, 0], 3 * (task.target**2).mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("split", "sizes"), [("train", range(1, 5)), ("validation", range(1, 5)), ("test", range(5, 9))]
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_sizes_are_drawn_from_the_range_of_the_split(split: str, sizes: range, shuffle: bool) -> None:
    family = GuessingGame(dims=(1, 4), split=split, shuffle_slots=shuffle)
    assert family.slots.outputs == 8
    task = family.sample_task(outer_keys(0, 0, 300, split))
    counts = task.mask.sum(axis=1)
    assert set(counts.tolist()) == set(sizes)
    assert np.all(task.target[task.mask == 0] == 0)
    packed = np.all(np.diff(task.mask, axis=1) <= 0, axis=1)
    assert packed.all() == (not shuffle)


def test_targets_in_use_do_not_shrink_with_the_number_of_them() -> None:
    task = GuessingGame(dims=(1, 16)).sample_task(outer_keys(0, 0, 2000))
    used = task.target[task.mask == 1]
    assert close(used, 0)
    assert close(used**2, 1 / 3)


def test_every_slot_is_in_use_equally_often_when_shuffled() -> None:
    mask = GuessingGame(dims=2, capacity=5, shuffle_slots=True).sample_task(outer_keys(0, 0, 5000)).mask
    assert np.allclose(mask.mean(axis=0), 0.4, atol=4 * (0.4 * 0.6 / 5000) ** 0.5)


def test_unused_slots_have_no_effect() -> None:
    family = GuessingGame(dims=2, capacity=5)
    keys = outer_keys(0, 0, 4)
    task = family.sample_task(keys)
    start, noise = family.initial_state(task), family.noise(keys, 1)[:, 0]
    plain = np.zeros((4, 5), np.float32)
    plain[:, :2] = 0.3
    filled = plain.copy()
    filled[:, 2:] = -0.7
    one, other = family.step(task, start, plain, noise), family.step(task, start, filled, noise)
    assert np.array_equal(one.reward, other.reward)
    assert np.array_equal(one.state.outputs, other.state.outputs)


def test_the_target_scale_bounds_the_targets() -> None:
    targets = np.abs(GuessingGame(target_scale=0.25).sample_task(outer_keys(0, 0, 1000)).target)
    assert 0.24 < targets.max() <= 0.25


def test_the_error_of_a_trial_has_its_gradient_in_torch() -> None:
    family = GuessingGame(dims=3, dtype="float64")
    keys = torch.from_numpy(outer_keys(0, 0, 4))
    task = family.sample_task(keys)
    action = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    moved = family.step(task, family.initial_state(task), action, family.noise(keys, 1)[:, 0])
    (slope,) = torch.autograd.grad(moved.loss.sum(), action)
    assert torch.allclose(slope, -2 * task.target)


def test_a_trial_ends_at_its_horizon() -> None:
    family = GuessingGame(horizon=3)
    keys = outer_keys(0, 0, 2)
    task = family.sample_task(keys)
    state, ends = family.initial_state(task), []
    for time in range(3):
        moved = family.step(task, state, state.outputs, family.noise(keys, 1, time)[:, 0])
        state = moved.state
        ends.append(moved.terminated.tolist())
    assert ends == [[False, False], [False, False], [True, True]]
