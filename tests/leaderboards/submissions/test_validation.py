"""Validation: each way of tampering is told in one clear line, and nothing of a submission is run."""

import hashlib
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from leaderboards.submissions.artifacts import LARGEST_WEIGHTS
from leaderboards.submissions.packed import pack, unpack
from leaderboards.submissions.schema import FILE, LARGEST, read_manifest
from leaderboards.submissions.validation import validate
from tests.leaderboards.submissions.made import ROWS, Place


def test_a_prepared_submission_is_valid(made: Place) -> None:
    report = validate(made.submission, made.table)
    assert report.violations == []
    assert len(report.rows) == 3 * 2 * 6
    assert "self-reported: nobody has verified it" in report.notes


def score_in_manifest(place: Place) -> None:
    place.edit('status = "ok"', 'status = "ok"\nscore = 0.001')


def changed_value(place: Place) -> None:
    text = unpack(place.submission / ROWS).splitlines()
    text[3] = text[3].rpartition(",")[0] + ",0.0001"
    (place.submission / ROWS).write_bytes(pack("\n".join(text) + "\n"))


def dropped_seed(place: Place) -> None:
    """A bad outer seed, taken out wherever it stands."""
    file = place.submission / FILE
    file.write_text(re.sub(r"\n\[\[runs]]\nseed = 1\n(.+\n)+", "\n", file.read_text()))
    (place.submission / "weights-seed1.safetensors").unlink()
    place.change_rows(lambda text: re.sub(r"\n1,.*", "", text))


def dropped_rows(place: Place) -> None:
    place.change_rows(lambda text: re.sub(r"\n1,.*", "", text))


def easier_env(place: Place) -> None:
    place.edit("horizon = 6", "horizon = 60")


def other_env(place: Place) -> None:
    file = place.submission / FILE
    file.write_text(file.read_text().replace("Badger/GuessingGame-v0", "Badger/GuessingGame-d3-v0"))


def unknown_env(place: Place) -> None:
    file = place.submission / FILE
    file.write_text(file.read_text().replace("Badger/GuessingGame-v0", "Badger/Chess-v0"))


def other_meaning(place: Place) -> None:
    golden = read_manifest(place.submission).environments[0].golden_sha256
    place.edit(golden, "0" * 64)


def pickled_weights(place: Place) -> None:
    place.declare("weights-seed0.safetensors", pickle.dumps({"w": [1.0]}))


def path_out(place: Place) -> None:
    (place.submission.parent / "secret.toml").write_bytes((place.submission / "recipe.toml").read_bytes())
    place.edit('"recipe.toml"', '"../secret.toml"')


def absolute_path(place: Place) -> None:
    place.edit('"recipe.toml"', '"/etc/hostname"')


def link(place: Place) -> None:
    path = place.submission / "weights-seed2.safetensors"
    path.rename(place.submission.parent / "elsewhere")
    path.symlink_to(place.submission.parent / "elsewhere")


def linked_manifest(place: Place) -> None:
    path = place.submission / FILE
    path.rename(place.submission.parent / FILE)
    path.symlink_to(place.submission.parent / FILE)


def not_a_number(place: Place) -> None:
    place.change_rows(lambda text: re.sub(r"(\n0,short,3),.*", r"\1,nan", text))


def out_of_bounds(place: Place) -> None:
    place.change_rows(lambda text: re.sub(r"(\n0,short,3),.*", r"\1,-0.5", text))


def row_twice(place: Place) -> None:
    place.change_rows(lambda text: text + text.splitlines()[-1] + "\n")


def extra_field(place: Place) -> None:
    place.edit("format = 1", 'format = 1\nfavourite_colour = "red"')


def unknown_board(place: Place) -> None:
    place.edit('"tiny-v1"', '"chess-v1"')


def huge_manifest(place: Place) -> None:
    with (place.submission / FILE).open("a") as file:
        file.write("#" * LARGEST)


def deep_manifest(place: Place) -> None:
    place.edit("format = 1", "format = 1\nx = " + "[" * 50_000)


def no_toml(place: Place) -> None:
    (place.submission / FILE).write_bytes(b"format = ")


def copied_weights(place: Place) -> None:
    place.declare(
        "weights-seed1.safetensors",
        (place.submission / "weights-seed0.safetensors").read_bytes(),
    )


def too_many_parameters(place: Place) -> None:
    place.edit("parameters = 765", "parameters = 10")


def stranger(place: Place) -> None:
    (place.submission / "run_me.py").write_text("raise SystemExit('run')")


def linked_words(place: Place) -> None:
    (place.submission / "README.md").symlink_to("/etc/hostname")


def huge_weights(place: Place) -> None:
    with (place.submission / "weights-seed0.safetensors").open("r+b") as file:
        file.truncate(LARGEST_WEIGHTS + 1)  # a hole; nothing is read of it


def own_code_not_declared(place: Place) -> None:
    text = (place.submission / "recipe.toml").read_text()
    changed = text.replace("[agent]", '[agent]\npolicy = "policy.py:MyPolicy"')
    place.declare("recipe.toml", changed.encode())


def code_for_nothing(place: Place) -> None:
    (place.submission / "more.py").write_text("")
    empty = hashlib.sha256(b"").hexdigest()
    place.edit("code = []", f'code = [{{ path = "more.py", sha256 = "{empty}" }}]')


def strange_recipe(place: Place) -> None:
    text = (place.submission / "recipe.toml").read_text()
    place.declare("recipe.toml", text.replace("batch_size = 8", "batch_size = 0").encode())


def forged_verification(place: Place) -> None:
    text = f'{{"manifest_sha256": "{"0" * 64}", "seeds": [0], "seasons": {{}}}}'
    (place.submission / "verified.json").write_text(text)


UNDECLARED = (stranger, linked_words)


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (score_in_manifest, "runs.0.score is not known here"),
        (changed_value, f"{ROWS} has SHA-256"),
        (dropped_seed, r"runs lack outer seeds \[1\]"),
        (dropped_rows, "12 rows are missing, such as outer seed 1"),
        (easier_env, "cells.long.settings.horizon is 60; on tiny-v1 it is 6"),
        (other_meaning, "has the golden hash 000000000000"),
        (pickled_weights, "weights-seed0.safetensors is no safetensors file"),
        (absolute_path, "leads out of the submission's folder"),
        (link, "symbolic link"),
        (linked_manifest, "symbolic link"),
        (not_a_number, "outcome nan"),
        (out_of_bounds, "outside"),
        (row_twice, "repeats outer seed 2, cell long, task 5"),
        (extra_field, "favourite_colour is not known here"),
        (unknown_board, "board is 'chess-v1'"),
        (huge_manifest, "larger than 262144 bytes"),
        (deep_manifest, "nested too deeply"),
        (no_toml, "is no TOML"),
        (copied_weights, "outer seeds 0 and 1 have the same weights"),
        (too_many_parameters, "holds 765 numbers; submission.toml says 10"),
        (stranger, "1 file is not declared, such as 'run_me.py'"),
        (linked_words, "1 file is not declared, such as 'README.md'"),
        (huge_weights, "weights-seed0.safetensors is larger than 1073741824 bytes"),
        (own_code_not_declared, "agent.policy names 'policy.py', which code does not declare"),
        (code_for_nothing, "code declares 'more.py', which the recipe does not name"),
        (strange_recipe, "recipe.toml: training.batch_size"),
        (forged_verification, "verified.json cannot be used: it is of another manifest"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tampering_is_told_in_one_line(place: Place, tamper: Callable[[Place], None], message: str) -> None:
    tamper(place)
    lines = [line for line in place.violations() if "is not declared" not in line or tamper in UNDECLARED]
    assert len(lines) == 1, lines
    assert re.search(message, lines[0]), lines
    assert "\n" not in lines[0]


@pytest.mark.parametrize(
    ("tamper", "messages"),
    [
        (other_env, ["cells.short.id", "cells.long.id"]),
        (unknown_env, ["cells.short.id", "cells.long.id", "Badger/Chess-v0 is not known"]),
        (path_out, ["'../secret.toml' leads out", "not declared, such as 'recipe.toml'"]),
    ],
)
def test_what_is_wrong_in_several_ways_has_a_line_for_each(
    place: Place, tamper: Callable[[Place], None], messages: list[str]
) -> None:
    tamper(place)
    for line, message in zip(place.violations(), messages, strict=True):
        assert message in line


def test_a_board_that_is_not_the_suites_is_not_known_by_itself(place: Place) -> None:
    (line,) = validate(place.submission).violations
    assert "board 'tiny-v1' is not known; boards are" in line


def test_all_violations_are_told_at_once(place: Place) -> None:
    for tamper in (easier_env, other_meaning, pickled_weights, not_a_number, stranger):
        tamper(place)
    assert len(place.violations()) == 5


def test_a_failed_seed_is_kept_and_told(place: Place) -> None:
    dropped_seed(place)
    place.edit("[[runs]]", '[[runs]]\nseed = 1\nstatus = "failed: it diverged"\nouter_steps = 2\n\n[[runs]]')
    report = validate(place.submission, place.table)
    assert report.violations == []
    assert "failed outer seeds: [1]" in report.notes
    assert len(report.rows) == 2 * 2 * 6


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    assert "is no folder" in validate(tmp_path / "nowhere").violations[0]
    assert f"'{FILE}' is not in" in validate(tmp_path).violations[0]
