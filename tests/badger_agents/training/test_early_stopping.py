"""Validation during the last stage: the best weights are kept, and training may end early."""

from pathlib import Path
from typing import Any

import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import Recipe, RecipeError
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.curriculum import Curriculum, Place
from badger_agents.training.log import read_log
from badger_agents.training.loop import train
from badger_agents.training.run import BEST, CHECKPOINT, LOG
from tests.badger_agents.small import small_recipe


def validated(**training: Any) -> Recipe:
    start = {"outer_steps": 12, "validate_every": 2, "validation_trials": 16, "keep_best": True}
    return small_recipe(training={**start, **training})


def test_the_best_weights_are_those_of_the_best_validation(tmp_path: Path) -> None:
    recipe = validated(optimiser={"learning_rate": 0.5})  # so high that it gets worse again
    train(recipe, 0, tmp_path)
    rows = [row for row in read_log(tmp_path / LOG) if "validation" in row]
    assert [row["step"] for row in rows] == [2, 4, 6, 8, 10, 12]
    best = min(rows, key=lambda row: row["validation"])
    kept = load_checkpoint(tmp_path / BEST)
    assert kept.step == best["step"] < 12
    assert not kept.optimiser
    again = evaluate(kept.agent(), recipe.family(split="validation"), 16, seed=0)
    assert again.mean == pytest.approx(best["validation"])
    assert load_checkpoint(tmp_path / CHECKPOINT).place.best == best["validation"]


def test_training_ends_when_patience_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = iter([0.9, 0.8, 0.85, 0.8, 0.7])
    monkeypatch.setattr(Curriculum, "_validated", lambda *_: next(outcomes))
    train(validated(patience=2), 0, tmp_path)
    last = load_checkpoint(tmp_path / CHECKPOINT)
    assert (last.step, last.place) == (8, Place(0, 0, 0.8, 2))  # as good as the best is no better
    assert load_checkpoint(tmp_path / BEST).step == 4
    rows = read_log(tmp_path / LOG)
    assert rows[-1]["step"] == 8


def test_higher_outcomes_are_better_where_the_family_says_so() -> None:
    recipe = small_recipe(env={"id": "Badger/XOR-v0"}, training={"keep_best": True, "validate_every": 1})
    made = Curriculum(recipe, recipe.make_agent(0), 0)
    made._validated = lambda entry, weights: 0.6
    assert made.next(Place(best=0.5, waits=3), 1, {})[0] == Place(best=0.6)
    assert made.next(Place(best=0.7, waits=3), 1, {})[0] == Place(best=0.7, waits=4)


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_a_resumed_run_keeps_the_same_best(tmp_path: Path, stop: int) -> None:
    recipe = validated(optimiser={"learning_rate": 0.5}, patience=5)

    def interrupt(progress: Any) -> None:
        if progress.step == stop:
            raise InterruptedError

    train(recipe, 1, tmp_path / "whole")
    with pytest.raises(InterruptedError):
        train(recipe, 1, tmp_path / "cut", on_step=interrupt)
    train(recipe, 1, tmp_path / "cut", resume=True)
    for name in (CHECKPOINT, BEST):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_without_being_asked_nothing_is_validated(tmp_path: Path) -> None:
    train(validated(keep_best=False), 0, tmp_path)
    assert not (tmp_path / BEST).exists()
    assert not any("validation" in row for row in read_log(tmp_path / LOG))


def test_validating_leaves_the_training_as_it_is(tmp_path: Path) -> None:
    for name, keep_best in (("with", True), ("without", False)):
        train(validated(keep_best=keep_best), 0, tmp_path / name)
    first, second = (load_checkpoint(tmp_path / name / CHECKPOINT).weights for name in ("with", "without"))
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


def test_several_outcomes_are_no_one_best() -> None:
    mixture = [{"env": {"dims": 2}}, {"env": {"dims": 3}}]
    with pytest.raises(RecipeError, match="need one outcome; the last stage is a mixture"):
        validated(stages=[{"mixture": mixture}])
