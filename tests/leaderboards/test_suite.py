"""`badger suite run`: an agent's scores per ability, where it can live, and the picture beside others."""

import csv
import math
from pathlib import Path

import pytest

from badger_agents.recipe.loading import load_recipe
from leaderboards import suite
from leaderboards.plots.profile import LOOKS, draw_profile
from leaderboards.runs import find_source
from leaderboards.suite import ABILITIES, TRAININGS, Score, family_for, measure_source, recipe_for, scores
from tests.leaderboards.command import refused, run

POLICY = """
import torch
from badger_agents.badger.policies.gru import GRUPolicy

class MyPolicy(GRUPolicy):
    pass
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with few tasks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(suite, "TRIALS", 60)


def profile_of(recipe: str) -> dict[str, Score]:
    measure = measure_source(find_source(recipe))
    return {score.ability: score for score in scores("it", {family: [measure] for family in TRAININGS})}


def test_the_floor_is_0_and_the_reference_is_1() -> None:
    zeros, triangulation = profile_of("guessing-zeros"), profile_of("guessing-triangulation")
    for ability in ("coordination", "more numbers", "long trials"):
        assert zeros[ability].value == pytest.approx(0.0, abs=0.3)
        assert triangulation[ability].value == pytest.approx(1.0, abs=1e-6)
        assert zeros[ability].low < zeros[ability].value < zeros[ability].high


def test_where_an_agent_cannot_live_it_has_no_score() -> None:
    score = profile_of("guessing-zeros")["lossy channel"]
    assert math.isnan(score.value)
    assert score.note


def test_every_ability_is_of_a_family_that_is_trained_for() -> None:
    assert {ability.family for ability in ABILITIES.values()} == set(TRAININGS)
    for ability in ABILITIES.values():
        assert family_for(ability).split == "test"


@pytest.mark.parametrize("family", list(TRAININGS))
def test_an_agent_keeps_its_policy_and_its_channel_in_every_family(family: str) -> None:
    own = recipe_for(family)
    silent = recipe_for(family, topology="none")
    assert silent.make_agent().settings.channel.topology == "none"
    assert silent.make_agent().settings.experts == own.make_agent().settings.experts
    assert silent.agent != own.agent
    assert silent.env == own.env
    assert silent.training == own.training
    monolith = recipe_for(family, load_recipe("guessing-monolith"))
    assert monolith.agent == load_recipe("guessing-monolith").agent


def test_a_profile_is_a_table_and_two_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "suite", "run", "--run", "guessing-triangulation", "--out", "p")
    assert done.status == 0
    assert max(map(len, done.out.splitlines())) <= 80
    assert Path("p/profile.png").read_bytes().startswith(b"\x89PNG")
    assert Path("p/profile.svg").read_bytes().startswith(b"<?xml")
    with open("p/profile.csv", encoding="utf-8") as file:
        rows = {row["ability"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(ABILITIES)
    assert float(rows["coordination"]["value"]) == pytest.approx(1.0, abs=1e-6)
    assert rows["exploration"]["value"] == "nan"


@pytest.mark.slow
def test_a_policy_of_ones_own_is_trained_for_every_family(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text(POLICY)
    words = ("suite", "run", "--policy", "mine.py:MyPolicy", "--outer-steps", 2, "--seeds", 2, "--json")
    done = run(capsys, *words)
    assert done.status == 0, done.err
    own = [row for row in done.results if row["name"] == "score" and row["agent"] == "MyPolicy"]
    assert [row["ability"] for row in own] == list(ABILITIES)
    assert {row["outer_seeds"] for row in own} == {2}
    assert len(list(Path("runs/suite/MyPolicy").glob("*/seed*/log.jsonl"))) == 2 * len(TRAININGS)
    again = run(capsys, *words)  # what is trained is not trained again
    assert again.results == done.results


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give one of --agent"),
        (["--agent", "xor", "--pretrained", "xor"], "give one of --agent"),
        (["--agent", "xro"], "did you mean 'xor"),
        (["--pretrained", "xro"], "did you mean 'xor'"),
        (["--run", "nowhere"], "no run 'nowhere'"),
        (["--policy", "nowhere.py:X"], "nowhere.py"),
        (["--agent", "xor", "--seeds", "0"], "--seeds is 0"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert message in refused(capsys, "suite", "run", *words)


def test_bars_can_be_told_apart_without_colours() -> None:
    shades = {(look["facecolor"] in ("black", "0.75"), look.get("hatch")) for look in LOOKS}
    assert len(shades | {look["facecolor"] for look in LOOKS}) >= len(LOOKS)
    assert len({(look.get("hatch"), look["facecolor"]) for look in LOOKS}) == len(LOOKS)
    given = [
        Score("mine", "coordination", 0.5, 0.4, 0.6, 1),
        Score("mine", "exploration", math.nan, math.nan, math.nan, 0, "why"),
        Score("theirs", "coordination", 1.0, 0.9, 1.1, 3),
    ]
    (axis,) = draw_profile(given, "title").axes
    widths = [bar.get_width() for bar in axis.patches if bar.get_width()]
    assert widths == [0.5, 1.0]
    assert {"0.50", "1.00"} == {text.get_text() for text in axis.texts}
