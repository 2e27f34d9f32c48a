"""Pretrained policies: found by name, weights only, and each as its recipe and its card say."""

from pathlib import Path

import pytest
import torch

from badger_agents import loading
from badger_agents.loading import load_pretrained, pretrained_names
from badger_agents.recipe.loading import load_recipe
from badger_agents.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
    weights_only,
)
from badger_agents.training.loop import train
from badger_agents.training.run import CHECKPOINT
from tests.badger_agents.pretrained_files import check_published
from tests.badger_agents.small import small_recipe


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the suite's."""
    folder = tmp_path / "pretrained"
    monkeypatch.setattr(loading, "FOLDER", folder)
    return folder


@pytest.fixture
def trained(tmp_path: Path) -> Checkpoint:
    return train(small_recipe(training={"outer_steps": 2}), 5, tmp_path / "run")


def test_weights_come_back_without_the_rest(folder: Path, trained: Checkpoint, tmp_path: Path) -> None:
    folder.mkdir()
    for name in ("b", "a"):
        save_checkpoint(folder / f"{name}.safetensors", weights_only(trained))
    (folder / "a.md").write_text("a card")
    assert pretrained_names() == ["a", "b"]
    loaded = load_pretrained("b")
    assert (loaded.recipe, loaded.seed, loaded.step) == (trained.recipe, 5, 2)
    assert loaded.optimiser == loaded.estimator == {}
    assert loaded.weights.keys() == trained.weights.keys()
    assert all(torch.equal(loaded.weights[name], weight) for name, weight in trained.weights.items())
    loaded.agent(experts=7)
    whole = tmp_path / "run" / CHECKPOINT
    assert load_checkpoint(whole).optimiser  # what was left out
    assert (folder / "b.safetensors").stat().st_size < 0.6 * whole.stat().st_size


def test_an_unknown_name_is_told_the_known_ones(folder: Path, trained: Checkpoint) -> None:
    assert pretrained_names() == []
    with pytest.raises(CheckpointError, match=r"no pretrained policy 'x'; none has been published yet"):
        load_pretrained("x")
    folder.mkdir()
    save_checkpoint(folder / "b.safetensors", weights_only(trained))
    save_checkpoint(folder / "a.safetensors", weights_only(trained))
    for name in ("x", "", "../pretrained/a", "a.safetensors"):
        with pytest.raises(CheckpointError, match=r"there are: a, b$"):
            load_pretrained(name)


@pytest.mark.parametrize("name", pretrained_names())
def test_what_the_suite_ships_is_as_its_recipe_and_card_say(name: str) -> None:
    check_published(loading.FOLDER, name, load_recipe(name))


def test_every_card_has_its_policy() -> None:
    assert {file.stem for file in loading.FOLDER.glob("*.*")} == set(pretrained_names())
