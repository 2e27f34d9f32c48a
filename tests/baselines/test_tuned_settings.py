"""Tuned settings: which cell a family is, what is looked up, and that the data are whole."""

from pathlib import Path

import pytest
import torch

from badger_agents.evaluation import evaluate
from badger_envs import TABLE, family_of
from badger_envs.families.bandit import Bandit
from badger_envs.families.guessing_game import GuessingGame
from badger_envs.families.variable_io import VariableIO
from baselines.bandits.classical import UCB1
from baselines.supervised.classical import Ridge
from baselines.tuned_settings import FOLDER, Tuned, all_tuned, cell_of, read, tuned_setting, write
from baselines.tuning import ALGORITHMS, WEIGHTS
from tests.badger_agents.small import keys


def test_cells_have_names() -> None:
    assert cell_of(Bandit(arms=5, horizon=10, split="test")) == "n=10 k=5"
    assert cell_of(Bandit(shuffle_slots=True, capacity=20)) == "n=100 k=10"
    for family in (
        Bandit(arms=(2, 10)),
        Bandit(arms=5, test_arms=(6, 7)),
        Bandit(kind="restless"),
        GuessingGame(),
    ):
        assert cell_of(family) is None
    assert cell_of(family_of("Badger/VariableIO-lookup-v0", split="test")) == "Badger/VariableIO-lookup-v0"
    assert cell_of(VariableIO(kind="affine", inputs=7)) is None


def test_all_cells_of_the_table_and_all_ids_have_been_tuned() -> None:
    known = {(found.cell, found.algorithm): found for found in all_tuned()}
    for cell in (f"n={n} k={k}" for n in (10, 100, 500) for k in (5, 10, 50)):
        for made in (algorithm for algorithm in ALGORITHMS.values() if algorithm.setting):
            found = known[cell, made.make.__name__]
            assert found.setting == made.setting
            assert [value for value, _ in found.outcomes] == list(made.grid)
            assert dict(found.outcomes)[found.value] == max(outcome for _, outcome in found.outcomes)
    for entry in TABLE:
        if "VariableIO" in entry.id:
            found = known[entry.id, "Ridge"]
            assert [value for value, _ in found.outcomes] == list(WEIGHTS)
            assert dict(found.outcomes)[found.value] == min(outcome for _, outcome in found.outcomes)


def test_tuned_is_looked_up_by_the_familys_cell() -> None:
    for family in (Bandit(arms=5, horizon=10, split="test"), Bandit(arms=50, horizon=500)):
        value = tuned_setting("UCB1", "c", family)
        assert UCB1("tuned").initial_state(family, keys(1)).setting == value
    family = Bandit(arms=5, horizon=10, split="test")
    same = UCB1(tuned_setting("UCB1", "c", family))
    assert torch.equal(evaluate(UCB1("tuned"), family, 50).outcomes, evaluate(same, family, 50).outcomes)


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (Bandit(arms=7), r"none has been tuned for cell 'n=100 k=7'; give a number, or one of the cells"),
        (Bandit(arms=(2, 10)), "for this Bandit, which is no cell"),
    ],
)
def test_where_nothing_was_tuned_it_says_so(family: Bandit, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        UCB1("tuned").initial_state(family, keys(1))


def test_ridge_without_a_cell_says_so() -> None:
    with pytest.raises(ValueError, match="weight of Ridge is 'tuned', and none has been tuned"):
        Ridge().initial_state(VariableIO(inputs=7), keys(1))


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [Tuned("n=1 k=2", "UCB1", "c", 0.5, ((0.1, 3.0), (0.5, 4.25)), 10, 1)]
    write(tmp_path / "x.json", rows)
    assert read(tmp_path / "x.json") == rows
    assert sorted(file.name for file in FOLDER.iterdir()) == [
        "bandits.json",
        "gittins.npz",
        "variable-io.json",
    ]
