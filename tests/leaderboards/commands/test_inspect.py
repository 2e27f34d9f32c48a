"""`badger inspect`: that its numbers are those of the agent's trials, and what is refused."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from badger_agents.evaluation import evaluate
from badger_agents.training.loop import train
from badger_agents.whitebox import INTERVENTIONS, Intervened, ShuffleTasks, load_trace, record_trace
from badger_envs import keyed_random
from leaderboards import inspection
from leaderboards.cli import main
from leaderboards.runs import open_run
from tests.badger_agents.small import small_recipe
from tests.leaderboards.command import Done, refused, run

TRIALS = 23


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three experts, not to be written in."""
    place = tmp_path_factory.mktemp("inspected") / "run"
    train(small_recipe(training={"outer_steps": 3, "optimiser": {"learning_rate": 0.1}}), 5, place)
    return place


@pytest.fixture(scope="module")
def inspected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """What the command says of it."""
    picture = tmp_path_factory.mktemp("picture") / "in" / "side.png"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        main(
            ["inspect", str(folder), "--trials", str(TRIALS), "--seed", "4", "--out", str(picture), "--json"]
        )
    return Done(0, out.getvalue(), err.getvalue())


def rows(done: Done, name: str) -> list[dict[str, Any]]:
    return [row for row in done.results if row["name"] == name]


def test_outcomes_are_those_of_evaluate_on_the_same_tasks(inspected: Done, folder: Path) -> None:
    opened = open_run(str(folder))
    family = opened.recipe.family(split="test")
    (base,) = rows(inspected, "error")
    plain = evaluate(opened.agent, family, TRIALS, seed=4)
    assert base["value"] == pytest.approx(plain.mean)
    assert base["ci95"] == pytest.approx(list(plain.ci95))
    assert (base["agent"], base["outer_seed"], base["experts"], base["d"]) == ("small", 5, 3, 3)
    changed = {row["intervention"]: row for row in rows(inspected, "error difference")}
    others = {
        "silence": open_run(str(folder), channel={"topology": "none"}).agent,
        "shuffle across tasks": Intervened(opened.agent, ShuffleTasks()),  # type: ignore[arg-type]
    }
    for name, agent in others.items():
        other = evaluate(agent, family, TRIALS, seed=4)
        differences = (other.outcomes - plain.outcomes).numpy()
        half = 1.96 * differences.std(ddof=1) / TRIALS**0.5
        assert changed[name]["value"] == pytest.approx(differences.mean())
        assert changed[name]["ci95"] == pytest.approx([differences.mean() - half, differences.mean() + half])
        assert changed[name]["outcome"] == pytest.approx(other.mean)
    moved = {"states moved after 2 steps", "shuffled states moved after 2", "fresh states after 2 steps"}
    single = {f"expert {i} {what}" for i in range(3) for what in ("removed", "frozen")}
    assert changed.keys() == INTERVENTIONS.keys() | moved | single
    assert changed["states moved after 2 steps"]["value"] == 0
    assert changed["states moved after 2 steps"]["ci95"] == [0, 0]
    assert changed["fresh states after 2 steps"]["value"] != 0


def test_every_measure_has_its_null(inspected: Done) -> None:
    units = {
        "influence of messages on others' writing": "rms writing",
        "speaker consistency": "bits",
        "instantaneous coordination": "bits",
        "entropy of a message's number": "bits",
        "effective rank of messages": "directions",
        "experts heard at a time": "experts",
        "role from state: which expert": "accuracy",
        "role from state: place in the schedule": "accuracy",
        "equivariance residual": "rms writing",
    }
    for name, unit in units.items():
        summary, *single = rows(inspected, name)
        assert (summary["unit"], summary["n"]) == (unit, TRIALS)
        assert "null" in summary
        pairs = {(row.get("listener"), row.get("speaker")) for row in single}
        wanted = {(i, j) for i in range(3) for j in range(3) if i != j}
        if name.startswith("influence") or name.startswith("instantaneous"):
            assert pairs == wanted
        if name == "instantaneous coordination":
            assert summary["value"] == pytest.approx(np.mean([row["value"] for row in single]))
    influence, *_ = rows(inspected, "influence of messages on others' writing")
    assert influence["null"] == 0 < influence["value"]
    assert influence["ci95"][0] <= influence["value"] <= influence["ci95"][1]
    (heard,) = rows(inspected, "experts heard at a time")
    assert 1 <= heard["value"] <= heard["null"] == pytest.approx(2)
    assert inspected.value("equivariance residual") < 1e-5


def test_the_trace_is_of_the_first_tasks_and_the_picture_is_drawn(inspected: Done, folder: Path) -> None:
    trace = load_trace(Path(inspected.value("trace")))
    opened = open_run(str(folder))
    family = opened.recipe.family(split="test")
    names = keyed_random.outer_keys(4, 0, 20, "test", like=torch.zeros(()))
    whole = record_trace(opened.agent, family, names)
    assert trace.tensors.keys() == whole.tensors.keys()
    for name, tensor in whole.tensors.items():
        torch.testing.assert_close(trace.tensors[name], tensor)
    assert (trace.facts["agent"], trace.facts["outer_seed"], trace.facts["task_seed"]) == ("small", 5, 4)
    picture = imread(inspected.value("picture"))
    assert min(picture.shape[:2]) > 500
    assert picture.std() > 0.05


def test_attentional_experts_that_read_received_attention_and_two_tables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "PERMUTATIONS", 5)
    agent = {
        "membrane": {"kind": "attentional"},
        "channel": {"received_attention": True},
        "experts": 9,
        "rounds": 2,
    }
    train(small_recipe(agent=agent, training={"outer_steps": 1}), 0, tmp_path / "run")
    words = (
        "--trials",
        11,
        "--out",
        tmp_path / "inside.svg",
        "--env",
        "dims=2",
        "--agent",
        "channel.topology=ring",
    )
    done = run(capsys, "inspect", tmp_path / "run", *words)
    assert done.status == 0, done.err
    for word in ("silence", "expert 7 removed", "effective rank", "inside.safetensors", "preliminary"):
        assert word in done.out
    assert "expert 8 removed" not in done.out  # of many, the first eight
    assert load_trace(tmp_path / "inside.safetensors").tensors["attention"].shape == (4, 11, 9, 9)


def test_what_cannot_be_inspected_is_refused(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    assert "looks into agents made of experts" in refused(capsys, "inspect", "guessing-triangulation")
    alone = refused(capsys, "inspect", folder, "--env", "dims=1", "--agent", "experts=1")
    assert "has 1 expert, who talks to nobody" in alone
    assert "trials is 9; it must be at least 10" in refused(capsys, "inspect", folder, "--trials", 9)
    wrong = tmp_path / "x.gif"
    assert "its name must end in" in refused(capsys, "inspect", folder, "--out", wrong)
    assert "give a run or --pretrained" in refused(capsys, "inspect", folder, "--pretrained", "x")
    assert list(tmp_path.iterdir()) == []
    other = tmp_path / "checkpoint.safetensors"  # the trace would be called just so
    other.write_bytes(b"weights")
    said = refused(capsys, "inspect", folder, "--out", tmp_path / "checkpoint.png")
    assert "which is none; give another" in said
    assert other.read_bytes() == b"weights"
