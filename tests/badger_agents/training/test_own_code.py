"""A user's own code goes into the run folder, wherever the recipe names it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from badger_agents import load
from badger_agents.class_loading import Trust
from badger_agents.recipe.loading import Recipe
from badger_agents.training.loop import train, train_population
from badger_agents.training.own_code import keep_code
from badger_agents.training.run import RunPlan
from tests.badger_agents.small import keys, small_recipe

SOURCE = """\
from badger_agents import GRUPolicy

class Mine(GRUPolicy):
    number = {}
"""
MIXED = "badger_agents.badger.policies.mixed:MixedPolicy"


def mixed(*names: str, **tables: Any) -> Recipe:
    policies = [{"kind": name, "hidden_size": 4} for name in names]
    agent = {"policy": {"kind": MIXED, "policies": policies}}
    trust = Trust.of(*(name for name in names if ".py:" in name))
    return small_recipe(trust, agent=agent, training={"outer_steps": 1}, **tables)


def test_a_run_with_a_policy_made_of_one_s_own_is_loaded_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, far = tmp_path / "home", tmp_path / "far"
    home.mkdir()
    monkeypatch.chdir(home)
    for number, name in enumerate(("one", "two")):
        Path(name).mkdir()
        Path(name, "mine.py").write_text(SOURCE.format(number))  # two files of one name
    recipe = keep_code(mixed("one/mine.py:Mine", "two/mine.py:Mine"), Path("run"))
    train(recipe, 0, Path("run"))
    shutil.move("run", far)
    shutil.rmtree(home)
    monkeypatch.chdir("/")
    trained = load(far)
    numbers = [policy.number for policy in trained.agent.policy.policies]  # type: ignore[attr-defined]
    assert numbers == [0, 1]
    trained.agent.initial_state(trained.family(), keys(2))


def test_code_that_has_changed_since_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(SOURCE.format(1))
    train(keep_code(mixed("mine.py:Mine"), Path("run")), 0, Path("run"))
    keep_code(mixed("mine.py:Mine"), Path("run"))
    Path("mine.py").write_text(SOURCE.format(2))
    with pytest.raises(ValueError, match=r"mine\.py is not what the run in run began with"):
        keep_code(mixed("mine.py:Mine"), Path("run"))


def test_seeds_side_by_side_with_own_code_are_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(SOURCE.format(1))
    plans = [
        RunPlan(keep_code(mixed("mine.py:Mine"), folder), seed, folder)
        for seed, folder in enumerate((Path("run-0"), Path("run-1")))
    ]
    done = train_population(plans)
    assert (
        [last.step for last in train_population(plans, resume=True)] == [last.step for last in done] == [1, 1]
    )


def test_a_recipe_of_the_project_s_classes_is_left_as_it_is(tmp_path: Path) -> None:
    recipe = small_recipe()
    assert keep_code(recipe, tmp_path) is recipe
    assert list(tmp_path.iterdir()) == []
