"""XOR: what the bits tell, when the answer is due, and that nothing tells it before."""

import itertools
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from badger_envs import family_of, keyed_random, make_family
from badger_envs.families.xor import XOR, State, Task

SETTINGS = st.one_of(
    st.fixed_dictionaries(
        {
            "function": st.sampled_from(["parity", "majority"]),
            "bits": st.integers(1, 20).flatmap(lambda n: st.sampled_from([n, (1, n)])),
            "show": st.sampled_from(["always", "first"]),
            "horizon": st.integers(1, 5),
        }
    ),
    st.fixed_dictionaries(
        {
            "function": st.just("table"),
            "bits": st.integers(1, 6),
            "capacity": st.sampled_from([None, 6, 70]),
            "horizon": st.integers(2, 9),
        }
    ),
)


def keys_of(rows: int, split: str = "train", seed: int = 0) -> np.ndarray:
    return keyed_random.outer_keys(seed, 0, rows, split)


def all_bits(count: int) -> np.ndarray:
    return np.array(list(itertools.product([-1, 1], repeat=count)), np.float32)


def with_bits(family: XOR, bits: np.ndarray) -> Task:
    return family.sample_task(keys_of(len(bits)))._replace(bits=bits)


def play(family: XOR, task: Task, actions: np.ndarray, noise: np.ndarray) -> tuple[list, list, State]:
    """Observations (first to last), transitions, last state, of actions [T, B, O]."""
    state = family.initial_state(task)
    observations, transitions = [family.observe(task, state)], []
    for time in range(family.horizon):
        transitions.append(family.step(task, state, actions[time], noise[:, time]))
        state = transitions[-1].state
        observations.append(family.observe(task, state))
    return observations, transitions, state


@pytest.mark.parametrize("count", range(1, 9))
def test_all_bits_but_one_say_nothing_about_parity(count: int) -> None:
    family = XOR(bits=count, horizon=1)
    bits = all_bits(count)
    task = with_bits(family, bits)
    plus = family.step(task, family.initial_state(task), np.ones_like(bits), np.zeros((len(bits), 0))).reward
    answer = 2 * plus - 1  # +1 where writing +1 was right
    assert set(answer) == {-1, 1}
    for hidden in range(count):
        seen = np.delete(bits, hidden, axis=1)
        for value in np.unique(seen, axis=0):  # the answer stays as open as it was, whatever was seen
            assert answer[(seen == value).all(axis=1)].tolist() in ([-1, 1], [1, -1])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_majority_is_the_more_frequent_bit_and_each_tells_a_little(count: int) -> None:
    family = XOR(bits=count, function="majority")
    bits = all_bits(count)
    task = with_bits(family, bits)
    answer = family.solution(task, family.initial_state(task))
    assert (answer == np.where(bits.sum(1) >= 0, 1, -1)[:, None]).all()
    assert ((bits * answer).mean(0) > 0).all()


@pytest.mark.parametrize("function", ["parity", "majority"])
def test_the_solution_scores_1_its_opposite_0_and_silence_0(function: Any) -> None:
    family = XOR(bits=(2, 5), function=function, capacity=12)
    keys = keys_of(50)
    task = family.sample_task(keys)
    noise = family.noise(keys, family.horizon)
    for sign, loss, accuracy in ((1, 0, 1), (-1, 4, 0), (0, 1, 0)):
        actions = np.stack([sign * family.solution(task, family.initial_state(task))] * family.horizon)
        _, transitions, state = play(family, task, actions, noise)
        assert all((transition.loss == loss).all() for transition in transitions)
        assert [set(transition.reward) for transition in transitions] == [{0.0}] * 3 + [{float(accuracy)}]
        info = family.info(task, state)
        assert (info["accuracy"] == accuracy).all()
        assert (info["is_success"] == (accuracy == 1)).all()
        assert transitions[-1].terminated.all()
        assert not transitions[-2].terminated.any()


def test_reward_is_the_fraction_of_right_outputs() -> None:
    family = XOR(bits=4, horizon=1)
    task = family.sample_task(keys_of(9))
    action = family.solution(task, family.initial_state(task)) * np.array([0.1, 1, -0.1, 0.7], np.float32)
    transition = family.step(task, family.initial_state(task), action, np.zeros((9, 0)))
    assert (transition.reward == 0.75).all()


@pytest.mark.parametrize("function", ["parity", "majority"])
def test_nothing_but_the_inputs_tells_the_answer_before_it_is_due(function: Any) -> None:
    family = XOR(bits=3, function=function, show="first")
    bits = all_bits(3)
    actions = (
        np.random.default_rng(0).uniform(-1, 1, (family.horizon, 1, 3)).astype("f4").repeat(len(bits), 1)
    )
    task = with_bits(family, bits)
    observations, transitions, state = play(family, task, actions, np.zeros((len(bits), family.horizon, 0)))
    assert (observations[0].inputs[:, :, 0] == bits).all()
    for seen, transition in zip(observations[1:-1], transitions, strict=False):
        assert all((array == array[:1]).all() for array in seen)
        assert not np.signbit(seen.inputs).any()
        assert (transition.reward == 0).all()
        assert not any(value.any() for value in family.info(task, transition.state).values())
    assert len(np.unique(observations[-1].feedback)) > 1
    assert (observations[-1].feedback[:, 0] == family.info(task, state)["accuracy"].astype("f4")).all()


def test_inputs_stay_or_go() -> None:
    for show, seen in (("always", 1), ("first", 0)):
        family = XOR(show=show, horizon=3)
        task = family.sample_task(keys_of(5))
        observations, _, _ = play(family, task, np.zeros((3, 5, 3), "f4"), np.zeros((5, 3, 0)))
        assert (abs(observations[0].inputs) == 1).all()
        assert all(
            (observation.inputs == seen * observations[0].inputs).all() for observation in observations[1:]
        )
        assert all((observation.input_mask == 1).all() for observation in observations)
        assert [observation.flags[0, 1] for observation in observations[:3]] == [0, 0, 1]


@pytest.mark.parametrize("count", [2, 4])
def test_table_is_learnable_from_what_is_revealed(count: int) -> None:
    family = XOR(function="table", bits=count, horizon=40, capacity=count + 2, shuffle_slots=True)
    rows = 300
    keys = keys_of(rows, seed=3)
    task, noise = family.sample_task(keys), family.noise(keys, family.horizon)
    state, total = family.initial_state(task), np.zeros(rows)
    known: list[dict[bytes, float]] = [{} for _ in range(rows)]
    before: list[bytes] = []
    right = task.mask
    for time in range(family.horizon):
        seen = family.observe(task, state)
        bits = [row.tobytes() for row in seen.inputs]
        for row, shown in enumerate(before):
            told = seen.output_feedback[row, seen.output_mask[row] > 0, 0]
            assert abs(told).min() == 1  # revealed, and the same to all outputs
            assert (told == known[row].setdefault(shown, told[0])).all()  # one function in a trial
            assert (told == right[row, seen.output_mask[row] > 0]).all()  # what the solution said
        guess = np.array(
            [memory.get(shown, 1) for memory, shown in zip(known, bits, strict=True)], np.float32
        )
        right = family.solution(task, state)
        transition = family.step(task, state, guess[:, None] * task.mask, noise[:, time])
        assert time >= 20 or (transition.reward == 0).all()
        before, state, total = bits, transition.state, total + transition.reward
    accuracy = family.info(task, state)["accuracy"]
    assert np.allclose(total, accuracy)
    assert accuracy.max() == 1
    remembered = 1 - np.mean((1 - 2.0**-count) ** np.arange(20, 40)) / 2
    assert abs(accuracy.mean() - remembered) < 4 * accuracy.std() / rows**0.5 + 1e-3
    assert len({tuple(row) for row in task.table.tolist()}) > 1  # another function in another trial


def test_table_asks_for_every_entry_equally_often() -> None:
    family = XOR(function="table", bits=3, horizon=32)
    keys = keys_of(500)
    task = family.sample_task(keys)
    actions = np.zeros((32, 500, 3), "f4")
    observations, _, _ = play(family, task, actions, family.noise(keys, 32))
    index = np.stack([(o.inputs[:, :, 0] > 0) @ [1, 2, 4] for o in observations[:-1]])
    frequency = np.bincount(index.ravel(), minlength=8) / index.size
    assert abs(frequency - 1 / 8).max() < 0.01
    assert abs(task.table.mean()) < 0.1


def test_loss_is_differentiable() -> None:
    family = XOR(bits=(2, 3), dtype="float64")
    keys = torch.from_numpy(keys_of(4))
    task = family.sample_task(keys)
    state, noise = family.initial_state(task), family.noise(keys, 1)[:, 0]
    action = torch.rand(4, family.slots.outputs, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: family.step(task, state, a, noise).loss, action)


def test_unused_slots_have_no_effect() -> None:
    family = XOR(bits=2, capacity=5, shuffle_slots=True)
    keys = keys_of(30)
    task, noise = family.sample_task(keys), family.noise(keys, family.horizon)
    actions = np.random.default_rng(1).uniform(-1, 1, (4, 30, 5)).astype("f4")
    with_them, transitions, _ = play(family, task, actions, noise)
    without, others, _ = play(family, task, actions * task.mask, noise)
    for one, other in zip(with_them + transitions, without + others, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one[1:], other[1:], strict=True))
    assert len(np.unique(task.mask, axis=0)) > 3  # positions differ between trials


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bits": (1, 5), "shuffle_slots": True, "show": "first"},
        {"function": "majority"},
        {"function": "table"},
    ],
)
def test_no_value_is_looked_at_and_no_device_assumed(settings: dict[str, Any]) -> None:
    family = XOR(**settings)
    keys = torch.empty(7, 4, dtype=torch.int64, device="meta")  # without values: to look is an error
    task, noise = family.sample_task(keys), family.noise(keys, family.horizon)
    actions = torch.empty(family.horizon, 7, family.slots.outputs, device="meta")
    observations, transitions, state = play(family, task, actions, noise)
    arrays = [*task, *state, *observations[-1], *transitions[-1][1:], *family.info(task, state).values()]
    assert all(array.device.type == "meta" and array.shape[0] == 7 for array in arrays)


def test_held_out_sizes_through_the_registered_id() -> None:
    sizes = {}
    for split in ("train", "validation", "test"):
        family = family_of("Badger/XOR-v0", bits=(2, 5), split=split)
        assert family.slots.inputs == 9
        observation = family.observe(
            task := family.sample_task(keys_of(200, split)), family.initial_state(task)
        )
        sizes[split] = set(observation.input_mask.sum(1).astype(int).tolist())
        assert (observation.input_mask == observation.output_mask).all()
    assert sizes == {"train": {2, 3, 4, 5}, "validation": {2, 3, 4, 5}, "test": {6, 7, 8, 9}}


@given(
    settings=SETTINGS,
    seed=st.integers(0, 2**32),
    split=st.sampled_from(keyed_random.SPLITS),
    shuffle=st.booleans(),
)
def test_bounds_hold_and_backends_agree(
    settings: dict[str, Any], seed: int, split: str, shuffle: bool
) -> None:
    family = make_family("badger_envs.families.xor:XOR", json.loads(json.dumps(settings)) | {
        "split": split, "shuffle_slots": shuffle,
    })  # fmt: skip
    keys = keys_of(7, split, seed)
    actions = np.random.default_rng(seed).choice([-1, 1, 0.3, 0], (family.horizon, 7, family.slots.outputs))
    actions = actions.astype(np.float32)
    task, noise = family.sample_task(keys), family.noise(keys, family.horizon)
    observations, transitions, state = play(family, task, actions, noise)
    for observation in observations:
        for name, array in observation._asdict().items():
            low, high = getattr(family.bounds, name)
            assert array.dtype == np.float32
            assert ((array >= low) & (array <= high)).all(), name
    there = torch.from_numpy(keys)
    task2, noise2 = family.sample_task(there), family.noise(there, family.horizon)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(task, task2, strict=True))
    assert np.array_equal(noise, noise2.numpy())
    observations2, transitions2, state2 = play(family, task2, torch.from_numpy(actions), noise2)
    for here, other in zip(observations, observations2, strict=True):
        for a, b in zip(here, other, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-6, atol=1e-6)
    for here, other in zip(transitions, transitions2, strict=True):
        np.testing.assert_allclose(here.loss, other.loss.numpy(), rtol=1e-5)
        np.testing.assert_allclose(here.reward, other.reward.numpy(), rtol=1e-6)
    rewards = sum(transition.reward for transition in transitions)
    np.testing.assert_allclose(family.info(task, state)["accuracy"], rewards, rtol=1e-5)
    assert set(family.info(task2, state2)) == {"accuracy", "is_success"}


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"bits": 0}, ValueError, "bits is 0; it must be at least 1"),
        ({"bits": 2.0}, TypeError, "bits is 2.0"),
        ({"bits": (5, 2)}, ValueError, "empty range"),
        ({"bits": 65}, ValueError, "the 64 that function 'parity' takes"),
        ({"bits": (1, 40)}, ValueError, "test_bits"),
        ({"bits": 7, "function": "table", "horizon": 20}, ValueError, "the 6 that function 'table' takes"),
        ({"bits": (2, 5), "test_bits": (5, 6)}, ValueError, "overlaps"),
        ({"bits": 3, "capacity": 2}, ValueError, "capacity is 2"),
        ({"function": "xor"}, ValueError, "parity, majority, table"),
        ({"show": "never"}, ValueError, "one of always, first"),
        ({"function": "table", "horizon": 1}, ValueError, "horizon is 1"),
        ({"function": "table", "show": "first"}, ValueError, "use 'always'"),
        ({"size": 3}, TypeError, "unexpected keyword argument 'size'"),
    ],
)
def test_bad_settings_say_what_would_do(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make_family("badger_envs.families.xor:XOR", settings)
