"""Memory of estimators: grows with the horizon or does not, counted to the byte."""

from contextlib import suppress
from typing import Any

import pytest

from badger_agents.estimators import make_estimator
from badger_agents.estimators.objectives import OBJECTIVES, Penalty, collapse
from badger_agents.estimators.trials import Trials
from badger_agents.training.state import trained_weights
from benchmarks.memory import peak_memory
from tests.badger_agents.small import keys, random_agent, small_family


def needed(name: str, settings: dict[str, Any], horizon: int) -> int:
    """Bytes at the peak of an outer step, with a penalty that reads what experts say."""
    family = small_family(horizon=horizon, dtype="float32")
    agent = random_agent(family)
    estimator = make_estimator(name, settings)
    penalties = (Penalty("anti_collapse", 0.5, "messages", collapse),)

    def outer_step() -> None:
        trials = Trials(family, keys(16), OBJECTIVES["as_soon_as_possible"], penalties)
        weights = trained_weights(agent)
        updates = estimator.updates(agent, weights, trials, {})
        next(updates)
        with suppress(StopIteration):
            while True:
                updates.send(weights)

    return peak_memory(outer_step, "cpu")


def test_backpropagation_needs_memory_for_every_step() -> None:
    five, ten, twenty = (needed("backpropagation", {}, horizon) for horizon in (5, 10, 20))
    assert twenty - ten == pytest.approx(2 * (ten - five), rel=0.02)
    assert ten - five > 0.7 * five  # nearly all of it


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("truncated_backpropagation", {"window": 2}),
        ("evolution", {"pairs": 4}),
        ("evolution", {"pairs": 4, "window": 2}),
        ("persistent_evolution", {"pairs": 4, "window": 2}),
    ],
)
def test_others_need_no_more_for_longer_trials(name: str, settings: dict[str, Any]) -> None:
    assert len({needed(name, settings, horizon) for horizon in (5, 10, 20)}) == 1


def test_keeping_less_needs_less() -> None:
    all_of_it, kept = (needed("backpropagation", settings, 16) for settings in ({}, {"keep_every": 4}))
    assert kept < all_of_it / 2


def test_fewer_pairs_at_once_need_less() -> None:
    settings = {"pairs": 16, "window": 2}
    whole, parts = (
        needed("persistent_evolution", {**settings, "pairs_at_once": at_once}, 5) for at_once in (16, 2)
    )
    assert parts < whole / 2
