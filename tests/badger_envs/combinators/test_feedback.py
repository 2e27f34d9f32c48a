"""Feedback that comes late or by chance: what is heard when, and all contracts."""

from typing import Any

import numpy as np
import pytest

from badger_envs import keyed_random, testing
from badger_envs.combinators.feedback import Delayed, Withheld
from badger_envs.family import Family

GAME = (("id", "Badger/GuessingGame-v0"),)
MAPS = (("id", "Badger/VariableIO-v0"), ("support", 3))


def observations(family: Family, rows: int = 50) -> list[Any]:
    keys = keyed_random.outer_keys(0, 0, rows, family.split)
    task = family.sample_task(keys)
    state, noise = family.initial_state(task), family.noise(keys, family.horizon)
    seen = [family.observe(task, state)]
    for time, action in enumerate(testing.subject.legal_actions(family, keys, family.horizon)):
        state = family.step(task, state, action, noise[:, time]).state
        seen.append(family.observe(task, state))
    return seen


@pytest.mark.parametrize("task", [GAME, MAPS], ids=["global", "per output"])
def test_feedback_is_heard_so_many_steps_later(task: Any) -> None:
    late = Delayed(task=task, delay=2, horizon=6)
    at_once, delayed = observations(late.part), observations(late)
    for time, observation in enumerate(delayed):
        np.testing.assert_array_equal(observation.outputs, at_once[time].outputs)
        for name in ("feedback", "output_feedback"):
            wanted = getattr(at_once[time - 2], name) if time >= 2 else getattr(at_once[0], name) * 0
            np.testing.assert_array_equal(getattr(observation, name), wanted)


@pytest.mark.parametrize("chance", [0, 0.3, 1])
def test_feedback_is_heard_by_chance_and_it_is_told_whether(chance: float) -> None:
    family = Withheld(task=GAME, chance=chance, horizon=20)
    whole, partly = observations(family.part), observations(family)
    heard = np.stack([one.feedback[:, 1] for one in partly])
    assert (heard[0] == 1).all()
    assert heard[1:].mean() == pytest.approx(chance, abs=0.05)
    told = np.stack([one.feedback[:, 0] for one in partly])
    np.testing.assert_array_equal(told, heard * np.stack([one.feedback[:, 0] for one in whole]))


@pytest.mark.parametrize(
    "family",
    [Delayed(task=GAME, delay=2, horizon=5), Withheld(task=(("id", "Badger/Bandit-v0"),), horizon=5)],
    ids=["delayed", "withheld"],
)
def test_all_contracts_hold(family: Family) -> None:
    testing.check_family(family)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Delayed(delay=0), "delay is 0; it must be from 1 to 100"),
        (lambda: Withheld(chance=2), "chance is 2"),
        (lambda: Withheld(task={"id": "no"}), "must be a registered id"),
        (lambda: Delayed(task={"id": "Badger/XOR-v0", "horizon": 3}), "leave it out"),
    ],
)
def test_bad_settings_say_what_would_do(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
