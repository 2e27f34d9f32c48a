"""Tests of variable IO: its maps and examples, what is revealed when, and how answers are scored."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from badger_envs import family_of, keyed_random, make_family
from badger_envs.families.hidden_maps import KINDS
from badger_envs.families.variable_io import VariableIO
from badger_envs.family import Observation

MIXTURES = [*((kind,) for kind in KINDS), KINDS[1:], KINDS[:3]]


def keys(rows: int, seed: int = 0) -> np.ndarray:
    return keyed_random.outer_keys(seed, 0, rows)


def play(family: VariableIO, rows: int, answer: Any, seed: int = 0) -> tuple[Any, list, list, Any]:
    """Task, observations (first to last), transitions and last state; `answer(task, state)` is the action."""
    key = keys(rows, seed)
    task = family.sample_task(key)
    noise = family.noise(key, family.horizon)
    state = family.initial_state(task)
    observations, transitions = [family.observe(task, state)], []
    for time in range(family.horizon):
        transitions.append(family.step(task, state, answer(task, state), noise[:, time]))
        state = transitions[-1].state
        observations.append(family.observe(task, state))
    return task, observations, transitions, state


def mean_output(task: Any, state: Any = None) -> np.ndarray:
    """What a predictor answers that knows the task's mean output and nothing else."""
    classes = task.output_mask.sum(axis=-1, keepdims=True)
    return task.offset + task.lookup[:, None] * (2 / classes - 1) * task.output_mask


def settings_of(kind: tuple[str, ...], **others: Any) -> dict[str, Any]:
    return {"kind": kind, "dtype": "float64", "inputs": (1, 4), "outputs": (2, 5), **others}


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", MIXTURES)
def test_mean_predictor_scores_one_and_the_solution_zero(kind: tuple[str, ...], shuffle: bool) -> None:
    family = VariableIO(**settings_of(kind, shuffle_slots=shuffle, horizon=12, support=2))
    task, *_, state = play(family, 4000, mean_output)
    error = family.info(task, state)["query_error"]
    assert error.mean() == pytest.approx(1, abs=5 * error.std() / 4000**0.5 + 1e-9)
    task, _, transitions, state = play(family, 50, lambda task, state: family.solution(task, state))
    assert max(transition.loss.max() for transition in transitions) == 0
    info = family.info(task, state)
    assert np.all(info["query_error"] == 0)
    assert np.all(info["is_success"])


@pytest.mark.parametrize("kind", ["identity", "permutation"])
def test_copies_repeat_the_inputs(kind: str) -> None:
    family = VariableIO(kind=kind, inputs=(1, 5), outputs=(1, 5), dtype="float64")
    task = family.sample_task(keys(500))
    state = family.initial_state(task)
    for matrix, inputs, right, used_in, used_out in zip(
        task.matrix, state.inputs, state.right, task.input_mask, task.output_mask, strict=True
    ):
        n, m = int(used_in.sum()), int(used_out.sum())
        assert set(matrix.ravel()) <= {0.0, 1.0}
        sources = matrix[:m].argmax(axis=-1)
        np.testing.assert_array_equal(right[:m], inputs[sources])
        np.testing.assert_array_equal(sources[n:], sources[: max(m - n, 0)])  # again from the first
        assert len(set(sources[:n])) == min(n, m)  # no input twice before each was used once
        if kind == "identity":
            np.testing.assert_array_equal(sources, np.arange(m) % n)
    if kind == "permutation":
        first = task.matrix[(task.input_mask.sum(axis=-1) == 3)][:, 0].mean(axis=0)
        np.testing.assert_allclose(first[:3], 1 / 3, atol=0.15)


@pytest.mark.parametrize("kind", ["affine", "sparse_linear"])
def test_linear_maps_have_weights_of_sum_one(kind: str) -> None:
    family = VariableIO(
        kind=kind, inputs=(1, 5), outputs=(1, 3), nonzero=3, shuffle_slots=True, dtype="float64"
    )
    task = family.sample_task(keys(300))
    total = np.abs(task.matrix).sum(axis=-1) + np.abs(task.offset)
    np.testing.assert_allclose(total, task.output_mask)
    used = (task.matrix != 0).sum(axis=-1)
    inputs = task.input_mask.sum(axis=-1)[:, None]
    expected = inputs if kind == "affine" else np.minimum(inputs, 3)
    np.testing.assert_array_equal(used, expected * task.output_mask)
    assert np.all(task.matrix * (1 - task.input_mask[:, None, :]) == 0)
    assert np.all((task.offset != 0) == ((task.output_mask == 1) & (kind == "affine")))


@pytest.mark.parametrize("shuffle", [False, True])
def test_lookup_shows_every_class_and_its_noisy_prototype(shuffle: bool) -> None:
    family = VariableIO(
        kind="lookup",
        inputs=(2, 3),
        outputs=(3, 4),
        support=4,
        horizon=200,
        blur=0.25,
        shuffle_slots=shuffle,
        dtype="float64",
    )
    task, _, transitions, _ = play(family, 30, mean_output)
    states = [family.initial_state(task), *(transition.state for transition in transitions[:-1])]
    right, shown = (np.stack([getattr(state, name) for state in states]) for name in ("right", "inputs"))
    assert np.abs(shown).max() <= 1
    assert np.all((right == 1).sum(axis=-1) == 1)
    assert np.all((right == -1).sum(axis=-1) == task.output_mask.sum(axis=-1) - 1)
    for row in range(30):
        chosen = right[:, row].argmax(axis=-1)
        classes = np.flatnonzero(task.output_mask[row])
        assert set(chosen[: len(classes)]) == set(classes)  # support: each in turn
        counts = np.bincount(chosen[4:], minlength=len(task.output_mask[row]))[classes]
        assert counts.min() > 196 / len(classes) / 2  # queries: alike
        for c in classes:
            spread = shown[chosen == c, row]
            assert np.ptp(spread, axis=0).max() <= 2 * 0.25  # noise of 0.25 around one prototype
            assert np.ptp(spread, axis=0)[task.input_mask[row] == 1].min() > 0.25


def test_right_output_is_revealed_after_support_steps_only() -> None:
    family = VariableIO(kind="affine", inputs=3, outputs=3, horizon=6, support=3)
    rng = np.random.default_rng(0)
    answers = rng.uniform(-1, 1, (6, 40, 3)).astype(np.float32)
    step = iter(range(6))
    rights = []

    def answer(task: Any, state: Any) -> np.ndarray:
        rights.append(state.right)
        return answers[next(step)]

    _, observations, transitions, _ = play(family, 40, answer)
    for time, observation in enumerate(observations):
        told, revealed = observation.output_feedback[:, :, 0], observation.output_feedback[:, :, 1]
        assert np.all(observation.flags[:, 1] == (time >= 3))
        if 1 <= time <= 3:
            assert np.all(revealed == 1)
            np.testing.assert_array_equal(told, rights[time - 1])
            np.testing.assert_array_equal(observation.feedback[:, 0], transitions[time - 1].loss)
        else:
            assert np.all(revealed == 0)
            assert np.all(told == 0)
            assert np.all(observation.feedback == 0)
        if time:
            np.testing.assert_array_equal(observation.outputs, answers[time - 1])
    for time, transition in enumerate(transitions):
        np.testing.assert_allclose(transition.reward, -transition.loss * (time >= 3) / 3, rtol=1e-6)
        assert np.all(transition.loss > 0)


def test_queries_alone_count() -> None:
    family = VariableIO(kind="identity", inputs=2, outputs=2, horizon=5, support=2)
    task, _, transitions, state = play(family, 20, lambda task, state: -state.right)
    loss = np.stack([transition.loss for transition in transitions])
    np.testing.assert_allclose(family.info(task, state)["query_error"], loss[2:].mean(axis=0), rtol=1e-5)
    rewards = sum(transition.reward for transition in transitions)
    np.testing.assert_allclose(rewards, -family.info(task, state)["query_error"], rtol=1e-5)
    before = family.info(task, transitions[1].state)
    assert np.all(before["query_error"] == 0)
    assert not before["is_success"].any()


@given(
    kind=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4, unique=True),
    inputs=st.tuples(st.integers(1, 4), st.integers(0, 3)),
    outputs=st.tuples(st.integers(2, 4), st.integers(0, 3)),
    spare=st.none() | st.integers(15, 17),
    steps=st.integers(1, 4).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))),
    nonzero=st.integers(1, 3),
    blur=st.sampled_from([0, 0.2, 0.99]),
    shuffle=st.booleans(),
    split=st.sampled_from(keyed_random.SPLITS),
    seed=st.integers(0, 2**40),
    opposite=st.booleans(),
)
def test_observations_stay_within_bounds(
    kind: list[str],
    inputs: tuple[int, int],
    outputs: tuple[int, int],
    spare: int | None,
    steps: tuple[int, int],
    nonzero: int,
    blur: float,
    shuffle: bool,
    split: str,
    seed: int,
    opposite: bool,
) -> None:
    settings = {
        "kind": kind,
        "inputs": [inputs[0], sum(inputs)],
        "outputs": [outputs[0], sum(outputs)],
        "capacity": spare,
        "horizon": steps[0],
        "support": steps[1],
        "nonzero": nonzero,
        "blur": blur,
        "shuffle_slots": shuffle,
        "split": split,
    }
    family = make_family("badger_envs.families.variable_io:VariableIO", settings)
    assert isinstance(family, VariableIO)
    slots = family.slots

    def answer(task: Any, state: Any) -> np.ndarray:
        return -np.sign(state.right) if opposite else np.ones_like(state.right)

    _, observations, transitions, _ = play(family, 3, answer, seed)
    shapes = Observation(
        (3, slots.inputs, 1),
        (3, slots.inputs),
        (3, slots.outputs),
        (3, slots.outputs),
        (3, 1),
        (3, slots.outputs, 2),
        (3, 3),
    )
    for observation in observations:
        bounds = dataclasses.astuple(family.bounds)
        for array, shape, (low, high) in zip(observation, shapes, bounds, strict=True):
            assert array.shape == shape
            assert array.dtype == np.float32
            assert np.all((array >= low) & (array <= high))
        assert np.all(observation.input_mask.sum(axis=-1) >= 1)
        assert np.all(observation.output_mask.sum(axis=-1) >= 1)
        assert np.all(observation.inputs[:, :, 0] * (1 - observation.input_mask) == 0)
    assert [bool(transition.terminated.all()) for transition in transitions] == [False] * (steps[0] - 1) + [
        True
    ]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", [KINDS[1:], KINDS[:3]])
def test_numpy_and_torch_agree_alone_and_in_a_batch(kind: tuple[str, ...], shuffle: bool) -> None:
    family = VariableIO(**settings_of(kind, shuffle_slots=shuffle))

    def run(key: Any, action: Any) -> tuple:
        task, noise = family.sample_task(key), family.noise(key, 12)
        state = family.initial_state(task)
        for time in range(12):
            transition = family.step(task, state, action, noise[:, time])
            state = transition.state
        return (*family.observe(task, state), transition.reward, transition.loss, state.target)

    action = np.random.default_rng(0).uniform(-1, 1, (20, family.slots.outputs))
    whole = run(keys(20), action)
    alone = run(keys(20)[7:8], action[7:8])
    other = run(torch.from_numpy(keys(20)), torch.from_numpy(action))
    for many, one, tensor in zip(whole, alone, other, strict=True):
        np.testing.assert_allclose(many[7:8], one, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(many, tensor.numpy(), rtol=1e-10, atol=1e-12)


def test_loss_is_differentiable_and_unused_slots_have_no_effect() -> None:
    family = VariableIO(**settings_of(KINDS[1:]))
    task = family.sample_task(torch.from_numpy(keys(30)))
    state = family.initial_state(task)
    action = torch.zeros(30, family.slots.outputs, dtype=torch.float64, requires_grad=True)
    noise = family.noise(torch.from_numpy(keys(30)), 1)[:, 0]
    transition = family.step(task, state, action, noise)
    (gradient,) = torch.autograd.grad(transition.loss.sum(), action)
    torch.testing.assert_close(gradient, -2 * state.right * task.scale[:, None])
    other = family.step(task, state, action + 0.5 * (1 - task.output_mask), noise)
    for ours, theirs in zip(transition.state, other.state, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_capacity_and_shuffling_only_move_the_slots(kind: str) -> None:
    plain = VariableIO(kind=kind, inputs=(2, 4), outputs=(2, 4), dtype="float64")
    moved = VariableIO(
        kind=kind, inputs=(2, 4), outputs=(2, 4), dtype="float64", capacity=9, shuffle_slots=True
    )
    states = {}
    for name, family in (("plain", plain), ("moved", moved)):
        task, _, _, state = play(family, 60, lambda task, state: state.right * 0)
        states[name] = (np.sort(state.inputs, axis=-1), np.sort(state.right, axis=-1), state.query_error)
        used = task.input_mask.mean(axis=0), task.output_mask.mean(axis=0)
    for ours, theirs in zip(states["plain"], states["moved"], strict=True):
        if ours.ndim == 2:  # zeros of unused slots aside
            ours, theirs = ([row[row != 0] for row in array] for array in (ours, theirs))
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12)
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert min(used[0][-1], used[1][-1]) > 0.1  # the last slots are used too


def test_registered_id_holds_out_kinds_and_sizes() -> None:
    train, test = (family_of("Badger/VariableIO-v0", split=split) for split in ("train", "test"))
    assert isinstance(train, VariableIO)
    assert isinstance(test, VariableIO)
    assert set(train.kinds).isdisjoint(test.kinds)
    assert (test.sample_task(keys(300)).lookup).mean() == pytest.approx(1 / len(test.kinds), abs=0.1)
    sizes = {}
    for name, family in (("train", train), ("test", test)):
        task = family.sample_task(keys(300))
        sizes[name] = [set(mask.sum(axis=-1).astype(int)) for mask in (task.input_mask, task.output_mask)]
    assert sizes == {"train": [{1, 2, 3}, {2, 3}], "test": [{4, 5, 6}, {4, 5}]}


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"inputs": 0}, ValueError, "inputs is 0"),
        ({"outputs": (3, 2)}, ValueError, "empty range"),
        ({"test_inputs": (2, 9)}, ValueError, "test_inputs"),
        ({"inputs": 4, "capacity": 3}, ValueError, "capacity is 3"),
        ({"kind": "quadratic"}, ValueError, "'quadratic' is unknown"),
        ({"kind": "lookup", "outputs": 1}, ValueError, "'lookup' needs 2"),
        ({"kind": KINDS}, ValueError, "leave at least one out"),
        ({"support": 20}, ValueError, "support is 20"),
        ({"support": 1.5}, TypeError, "support is 1.5"),
        ({"nonzero": 0}, ValueError, "nonzero is 0"),
        ({"blur": 1.0}, ValueError, "blur is 1.0"),
        ({"blur": "much"}, TypeError, "blur is 'much'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        VariableIO(**settings)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", [KINDS[1:], KINDS[:3]])
def test_no_value_is_looked_at_and_no_device_is_assumed(kind: tuple[str, ...], shuffle: bool) -> None:
    family = VariableIO(**settings_of(kind, shuffle_slots=shuffle))
    key = torch.from_numpy(keys(4)).to("meta")  # shapes without values
    task = family.sample_task(key)
    state = family.initial_state(task)
    transition = family.step(task, state, state.outputs + 0.5, family.noise(key, 1)[:, 0])
    observation = family.observe(task, transition.state)
    assert {array.device.type for array in (*task, *observation, *transition[1:])} == {"meta"}
