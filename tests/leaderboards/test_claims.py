"""What is claimed of the pretrained policies holds, on fewer tasks than the claims were measured on."""

import csv
from functools import cache
from pathlib import Path

import pytest

from badger_agents.evaluation import evaluate
from badger_agents.loading import load_pretrained
from badger_agents.training.checkpoint import Checkpoint

ANCHORS = Path(__file__).parents[2] / "paper" / "figure7_badger2019.csv"


@cache
def policy(name: str) -> Checkpoint:
    return load_pretrained(name)


def error(dims: int, trials: int, horizon: int = 20, **agent: object) -> float:
    kept = policy("guessing-attentional")
    family = kept.recipe.family(split="test", dims=dims, horizon=horizon)
    return evaluate(kept.agent(**agent), family, trials, seed=7).mean


def accuracy(bits: int, horizon: int = 4, **agent: object) -> float:
    kept = policy("xor")
    family = kept.recipe.family(split="test", bits=bits, horizon=horizon)
    return evaluate(kept.agent(**agent), family, 500, seed=7).mean


@pytest.mark.parametrize(("dims", "most"), [(2, 0.02), (3, 0.02), (6, 0.05), (10, 0.2), (15, 0.1)])
def test_the_guessing_game_is_solved_at_sizes_up_to_15(dims: int, most: float) -> None:
    assert error(dims, 300) < most


@pytest.mark.parametrize("dims", [4, 12, 20])
def test_errors_lie_below_all_published_curves(dims: int) -> None:
    lines = [line for line in ANCHORS.read_text().splitlines() if not line.startswith("#")]
    (row,) = [row for row in csv.DictReader(lines) if int(row["d"]) == dims]
    published = [float(row[name]) for name in row if name.startswith("trained")]
    assert len(published) == 3
    assert error(dims, 300) < min(published)


@pytest.mark.parametrize("experts", [1, 3, 80])
def test_any_number_of_experts_will_do(experts: int) -> None:
    assert error(6, 100, experts=experts) < 0.05


def test_a_life_five_times_as_long_does_not_diverge() -> None:
    assert error(6, 100, horizon=100) < 0.05


def test_experts_who_hear_nothing_do_not_solve_it() -> None:
    assert error(6, 200, channel={"topology": "none"}) > 0.5


@pytest.mark.parametrize("horizon", [8, 16])
@pytest.mark.parametrize(("bits", "least"), [(2, 0.99), (6, 0.99), (8, 0.9), (10, 0.9)])
def test_parity_carries_over_to_longer_lives_and_more_bits(bits: int, least: float, horizon: int) -> None:
    assert accuracy(bits, horizon, experts=12) > least


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6])
def test_parity_is_right_and_needs_every_input_and_the_channel(bits: int) -> None:
    assert accuracy(bits) > 0.99
    assert accuracy(bits, channel={"topology": "none"}) == pytest.approx(0.5, abs=0.1)
    blind = {"experts": bits, "membrane": {"blind": (0,)}}
    assert accuracy(bits, **blind) == pytest.approx(0.5, abs=0.1)
