"""Publishing: the median run is shipped, with a card and rows that can be checked, or nothing is."""

import csv
import math
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badger_agents import loading
from badger_agents.recipe.loading import load_recipe
from badger_agents.training.loop import train
from badger_agents.training.run import CHECKPOINT, LOG, Progress
from badger_envs.scoring import normalised_score
from leaderboards.commands.admin import card as cards
from leaderboards.commands.admin.card import Candidate
from leaderboards.commands.admin.publish import median
from leaderboards.results import record
from tests.badger_agents.pretrained_files import check_published
from tests.badger_agents.small import small_toml
from tests.leaderboards.command import refused, run

EVALUATION = """
[evaluation.env]
dims = [1, 2]
[evaluation.agent]
experts = [3, 4]
"""
SEEDS = (4, 0, 2, 9)
FEW = ("--trials", 30, "--validation-trials", 20, "--json")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, small.toml, and finished runs of it; not to be written in."""
    folder = tmp_path_factory.mktemp("publish")
    toml = small_toml(folder, outer_steps=3)
    toml.write_text(toml.read_text() + EVALUATION)
    for seed in SEEDS:
        train(load_recipe(str(toml)), seed, folder / str(seed))
    return folder


def published(place: Path, out: Path, seeds: tuple[int, ...] = SEEDS[:3]) -> list[object]:
    """Words that publish these runs."""
    return [
        "admin",
        "publish",
        place / "small.toml",
        *(place / str(seed) for seed in seeds),
        "--out",
        out,
        *FEW,
    ]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_median_seed_is_shipped_with_all_that_was_measured(
    capsys: pytest.CaptureFixture[str], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "new" / "out"
    done = run(capsys, *published(place, out))
    assert done.status == 0, done.err
    assert sorted(os.listdir(out)) == ["small.csv", "small.md", "small.safetensors"]
    check_published(out, "small", load_recipe(str(place / "small.toml")))
    scores = {row["outer_seed"]: row["value"] for row in done.results if row["name"] == "mean_error"}
    middle = sorted(SEEDS[:3], key=scores.__getitem__)[1]
    assert [row["outer_seed"] for row in done.results if row.get("shipped") == "yes"] == [middle]

    rows = rows_of(out / "small.csv")
    assert len(rows) == 3 * 2 * 4
    places = {(row["outer_seed"], row["split"], row["dims"], row["experts"]) for row in rows}
    assert len(places) == len(rows)
    for seed, score in scores.items():
        own = [row for row in rows if (row["outer_seed"], row["split"]) == (str(seed), "validation")]
        assert {row["n"] for row in own} == {"20"}
        assert sum(float(row["value"]) for row in own) / 4 == pytest.approx(score, rel=1e-12)

    card = (out / "small.md").read_text()
    assert "preliminary" in card
    assert "30 fresh tasks" in card
    assert f"badger train small.toml --seed {middle}\n" in card
    assert "runs/small-seed4 \\\n    runs/small-seed0 \\\n    runs/small-seed2 \\\n" in card
    assert "--trials 30 \\\n    --validation-trials 20\n" in card
    assert "badger evaluate --pretrained small\n" in card
    assert str(tmp_path) not in card
    table = card.partition("## Test results")[2].partition("## How")[0]
    assert len([line for line in table.splitlines() if line.startswith("|")]) == 2 + 4

    # the shipped file gives its test rows again, to the last digit
    monkeypatch.setattr(loading, "FOLDER", out)
    again = run(capsys, "evaluate", "--pretrained", "small", "--trials", 30, "--json").results
    told = [row["value"] for row in again if row["name"] == "error"]
    assert [row["d"] for row in again if row["name"] == "error"] == [1, 1, 2, 2]
    shipped = [row for row in rows if (row["outer_seed"], row["split"]) == (str(middle), "test")]
    assert told == [float(row["value"]) for row in shipped]


def test_publishing_again_gives_the_same_files(
    capsys: pytest.CaptureFixture[str], place: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        assert run(capsys, *published(place, tmp_path / name)).status == 0
    for file in ("small.csv", "small.md", "small.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_of_four_seeds_the_third_is_shipped_and_ten_are_enough(
    capsys: pytest.CaptureFixture[str], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "ENOUGH", 4)
    done = run(capsys, *published(place, tmp_path, SEEDS), "--note", "On two cores.")
    scores = {row["value"]: row.get("shipped") for row in done.results if row["name"] == "mean_error"}
    assert [scores[value] for value in sorted(scores)] == ["no", "no", "yes", "no"]
    card = (tmp_path / "small.md").read_text()
    assert "preliminary" not in card
    assert "\nOn two cores.\n" in card


def test_what_is_evaluated_is_as_the_recipe_says_now(
    capsys: pytest.CaptureFixture[str], place: Path, tmp_path: Path
) -> None:
    toml = tmp_path / "small.toml"
    toml.write_text((place / "small.toml").read_text().replace("dims = [1, 2]", "dims = 3"))
    words = published(place, tmp_path / "out")
    words[2] = toml
    assert run(capsys, *words).status == 0
    assert {row["dims"] for row in rows_of(tmp_path / "out" / "small.csv")} == {"3"}
    check_published(tmp_path / "out", "small", load_recipe(str(toml)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["small.toml", "4", "0"], "2 runs; a median needs 3 or more"),
        (["small.toml", "4", "0", "0"], "outer seed 0 is given 2 times"),
        (["small.toml", "4", "0", "nothing"], "no run folder 'nothing'"),
        (["small.toml", "4", "0", "empty"], f"no run 'empty/{CHECKPOINT}'"),
        (["small.toml", "4", "0", f"2/{CHECKPOINT}"], "no run folder"),
        (
            ["longer.toml", "4", "0", "2"],
            "4 is a run of another recipe than longer.toml: they differ in training",
        ),
        (["guessing-hardwired", "4", "0", "2"], "they differ in name"),
        (["guessing-triangulation", "4", "0", "2"], "nothing to train, so nothing to publish"),
        (
            ["small.toml", "4", "0", "unfinished"],
            "unfinished is at outer step 2 of 3; finish it: badger train",
        ),
        (["small.toml", "4", "0", "unlogged"], f"unlogged/{LOG} does not reach the run's end"),
        (["bad.toml", "4", "0", "2"], "1 experts for 2 outputs"),
        (["void.toml", "4", "0", "2"], "evaluation.env.dims is an empty list"),
        (["small.toml", "4", "0", "2", "--trials", "1"], "--trials is 1"),
        (["small.toml", "4", "0", "2", "--out", "small.toml"], "cannot write into small.toml"),
    ],
)
def test_what_cannot_be_published_is_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    work = shutil.copytree(place, tmp_path / "work")
    monkeypatch.chdir(work)
    text = Path("small.toml").read_text()
    Path("longer.toml").write_text(text.replace("outer_steps = 3", "outer_steps = 4"))
    Path("bad.toml").write_text(text.replace("[3, 4]", "[3, 1]"))
    Path("void.toml").write_text(text.replace("[1, 2]", "[]"))
    Path("empty").mkdir()
    shutil.copytree("2", "unlogged")
    Path("unlogged", LOG).unlink()

    def stop(progress: Progress) -> None:
        if progress.step == 3:  # after the checkpoint of step 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(load_recipe("small.toml"), 2, Path("unfinished"), on_step=stop)
    before = sorted(map(str, Path().rglob("*")))
    out = [] if "--out" in words else ["--out", "new"]
    assert message in refused(capsys, "admin", "publish", *words, *out)
    assert sorted(map(str, Path().rglob("*"))) == before


def test_code_of_ones_own_is_not_published(
    capsys: pytest.CaptureFixture[str], place: Path, tmp_path: Path
) -> None:
    code = tmp_path / "mine.py"
    code.write_text("from badger_agents import GRUPolicy\nclass Mine(GRUPolicy): pass\n")
    toml = tmp_path / "small.toml"
    toml.write_text(
        (place / "small.toml")
        .read_text()
        .replace("[agent.policy]\n", f'[agent.policy]\nkind = "{code}:Mine"\n')
    )
    words = published(place, tmp_path / "out")
    words[2] = toml
    assert "only code of installed packages is published" in refused(capsys, *words, "--trust", code)
    assert not (tmp_path / "out").exists()


def candidate(seed: int, *scores: float) -> Candidate:
    rows = [record("x", score, n=2, ci95=(score, score)) for score in scores]
    return Candidate(seed, 1.0, 0, rows, rows)


@given(st.lists(st.floats(-9, 9), min_size=3, max_size=12, unique=True), st.booleans(), st.randoms())
def test_the_median_has_as_many_better_as_worse_or_one_more_better(
    scores: list[float], higher: bool, random: object
) -> None:
    candidates = [candidate(seed, score) for seed, score in enumerate(scores)]
    shipped = scores[median(candidates, higher)]
    better = sum((score > shipped) if higher else (score < shipped) for score in scores)
    assert better - (len(scores) - 1 - better) in (0, 1)
    assert better == len(scores) // 2


def test_the_score_is_the_mean_over_combinations_and_no_number_is_the_worst() -> None:
    assert candidate(0, 1.0, 4.0).score == 2.5
    broken = [candidate(0, math.nan, 0.0), candidate(1, 0.1), candidate(2, 0.2)]
    assert median(broken, higher_is_better=False) == 2
    assert median(broken, higher_is_better=True) == 1


def test_of_several_environments_those_met_in_training_choose(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    toml = small_toml(tmp_path, outer_steps=2)
    ids = '["Badger/GuessingGame-v0", "Badger/HotCold-v0", "Badger/XOR-v0"]'
    met = "[[training.stages]]\n[[training.stages.mixture]]\n[[training.stages.mixture]]\n"
    met += 'env = { id = "Badger/HotCold-v0" }\n'
    toml.write_text(f"{toml.read_text()}{met}[evaluation]\nenv = {{ id = {ids} }}\n")
    for seed in SEEDS[:3]:
        train(load_recipe(str(toml)), seed, tmp_path / str(seed))
    done = run(capsys, *published(tmp_path, tmp_path / "out"))
    assert done.status == 0, done.err
    rows = rows_of(tmp_path / "out" / "small.csv")
    assert {row["env"] for row in rows} == {"Badger/GuessingGame-v0", "Badger/HotCold-v0", "Badger/XOR-v0"}
    scored = [row for row in done.results if row["name"] == "mean_normalised_score"]
    assert len(scored) == 3
    for row in scored:  # an error and a regret: only their scores can be added up
        own = [r for r in rows if (r["outer_seed"], r["split"]) == (str(row["outer_seed"]), "validation")]
        values = [normalised_score(r["env"], float(r["value"])) for r in own if "XOR" not in r["env"]]
        assert row["value"] == pytest.approx(sum(values) / 2)
    median = sorted(row["value"] for row in scored)[1]
    assert [row["shipped"] for row in scored if row["value"] == median] == ["yes"]
    card = (tmp_path / "out" / "small.md").read_text()
    assert "| env | outcome | " in card
    assert "| Badger/XOR-v0 | accuracy | " in card

    toml.write_text(toml.read_text().replace(ids, '"Badger/XOR-v0"'))
    assert "evaluates nothing that it is trained on" in refused(capsys, *published(tmp_path, tmp_path / "no"))
