"""The manifest's schema: closed, without a place for scores, and told as JSON schema."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from leaderboards.submissions.schema import FILE, LARGEST, Manifest, json_schema, read_manifest
from tests.leaderboards.submissions.made import Place


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)


def test_every_table_of_the_schema_is_closed_and_has_no_score() -> None:
    found = list(objects(json_schema()))
    assert len(found) == 6  # manifest, artifact, suite, environment, cell, run
    for table in found:
        assert table["additionalProperties"] is False
        assert not {name for name in table["properties"] if "score" in name or "outcome" in name}


def test_a_prepared_manifest_says_all(made: Place) -> None:
    manifest = read_manifest(made.submission)
    assert manifest.seeds == (0, 1, 2)
    assert manifest.authors == ["A. Nobody"]
    assert {run.outer_steps for run in manifest.runs} == {3}
    assert {run.trials for run in manifest.runs} == {24}
    assert all(run.seconds is not None for run in manifest.runs)
    for file in manifest.files:
        assert hashlib.sha256((made.submission / file.path).read_bytes()).hexdigest() == file.sha256
    assert (made.submission / FILE).stat().st_size < LARGEST / 16


def test_the_artifact_is_bound_to_recipe_and_weights_and_not_to_words(made: Place) -> None:
    manifest = read_manifest(made.submission)
    tables = manifest.model_dump()
    lines = [f"recipe {manifest.recipe.sha256}\n"]
    lines += [
        f"weights {run.seed} {run.weights.sha256}\n" for run in manifest.runs if run.weights is not None
    ]
    assert manifest.artifact == hashlib.sha256("".join(lines).encode()).hexdigest()
    other = {"path": "recipe.toml", "sha256": "0" * 64}
    changes: list[dict[str, Any]] = [{"recipe": other}, {"code": [{**other, "path": "policy.py"}]}]
    changes += [{"runs": tables["runs"][:2]}]
    artifacts = [Manifest.model_validate({**tables, **change}).artifact for change in changes]
    assert len({manifest.artifact, *artifacts}) == 4
    assert Manifest.model_validate({**tables, "about": "new words"}).artifact == manifest.artifact


@pytest.mark.parametrize(
    "change",
    [
        {"status": "ok", "weights": None},
        {"status": "ok", "parameters": None},
        {"status": "failed: it diverged"},
        {"status": "fine"},
        {"status": "failed: one\nbadger: two"},
        {"seconds": float("nan")},
        {"seed": -1},
        {"score": 0.1},
    ],
)
def test_a_run_that_cannot_be_is_refused(made: Place, change: dict[str, Any]) -> None:
    tables = read_manifest(made.submission).model_dump()
    tables["runs"][0] |= change
    with pytest.raises(ValidationError):
        Manifest.model_validate(tables)


def test_a_failed_run_has_neither_weights_nor_parameters(made: Place) -> None:
    tables = read_manifest(made.submission).model_dump()
    tables["runs"][1] |= {"status": "failed: it diverged", "weights": None, "parameters": None}
    assert Manifest.model_validate(tables).seeds == (0, 2)
