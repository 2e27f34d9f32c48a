"""The bare loop does the arithmetic of the suite's outer step: the same losses, gradients and weights."""

from pathlib import Path

import pytest
import torch

from badger_agents.estimators.objectives import OBJECTIVES
from badger_agents.estimators.trials import Trials
from benchmarks.bare import NAMES, BareLoop, SuiteLoop, drawn, gradients


@pytest.fixture
def suite(tmp_path: Path) -> SuiteLoop:
    return SuiteLoop(tmp_path)


def test_losses_and_weights_are_the_suite_s(suite: SuiteLoop) -> None:
    bare = BareLoop(suite.state.weights)
    for _ in range(3):
        assert bare.step() == pytest.approx(suite.step(), abs=1e-5)
    for name, weight in zip(NAMES, bare.kept.weights, strict=True):
        torch.testing.assert_close(weight, suite.state.weights[name], atol=1e-5, rtol=1e-5)


def test_gradients_are_the_suite_s(suite: SuiteLoop) -> None:
    for _ in range(2):  # at first nobody writes, and only writing has a gradient
        suite.step()
    run, state = suite.run, suite.state
    training = run.training
    trials = Trials(
        run.curriculum.sample(state.place, state.step).family,
        run.keys(run.seed, state.step, training.batch_size),
        OBJECTIVES[training.objective],
        gradient_limit=training.clip_trial,
    )
    update = next(run.estimator.updates(run.agent, state.weights, trials, {}))
    loss, found = gradients([state.weights[name] for name in NAMES], *drawn(state.step))
    torch.testing.assert_close(loss[None], update.loss, atol=1e-5, rtol=0)
    assert set(update.gradients) == set(NAMES)
    for name, gradient in zip(NAMES, found, strict=True):
        assert gradient.abs().max() > 1e-3
        torch.testing.assert_close(gradient, update.gradients[name], atol=1e-5, rtol=0)
