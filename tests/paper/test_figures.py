"""The paper's figures: each is drawn from a few tasks, beside a table of what is drawn."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from scipy import stats

from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import Recipe
from badger_agents.training.loop import train
from leaderboards.cli import call
from leaderboards.runs import open_run
from paper.figures import figure
from paper.measuring import over_seeds
from paper.sweeps import PUBLISHED, read_anchor
from tests.badger_agents.small import small_recipe

TRIALS = 16


def attentional() -> Recipe:
    return small_recipe(
        name="attentional",
        env={"dims": [1, 4], "shuffle_slots": True},
        agent={"membrane": {"kind": "attentional"}},
        training={
            "outer_steps": 3,
            "stages": [
                {"outer_steps": 2, "agent": {"experts": 2}},
                {"env": {"dims": 5}, "agent": {"experts": [1, 3]}},
            ],
        },
    )


def talking(**agent: Any) -> Recipe:
    return small_recipe(name="talking", agent={"experts": 3, **agent}, training={"outer_steps": 2})


def deciding(topology: str, halts: bool = False) -> Recipe:
    agent = {
        "experts": 4,
        "writing": "absolute",
        "policy": {"hidden_size": 8, "message_size": 4, "halts": halts},
        "membrane": {"kind": "attentional"},
        "channel": {"topology": topology},
        "rounds": 3,
    }
    stages = [{"outer_steps": 1}, {"env": {"bits": [2, 3]}, "agent": {"rounds": [2, 3]}}]
    return small_recipe(
        name=f"deciding-{topology}",
        env={"id": "Badger/XOR-v0", "bits": 2, "horizon": 1},
        agent={"feedback_to": "all", **agent},
        training={"outer_steps": 3, "objective": "last_step", "stages": stages},
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small runs, not to be written in."""
    place = tmp_path_factory.mktemp("runs")
    train(small_recipe(name="hardwired"), 0, place / "hardwired")
    for seed in (0, 1):
        train(attentional(), seed, place / f"attentional{seed}")
        train(talking(channel={"vocabulary": 4}), seed, place / f"bits{seed}")
        train(talking(channel={"topology": "none"}), seed, place / f"silent{seed}")
        train(deciding("ring"), seed, place / f"ring{seed}")
        train(deciding("ring", halts=True), seed, place / f"halting{seed}")
    train(deciding("all"), 0, place / "all0")
    return place


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def draw(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    capsys.readouterr()
    call(figure, "figures", [*map(str, words), "--json"])
    return json.loads(capsys.readouterr().out)["results"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "folders", "options"),
    [
        ("6", "hardwired", f"--trials {TRIALS}"),
        ("8", "hardwired", ""),
        ("9", "hardwired", f"--trials {TRIALS}"),
        ("experts", "attentional0 attentional1", f"--trials {TRIALS} --experts 1 2"),
        ("lives", "attentional0", f"--trials {TRIALS} --dims 2"),
        ("bits", "bits0 bits1 silent0 silent1", f"--trials {TRIALS}"),
        ("rounds", "ring0 ring1 all0", f"--trials {TRIALS}"),
        ("halting", "halting0 halting1", f"--trials {TRIALS}"),
    ],
)
def test_a_figure_is_drawn_beside_its_numbers(
    name: str, folders: str, options: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = draw(capsys, name, *(runs / folder for folder in folders.split()), *options.split())
    assert imread(f"figure-{name}.png").std() > 0
    numbers = [row["value"] for row in results if row["name"] not in ("picture", "numbers")]
    with open(f"figure-{name}.csv", encoding="utf-8") as file:
        assert [float(row["value"]) for row in csv.DictReader(file)] == pytest.approx(numbers)


@pytest.mark.slow
def test_figure_7_measures_ours_and_shows_the_published(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--trials", TRIALS, "--dims", 2, 3, "--experts", 3]
    results = draw(capsys, "7", runs / "attentional0", *words)
    (ours,) = (
        row for row in results if row["name"] == "error" and row["agent"] == "attentional" and row["d"] == 3
    )
    run = open_run(str(runs / "attentional0"), experts=3)
    family = run.recipe.family(dims=3, test_dims=None, capacity=None, horizon=20, split="test")
    assert ours["value"] == pytest.approx(evaluate(run.agent, family, TRIALS).mean, rel=1e-5)
    assert {row["column"] for row in results if "column" in row} == {curve.column for curve in PUBLISHED}


def test_the_published_curves_are_whole() -> None:
    published = read_anchor()
    assert published["d"].tolist() == list(range(1, 21))
    assert all(np.isfinite(column).all() for column in published.values())


@pytest.mark.parametrize("seeds", [2, 5])
def test_intervals_over_outer_seeds_are_student_s(seeds: int) -> None:
    values = np.linspace(0.0, 1.0, seeds) ** 2
    mean, (low, high) = over_seeds(values)
    wanted = stats.t.interval(0.95, seeds - 1, values.mean(), stats.sem(values))
    assert (mean, low, high) == pytest.approx((values.mean(), *wanted))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["6", "--experts", "3"], "is of the agent as it was trained"),
        (["bits"], "this figure is of runs of your own"),
        (["7", "--out", "x.gif"], "must end in"),
        (["7", "--trials", "0"], "--trials is 0"),
    ],
)
def test_what_does_not_apply_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call(figure, "figures", words)
    assert message in capsys.readouterr().err
