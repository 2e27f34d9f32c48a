"""Verification: the same weights give the same rows, and other weights or rows are found out."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from badger_agents.evaluation import evaluate
from badger_agents.recipe.loading import Recipe
from badger_agents.training import loop
from leaderboards.submissions.measuring import board_keys, outcomes_of
from leaderboards.submissions.season import SeasonError, commitment
from leaderboards.submissions.seasons import Season
from leaderboards.submissions.validation import validate
from leaderboards.submissions.verification import (
    VerificationError,
    agree,
    compare,
    held_out,
    open_agent,
    open_recipe,
    retrain,
    write_verified,
)
from tests.leaderboards.submissions.made import Place, make
from tests.leaderboards.test_own_policy import POLICY


def opened(place: Place, trust_code: bool = False) -> Recipe:
    report = validate(place.submission, place.table)
    assert report.violations == []
    assert report.manifest is not None
    assert report.recipe is not None
    return open_recipe(place.submission, report.manifest, report.recipe, trust_code)


def compared(place: Place, trust_code: bool = False) -> list:
    report = validate(place.submission, place.table)
    assert report.manifest is not None
    recipe = opened(place, trust_code)
    return compare(place.submission, report.manifest, place.table, recipe, report.rows, report.manifest.seeds)


def test_tasks_are_those_of_the_board(made: Place) -> None:
    report = validate(made.submission, made.table)
    assert report.manifest is not None
    agent = open_agent(made.submission, opened(made), report.manifest.runs[1])
    family = made.table.cells["long"].family()
    found = outcomes_of(agent, family, board_keys(made.table, family))
    alone = evaluate(agent, family, made.table.tasks, seed=made.table.task_seed).outcomes
    np.testing.assert_allclose(found, alone.numpy(), rtol=1e-6)
    told = [report.rows[1, "long", task] for task in range(made.table.tasks)]
    np.testing.assert_allclose(found, told, rtol=1e-5)


def test_honest_rows_are_found_again(made: Place) -> None:
    found = compared(made)
    assert [(each.cell, each.rows, each.differing) for each in found] == [("short", 18, 0), ("long", 18, 0)]
    assert agree(found)


def test_other_weights_are_found_out(place: Place) -> None:
    name = "weights-seed1.safetensors"
    weights = load_file(place.submission / name)
    first = next(key for key in weights if key.endswith("weight"))
    weights[first] = weights[first] + 0.3 * torch.randn(
        weights[first].shape, generator=torch.Generator().manual_seed(0)
    )
    place.declare(name, save(weights))
    found = compared(place)
    assert [each.differing for each in found] == [6, 6]  # of the one outer seed
    assert not agree(found)


def test_weights_of_another_agent_are_one_line(place: Place) -> None:
    place.declare("weights-seed1.safetensors", save({"w": torch.ones(765)}))
    with pytest.raises(VerificationError, match=r"weights-seed1\.safetensors does not fit"):
        compared(place)


def test_own_code_is_run_only_if_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_file.py").write_text(POLICY)
    place = make(tmp_path, "--policy", str(tmp_path / "my_file.py:MyPolicy"), seeds=1)
    assert (place.submission / "policy.py").read_text() == POLICY
    (tmp_path / "my_file.py").unlink()
    for path in (tmp_path / "runs").rglob("policy.py"):
        path.unlink()  # what is verified lies in the submission
    with pytest.raises(VerificationError, match=r"'policy\.py:MyPolicy'.*--trust-code"):
        opened(place)
    assert agree(compared(place, trust_code=True))


def test_seeds_trained_again_are_held_against_the_spread(
    made: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, recipe = validate(made.submission, made.table), opened(made)
    assert report.manifest is not None
    again = retrain(report.manifest, made.table, recipe, report.rows, [0, 2])
    assert again.within
    assert 0 <= again.low + 1e-3 < again.high
    told = [np.mean([report.rows[seed, "short", task] for task in range(6)]) for seed in (0, 2)]
    np.testing.assert_allclose(again.means, told, rtol=1e-4)
    better = {key: value / 100 for key, value in report.rows.items()}
    assert not retrain(report.manifest, made.table, recipe, better, [0, 2]).within
    failed = report.manifest.runs[2].model_copy(update={"status": "failed: it diverged"})
    hidden = report.manifest.model_copy(update={"runs": [*report.manifest.runs[:2], failed]})
    assert not retrain(hidden, made.table, recipe, report.rows, [2]).within

    def diverge(*words: object, **settings: object) -> None:
        raise loop.DivergenceError("no finite loss", {0: "no finite loss"})

    monkeypatch.setattr(loop, "train", diverge)
    again = retrain(hidden, made.table, recipe, report.rows, [2])
    assert math.isnan(again.means[0])
    assert again.within


def test_what_was_verified_is_noted_for_this_manifest_alone(place: Place) -> None:
    write_verified(place.submission, [0, 2], compared(place), None, {})
    first = (place.submission / "verified.json").read_bytes()
    write_verified(place.submission, [0, 2], compared(place), None, {})
    assert (place.submission / "verified.json").read_bytes() == first
    facts = json.loads(first)
    assert facts["rows_differing"] == 0
    assert "verified: outer seeds [0, 2]" in validate(place.submission, place.table).notes
    place.edit('about = ""', 'about = "changed since"')
    (line,) = place.violations()
    assert "of another manifest" in line


def test_without_a_close_there_is_nothing_held_out(made: Place) -> None:
    report = validate(made.submission, made.table)
    assert report.manifest is not None
    season = Season(name="s", commitment=commitment("n" * 32))
    with pytest.raises(SeasonError, match="is open"):
        held_out(made.submission, report.manifest, made.table, opened(made), season)
