"""Settings of families, their loading by name, sizes held out, and what all families share."""

import dataclasses
import json

import gymnasium as gym
import numpy as np
import pytest
import torch

from badger_envs import family_of, make_family
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.family import check_range, held_out, touches_unused_slot
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
    with pytest.raises(TypeError, match=r"no setting 'dim'.*dims"):
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
    assert held_out("dims", train, test) == expected


def test_a_number_is_a_range_of_one() -> None:
    assert check_range("dims", 4) == (4, 4)


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
