"""`badger grow` and `badger transplant`: that their numbers are paired, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from badger_agents.badger.agent import BadgerAgent
from badger_agents.badger.growing import measure_gain
from badger_agents.badger.growth import Change
from badger_agents.evaluation import evaluate
from badger_agents.training.loop import train
from leaderboards.runs import open_run
from tests.badger_agents.small import small_recipe
from tests.leaderboards.command import Done, refused, run

TRIALS = 21
CLONES = ("--agent", "experts=2", "--at", 1, "--clone", 0, 1, 1, "--clone-noise", 0.5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs of two outer seeds of an agent with any number of experts, not to be written in."""
    place = tmp_path_factory.mktemp("growing")
    agent = {"membrane": {"kind": "attentional"}, "experts": 3}
    recipe = small_recipe(agent=agent, training={"outer_steps": 3, "optimiser": {"learning_rate": 0.1}})
    for seed in (5, 6):
        train(recipe, seed, place / f"run{seed}")
    return [place / "run5", place / "run6"]


def rows(done: Done, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in done.results if all(row.get(key) == value for key, value in wanted.items())]


def test_it_reports_outcomes_and_paired_gains_of_growth_and_of_its_control(
    capsys: pytest.CaptureFixture[str], folders: list[Path]
) -> None:
    done = run(capsys, "grow", folders[0], *CLONES, "--trials", TRIALS, "--seed", 4, "--json")
    assert done.status == 0, done.err
    opened, large = (open_run(str(folders[0]), experts=number) for number in (2, 5))
    assert isinstance(opened.agent, BadgerAgent)
    family = opened.recipe.family(split="test")
    expected = measure_gain(
        opened.agent, family, {1: Change(clone=(0, 1, 1), clone_noise=0.5)}, TRIALS, seed=4
    )
    start = evaluate(large.agent, family, TRIALS, seed=4)
    outcomes = {row["condition"]: row for row in rows(done, name="error")}
    for name, result, experts, then in (
        ("not grown", expected.without, 2, 2),
        ("grown", expected.grown, 2, 5),
        ("from the start", start, 5, 5),
    ):
        row = outcomes[name]
        assert row["value"] == pytest.approx(result.mean)
        assert row["ci95"] == pytest.approx(list(result.ci95))
        assert (row["experts"], row["then"], row["at"], row["n"]) == (experts, then, 1, TRIALS)
    gains = {(row["condition"], row["against"]): row for row in rows(done, name="gain")}
    means = {"not grown": expected.without, "grown": expected.grown, "from the start": start}
    for (name, against), row in gains.items():
        paired = means[against].outcomes - means[name].outcomes  # errors: less is better
        half = 1.96 * float(paired.std()) / TRIALS**0.5
        assert row["value"] == pytest.approx(float(paired.mean()))
        assert row["ci95"] == pytest.approx([float(paired.mean()) - half, float(paired.mean()) + half])
    assert len(gains) == 3
    assert len({row["value"] for row in gains.values()}) == 3


def test_several_outer_seeds_have_their_median_and_a_picture(
    capsys: pytest.CaptureFixture[str], folders: list[Path], tmp_path: Path
) -> None:
    picture = tmp_path / "in" / "growth.png"
    words = ("grow", *folders, "--add", 2, "--trials", 5, "--figure", picture)
    done = run(capsys, *words, "--json")
    gains = [row["value"] for row in rows(done, name="gain", condition="grown", against="not grown")]
    (median,) = rows(done, name="median gain", condition="grown", against="not grown")
    assert len(gains) == 2
    assert median["value"] == pytest.approx(sum(gains) / 2)
    assert (median["outer_seeds"], median["at"]) == (2, 2)
    assert imread(picture).std() > 0.05
    table = run(capsys, *words).out
    assert "preliminary" in table
    assert "median gain" in table


@pytest.mark.parametrize("agent", [(), ("--agent", "channel.topology=ring")])
def test_there_is_no_control_where_who_there_is_ends_as_it_began(
    capsys: pytest.CaptureFixture[str], folders: list[Path], agent: tuple[str, ...]
) -> None:
    done = run(capsys, "grow", folders[0], *agent, "--replace", 1, "--trials", 5, "--json")
    assert {row["condition"] for row in rows(done, name="error")} == {"not grown", "grown"}
    (gain,) = rows(done, name="gain")
    assert gain["value"] != 0
    other = run(capsys, "grow", folders[0], "--topology", "none", "--trials", 5, "--json")
    assert len(rows(other, name="gain")) == 3


def test_transplanted_states_go_on_as_if_nothing_had_been(
    capsys: pytest.CaptureFixture[str], folders: list[Path]
) -> None:
    done = run(capsys, "transplant", *folders, "--at", 3, "--trials", TRIALS, "--seed", 4, "--json")
    assert done.status == 0, done.err
    for seed, folder in zip((5, 6), folders, strict=True):
        opened = open_run(str(folder))
        plain = evaluate(opened.agent, opened.recipe.family(split="test"), TRIALS, seed=4)
        (base,) = rows(done, name="error", outer_seed=seed)
        assert base["value"] == pytest.approx(plain.mean)
        moved = {row["moved"]: row for row in rows(done, name="error difference", outer_seed=seed)}
        assert moved.keys() == {"states", "shuffled states", "nothing"}
        assert (moved["states"]["value"], moved["states"]["largest"]) == (0, 0)
        for what in ("shuffled states", "nothing"):
            assert moved[what]["largest"] >= abs(moved[what]["value"]) > 0
            assert moved[what]["outcome"] - base["value"] == pytest.approx(moved[what]["value"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at", 4, "--add", 1), "growth at step 4: trials of GuessingGame have 4 steps, the last is 3"),
        (("--clone", 3), "clone is [3]; experts are numbered 0 to 2"),
        ((), "nothing changes: give --clone"),
        (("--clone-noise", 0.1), "nothing changes"),
        (("--add", 1, "--clone-noise", 0.1), "there are none; give --clone"),
        (("--add", 1, "--topology", "star"), "topology is 'star'"),
        (("--add", 1, "--trials", 1), "trials is 1; it must be at least 2"),
        (("--add", 1, "--figure", "x.gif"), "its name must end in"),
        (("--add", 1, "--pretrained", "xor"), "give a run or --pretrained, not both"),
    ],
)
def test_what_cannot_be_grown_is_one_line(
    capsys: pytest.CaptureFixture[str], folders: list[Path], words: tuple[object, ...], says: str
) -> None:
    assert says in refused(capsys, "grow", folders[0], *words)


def test_agents_without_experts_and_several_recipes_are_refused(
    capsys: pytest.CaptureFixture[str], folders: list[Path]
) -> None:
    plain = "guessing-triangulation"
    assert "is a Triangulation; badger grow changes" in refused(capsys, "grow", plain, "--add", 1)
    assert "badger transplant changes agents made of experts" in refused(capsys, "transplant", plain)
    assert "different recipes (guessing-" in refused(capsys, "grow", folders[0], plain, "--add", 1)
    assert "it must be from 0 to 3" in refused(capsys, "transplant", folders[0], "--at", 4)
    assert "give a run folder of `badger train`" in refused(capsys, "grow", "--add", 1)
