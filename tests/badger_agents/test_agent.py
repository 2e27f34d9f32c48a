"""Finding classes by name, also in a user's own file, and what any agent must be."""

import torch

from badger_agents.agent import Agent, feedback_and_change, magnified
from baselines.optimisers.triangulation import Triangulation
from tests.badger_agents.small import random_agent, small_family


def test_change_of_feedback_is_zero_at_the_first_step() -> None:
    feedback, previous = torch.tensor([[5.0], [5.0]]), torch.tensor([[2.0], [2.0]])
    first = torch.tensor([[0.0], [1.0]])
    assert feedback_and_change(feedback, previous, first).tolist() == [[5.0, 3.0], [5.0, 0.0]]


def test_small_errors_are_magnified_and_0_and_1_stay() -> None:
    values = torch.tensor([0.0, 1.0, -1.0, 1e-3])
    made = magnified(values, 30.0)
    torch.testing.assert_close(made[:3], values[:3])
    assert 7.0 < made[3] / values[3] < 7.5  # 30 / asinh(30) = 7.3
    first = torch.zeros(1, 1)
    heard = feedback_and_change(torch.tensor([[0.5]]), torch.tensor([[0.25]]), first, 30.0)
    torch.testing.assert_close(heard[:, 2:], magnified(heard[:, :2], 30.0))


def test_what_is_an_agent() -> None:
    assert isinstance(random_agent(small_family()), Agent)
    assert isinstance(Triangulation(), Agent)
    assert not isinstance(torch.nn.Linear(1, 1), Agent)
