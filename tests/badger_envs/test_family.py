"""Settings of families, their loading by name, sizes held out, and what all families share."""

import dataclasses
import json
from collections.abc import Callable

import gymnasium as gym
import numpy as np
import pytest
import torch

from badger_envs import family_of, make_family
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import Sizes, touches_unused_slot
from badger_envs.keyed_random import outer_keys

PATH = "badger_envs.families.guessing_game:GuessingGame"


def test_a_family_is_made_from_its_path_and_json_settings() -> None:
    family = make_family(PATH, json.loads('{"dims": [1, 8], "horizon": 5}'))
    assert family == GuessingGame(dims=(1, 8), horizon=5)
    assert make_family(PATH, json.loads(json.dumps(family.settings()))) == family
    assert hash(family) == hash(GuessingGame(dims=(1, 8), horizon=5))


@pytest.mark.parametrize(
    "path",
    [
        "badger_envs.families.guessing_game:Nothing",
        "badger_envs.nowhere:X",
        "no colon",
        "",
        "badger_envs.family:Slots",
        "numpy:pi",
    ],
)
def test_a_path_that_leads_nowhere_is_refused_in_one_line(path: str) -> None:
    with pytest.raises(ValueError, match="family") as caught:
        make_family(path, {})
    assert "\n" not in str(caught.value)


def test_an_unknown_setting_is_named_beside_those_that_there_are() -> None:
    with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'dim'.*dims"):
        make_family(PATH, {"dim": 3})


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"horizon": 0}, ValueError, "horizon is 0.*at least 1"),
        ({"horizon": 2.5}, TypeError, "horizon is 2.5.*integer"),
        ({"horizon": True}, TypeError, "horizon is True"),
        ({"split": "dev"}, ValueError, "split is 'dev'.*train"),
        ({"dtype": "float16"}, ValueError, "dtype is 'float16'.*float32"),
        ({"shuffle_slots": 1}, TypeError, "shuffle_slots is 1"),
        ({"dims": 0}, ValueError, "dims is 0"),
        ({"dims": (3, 1)}, ValueError, "dims is .* empty range"),
        ({"dims": (1, 2, 3)}, ValueError, "dims is"),
        ({"dims": "3"}, TypeError, "dims is '3'"),
        ({"dims": (1, 4), "test_dims": (4, 6)}, ValueError, "overlaps"),
        ({"capacity": 2}, ValueError, "capacity is 2"),
        ({"target_scale": 0}, ValueError, "target_scale"),
        ({"target_scale": 1.5}, ValueError, "target_scale"),
        ({"target_scale": float("nan")}, ValueError, "target_scale"),
    ],
)
def test_impossible_settings_give_one_clear_line(settings: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        make_family(PATH, settings)
    assert "\n" not in str(caught.value)


def test_a_family_of_an_id_takes_other_settings() -> None:
    assert family_of("Badger/GuessingGame-v0", dims=7).slots.outputs == 7
    assert family_of("badger_envs:Badger/GuessingGame-v0") == GuessingGame()
    with pytest.raises(gym.error.Error, match="no_such_module"):
        family_of("no_such_module:Badger/GuessingGame-v0")
    with pytest.raises(gym.error.Error, match="Nothing"):
        family_of("Badger/Nothing-v0")
    with pytest.raises(ValueError, match="no environment of a badger_envs family"):
        family_of("CartPole-v1")


def test_a_family_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        GuessingGame().horizon = 3


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        (3, None, ((3, 3), (3, 3))),
        ((3, 3), None, ((3, 3), (3, 3))),
        ((1, 8), None, ((1, 8), (9, 16))),
        ((2, 3), None, ((2, 3), (4, 5))),
        ((1, 8), 12, ((1, 8), (12, 12))),
        ((4, 6), (1, 3), ((4, 6), (1, 3))),
        (3, (1, 9), ((3, 3), (1, 9))),
    ],
)
def test_sizes_are_held_out(train: object, test: object, expected: object) -> None:
    sizes = Sizes.of("dims", train, test)
    assert (sizes.train, sizes.test) == expected
    assert sizes.highest == sizes.capacity == max(high for _, high in expected)
    for split in ("train", "validation", "test"):
        assert Sizes.of("dims", train, test, split=split).limits == expected[split == "test"]


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("backend", [np.asarray, torch.from_numpy])
def test_sizes_are_drawn_and_laid_into_slots(shuffled: bool, backend: Callable) -> None:
    keys = backend(outer_keys(0, 0, 500))
    sizes = Sizes.of("dims", (2, 5), capacity=10, shuffled=shuffled)
    count, order = sizes.count(keys), sizes.order(keys)
    counts = np.bincount(np.asarray(count)[:, 0], minlength=6)
    assert counts[:2].sum() == 0
    assert counts[2:].min() > 90
    element = sizes.element(order)
    values = backend(np.float32([[1, 2, 3, 4, 5]] * 500))
    spread = sizes.spread(values, order)
    assert spread.shape == (500, 10)
    assert np.array_equal(np.sort(spread), np.float32([[0] * 5 + [1, 2, 3, 4, 5]] * 500))
    assert np.array_equal(np.where(element < 5, element + 1, 0) * np.ones((500, 1)), spread)
    assert (len(np.unique(np.asarray(order), axis=0)) > 400) == shuffled
    more = Sizes.of("dims", (2, 5), capacity=12, shuffled=shuffled)
    assert np.array_equal(count, more.count(keys)), "what is drawn does not depend on the capacity"


def test_a_fixed_size_draws_nothing_and_may_fill_all_slots() -> None:
    keys = outer_keys(0, 0, 3)
    assert Sizes.of("dims", 4).count(keys).tolist() == [[4]] * 3
    assert Sizes.of("dims", 4).fills_all
    assert not Sizes.of("dims", 4, capacity=5).fills_all
    assert not Sizes.of("dims", 4, 6).fills_all
    assert Sizes.of("dims", 4, 6, split="test").fills_all


def test_settings_of_numpy_are_kept_as_pythons() -> None:
    family = GuessingGame(
        dims=np.int64(3),
        horizon=np.uint8(4),
        capacity=np.int32(5),
        target_scale=np.float32(0.5),
        shuffle_slots=np.True_,
        split=np.str_("test"),
    )
    assert family == GuessingGame(
        dims=3, horizon=4, capacity=5, target_scale=0.5, shuffle_slots=True, split="test"
    )
    assert {type(value) for value in family.settings().values()} == {int, float, bool, str, type(None)}
    for dims in ([1, np.int64(4)], np.array([1, 4])):
        assert GuessingGame(dims=dims) == GuessingGame(dims=(1, 4))
    json.dumps(family.settings())


def test_noise_of_a_trial_is_the_noise_of_its_steps() -> None:
    family = family_of("Badger/Bandit-restless-v0")
    keys = outer_keys(0, 0, 3)
    block = family.noise(keys, 5)
    assert block.shape == (3, 5, family.noise_size)
    assert family.noise_size > 1
    assert np.array_equal(block[:, 3:], family.noise(keys, 2, start=3))
    assert GuessingGame().noise(keys, 5).shape == (3, 5, 0)


def test_flags_show_the_first_step_the_query_and_the_time_gone() -> None:
    family = GuessingGame(horizon=4)
    flags = family.flags(np.array([0, 1, 4]), query=np.float32([0, 1, 1]))
    assert flags.dtype == np.float32
    assert flags.tolist() == [[1, 0, 0], [0, 1, 0.25], [0, 1, 1]]
    assert np.array_equal(family.flags(np.array([0, 1]))[:, 1], [0, 0])


@pytest.mark.parametrize("backend", [np.asarray, torch.tensor])
def test_touching_an_unused_slot_is_seen(backend: object) -> None:
    mask = backend(np.float32([[1, 0], [1, 0], [1, 1]]))
    values = backend(np.float32([[0.5, 0], [0, 0.1], [0.2, 0.1]]))
    assert touches_unused_slot("continuous", mask, values).tolist() == [False, True, False]
    index = backend(np.array([0, 1, 1]))
    assert touches_unused_slot("categorical", mask, index).tolist() == [False, True, False]


def test_a_family_without_categorical_actions_has_no_expected_reward() -> None:
    with pytest.raises(NotImplementedError, match="GuessingGame has no categorical actions"):
        GuessingGame().expected_reward(None, None, None)
