"""`badger bench rl2`: both learn from as much, and what it prints."""

from pathlib import Path

import pytest

from badger_agents.training.run import Run
from benchmarks.rl2 import Sizes, own_cycle, own_recipe, their_cycle, their_model
from tests.leaderboards.command import run

SMALL = Sizes(num_envs=4, arms=2, horizon=5, hidden_size=8, epochs=3, minibatches=2)
WORDS = ["--num-envs", "4", "--arms", "2", "--horizon", "5", "--hidden-size", "8", "--epochs", "3"]


def test_both_learn_from_whole_trials_by_as_many_updates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = []
    monkeypatch.setattr(Run, "update", lambda self, *parts: updates.append(parts))
    assert own_cycle(SMALL, tmp_path, "cpu")() == 20
    assert len(updates) == 3 * 2
    model = their_model(SMALL, "cpu")
    steps = []
    monkeypatch.setattr(model.policy.optimizer, "step", lambda: steps.append(1))
    model.learn(20)
    assert len(steps) == 3 * 2
    assert model.num_timesteps == 20
    assert their_cycle(SMALL, "cpu")() == 20


def test_ours_is_rl2_by_reward_alone() -> None:
    recipe = own_recipe(SMALL)
    assert recipe.training is not None
    assert recipe.training.estimator_settings == {"value_size": 8, "epochs": 3, "minibatches": 2}
    assert recipe.family().slots.outputs == 2
    assert recipe.agent_settings()["hidden_size"] == 8


def test_it_prints_both_speeds_and_their_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "bench", "rl2", *WORDS, "--minibatches", "2", "--seconds", "0.2", "--json")
    assert done.status == 0
    names = ["steps_per_second", "recurrent_ppo_steps_per_second", "ratio"]
    assert [row["name"] for row in done.results] == names
    assert all(row["value"] > 0 and row["num_envs"] == 4 for row in done.results)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "0"], "must be at least 1"),
        (["--seconds", "0"], "above 0"),
        (["--num-envs", "3", "--minibatches", "2"], "3 trials cannot be shared"),
    ],
)
def test_what_is_wrong_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    done = run(capsys, "bench", "rl2", *words)
    assert done.status == 2
    assert message in done.err
    assert done.err.count("\n") == 1
