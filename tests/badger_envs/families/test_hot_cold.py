"""Tests of hot/cold: its functions, their gradients and bounds, and what an agent hears of them."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from badger_envs import family_of, keyed_random, make_family
from badger_envs.families import landscapes
from badger_envs.families.hot_cold import FEEDBACK, HotCold
from badger_envs.family import Observation

KINDS = landscapes.KINDS
ALL_BUT_ONE = KINDS[1:]  # a mixture must hold one out


def keys(rows: int, seed: int = 0) -> np.ndarray:
    return keyed_random.outer_keys(seed, 0, rows)


def points(rows: int, slots: int, seed: int = 0) -> np.ndarray:
    return 2 * keyed_random.uniform(keys(rows, seed), "points", slots, dtype="float64") - 1


def value_at(family: HotCold, task: landscapes.Functions, point: np.ndarray) -> np.ndarray:
    return family.step(task, family.initial_state(task), point, point[:, :0]).loss


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dims", [1, 2, 6])
def test_kinds_have_mean_one(kind: str, dims: int) -> None:
    family = HotCold(kind=kind, dims=dims, dtype="float64")
    value = value_at(family, family.sample_task(keys(10_000)), points(10_000, dims))
    expected = {1: 0.88, 2: 0.96}.get(dims, 1) if kind == "network" else 1
    assert value.mean() == pytest.approx(expected, abs=5 * value.std() / 100)


@given(
    kind=st.sampled_from(KINDS),
    dims=st.integers(1, 9),
    spare=st.integers(0, 2),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**40),
)
def test_minimum_is_zero_at_the_solution(kind: str, dims: int, spare: int, shuffle: bool, seed: int) -> None:
    family = HotCold(kind=kind, dims=dims, capacity=dims + spare, shuffle_slots=shuffle, dtype="float64")
    task = family.sample_task(keys(3, seed))
    solution = family.solution(task, family.initial_state(task))
    assert np.all(value_at(family, task, solution) == 0)
    near = solution + 0.01 * points(3, dims + spare)
    assert np.all(value_at(family, task, near) > 0)
    assert np.all(np.abs(solution) <= 1)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", [*((kind,) for kind in KINDS), ALL_BUT_ONE])
def test_gradient_is_that_of_the_value(kind: tuple[str, ...], shuffle: bool) -> None:
    family = HotCold(
        kind=kind, dims=(1, 5), capacity=11, shuffle_slots=shuffle, feedback="gradient", dtype="float64"
    )
    task = family.sample_task(torch.from_numpy(keys(200)))
    point = torch.from_numpy(points(200, 11)).requires_grad_()
    transition = family.step(task, family.initial_state(task), point, point[:, :0])
    (expected,) = torch.autograd.grad(transition.loss.sum(), point)
    told = family.observe(task, transition.state).output_feedback[:, :, 0]
    torch.testing.assert_close(told, expected, rtol=1e-9, atol=1e-9)
    assert bool((told[task.mask == 0] == 0).all())
    assert bool((told[task.mask == 1] != 0).all())


def test_ellipsoid_is_rotated_and_conditioned() -> None:
    family = HotCold(kind="ellipsoid", dims=(2, 6), capacity=11, dtype="float64")
    task = family.sample_task(keys(400))
    conditions = []
    for matrix, mask in zip(task.matrix, task.mask, strict=True):
        d = int(mask.sum())
        hessian = (matrix.T @ matrix)[:d, :d]
        curvature = np.linalg.eigvalsh(hessian)
        conditions.append(curvature[-1] / curvature[0])
        assert curvature.sum() == pytest.approx(1.5)  # the mean of the value is 2 / 3 of it
        np.testing.assert_allclose(np.diff(np.log(curvature)), np.log(conditions[-1]) / (d - 1), rtol=1e-6)
        assert np.all((matrix.T @ matrix)[d:] == 0)
    assert max(conditions) <= 1000 * (1 + 1e-9)
    assert np.median(np.log(conditions)) == pytest.approx(np.log(1000) / 2, rel=0.1)


def test_axes_of_ellipsoids_point_anywhere_alike() -> None:
    task = HotCold(kind="ellipsoid", dims=3, dtype="float64").sample_task(keys(4000))
    for row in range(3):
        axis = task.matrix[:, row] / np.linalg.norm(task.matrix[:, row], axis=-1, keepdims=True)
        np.testing.assert_allclose((axis**2).mean(axis=0), 1 / 3, atol=0.02)
        np.testing.assert_allclose((axis**4).mean(axis=0), 1 / 5, atol=0.02)  # of a uniform direction


@given(
    kind=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5, unique=True),
    feedback=st.sampled_from(FEEDBACK),
    dims=st.tuples(st.integers(1, 4), st.integers(0, 3)),
    shuffle=st.booleans(),
    reveal=st.booleans(),
    split=st.sampled_from(keyed_random.SPLITS),
    seed=st.integers(0, 2**40),
    actions=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=1, max_size=7),
)
def test_observations_stay_within_bounds(
    kind: list[str],
    feedback: str,
    dims: tuple[int, int],
    shuffle: bool,
    reveal: bool,
    split: str,
    seed: int,
    actions: list[float],
) -> None:
    settings = {"kind": kind, "feedback": feedback, "dims": [dims[0], sum(dims)], "shuffle_slots": shuffle}
    family = make_family(
        "badger_envs.families.hot_cold:HotCold",
        {**settings, "reveal_inputs": reveal, "split": split, "horizon": 3},
    )
    slots = family.slots
    task = family.sample_task(keys(2, seed))
    state = family.initial_state(task)
    action = np.resize(np.float32(actions), (2, slots.outputs))
    for step in range(4):
        observation = family.observe(task, state)
        shapes = Observation(
            (2, slots.inputs, slots.input_size),
            (2, slots.inputs),
            (2, slots.outputs),
            (2, slots.outputs),
            (2, slots.feedback),
            (2, slots.outputs, slots.output_feedback),
            (2, 3),
        )
        bounds = dataclasses.astuple(family.bounds)
        for array, shape, (low, high) in zip(observation, shapes, bounds, strict=True):
            assert array.shape == shape
            assert array.dtype == np.float32
            assert np.all((array >= low) & (array <= high))
        assert np.all(observation.input_mask.sum(axis=-1) >= 1)
        transition = family.step(task, state, action * (-1) ** step, action[:, :0])
        state = transition.state
        assert np.all(transition.terminated == (step == 2))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dims", [1, 2, 5])
def test_bounds_hold_at_corners_for_extreme_optima(kind: str, dims: int) -> None:
    corners = np.float64(list(itertools.product([-1, 1], repeat=dims)))
    family = HotCold(kind=kind, dims=dims, feedback="gradient", dtype="float64")
    corners = np.concatenate([corners] * (2 if dims == 5 else 8))
    task = family.sample_task(keys(len(corners) ** 2))
    optimum, point = np.repeat(corners, len(corners), axis=0), np.tile(corners, (len(corners), 1))
    centre = task.centre  # of the network, at the optimum; moved along with it
    if kind == "network":
        centre = centre + np.einsum("bhd,bd->bh", task.inner, optimum - task.optimum)
    task = task._replace(optimum=optimum, centre=centre)
    observation = family.observe(task, family.initial_state(task)._replace(outputs=point))
    assert np.abs(observation.output_feedback).max() <= family.bounds.output_feedback[1]
    highest = value_at(family, task, point).max()
    assert highest <= family.bounds.feedback[1]
    if kind != "network":  # whose weights would all have to lie at their ends
        assert highest > family.bounds.feedback[1] / 10


@pytest.mark.parametrize("feedback", FEEDBACK)
@pytest.mark.parametrize("shuffle", [False, True])
def test_numpy_and_torch_agree_alone_and_in_a_batch(feedback: str, shuffle: bool) -> None:
    family = HotCold(
        kind=ALL_BUT_ONE,
        dims=(1, 3),
        feedback=feedback,
        shuffle_slots=shuffle,
        reveal_inputs=True,
        dtype="float64",
    )
    action = points(20, family.slots.outputs)

    def run(key: object, move: object) -> tuple:
        task = family.sample_task(key)
        transition = family.step(task, family.initial_state(task), move, move[:, :0])
        return (*family.observe(task, transition.state), transition.reward, transition.loss)

    whole = run(keys(20), action)
    alone = run(keys(20)[7:8], action[7:8])
    other = run(torch.from_numpy(keys(20)), torch.from_numpy(action))
    for many, one, tensor in zip(whole, alone, other, strict=True):
        np.testing.assert_allclose(many[7:8], one, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(many, tensor.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_capacity_and_shuffling_only_move_the_slots(kind: str) -> None:
    plain = HotCold(kind=kind, dims=(2, 4), test_dims=1, dtype="float64")
    moved = HotCold(kind=kind, dims=(2, 4), test_dims=1, capacity=6, shuffle_slots=True, dtype="float64")
    task, other = plain.sample_task(keys(50)), moved.sample_task(keys(50))
    point = points(50, 4)
    padded = np.concatenate([point, np.zeros((50, 2))], axis=-1)
    elsewhere = np.take_along_axis(padded, other.order, axis=-1)
    elsewhere[other.mask == 0] = 0.7  # without effect
    np.testing.assert_allclose(value_at(moved, other, elsewhere), value_at(plain, task, point), rtol=1e-12)
    positions = other.mask.mean(axis=0)
    assert np.all(positions[-1] > 0.2)  # the last slots are used too


def test_sign_delta_and_regret_follow_the_values() -> None:
    heard = {}
    for feedback in ("sign", "delta", "value"):
        family = HotCold(feedback=feedback, horizon=6)
        task = family.sample_task(keys(300))
        state = family.initial_state(task)
        told, rewards = [family.observe(task, state).feedback[:, 0]], 0
        for step in range(6):
            action = np.float32(points(300, 2, seed=min(step, 4)))  # the last point is the same again
            transition = family.step(task, state, action, action[:, :0])
            state, rewards = transition.state, rewards + transition.reward
            told.append(family.observe(task, state).feedback[:, 0])
        heard[feedback] = np.stack(told)
        info = family.info(task, state)
    values = heard["value"]
    np.testing.assert_allclose(heard["delta"][1:], np.diff(values, axis=0), atol=1e-5)
    assert np.all(heard["sign"][1:] == -np.sign(heard["delta"][1:]))
    assert np.all(heard["sign"][0] == 0)
    assert np.all(heard["sign"][-1] == 0)
    assert set(heard["sign"][1:-1].ravel()) == {-1.0, 1.0}
    np.testing.assert_array_equal(info["regret"], values.min(axis=0))
    np.testing.assert_array_equal(info["is_success"], values.min(axis=0) < 1e-4)
    np.testing.assert_allclose(rewards, values[0] - values.min(axis=0), atol=1e-4)


def test_loss_is_the_value_or_the_best_so_far() -> None:
    value, best = (HotCold(loss=loss, dtype="float64") for loss in ("value", "best"))
    task, names = value.sample_task(keys(50)), keys(50)
    states, lowest = [family.initial_state(task) for family in (value, best)], None
    lowest = states[0].value
    for step in range(6):
        action, noise = points(50, 2, step), value.noise(names, 1, step)[:, 0]
        one, other = (
            family.step(task, state, action, noise)
            for family, state in zip((value, best), states, strict=True)
        )
        lowest = np.minimum(lowest, one.loss)
        np.testing.assert_array_equal(other.loss, lowest)
        np.testing.assert_array_equal(other.reward, one.reward)
        states = [one.state, other.state]
    assert (one.loss > other.loss).any()


def test_revealed_inputs_are_the_optimum_whatever_is_written() -> None:
    family = HotCold(reveal_inputs=True, dims=(1, 3), shuffle_slots=True)
    task = family.sample_task(keys(10))
    observation = family.observe(task, family.initial_state(task))
    np.testing.assert_array_equal(
        observation.inputs[:, :, 0], family.solution(task, family.initial_state(task))
    )
    np.testing.assert_array_equal(observation.input_mask, observation.output_mask)


def test_registered_id_holds_out_kinds_and_sizes() -> None:
    train, test = (family_of("Badger/HotCold-v0", split=split) for split in ("train", "test"))
    assert isinstance(train, HotCold)
    assert isinstance(test, HotCold)
    assert set(train.kinds).isdisjoint(test.kinds)
    drawn = (test.sample_task(keys(200)).weight > 0).mean(axis=0)
    np.testing.assert_allclose(drawn, 1 / len(test.kinds), atol=0.15)
    for split, sizes in (("train", {1, 2, 3}), ("validation", {1, 2, 3}), ("test", {4, 5, 6})):
        family = family_of("Badger/HotCold-v0", dims=(1, 3), split=split)
        assert set(family.sample_task(keys(200)).mask.sum(axis=-1)) == sizes


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"dims": 0}, ValueError, "dims is 0"),
        ({"dims": (3, 1)}, ValueError, "empty range"),
        ({"dims": 4, "capacity": 3}, ValueError, "capacity is 3"),
        ({"kind": "parabola"}, ValueError, "'parabola' is unknown"),
        ({"kind": ()}, ValueError, "at least one kind"),
        ({"kind": ("sphere", "sphere")}, ValueError, "each once"),
        ({"kind": KINDS}, ValueError, "leave at least one out"),
        ({"kind": 3}, TypeError, "kind is 3"),
        ({"test_kind": "sphere"}, ValueError, "share 'sphere'"),
        ({"feedback": "warm"}, ValueError, "feedback is 'warm'"),
        ({"reveal_inputs": 1}, TypeError, "reveal_inputs is 1"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        HotCold(**settings)


@pytest.mark.parametrize("shuffle", [False, True])
def test_no_value_is_looked_at_and_no_device_is_assumed(shuffle: bool) -> None:
    family = HotCold(
        kind=ALL_BUT_ONE, dims=(1, 3), shuffle_slots=shuffle, feedback="gradient", reveal_inputs=True
    )
    key = torch.from_numpy(keys(4)).to("meta")  # shapes without values
    task = family.sample_task(key)
    state = family.initial_state(task)
    transition = family.step(task, state, state.outputs + 0.5, family.noise(key, 1)[:, 0])
    observation = family.observe(task, transition.state)
    assert {array.device.type for array in (*task, *observation, *transition[1:])} == {"meta"}
