"""Objectives: which steps of a trial count."""

import pytest
import torch

from badger_agents.estimators.objectives import OBJECTIVES


def test_each_objective_is_the_mean_over_its_steps() -> None:
    loss = torch.tensor([[1.0, 3.0], [5.0, 7.0], [10.0, 20.0], [100.0, 200.0]])  # (T, B)
    values = {name: float(rule(loss)) for name, rule in OBJECTIVES.items()}
    assert values == {"last_step": 150.0, "second_half": 82.5, "as_soon_as_possible": 43.25}


@pytest.mark.parametrize(("horizon", "counted"), [(1, 1), (2, 1), (3, 2), (20, 10)])
def test_the_second_half_holds_the_middle_step_of_odd_trials(horizon: int, counted: int) -> None:
    loss = torch.ones(horizon, 2, requires_grad=True)
    OBJECTIVES["second_half"](loss).backward()
    assert loss.grad is not None
    assert (loss.grad.sum(1) > 0).sum() == counted
    assert loss.grad[-1].sum() > 0
    assert float(loss.grad.sum()) == pytest.approx(1.0)
