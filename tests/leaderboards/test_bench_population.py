"""`badger bench population`: what it prints, and that it times the outer steps of training."""

import math
from pathlib import Path

import pytest
import torch

from badger_agents.training.loop import Plan, train, train_population
from benchmarks.population import SeedSteps
from tests.badger_agents.small import small_recipe, small_toml
from tests.leaderboards.command import refused, run


def test_steps_are_those_of_training(tmp_path: Path) -> None:
    recipe = small_recipe(training={"outer_steps": 3, "schedule": "constant"})
    state = torch.get_rng_state()
    stacked = SeedSteps(recipe, 2, tmp_path / "bench", "cpu", threads=1)
    alone = SeedSteps(recipe, 1, tmp_path / "alone", "cpu", threads=1)
    assert [(stacked(), alone()) for _ in range(3)] == [(2, 1)] * 3
    assert torch.equal(state, torch.get_rng_state())
    for folder in ("bench", "alone"):
        assert not [path for path in (tmp_path / folder).rglob("*") if path.is_file()]
    plans = [Plan(recipe, seed, tmp_path / "run" / str(seed)) for seed in range(2)]
    done = [*train_population(plans), train(recipe, 0, tmp_path / "one")]
    for trained, steps in zip(done, [*stacked.runs, *alone.runs], strict=True):
        weights = steps.agent.state_dict()
        assert all(torch.equal(weights[name], weight) for name, weight in trained.weights.items())


def test_both_are_timed_on_the_same_threads(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    before = torch.get_num_threads()
    words = ["--seeds", "3", "--threads", "2", "--seconds", "0.05", "--json"]
    done = run(capsys, "bench", "population", small_toml(tmp_path), *words)
    assert torch.get_num_threads() == before
    value = {(row["name"], row["threads"]): row["value"] for row in done.results}
    assert len(value) == len(done.results) == 6
    for threads in (1, 2):
        stacked, apart = value["stacked_outer_step", threads], value["sequential_outer_steps", threads]
        assert 0 < stacked < math.inf
        assert value["ratio", threads] == pytest.approx(stacked / apart, rel=0.9)  # of medians, and a median
    assert {row["seeds"] for row in done.results} == {3}
    assert all(row["n"] >= 3 for row in done.results)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["xor-handcrafted"], "nothing to train"),
        (["--seeds", "1"], "--seeds must be at least 2"),
        (["--threads", "0"], "--threads at least 1"),
        (["--seconds", "0"], "--seconds above 0"),
        (["--training", "estimator=evolution"], "takes one seed at a time"),
    ],
)
def test_what_cannot_be_timed_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert message in refused(capsys, "bench", "population", *words)
