"""Validation: each way of tampering is told in one clear line, and nothing of a submission is run."""

import json
import os
import pickle
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from badger_agents.recipe.loading import recipe_files, recipe_tables
from badger_agents.training.checkpoint import FORMAT, weights_sha256
from leaderboards.boards.board import load_board
from leaderboards.boards.results import Row
from leaderboards.submissions.contestants import parse_recipe, refusals
from leaderboards.submissions.manifest import FILE, LARGEST, RECIPE, RESULTS, SubmissionError, read_tables
from leaderboards.submissions.validation import LARGEST_WEIGHTS, validate
from leaderboards.toml_text import recipe_text
from tests.badger_agents.small import small_toml
from tests.leaderboards.boards.tiny import tiny_board
from tests.leaderboards.submissions.made import LOST, SEEDS, Place

NO_NUMBERS = ("nan", "inf", "-inf", "1e999")
NO_FACTS = (float("nan"), float("inf"), "1e999")

WEIGHTS = "weights-seed1.safetensors"


def put_in(line: str, value: str) -> Callable[[Place], None]:
    """Another value of a line of the manifest."""

    def tamper(place: Place) -> None:
        text = (place.submission / FILE).read_text()
        changed, count = re.subn(rf"(?m)^{line} = .*$", f"{line} = {value}", text, count=1)
        assert count == 1, text
        (place.submission / FILE).write_text(changed)

    return tamper


def facts_with(name: str, value: Any) -> Callable[[Place], None]:
    """Another fact in the metadata of all weights: JSON has no word for numbers that are none, Python has."""

    def tamper(place: Place) -> None:
        for path in place.submission.glob("weights-*"):
            with safe_open(path, framework="numpy") as file:
                facts = json.loads(file.metadata()[FORMAT])
            facts[name] = value
            text = json.dumps(facts).replace('"1e999"', "1e999")
            save_file(load_file(path), path, {FORMAT: text})

    return tamper


def rewrite_weights(place: Place, seed: int, weights: dict[str, np.ndarray]) -> None:
    """Other weights in the file of an outer seed, with their hash declared wherever it stands."""
    path = place.submission / f"weights-seed{seed}.safetensors"
    with safe_open(path, framework="numpy") as file:
        facts = file.metadata()
    save_file(weights, path, facts)
    digest = weights_sha256({name.removeprefix("weights/"): value for name, value in weights.items()})
    place.change_rows(lambda row: row._replace(weights=digest) if row.seed == seed else row)


def change_recipe(place: Place, change: Callable[[dict[str, Any]], None]) -> None:
    """Another recipe, with its hash declared, in the file and in all weights."""
    tables = read_tables(place.submission, RECIPE)
    change(tables)
    place.declare(RECIPE, recipe_text(tables, "changed").encode())
    for path in place.submission.glob("weights-*"):
        with safe_open(path, framework="numpy") as file:
            facts = json.loads(file.metadata()[FORMAT])
        change(facts["recipe"])
        save_file(load_file(path), path, {FORMAT: json.dumps(facts)})


# Results.


def changed_value(place: Place) -> None:
    file = place.submission / RESULTS
    file.write_text(re.sub(r",ok,\d", ",ok,7", file.read_text(), count=1))


def dropped_seed(place: Place) -> None:
    """A bad outer seed, taken out wherever it stands."""
    (place.submission / WEIGHTS).unlink()
    place.change_rows(lambda row: None if row.seed == 1 else row)


def dropped_cell_of_a_seed(place: Place) -> None:
    place.change_rows(lambda row: None if (row.seed, row.cell) == (1, "long") else row)


def row_twice(place: Place) -> None:
    text = (place.submission / RESULTS).read_text()
    place.declare(RESULTS, (text + text.splitlines()[-1] + "\n").encode())


def another_cell(place: Place) -> None:
    place.change_rows(lambda row: row._replace(cell="easy") if row.cell == "long" else row)


def fewer_tasks(place: Place) -> None:
    place.change_rows(lambda row: row._replace(tasks=2))


def set_one(**changes: Any) -> Callable[[Place], None]:
    """Other values in one row."""

    def change(place: Place) -> None:
        where = (0, "short")
        place.change_rows(lambda row: row._replace(**changes) if (row.seed, row.cell) == where else row)

    return change


def failed_with_weights(place: Place) -> None:
    place.change_rows(lambda row: row._replace(status="failed: lost") if row.seed == 1 else row)


def score_of_ones_own(place: Place) -> None:
    text = (place.submission / RESULTS).read_text()
    place.declare(RESULTS, "\n".join(f"{line},score" for line in text.splitlines()).encode())


# Manifest and files.


def extra_field(place: Place) -> None:
    place.edit("format = 1", "format = 1\nscore = 0.001")


def unknown_board(place: Place) -> None:
    place.edit('"tiny-v1"', '"chess-v1"')


def other_environment(place: Place) -> None:
    file = place.submission / FILE
    file.write_text(re.sub(r'(GuessingGame-v0" = )"\w+"', rf'\1"{"0" * 64}"', file.read_text()))


def huge_manifest(place: Place) -> None:
    with (place.submission / FILE).open("a") as file:
        file.write("#" * LARGEST)


def deep_manifest(place: Place) -> None:
    place.edit("format = 1", "format = 1\nx = " + "[" * 50_000)


def no_toml(place: Place) -> None:
    (place.submission / FILE).write_bytes(b"format = ")


def path_out(place: Place) -> None:
    place.edit('"results.csv"', '"../results.csv"')


def linked_manifest(place: Place) -> None:
    (place.submission / FILE).rename(place.submission.parent / FILE)
    (place.submission / FILE).symlink_to(place.submission.parent / FILE)


def linked_weights(place: Place) -> None:
    (place.submission / WEIGHTS).rename(place.submission.parent / "elsewhere")
    (place.submission / WEIGHTS).symlink_to(place.submission.parent / "elsewhere")


def pipe(place: Place) -> None:
    """Whoever reads it hangs."""
    (place.submission / RECIPE).unlink()
    os.mkfifo(place.submission / RECIPE)


def stranger(place: Place) -> None:
    (place.submission / "run_me.py").write_text("raise SystemExit('run')")


def forged_verification(place: Place) -> None:
    (place.submission / "verified.json").write_text('{"seeds": [0, 1, 2], "seasons": {}}')


# Weights.


def pickled_weights(place: Place) -> None:
    (place.submission / WEIGHTS).write_bytes(pickle.dumps({"w": [1.0]}))


def huge_weights(place: Place) -> None:
    with (place.submission / WEIGHTS).open("r+b") as file:
        file.truncate(LARGEST_WEIGHTS + 1)  # a hole; nothing is read of it


def other_weights(place: Place) -> None:
    path = place.submission / WEIGHTS
    with safe_open(path, framework="numpy") as file:
        facts = file.metadata()
    save_file({name: value * 1.5 for name, value in load_file(path).items()}, path, facts)


def more_weights(place: Place) -> None:
    """More than the results say: they are counted before any is read."""
    weights = load_file(place.submission / WEIGHTS)
    rewrite_weights(place, 1, {**weights, "weights/more": np.zeros(100_000, np.int8)})


def copied_weights(place: Place) -> None:
    rewrite_weights(place, 1, load_file(place.submission / "weights-seed0.safetensors"))


def nearly_copied_weights(place: Place) -> None:
    """The best seed once more, with one weight moved by 1e-7."""
    weights = load_file(place.submission / "weights-seed0.safetensors")
    name = next(iter(weights))
    weights[name].flat[0] += 1e-7
    rewrite_weights(place, 1, weights)


def noisily_copied_weights(place: Place) -> None:
    """The same with a twentieth of noise on every weight: outcomes hardly change."""
    draws = np.random.default_rng(0)
    weights = load_file(place.submission / "weights-seed0.safetensors")
    for value in weights.values():
        value += 0.05 * value * draws.standard_normal(value.shape).astype(value.dtype)
    rewrite_weights(place, 1, weights)


def weights_of_another_seed(place: Place) -> None:
    """The file with its facts, as the file of another seed."""
    content = (place.submission / "weights-seed0.safetensors").read_bytes()
    (place.submission / WEIGHTS).write_bytes(content)


# Recipe.


def oracle_channel(place: Place) -> None:
    """Reads the answers from its keys."""
    kind = "baselines.ablations.communication:OracleChannel"
    change_recipe(place, lambda tables: tables["agent"].update(kind=kind))


def handcrafted_in_a_mixture(place: Place) -> None:
    kinds = ["gru", "badger_agents.badger.policies.handcrafted:ParityPolicy"]
    policy = {"kind": "badger_agents.badger.policies.mixed:MixedPolicy"}
    policy |= {"policies": [{"kind": kind} for kind in kinds]}
    change_recipe(place, lambda tables: tables["agent"].update(policy=policy))


def agent_without_weights(place: Place) -> None:
    change_recipe(place, lambda tables: tables["agent"].update(kind="baselines.constant_policies:Constant"))


def on_the_test_split(place: Place) -> None:
    change_recipe(place, lambda tables: tables["env"].update(split="test"))


def on_the_test_split_in_a_stage(place: Place) -> None:
    stages = [{"env": {"split": "test"}}]
    change_recipe(place, lambda tables: tables["training"].update(stages=stages))


def foreign_code(text: str) -> Callable[[Place], None]:
    return lambda place: change_recipe(place, lambda tables: tables["agent"].update(policy={"kind": text}))


def foreign_environment(place: Place) -> None:
    change_recipe(place, lambda tables: tables["env"].update(id="my_module:Mine-v0"))


def environment_of_another_board(place: Place) -> None:
    stages = [{"env": {"id": "Badger/XOR-3-v0"}}]
    change_recipe(place, lambda tables: tables["training"].update(stages=stages))


def ends_early(place: Place) -> None:
    change_recipe(place, lambda tables: tables["training"].update(patience=1))


def cheaper_recipe(place: Place) -> None:
    """The recipe alone says one outer step."""
    place.declare(
        RECIPE, (place.submission / RECIPE).read_bytes().replace(b"outer_steps = 3", b"outer_steps = 1")
    )


def cheaper_costs(place: Place) -> None:
    """Results say one outer step; recipe and weights know better."""
    place.change_rows(lambda row: row._replace(outer_steps=1))


def cheaper_everywhere(place: Place) -> None:
    """Recipe, weights and results say one outer step: it is not the board's budget."""
    change_recipe(place, lambda tables: tables["training"].update(outer_steps=1))
    cheaper_costs(place)


def broken_recipe(place: Place) -> None:
    text = (place.submission / RECIPE).read_bytes()
    place.declare(RECIPE, text.replace(b"batch_size = 8", b"batch_size = 0"))


ATTACKS: list[tuple[Callable[[Place], None], str]] = [
    (changed_value, "results.csv has another SHA-256"),
    (dropped_seed, r"2 row\(s\) missing, such as outer seed 1"),
    (dropped_cell_of_a_seed, r"1 row\(s\) missing, such as outer seed 1 in cell long"),
    (row_twice, r"1 row\(s\) there twice, such as outer seed 2"),
    (another_cell, r"3 row\(s\) not of tiny-v1, such as outer seed 0 in cell easy"),
    (fewer_tasks, "has 2 tasks; tiny-v1 has 40"),
    (set_one(mean=float("nan")), "out of bounds .*: nan"),
    (set_one(mean=-0.5), "out of bounds"),
    (set_one(mean=12.5), "out of bounds"),
    (set_one(std=100.0), "out of bounds"),
    (set_one(outer_steps=2), "other facts in one cell"),
    (set_one(agent="another"), "'another' is not 'mine'"),
    (failed_with_weights, "neither ok nor failed"),
    (score_of_ones_own, "another header"),
    (extra_field, "score: not known here"),
    (unknown_board, "no board 'chess-v1' here, but tiny-v1"),
    (other_environment, "was another environment"),
    (huge_manifest, "larger than 1048576 bytes"),
    (deep_manifest, "is no TOML"),
    (no_toml, "is no TOML"),
    (path_out, "files"),
    (linked_manifest, "symbolic link"),
    (linked_weights, "symbolic link"),
    (pipe, "recipe.toml is missing"),
    (stranger, "belong to no submission, such as 'run_me.py'"),
    (forged_verification, "belong to no submission, such as 'verified.json'"),
    (pickled_weights, "no safetensors file"),
    (huge_weights, "over 67108864 bytes"),
    (other_weights, "other weights than results.csv says, by their hash"),
    (more_weights, "other weights than results.csv says, by their number"),
    (copied_weights, "outer seeds 0 and 1 have the same weights"),
    (nearly_copied_weights, "outer seeds 0 and 1 have the same weights, or nearly"),
    (noisily_copied_weights, "outer seeds 0 and 1 have the same weights, or nearly"),
    (oracle_channel, "OracleChannel', which knows or looks up answers"),
    (handcrafted_in_a_mixture, "ParityPolicy', which knows or looks up answers"),
    (agent_without_weights, "has no weights"),
    (on_the_test_split, 'the split "test"'),
    (on_the_test_split_in_a_stage, 'the split "test"'),
    (foreign_code("os:system"), "'os:system', which is neither the suite's code"),
    (foreign_code("evil_module:Agent"), "'evil_module:Agent', which is neither"),
    (foreign_code("badger_agents_evil:X"), "neither the suite's code"),
    (foreign_code("../policy.py:X"), "neither the suite's code"),
    (foreign_code("policy.py:X"), "names policy.py, which is not declared"),
    (foreign_code("badger_agents:Nothing"), "cannot be loaded"),
    (foreign_environment, "trains in 'my_module:Mine-v0', which is of no family of tiny-v1"),
    (environment_of_another_board, "trains in 'Badger/XOR-3-v0', which is of no family of tiny-v1"),
    (ends_early, "training.patience ends it before the budget"),
    (cheaper_recipe, "training.outer_steps is 1; the budget of tiny-v1 is 3"),
    (cheaper_costs, "is at outer step 3; results.csv says 1"),
    (cheaper_everywhere, "training.outer_steps is 1; the budget of tiny-v1 is 3"),
    (broken_recipe, "recipe.toml: training.batch_size"),
    *[(put_in("format", value), r"submission.toml: format: Input should be 1$") for value in NO_NUMBERS],
    *[(put_in("board", value), r"submission.toml: board: Input should be a valid") for value in NO_NUMBERS],
    (put_in('"recipe.toml"', "nan"), "submission.toml: files.recipe.toml: Input should be a valid string"),
    (put_in("format", "9" * 5000), "is no TOML"),
    *[(facts_with("seed", value), "another recipe or outer seed") for value in NO_FACTS],
    *[(facts_with("step", value), "is at outer step") for value in NO_FACTS],
    *[(facts_with("recipe", value), "does not say how it was trained") for value in NO_FACTS],
    *[(facts_with("recipe", {"training": value}), "does not say how it was trained") for value in NO_FACTS],
]


@pytest.mark.parametrize(("tamper", "message"), ATTACKS)
def test_tampering_is_refused_in_one_line(
    place: Place, tamper: Callable[[Place], None], message: str
) -> None:
    tamper(place)
    lines = list(dict.fromkeys(re.sub(r"weights-seed\d", "weights", line) for line in place.violations()))
    assert len(lines) == 1, lines  # once for all outer seeds
    assert re.search(message, lines[0]), lines
    assert "\n" not in lines[0]


def test_an_honest_submission_is_valid(made: Place) -> None:
    submission = validate(made.submission, made.table)
    assert len(submission.rows) == SEEDS * 2
    assert submission.seeds == [0, 1, 2]
    assert submission.cells == ["short", "long"]
    assert submission.notes == []


def test_weights_of_another_outer_seed_are_refused(place: Place) -> None:
    weights_of_another_seed(place)
    assert any("another recipe or outer seed" in line for line in place.violations())


def test_a_board_without_a_budget_has_that_of_its_agents(place: Place) -> None:
    board = place.table.model_copy(update={"training": {}})
    validate(place.submission, board)
    cheaper_everywhere(place)
    with pytest.raises(SubmissionError, match=r"outer_steps is 1; agents of tiny-v1 have \[3\]$"):
        validate(place.submission, board)


def test_all_that_is_wrong_is_told_at_once(place: Place) -> None:
    for tamper in (other_environment, stranger, fewer_tasks, on_the_test_split):
        tamper(place)
    assert len(place.violations()) == 4


def test_a_failed_seed_and_other_code_of_environments_are_told(place: Place) -> None:
    (place.submission / WEIGHTS).unlink()

    def fail(row: Row) -> Row:
        return row._replace(status="failed: it diverged", **LOST) if row.seed == 1 else row

    place.change_rows(fail)
    file = place.submission / FILE
    file.write_text(re.sub(r'source_sha256 = "\w+"', f'source_sha256 = "{"0" * 64}"', file.read_text()))
    submission = validate(place.submission, place.table)
    assert submission.seeds == [0, 2]
    assert submission.failed == [1]
    assert any("other code of environments" in note for note in submission.notes)


def test_a_board_that_is_not_the_suites_is_not_known_by_itself(made: Place, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no board 'tiny-v1'"):
        validate(made.submission)
    for folder, message in ((tmp_path / "nowhere", "is no folder"), (tmp_path, f"{FILE} is missing")):
        with pytest.raises(SubmissionError, match=message):
            validate(folder)


@pytest.mark.parametrize("name", sorted(recipe_files()))
def test_recipes_of_the_suite_that_train_learned_agents_may_take_part(name: str, tmp_path: Path) -> None:
    recipe = parse_recipe(recipe_tables(name)[0], name)
    met = sorted(recipe.met)
    cells = {f"cell-{n}" if n else "short": {"id": id} for n, id in enumerate(met)}
    budget = {} if recipe.training is None else {"outer_steps": recipe.training.outer_steps}
    own = {"own": {"recipe": name}} if recipe.training is not None else {}
    agents = {**own, "talk": {"recipe": str(small_toml(tmp_path, 3))}}
    said = refusals(recipe, tiny_board(tmp_path, cells=cells, training=budget, agents=agents))
    assert (said == []) == (recipe.training is not None and name != "guessing-handcrafted"), said


@pytest.mark.parametrize(
    ("board", "recipe", "change", "line"),
    [
        ("prior-v1", "bandit-k5", {}, "it trains on Bandit, which no agent of prior-v1 does"),
        (
            "hot-cold-v1",
            "hot-cold-hardwired",
            {"env": {"kind": ["rastrigin", "network"], "test_kind": ["sphere"]}},
            "kind network, rastrigin; agents of hot-cold-v1 with absolute, ellipsoid, rosenbrock, sphere",
        ),
        (
            "deliberation-v1",
            "deliberation",
            {"training": {"stages": [{"env": {"size": 32, "horizon": [8, 16]}}]}},
            "with size 32; agents of deliberation-v1 with 2 to 8",
        ),
        (
            "scaling-v1",
            "guessing-scaling",
            {"training": {"stages": [{"env": {"dims": [1, 12], "test_dims": 13, "capacity": 13}}]}},
            "with dims 12; agents of scaling-v1 with 1 to 6",
        ),
        (
            "guessing-game-v1",
            "guessing-hardwired",
            {"agent": {"feedback_to": "all"}},
            "its feedback goes to all of its experts; that of guessing-game-v1 to one",
        ),
        (
            "guessing-game-v1",  # the same class by another name
            "guessing-hardwired",
            {"agent": {"feedback_to": "all", "kind": "badger_agents.badger.exporting:BadgerAgent"}},
            "its feedback goes to all of its experts; that of guessing-game-v1 to one",
        ),
        (
            "guessing-game-v1",
            "guessing-hardwired",
            {"training": {"batch_size": 8192}},
            "it trains on 4,915,200 trials; agents of guessing-game-v1 like it on 76,800 at the most",
        ),
        (
            "digits-v1",  # RL2 has four times the trials there
            "digits",
            {"training": {"batch_size": 128}},
            "it trains on 25,600 trials; agents of digits-v1 like it on 6,400 at the most",
        ),
        (
            "hot-cold-v1",  # where one hears and where all do are two contests
            "hot-cold-hardwired",
            {"agent": {"feedback_to": "all"}},
            "its feedback goes to all of its experts; that of hot-cold-v1 to one",
        ),
        (
            "sequence-v1",
            "sequence",
            {"env": {"tasks": [{"id": "Badger/GuessingGame-v0", "dims": 6}] * 2}},
            "it trains on GuessingGame with dims 6; agents of sequence-v1 with 3",
        ),
    ],
)
def test_what_no_agent_of_a_board_meets_in_training_nobody_may(
    board: str, recipe: str, change: dict[str, Any], line: str
) -> None:
    tables = recipe_tables(recipe)[0]
    whole = load_board(board)
    tables["training"] |= whole.training
    assert not change or refusals(parse_recipe(tables, recipe), whole) == []
    for table, settings in change.items():
        tables[table] |= settings
    assert any(said.endswith(line) for said in refusals(parse_recipe(tables, recipe), whole))


def test_the_recipe_of_a_boards_first_agent_may_take_part_though_it_meets_families_of_no_cell() -> None:
    board = load_board("generalist-v2")
    assert refusals(parse_recipe(json.loads(board.recipe("badger").to_json()), "recipe"), board) == []


def test_no_code_of_a_submission_is_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    witness = place.submission.parent / "witness"
    monkeypatch.syspath_prepend(str(place.submission))
    for name in ("evil_module.py", "policy.py"):
        (place.submission / name).write_text(f"open({str(witness)!r}, 'w').close()\n")
    for text in ("policy.py:MyPolicy", "evil_module:Agent"):
        foreign_code(text)(place)
        assert place.violations()
    assert not witness.exists()
    assert "evil_module" not in sys.modules


def test_a_byte_changed_anywhere_is_told_and_never_an_accident(made: Place, tmp_path: Path) -> None:
    draws = random.Random(0)
    for trial in range(20):
        place = made.copy(tmp_path / str(trial))
        path = draws.choice(sorted(place.submission.glob("[!s]*")))  # the manifest may have comments
        content = bytearray(path.read_bytes())
        where = draws.randrange(len(content))
        content[where] ^= 1 << draws.randrange(8)
        path.write_bytes(content[: where + 1] if trial % 2 else content)
        assert path.name in " ".join(place.violations())
