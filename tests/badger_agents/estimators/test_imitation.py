"""Tests of imitation: what is unlikely though right costs, and a policy learns to explore by it."""

import math
from pathlib import Path

import pytest
import torch

from badger_agents.estimators.imitation import surprise
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.training.log import read_log
from badger_agents.training.loop import train
from badger_agents.training.run import LOG


def recipe(id: str, **env: object) -> Recipe:
    tables = {
        "name": "imitating",
        "env": {"id": id, **env},
        "agent": {"experts": 3, "membrane": {"kind": "attentional"}, "policy": {"hidden_size": 16}},
        "training": {
            "outer_steps": 40,
            "batch_size": 64,
            "estimator": "imitation",
            "objective": "as_soon_as_possible",
            "optimiser": {"kind": "adam", "learning_rate": 2e-2},
            "log_every": 1,
        },
    }
    return check_recipe(tables, "recipe")


def test_surprise_is_one_for_a_draw_at_random_and_nothing_for_the_sure_and_right() -> None:
    used = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    right = torch.tensor([[[0.0, 1.0, 0.0, 0.0]]])
    flat = torch.tensor([[[0.0, 0.0, 0.0, -1e9]]])
    assert surprise(flat, right, used).item() == pytest.approx(1)
    assert surprise(flat + 50 * right, right, used).item() == pytest.approx(0, abs=1e-6)
    half = torch.tensor([[[0.0, 1.0, 1.0, 0.0]]])  # ties share: two of three are as good
    assert surprise(flat + 50 * half, half, used).item() == pytest.approx(math.log(2) / math.log(3))


def test_choices_are_learned(tmp_path: Path) -> None:
    train(recipe("Badger/Bandit-informative-v0", arms=3, horizon=3), 0, tmp_path)
    losses = [row["loss"] for row in read_log(tmp_path / LOG)]
    assert losses[0] == pytest.approx(1, abs=0.01)
    assert min(losses[-5:]) < 0.9


def test_values_are_learned_as_by_backpropagation(tmp_path: Path) -> None:
    tables = recipe("Badger/GuessingGame-v0", horizon=3).model_dump()
    other = {**tables, "training": {**tables["training"], "estimator": "backpropagation"}}
    for name, each in (("imitation", tables), ("backpropagation", other)):
        each["training"]["outer_steps"] = 3
        train(check_recipe(each, name), 0, tmp_path / name)
    one, another = (
        [row["loss"] for row in read_log(tmp_path / name / LOG)] for name in ("imitation", "backpropagation")
    )
    assert one == another
