"""How far means move between two sets of instructions."""

import pytest

from leaderboards.documents.instructions import Measured, moves

ROWS = [
    Measured(agent, seed, "a processor", instructions, mean)
    for agent, instructions, means in (
        ("gru", "AVX2", (1.0, 2.0)),
        ("gru", "DEFAULT", (1.5, 1.0)),
        ("badger", "AVX2", (4.0, 4.0)),
        ("badger", "DEFAULT", (4.0, 4.0)),
    )
    for seed, mean in enumerate(means)
]


def test_means_move_less_than_single_seeds() -> None:
    gru, badger = moves(ROWS)
    assert (gru.agent, gru.seeds, gru.instructions) == ("gru", 2, ("AVX2", "DEFAULT"))
    assert gru.means == (1.5, 1.25)
    assert gru.largest == 1.0
    assert badger.largest == 0.0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="instructions are AVX2; two are compared"):
        moves([row for row in ROWS if row.instructions == "AVX2"])
    with pytest.raises(ValueError, match="gru has other outer seeds under AVX2 than under DEFAULT"):
        moves(ROWS[1:])
