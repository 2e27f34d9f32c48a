"""Groups without learning: figures of hidden profiles measured elsewhere, and other sizes."""

import pytest

from badger_agents.evaluation import evaluate
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.hidden_profile import HiddenProfile
from baselines.supervised.group_decisions import Individual, MajorityVote, Pooling, SumOfOpinions

USUAL, HIDDEN = HiddenProfile(split="test"), HiddenProfile(profile="hidden", split="test")


@pytest.mark.parametrize(
    ("agent", "usual", "hidden"),
    [(Individual(), 0.63, 0), (MajorityVote(), 0.69, 0), (SumOfOpinions(), 0.72, 0.01), (Pooling(), 1, 1)],
    ids=lambda value: type(value).__name__,
)
def test_figures_are_those_measured_elsewhere(agent: Individual, usual: float, hidden: float) -> None:
    """Within three standard errors of 2,000 tasks, and the half of a hundredth to which they are rounded.

    A few tasks of the hidden ones are not hidden (0.3 %); there the group may be right.
    """
    for family, expected, allowed in ((USUAL, usual, 0.005), (HIDDEN, hidden, 0.008)):
        found = evaluate(agent, family, 2000)
        error = float(found.outcomes.std()) / 2000**0.5
        assert abs(found.mean - expected) <= 3 * error + allowed


def test_pooling_is_right_at_any_size() -> None:
    family = HiddenProfile(
        members=(2, 4), options=(2, 3), shuffle_slots=True, horizon=10, shared=2, own=4, split="test"
    )
    for kind in ("choice", "ranking"):
        assert evaluate(Pooling(), HiddenProfile(**{**family.settings(), "kind": kind}), 300).mean == 1


def test_other_families_are_refused() -> None:
    with pytest.raises(ValueError, match="Pooling rates options; GuessingGame has none"):
        evaluate(Pooling(), GuessingGame(), 5)
