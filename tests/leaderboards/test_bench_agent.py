"""`badger bench agent`: what it prints, and that it counts and times what it says."""

import json
import math
from pathlib import Path

import pytest
import torch

from badger_agents.recipe.loading import Recipe
from badger_agents.training.loop import train
from benchmarks.agent import OuterStep, Sizes, matrix_cycle, matrix_operations, operations
from leaderboards.cli import main

SMALL = Sizes(batch_size=4, experts=3, dims=2, horizon=3, hidden_size=8)
WORDS = ["--batch-size", "4", "--experts", "3", "--dims", "2", "--horizon", "3", "--hidden-size", "8"]
QUICK = ["--matrix-size", "16", "--seconds", "0.05"]


def expected_operations(sizes: Sizes, reading: int, message: int = 16, key: int = 8) -> int:
    """Operations in policy, channel and error, forward and backward: 2 N m n for a product [N, m] [m, n].

    Backward, a product costs the same for each of its two factors that has a gradient. The first step
    has none for what goes in (no weight touched it), but for the weights.
    """
    rows, pairs = sizes.batch_size * sizes.experts, sizes.batch_size * sizes.experts**2
    hidden, steps = sizes.hidden_size, sizes.horizon
    cell = 2 * rows * (message + reading + hidden) * 3 * hidden
    emit = 2 * rows * hidden * (message + 2 * key + 1)
    hear, score = 2 * pairs * message, 2 * pairs * key
    error = 2 * sizes.batch_size * sizes.dims  # a dot product of two vectors per trial
    forward = steps * (cell + emit + hear + error) + (steps - 1) * score
    weights = steps * (cell + emit)
    passed_on = steps * (emit + 2 * error) + (steps - 1) * (cell + 2 * hear + 2 * score)
    return forward + weights + passed_on


@pytest.mark.parametrize(
    "sizes",
    [
        SMALL,
        Sizes(batch_size=5, experts=7, dims=4, horizon=6, hidden_size=16),
        Sizes(batch_size=3, experts=2, dims=1, horizon=1, hidden_size=5),
        Sizes(batch_size=100, experts=20, dims=3, horizon=2, hidden_size=64),
    ],
)
def test_operations_are_those_that_shapes_say(sizes: Sizes) -> None:
    hardwired = Sizes(**{**vars(sizes), "membrane": "hardwired"})  # a membrane without matrix products
    step = OuterStep(hardwired, "cpu")
    assert operations(step) == expected_operations(hardwired, step.agent.membrane.reading_size)


def test_the_attentional_membrane_adds_little_to_them() -> None:
    sizes = Sizes(horizon=3)
    step = OuterStep(sizes, "cpu")
    expected = expected_operations(sizes, step.agent.membrane.reading_size)
    assert expected < operations(step) < 1.02 * expected


@pytest.mark.parametrize("membrane", ["hardwired", "attentional"])
def test_its_outer_steps_are_those_of_training(membrane: str, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "name": "small",
            "env": {"id": "Badger/GuessingGame-v0", "dims": 2, "horizon": 3},
            "agent": {"experts": 3, "membrane": membrane, "policy_settings": {"hidden_size": 8}},
            "training": {
                "outer_steps": 4,
                "batch_size": 4,
                "objective": "last_step",
                "learning_rate": 1e-3,
                "schedule": "constant",
            },
        }
    )
    trained = train(recipe, 0, tmp_path / "run").weights
    step = OuterStep(Sizes(**{**vars(SMALL), "membrane": membrane}), "cpu")
    step.agent.load_state_dict(recipe.make_agent(0).state_dict())
    assert sum(step() for _ in range(4)) == 4
    assert trained.keys() == step.agent.state_dict().keys()
    for name, weight in step.agent.state_dict().items():
        torch.testing.assert_close(weight, trained[name], rtol=0, atol=0)


def test_matrix_products_are_as_many_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    monkeypatch.setattr(torch, "mm", lambda a, b, out: shapes.append((a.shape, b.shape, a.dtype)))
    count = matrix_cycle(6, "cpu")()
    assert shapes == [((6, 6), (6, 6), torch.float32)] * count
    assert matrix_operations(6) == 6 * 6 * (6 + 6)


def bench(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    main(["bench", "agent", *words, *QUICK, "--json"])
    return json.loads(capsys.readouterr().out)


def test_it_prints_speeds_of_outer_steps_and_of_matrix_products(capsys: pytest.CaptureFixture[str]) -> None:
    printed = bench(capsys, *WORDS, "--threads", "2")
    assert torch.get_num_threads() == 1  # as before
    assert printed["note"] == "device cpu, 2 threads; the ratio is to products of matrices of 16"
    rows = {row["name"]: row for row in printed["results"]}
    assert {name: row.get("unit") for name, row in rows.items()} == {
        "outer_steps_per_second": "1/s",
        "inner_steps_per_second": "1/s",
        "operations_per_outer_step": "GFLOP",
        "outer_step_rate": "GFLOP/s",
        "matrix_product_rate": "GFLOP/s",
        "ratio": None,
    }
    settings = {"batch_size": 4, "experts": 3, "d": 2, "horizon": 3, "hidden_size": 8}
    for row in rows.values():
        assert {key: row[key] for key in settings} == settings
        assert row["membrane"] == "attentional"
        assert row["n"] >= 3
        assert 0 < row["value"] < math.inf
    value = {name: row["value"] for name, row in rows.items()}
    assert value["operations_per_outer_step"] == operations(OuterStep(SMALL, "cpu")) / 1e9
    assert value["inner_steps_per_second"] == pytest.approx(3 * 4 * value["outer_steps_per_second"])
    rate = value["outer_steps_per_second"] * value["operations_per_outer_step"]
    assert value["outer_step_rate"] == pytest.approx(rate)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--experts", "0"], "--experts is 0"),
        (["--hidden-size", "-3"], "--hidden-size is -3"),
        (["--threads", "0"], "--threads is 0"),
        (["--matrix-size", "0"], "--matrix-size is 0"),
        (["--seconds", "inf"], "--seconds is inf"),
        (["--device", "abacus"], "abacus"),
        (["--membrane", "hardwired", "--experts", "2"], "2 experts for 3 outputs"),
    ],
)
def test_what_cannot_be_timed_is_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "agent", *words])
    assert stopped.value.code == 2
    assert torch.get_num_threads() == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert says in printed.err
