"""Learners from a stream of examples reach what they reached elsewhere, and learn what they are made for."""

import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_envs.families.digits import Digits
from badger_envs.families.xor import XOR
from baselines.supervised.streams import NearestNeighbour, OnlineLinear, Prototypes, StreamLearner

PUBLISHED = {NearestNeighbour(): 0.717, Prototypes(): 0.694, OnlineLinear(): 0.671}
"""Accuracy on examples 2 to 100 of held-out images under Gaussian projections, measured apart."""


@pytest.mark.parametrize("learner", PUBLISHED, ids=lambda learner: type(learner).__name__)
def test_accuracies_are_those_measured_elsewhere(learner: StreamLearner) -> None:
    result = evaluate(learner, Digits(split="test"), 1000)
    low, high = result.ci95
    error = (high - low) / 3.92  # the standard error
    assert abs(result.mean - PUBLISHED[learner]) < 3 * error + 0.006


@pytest.mark.parametrize("learner", PUBLISHED, ids=lambda learner: type(learner).__name__)
def test_a_class_is_known_after_one_example_and_unused_slots_stay_empty(learner: StreamLearner) -> None:
    family = Digits(classes=2, inputs=16, capacity=16, horizon=40, split="test")
    assert evaluate(learner, family, 300).mean > 0.85
    keys = torch.zeros(2, 4, dtype=torch.int64)
    task = family.sample_task(keys)
    seen = family.observe(task, family.initial_state(task))
    _, action, _ = learner.act(learner.initial_state(family, keys), seen, keys, 0)
    assert (action[:, 2:] == 0).all()
    assert (action[:, :2].abs() == 1).all()


def test_other_families_and_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="Prototypes learns from Digits; XOR"):
        evaluate(Prototypes(), XOR(), 2)
    with pytest.raises(ValueError, match="rate is 0"):
        OnlineLinear(rate=0.0)
