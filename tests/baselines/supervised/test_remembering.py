"""An exact memory is always right, at any size; and it is for recall alone."""

from typing import Any

import pytest

from badger_agents.evaluation import evaluate
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.recall import Recall
from baselines.supervised.remembering import Remembering


@pytest.mark.parametrize("settings", [{}, {"patience": 2}, {"asked": "other"}], ids=str)
@pytest.mark.parametrize("kind", ["lookup", "autoencode"])
def test_an_exact_memory_is_right_at_any_size(kind: Any, settings: dict[str, Any]) -> None:
    family = Recall(
        kind=kind, pairs=(1, 4), members=(2, 4), shuffle_slots=True, horizon=20, split="test", **settings
    )
    assert evaluate(Remembering(), family, 300).mean == 1


def test_other_families_are_refused() -> None:
    with pytest.raises(ValueError, match="GuessingGame tells nothing"):
        evaluate(Remembering(), GuessingGame(), 5)
