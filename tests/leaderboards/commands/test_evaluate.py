"""`badger evaluate`: sweeps that a recipe asks for, pretrained policies, and what records say."""

from pathlib import Path
from typing import Any

import pytest

from badger_agents import loading
from badger_agents.agent import LearnedAgent
from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import Recipe, check_recipe
from badger_agents.recipe.schema import EvaluationTable
from badger_agents.training.checkpoint import Checkpoint, save_checkpoint, weights_only
from badger_agents.training.curriculum import Place
from badger_agents.training.loop import train
from leaderboards.cells import Cell, cells_of, measure, prepare, shared
from leaderboards.runs import Source
from tests.badger_agents.small import keys, small_recipe
from tests.leaderboards.command import refused, run

SWEEP = {"env": {"dims": [1, 2], "horizon": 5}, "agent": {"experts": [3, 6]}}


def cells(table: dict[str, Any], env: dict[str, Any] | None = None, agent: Any = None) -> list[Cell]:
    return cells_of(small_recipe(evaluation=table), env or {}, agent or {})


def untrained(recipe: Recipe) -> Source:
    """The recipe's agent as it begins."""
    agent = recipe.make_agent()
    if not isinstance(agent, LearnedAgent):
        return Source(recipe, None)
    return Source(recipe, Checkpoint(recipe, 0, 0, 0, Place(), agent.state_dict(), {}, {}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, `run`, that asks for a sweep, and one without, `plain`, as pretrained policies."""
    place = tmp_path_factory.mktemp("swept")
    for name, table in (("swept", SWEEP), ("plain", {})):
        done = train(small_recipe(training={"outer_steps": 2}, evaluation=table), 3, place / name)
        save_checkpoint(place / f"{name}.safetensors", weights_only(done))
    return place


# combinations


def test_several_lists_give_each_combination() -> None:
    found = cells(SWEEP)
    assert [(cell.env["dims"], cell.agent["experts"]) for cell in found] == [(1, 3), (1, 6), (2, 3), (2, 6)]
    assert all(cell.env["horizon"] == 5 for cell in found)
    assert cells({}) == [Cell({}, {})]


def test_words_of_the_command_take_a_keys_place_and_are_one_value() -> None:
    found = cells(SWEEP, env={"dims": [1, 8]}, agent={"channel": {"topology": "ring"}})
    assert [cell.env["dims"] for cell in found] == [[1, 8], [1, 8]]
    assert [cell.agent for cell in found] == [
        {"experts": 3, "channel": {"topology": "ring"}},
        {"experts": 6, "channel": {"topology": "ring"}},
    ]
    assert "test_dims" not in found[0].env
    assert len(cells(SWEEP, agent={"experts": 4})) == 2


def test_lists_within_tables_and_lists_as_values() -> None:
    table = {
        "agent": {"policy": {"state_noise": [0.0, 1.0], "key_size": 8}},
        "env": {"dims": [[1, 8], 3]},
    }
    found = cells(table)
    assert [cell.env["dims"] for cell in found] == [(1, 8), (1, 8), 3, 3]
    assert [cell.agent["policy"]["state_noise"] for cell in found] == [0.0, 1.0, 0.0, 1.0]
    assert all(cell.agent["policy"]["key_size"] == 8 for cell in found)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValueError, match=r"evaluation\.agent\.experts is an empty list"):
        cells({"agent": {"experts": []}})


def test_a_fixed_size_of_the_table_is_that_size_in_the_test_split_too() -> None:
    recipe = small_recipe(
        env={"dims": [1, 2], "test_dims": 3, "capacity": 3}, evaluation={"env": {"dims": [1, 2]}}
    )
    cases = prepare(untrained(recipe), cells_of(recipe, {}, {}), "test", 0, "cpu")
    assert [case.settings["d"] for case in cases] == [1, 2]
    masks = [case.family.sample_task(keys(5)).mask.sum(-1) for case in cases]
    assert [set(mask.tolist()) for mask in masks] == [{1.0}, {2.0}]
    (held_out,) = prepare(untrained(recipe), cells_of(recipe, {"dims": 2}, {}), "test", 0, "cpu")
    assert held_out.settings["d"] == 3  # on the command line dims is what it always was


# records


def test_records_name_sizes_that_the_recipe_does_not() -> None:
    recipe = small_recipe()  # neither dims nor experts
    (case,) = prepare(untrained(recipe), cells_of(recipe, {}, {}), "validation", 7, "cpu")
    known = case.settings
    assert (known["d"], known["dims"], known["experts"], known["horizon"]) == (3, 3, 3, 4)
    assert (known["split"], known["task_seed"]) == ("validation", 7)
    assert known["outer_seed"] == 0
    assert not {"test_dims", "capacity", "dtype"} & known.keys()
    (row,) = measure(case, 30, 7, "cpu")
    whole = evaluate(case.run.agent, case.family, 30, seed=7)
    assert (row["name"], row["n"]) == ("error", 30)
    assert row["value"] == pytest.approx(whole.mean)
    assert row["ci95"] == pytest.approx(list(whole.ci95))


def test_bits_are_called_bits_and_a_range_has_no_d() -> None:
    xor = _recipe({"id": "Badger/XOR-v0"}, {"experts": 4})
    (case,) = prepare(untrained(xor), cells_of(xor, {"bits": 2}, {}), "test", 0, "cpu")
    assert (case.settings["bits"], case.settings["experts"]) == (2, 4)
    assert "d" not in case.settings
    game = _recipe({"id": "Badger/GuessingGame-v0", "dims": [1, 2]}, {"experts": 4})
    ranges = {
        split: prepare(untrained(game), cells_of(game, {}, {}), split, 0, "cpu")[0].settings
        for split in ("train", "test")
    }
    assert "d" not in ranges["train"] | ranges["test"]


def _recipe(env: dict[str, Any], agent: dict[str, Any]) -> Recipe:
    return check_recipe({"name": "r", "env": env, "agent": agent}, "r")


def test_settings_of_the_same_name_and_tables_are_kept_apart() -> None:
    recipe = _recipe({"id": "Badger/HotCold-v0"}, {"experts": 8})
    changes = {"policy": {"state_noise": 0.5}, "membrane": {"kind": "hardwired"}}
    (case,) = prepare(untrained(recipe), cells_of(recipe, {}, changes), "test", 0, "cpu")
    assert case.settings["policy.state_noise"] == 0.5
    assert not any(isinstance(value, dict) for value in case.settings.values())


def test_agents_without_experts_have_none_in_their_records() -> None:
    recipe = _recipe(
        {"id": "Badger/GuessingGame-v0"}, {"kind": "baselines.optimisers.triangulation:Triangulation"}
    )
    (case,) = prepare(untrained(recipe), cells_of(recipe, {}, {}), "test", 0, "cpu")
    assert not {"experts", "outer_seed"} & case.settings.keys()


def test_what_all_records_share() -> None:
    assert shared([{"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5}]) == {"a": 1}
    assert shared([{"a": 1}]) == {"a": 1}


# the command


def test_a_record_for_each_combination(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    done = run(capsys, "evaluate", folder / "swept", "--trials", 20, "--json")
    errors = [row for row in done.results if row["name"] == "error"]
    assert [(row["d"], row["experts"]) for row in errors] == [(1, 3), (1, 6), (2, 3), (2, 6)]
    assert all(row["d"] == row["dims"] and row["horizon"] == 5 and row["n"] == 20 for row in errors)
    assert len({row["value"] for row in errors}) == 4
    assert all(row["outer_seed"] == 3 and row["agent"] == "small" for row in errors)
    (parameters,) = (row for row in done.results if row["name"] == "parameters")
    assert not {"d", "dims", "experts"} & parameters.keys()
    assert "4/4" in done.err  # the bar
    alone = run(
        capsys, "evaluate", folder / "plain", "--trials", 20, "--json", "--env", "dims=2", "horizon=5"
    )
    assert alone.value("error") == errors[2]["value"]
    assert alone.err == ""


def test_trials_of_so_many_times_the_steps_are_results_of_their_own(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    words = ("--trials", 20, "--json", "--agent", "experts=3", "--steps-factor", 1, 4)
    done = run(capsys, "evaluate", folder / "swept", *words)
    errors = [row for row in done.results if row["name"] == "error"]
    assert [(row["d"], row["horizon"]) for row in errors] == [(1, 5), (1, 20), (2, 5), (2, 20)]
    plain = run(
        capsys, "evaluate", folder / "swept", *words[:5], "--env", "dims=2", "horizon=20"
    )  # the same as to say it
    assert plain.value("error") == errors[3]["value"]
    assert "must be at least 1" in refused(capsys, "evaluate", folder / "swept", "--steps-factor", 0)


def test_words_override_the_recipes_sweep(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    words = ("--trials", 10, "--json", "--env", "dims=3", "--agent", "experts=4")
    done = run(capsys, "evaluate", folder / "swept", *words)
    assert [(row["d"], row["experts"]) for row in done.results] == [(3, 4)] * 3


def test_a_pretrained_policy_is_evaluated_as_its_run(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "FOLDER", folder)
    by_name = run(capsys, "evaluate", "--pretrained", "swept", "--trials", 20, "--json")
    assert by_name.results == run(capsys, "evaluate", folder / "swept", "--trials", 20, "--json").results
    assert "no pretrained policy 'x'; there are: plain, swept" in refused(
        capsys, "evaluate", "--pretrained", "x"
    )
    (folder / "guessing-hardwired.safetensors").touch()
    assert "; or use --pretrained guessing-hardwired" in refused(capsys, "trace", "guessing-hardwired")
    (folder / "guessing-hardwired.safetensors").unlink()
    both = refused(capsys, "evaluate", folder / "plain", "--pretrained", "plain")
    assert "give a run or --pretrained, not both" in both
    assert "--pretrained NAME" in refused(capsys, "evaluate")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--agent", "experts=1"], "1 experts for 2 outputs"),  # of the second size only
        (["--env", "dimz=3"], "no setting 'dimz'"),
        (["--trials", "0"], "trials is 0"),
    ],
)
def test_a_sweep_is_refused_before_it_begins(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], message: str
) -> None:
    assert message in refused(capsys, "evaluate", folder / "swept", *words)


def test_a_table_is_what_the_recipe_reads() -> None:
    assert small_recipe(evaluation=SWEEP).evaluation == EvaluationTable(
        env={"dims": (1, 2), "horizon": 5}, agent={"experts": (3, 6)}
    )


# another family


def test_a_run_is_evaluated_on_another_family(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "evaluate",
        folder / "swept",
        "--trials",
        20,
        "--env",
        "id=Badger/HotCold-v0",
        "dims=1",
        "--json",
    )
    rows = [row for row in run(capsys, *words).results if row["name"] == "regret"]
    assert [(row["env"], row["d"], row["horizon"], row["experts"]) for row in rows] == [
        ("Badger/HotCold-v0", 1, 20, 3),
        ("Badger/HotCold-v0", 1, 20, 6),
    ]  # of the recipe's [evaluation], what it says of the agent
    line = refused(capsys, "evaluate", folder / "swept", "--env", "id=Badger/VariableIO-v0")
    assert "output_feedback = 0, not 2" in line
    assert "Nope" in refused(capsys, "evaluate", folder / "swept", "--env", "id=Badger/Nope-v0")
    assert "id is 3" in refused(capsys, "evaluate", folder / "swept", "--env", "id=3")


def test_a_recipe_may_ask_for_several_families() -> None:
    table = {"env": {"id": ["Badger/GuessingGame-v0", "Badger/HotCold-v0"], "dims": [1, 2]}}
    recipe = small_recipe(evaluation=table)
    cases = prepare(untrained(recipe), cells_of(recipe, {}, {}), "test", 0, "cpu")
    told = [(case.settings["env"], case.settings["dims"], case.settings["horizon"]) for case in cases]
    assert told == [
        ("Badger/GuessingGame-v0", 1, 4),
        ("Badger/GuessingGame-v0", 2, 4),
        ("Badger/HotCold-v0", 1, 20),
        ("Badger/HotCold-v0", 2, 20),
    ]


def test_scores_are_told_where_an_id_is_as_it_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("evaluate", "guessing-triangulation", "--trials", 20, "--json")
    assert run(capsys, *words).value("normalised_score") == pytest.approx(1)
    for change in (("--env", "horizon=30"), ("--split", "train")):
        names = {row["name"] for row in run(capsys, *words, *change).results}
        assert "normalised_score" not in names


# controls


def test_controls_of_learning_are_a_word_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("evaluate", "bandit-greedy", "--env", "arms=5", "horizon=30", "--trials", 400, "--json")
    free, withheld, forgetful = (
        run(capsys, *words, *more) for more in ((), ("--control", "withheld"), ("--control", "forgetful"))
    )
    earned = [done.value("total_reward") for done in (free, withheld, forgetful)]
    assert earned[0] > earned[1] + 2
    assert earned[1] == pytest.approx(15, abs=0.8)  # chance
    assert earned[0] > earned[2] + 1
    assert withheld.results[0]["control"] == "withheld"
    assert "control" not in free.results[0]


def test_controls_are_for_trained_agents_too(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("evaluate", "--pretrained", "guessing-hardwired", "--trials", 100, "--json")
    free, forgetful = (run(capsys, *words, *more) for more in ((), ("--control", "forgetful")))
    assert free.value("error") < 0.05
    assert forgetful.value("error") > 1
    assert forgetful.value("bits_per_step") == free.value("bits_per_step")
    assert forgetful.value("parameters") == free.value("parameters")
