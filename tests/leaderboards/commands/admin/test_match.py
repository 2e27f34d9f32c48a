"""`badger admin match`: three matchings printed, and a baseline's recipe written."""

from pathlib import Path

import pytest

from badger_agents.recipe.loading import load_recipe
from leaderboards.toml_text import recipe_text
from tests.badger_agents.small import small_recipe, small_toml
from tests.leaderboards.command import refused, run


def test_all_quantities_of_all_matchings_are_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ("--agent", "sequence_model=lstm", "--json")
    rows = run(capsys, "admin", "match", small_toml(tmp_path), *asked).results
    values = {(row["matched_by"], row["name"]): row["value"] for row in rows}
    matchings = ("-", "parameters", "operations", "state")
    for name in ("parameters", "operations", "state"):
        assert all(values[by, name] > 0 for by in matchings)
        assert values[name, name] == pytest.approx(values["-", name], rel=0.1)
    assert values["state", "hidden_size"] == 12  # two numbers each; 3 experts of 8


def test_a_matching_that_there_is_not_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = run(capsys, "admin", "match", small_toml(tmp_path), "--agent", "sequence_model=transformer")
    assert "no match by state: even size 1 gives 32, which is more than 24" in " ".join(done.out.split())


def test_the_recipe_that_is_written_can_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "out.toml"
    words = ("admin", "match", small_toml(tmp_path), "--by", "parameters", "--env", "horizon=5", "--out", out)
    rows = run(capsys, *words, "--json").results
    recipe = load_recipe(str(out))
    (size,) = (row["value"] for row in rows if row["name"] == "hidden_size")
    assert recipe.agent_settings()["hidden_size"] == size
    assert recipe.family().horizon == 5
    assert recipe.training is not None
    assert recipe.training.outer_steps == 6


@pytest.mark.parametrize("name", ["xor", "bandit", "guessing-attentional", "guessing-discrete"])
def test_recipes_survive_being_written(tmp_path: Path, name: str) -> None:
    recipe = load_recipe(name)
    (tmp_path / "again.toml").write_text(recipe_text(recipe.model_dump(exclude_unset=True), "Again."))
    assert load_recipe(str(tmp_path / "again.toml")) == recipe


def test_text_in_a_recipe_survives(tmp_path: Path) -> None:
    recipe = small_recipe(summary='a "quoted" \\ line,\nand é')
    (tmp_path / "again.toml").write_text(
        recipe_text(recipe.model_dump(exclude_unset=True), "Again."), encoding="utf-8"
    )
    assert load_recipe(str(tmp_path / "again.toml")) == recipe


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["guessing-hardwired", "--out", "x.toml"], "give --by"),
        (["guessing-hardwired", "--by", "state", "--out", "x.json"], "must end in .toml"),
        (["guessing-hardwired", "--baseline", "os:path"], "is not of this project"),
        (["guessing-attentional", "--by", "parameters"], "outputs = 3, not"),
        (["guessing-triangulation"], "no weights to match"),
    ],
)
def test_what_is_refused(capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert told in refused(capsys, "admin", "match", *words)
