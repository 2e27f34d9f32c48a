"""Trained agents: found by name, ready to act; pretrained ones as their recipes and cards say."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from badger_agents import loading
from badger_agents.badger.policies.expert_policy import ExpertPolicy
from badger_agents.evaluation import evaluate
from badger_agents.loading import load, load_pretrained, pretrained_names
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
from tests.badger_agents.small import TRUST, small_recipe


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


class Careless(ExpertPolicy):
    """Forgets half of what it reads in training, and nothing in use."""

    def __init__(self, reading_size: int) -> None:
        super().__init__()
        self.message_size = 2
        self.forget = torch.nn.Dropout(0.5)
        self.linear = torch.nn.Linear(reading_size + 2, 3)

    def initial_state(self, draws: Tensor) -> Tensor:
        return draws

    def out(self, inbox: Tensor, reading: Tensor) -> Tensor:
        return self.linear(self.forget(torch.cat([inbox, reading], dim=-1)))

    def emit(self, state: Tensor, reading: Tensor) -> Tensor:
        return self.out(reading[..., :2] * 0, reading)[..., 1:]

    def update(self, state: Tensor, inbox: Tensor, reading: Tensor) -> tuple[Tensor, Tensor]:
        return state, self.out(inbox, reading)[..., :1]


def test_an_agent_that_is_loaded_is_in_evaluation_mode_and_has_no_dropout(tmp_path: Path) -> None:
    agent = {"policy": {"kind": f"{__name__}:Careless"}}
    stages = [{"outer_steps": 1, "until": 1e9, "agent": {"rounds": [1, 2]}}, {}]
    training = {"outer_steps": 3, "validate_every": 1, "validation_trials": 4, "stages": stages}
    recipe = small_recipe(agent=agent, training=training)
    last = train(recipe, 0, tmp_path / "run")
    train(recipe, 0, tmp_path / "again")  # also where validations come between
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == (tmp_path / "again" / CHECKPOINT).read_bytes()
    trained = load(tmp_path / "run", trust=TRUST)
    for made in (last.agent(), last.agent(rounds=2), trained.agent, trained.with_settings(experts=5).agent):
        assert not made.training  # type: ignore[union-attr]
        results = [evaluate(made, trained.family(), 20).mean for _ in range(3)]  # type: ignore[arg-type]
        assert len(set(results)) == 1


def test_a_trained_agent_is_loaded_by_name_folder_file_or_recipe(tmp_path: Path) -> None:
    train(small_recipe(training={"outer_steps": 1}), 3, tmp_path / "run")
    for target in (tmp_path / "run", tmp_path / "run" / CHECKPOINT):
        trained = load(target)
        assert (trained.recipe.name, trained.checkpoint and trained.checkpoint.seed) == ("small", 3)
        assert trained.family(horizon=3).horizon == 3
        assert trained.with_settings(experts=7).agent.settings.experts == 7  # type: ignore[attr-defined]
    wider = load(tmp_path / "run").with_settings(experts=7)
    kept = wider.with_settings(rounds=2).agent.settings  # type: ignore[attr-defined]
    assert (kept.experts, kept.rounds) == (7, 2)
    assert load("guessing-zeros").checkpoint is None
    for name in pretrained_names()[:1]:
        assert load(name).recipe.name == name
    with pytest.raises(CheckpointError, match=r"has to be trained first: badger train guessing-self-loop"):
        load("guessing-self-loop")
    with pytest.raises(CheckpointError, match=r"no trained agent 'nothing'; give a run folder"):
        load("nothing")


@pytest.mark.parametrize("name", pretrained_names())
def test_what_the_suite_ships_is_as_its_recipe_and_card_say(name: str) -> None:
    check_published(loading.FOLDER, name, load_recipe(name))


def test_every_card_has_its_policy() -> None:
    assert {file.stem for file in loading.FOLDER.glob("*.*")} == set(pretrained_names())
