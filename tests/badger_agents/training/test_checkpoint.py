"""Checkpoints: a round trip, and every kind of file that is none."""

import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

from badger_agents.agent import LearnedAgent
from badger_agents.class_loading import Trust
from badger_agents.recipe.loading import Recipe
from badger_agents.training.checkpoint import (
    FORMAT,
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
)
from badger_agents.training.curriculum import Place
from tests.badger_agents.small import shake, small_recipe

POLICY = """
import torch
from badger_agents import ExpertPolicy

class Mine(ExpertPolicy):
    def __init__(self, reading_size):
        super().__init__()
        self.message_size = 2
        self.first = torch.nn.Linear(reading_size + 2, 3)
        self.tied = self.first
        self.register_buffer("scale", torch.full((3,), 0.5))

    def initial_state(self, draws):
        return draws

    def out(self, inbox, reading):
        return self.scale * self.tied(torch.cat([inbox, reading], dim=-1))

    def emit(self, state, reading):
        return self.out(reading[..., :2] * 0, reading)[..., 1:]

    def update(self, state, inbox, reading):
        return state, self.out(inbox, reading)[..., :1]
"""


def made(recipe: Recipe | None = None) -> Checkpoint:
    recipe = recipe or small_recipe()
    agent = recipe.make_agent(2**60)
    assert isinstance(agent, LearnedAgent)
    shake(agent)
    optimiser = {"a/step": torch.tensor(3.0), "a/exp_avg": torch.randn(2, 3)}
    return Checkpoint(recipe, 2**60, 7, 1, Place(0, 4), agent.state_dict(), optimiser, {"x": torch.arange(3)})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, made())
    return path


def test_a_round_trip_changes_nothing(saved: Path) -> None:
    torch.manual_seed(0)
    written, read = made(), load_checkpoint(saved)
    assert read[:4] == written[:4]
    for group in ("weights", "optimiser", "estimator"):
        before, after = getattr(written, group), getattr(read, group)
        assert before.keys() == after.keys()
        for name in before.keys() - {"a/exp_avg"}:
            assert torch.equal(before[name], after[name])
            assert before[name].dtype == after[name].dtype
    agent = read.agent()
    assert all(torch.equal(value, written.weights[name]) for name, value in agent.state_dict().items())


def test_equal_checkpoints_are_equal_files(tmp_path: Path) -> None:
    checkpoint = made()
    files = set()
    for number in range(6):
        path = tmp_path / str(number)
        save_checkpoint(path, checkpoint)
        files.add(path.read_bytes())
    assert len(files) == 1


def test_settings_can_be_changed_where_the_weights_still_fit(saved: Path) -> None:
    checkpoint = load_checkpoint(saved)
    assert checkpoint.agent(experts=9, channel={"topology": "none"}).settings.experts == 9
    with pytest.raises(CheckpointError, match="do not fit"):
        checkpoint.agent(policy={"hidden_size": 9, "message_size": 4})


@pytest.mark.parametrize("part", [0.0, 1e-3, 0.1, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved: Path, part: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(CheckpointError, match="corrupt, truncated") as caught:
        load_checkpoint(saved)
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 100])
def test_a_few_bytes_are_refused(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="corrupt, truncated"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    "data", [b"\0" * 5000, b"not a checkpoint" * 99, b"\xff" * 64, pickle.dumps({"a": [1]})]
)
def test_other_bytes_are_refused(saved: Path, data: bytes) -> None:
    saved.write_bytes(data)
    with pytest.raises(CheckpointError, match="corrupt, truncated"):
        load_checkpoint(saved)


@pytest.mark.parametrize("name", ["seed", "step", "skipped", "place"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_facts_that_are_no_numbers_are_refused(saved: Path, name: str, value: str) -> None:
    with safetensors.safe_open(saved, framework="pt") as file:
        facts = json.loads(file.metadata()[FORMAT])
    text = json.dumps(facts | {name: "here"}).replace('"here"', value)
    safetensors.torch.save_file(safetensors.torch.load_file(saved), saved, {FORMAT: text})
    with pytest.raises(CheckpointError, match="corrupt, truncated") as caught:
        load_checkpoint(saved)
    assert "\n" not in str(caught.value)


class Explosive:
    """What a pickle would run on loading."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("exploded",)


def test_a_pickle_is_refused_and_not_run(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved.parent)
    torch.save(Explosive(), saved)
    with pytest.raises(CheckpointError, match="corrupt, truncated"):
        load_checkpoint(saved)
    assert not Path("exploded").exists()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "no" / "thing"):
        with pytest.raises(CheckpointError, match="no checkpoint at"):
            load_checkpoint(path)


def test_a_foreign_safetensors_file_is_refused(saved: Path) -> None:
    for metadata in (None, {"format": "pt"}):
        saved.write_bytes(safetensors.torch.save({"weight": torch.zeros(2)}, metadata))
        with pytest.raises(CheckpointError, match="no Badger checkpoint"):
            load_checkpoint(saved)


def forged(path: Path, tensors: dict | None = None, **changes: object) -> None:
    with safetensors.safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()[FORMAT])
    facts |= changes
    text = json.dumps({key: value for key, value in facts.items() if value is not None})
    path.write_bytes(safetensors.torch.save(tensors or {"weights/a": torch.zeros(2)}, {FORMAT: text}))


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": None},
        {"step": "x"},
        {"step": [1]},
        {"recipe": None},
        {"recipe": 3},
        {"recipe": {}},
        {"recipe": []},
        {"place": [99, 0]},
        {"place": [-1, 0]},
    ],
    ids=str,
)
def test_metadata_that_make_no_sense_are_refused(saved: Path, changes: dict) -> None:
    forged(saved, **changes)
    with pytest.raises(CheckpointError, match="checkpoint"):
        load_checkpoint(saved)


@pytest.mark.parametrize("text", ["", "3", "[]", "null", "{"])
def test_metadata_of_another_kind_are_refused(saved: Path, text: str) -> None:
    saved.write_bytes(safetensors.torch.save({}, {FORMAT: text}))
    with pytest.raises(CheckpointError, match="corrupt, truncated"):
        load_checkpoint(saved)


def test_tensors_that_belong_nowhere_or_nothing_are_refused(saved: Path) -> None:
    forged(saved, {"strange/a": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="corrupt, truncated"):
        load_checkpoint(saved)
    forged(saved, {"weights/a": torch.zeros(2)})
    with pytest.raises(CheckpointError, match="do not fit"):
        load_checkpoint(saved).agent()


def test_a_recipe_that_cannot_be_used_here_is_named(saved: Path) -> None:
    recipe = json.loads(small_recipe().to_json())
    recipe["env"]["id"] = "Badger/Gone-v0"
    forged(saved, recipe=recipe)
    with pytest.raises(CheckpointError, match=r"recipe in this checkpoint cannot be used.*Gone"):
        load_checkpoint(saved)


def test_an_old_file_stays_if_the_new_one_cannot_be_written(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(saved, made()._replace(step=8))
    assert saved.read_bytes() == before
    assert load_checkpoint(saved).step == 7


def test_a_folder_with_a_user_s_code_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "mine.py").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    recipe = small_recipe(Trust.of(run), agent={"policy": {"kind": "run/mine.py:Mine"}})
    checkpoint = made(recipe)
    save_checkpoint(run / "c", checkpoint)
    elsewhere = tmp_path / "far" / "away"
    shutil.move(run, elsewhere)
    monkeypatch.chdir("/")
    trust = Trust.of(elsewhere)
    agent = load_checkpoint(elsewhere / "c", trust=trust).agent()
    for name, value in agent.state_dict().items():  # tied weights and buffers among them
        assert torch.equal(value, checkpoint.weights[name])
    assert {"policy.first.weight", "policy.tied.weight", "policy.scale"} <= set(agent.state_dict())
    (elsewhere / "mine.py").unlink()
    with pytest.raises(CheckpointError, match=r"cannot be used.*mine\.py"):
        load_checkpoint(elsewhere / "c", trust=trust)


def test_code_outside_the_folder_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(POLICY)
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    trust = Trust.of("mine.py")
    recipe = small_recipe(trust, agent={"policy": {"kind": "mine.py:Mine"}})
    save_checkpoint(Path("run/c"), made(recipe))
    monkeypatch.chdir("/")
    assert load_checkpoint(tmp_path / "run/c", trust=trust).agent().policy.message_size == 2
    with pytest.raises(CheckpointError, match="did not name"):
        load_checkpoint(tmp_path / "run/c", trust=Trust.of(tmp_path / "run"))
