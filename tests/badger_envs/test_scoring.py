"""Scores: the committed constants, and the line through them."""

import json
import math

import pytest

from badger_envs import TABLE, family_of, scoring

IDS = [entry.id for entry in TABLE]


def test_every_id_has_constants_and_nothing_else_has() -> None:
    assert sorted(scoring.scales()) == sorted(IDS)


@pytest.mark.parametrize("id", IDS)
def test_floor_and_reference_score_zero_and_one(id: str) -> None:
    scale = scoring.scale_of(id)
    assert scoring.normalised_score(id, scale.floor.mean) == 0
    assert scoring.normalised_score(id, scale.reference.mean) == 1
    assert scoring.normalised_score(id, (scale.floor.mean + scale.reference.mean) / 2) == pytest.approx(0.5)


@pytest.mark.parametrize("id", IDS)
def test_constants_are_of_this_outcome_well_measured_and_apart(id: str) -> None:
    scale, family = scoring.scale_of(id), family_of(id)
    assert scale.outcome == family.outcome
    assert (scale.reference.mean > scale.floor.mean) == family.higher_is_better
    gap = abs(scale.reference.mean - scale.floor.mean)
    for anchor in (scale.floor, scale.reference):
        assert anchor.trials >= 10_000
        assert 0 <= anchor.standard_error < 0.02 * gap
        assert anchor.agent


def test_known_constants_are_met() -> None:
    """What can be worked out by hand: within four standard errors."""
    for id, floor, reference in (
        ("Badger/GuessingGame-v0", 1.0, 0.0),
        ("Badger/XOR-v0", 0.5, 1.0),
        ("Badger/Bandit-v0", 50.0, None),
        ("Badger/Bandit-dependent-easy-v0", 50.0, None),
        ("Badger/Bandit-informative-v0", 5 * (5 + 9 * 1.1) / 10, 5.5 / 10 + 4 * 5),
        ("Badger/VariableIO-identity-v0", 1.0, 0.0),
    ):
        scale = scoring.scale_of(id)
        for anchor, expected in ((scale.floor, floor), (scale.reference, reference)):
            if expected is not None:
                assert abs(anchor.mean - expected) <= 4 * anchor.standard_error + 1e-6, (id, anchor)


def test_ids_with_their_module_are_known_and_others_refused() -> None:
    assert scoring.normalised_score("badger_envs:Badger/GuessingGame-v0", 0) == pytest.approx(1)
    with pytest.raises(ValueError, match="'CartPole-v1' has no score constants"):
        scoring.normalised_score("CartPole-v1", 1)


@pytest.mark.parametrize("outcome", [math.nan, math.inf])
def test_outcomes_that_are_no_numbers_are_refused(outcome: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        scoring.normalised_score("Badger/GuessingGame-v0", outcome)


def test_the_file_is_what_would_be_written_again() -> None:
    assert scoring.FILE.read_text(encoding="utf-8") == scoring.to_json(scoring.scales())
    assert json.loads(scoring.FILE.read_text(encoding="utf-8"))["command"].startswith("badger admin score")
