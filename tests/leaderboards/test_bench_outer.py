"""`badger bench outer`: what it prints, and that it counts what it says."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch

from badger_agents.recipe.loading import load_recipe
from badger_agents.training.loop import train
from benchmarks.agent import OuterStep, Sizes, operations
from benchmarks.outer import StageSteps, Traffic, Way, Work, copy_cycle, lengths, work_of
from tests.badger_agents.small import small_recipe, small_toml
from tests.leaderboards.command import run

rollout = importlib.import_module("badger_agents.rollout")

STAGES = """
[[training.stages]]
outer_steps = 2
env = { horizon = 2 }
[[training.stages]]
env = { horizon = [2, 3] }
"""


def test_traffic_is_what_operations_read_and_write() -> None:
    one, other = torch.zeros(10, 10), torch.zeros(10, 1)
    with Traffic() as traffic:
        total = one + other.expand(10, 10)  # reads 400 and 40 bytes, writes 400
        total.view(20, 5)[3:].mT.unsqueeze(0)  # moves nothing
    assert sorted(traffic.sizes) == [40, 400, 400]


def test_the_floor_is_the_longer_time() -> None:
    work = Work(operations=8.0, traffic=6.0, piece=2)
    assert work.floor(4.0, 6.0) == (2.0, "operations")
    assert work.floor(8.0, 2.0) == (3.0, "bytes")


def test_work_is_that_of_the_outer_step(tmp_path: Path) -> None:
    policy = {"hidden_size": 8, "message_size": 16}
    recipe = small_recipe(
        env={"dims": 2, "horizon": 3},
        agent={"experts": 3, "feedback_to": "all", "policy_settings": policy},
        training={"batch_size": 4, "objective": "last_step"},
    )
    sizes = Sizes(batch_size=4, experts=3, dims=2, horizon=3, hidden_size=8, membrane="hardwired")
    work = work_of(StageSteps(recipe, 0, tmp_path, "cpu"))
    assert work.operations == operations(OuterStep(sizes, "cpu"))
    assert work.traffic > 4 * 3 * 3 * 8 * 4  # all states once, at the least
    assert not list(tmp_path.iterdir())


def test_steps_are_those_of_training(tmp_path: Path) -> None:
    recipe = small_recipe(training={"outer_steps": 3, "schedule": "constant"})
    steps = StageSteps(recipe, 0, tmp_path / "bench", "cpu")
    state = torch.get_rng_state()
    for _ in range(3):
        assert steps() == 1
    assert torch.equal(state, torch.get_rng_state())
    trained = train(recipe, 0, tmp_path / "run")
    weights = steps.run.agent.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in trained.weights.items())


def after_three(folder: Path, way: Way) -> StageSteps:
    recipe = small_recipe(training={"anti_collapse": 0.5})  # which reads what the agent records
    steps = StageSteps(recipe, 0, folder / way, "cpu", way)
    for _ in range(3):
        steps()
    assert steps.first
    return steps


def test_inner_steps_are_what_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def compiler(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: calls.append(function) or function(*args)

    monkeypatch.setattr(torch, "compile", compiler)
    before = rollout.advance
    one, other = after_three(tmp_path, "plain"), after_three(tmp_path, "compiled")
    assert calls == 3 * one.run.recipe.family().horizon * [before]
    assert rollout.advance is before
    assert one.run.loss == other.run.loss


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:torch")  # of its own compiler
def test_compiled_steps_are_the_same_but_for_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # shapes are symbols in the compiler
    one, other = after_three(tmp_path, "plain"), after_three(tmp_path, "compiled")
    assert other.run.loss == pytest.approx(one.run.loss, abs=1e-5)


def test_bfloat16_rounds_products_and_no_weights(tmp_path: Path) -> None:
    one, other = after_three(tmp_path, "plain"), after_three(tmp_path, "bfloat16")
    assert one.run.loss != other.run.loss == pytest.approx(one.run.loss, rel=0.02)
    assert {weight.dtype for weight in other.run.parameters.values()} == {torch.float32}


def test_how_long_stages_are() -> None:
    assert lengths(small_recipe()) == [6]
    assert lengths(load_recipe("guessing-paper")) == [2000] * 5 + [40_000, 100_000, 50_000, 100_000]
    assert lengths(load_recipe("guessing-attentional"))[0] is None


def test_copies_copy() -> None:
    assert copy_cycle(2**18, "cpu")() == 64


def test_it_prints_each_stage_and_the_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = small_toml(tmp_path)
    path.write_text(path.read_text() + STAGES)
    quick = ["--seconds", "0.05", "--matrix-size", "16"]
    estimator = ["--training", "estimator=evolution", "estimator_settings.pairs=4"]
    done = run(capsys, "bench", "outer", path, *quick, "--memory", "--bfloat16", *estimator, "--json")
    assert done.status == 0
    printed = json.loads(done.out)
    assert "estimator evolution" in printed["note"]
    value = {(row["name"], row.get("stage")): row["value"] for row in printed["results"]}
    speeds = [value["outer_steps_per_second", stage] for stage in (0, 1)]
    hours = 2 / speeds[0] / 3600 + 4 / speeds[1] / 3600
    assert value["schedule", None] == pytest.approx(hours)
    assert value["schedule_outer_steps_per_second", None] == pytest.approx(6 / hours / 3600)
    for stage in (0, 1):
        rates = [1e9 * value["matrix_product_rate", None], 1e9 * value["copy_rate", None]]
        work = Work(
            1e9 * value["operations_per_outer_step", stage], 1e6 * value["bytes_per_outer_step", stage], 0
        )
        assert value["floor", stage] == pytest.approx(work.floor(*rates)[0])
        assert value["ratio", stage] == pytest.approx(value["floor", stage] * speeds[stage])
        assert value["peak_memory", stage] > 0
        assert value["time_ratio", stage] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["xor-handcrafted"], "nothing to train"),
        (["nothing"], "no recipe 'nothing'"),
        (["--seconds", "0"], "must be above 0"),
        (["--training", "foo=1"], "foo: unknown key"),
    ],
)
def test_what_is_wrong_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    done = run(capsys, "bench", "outer", *words)
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1
