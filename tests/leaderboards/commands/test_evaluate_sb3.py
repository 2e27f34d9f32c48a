"""`badger evaluate --sb3` and `badger suite run --sb3`: models of other libraries on the boards' tasks."""

import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import badger_agents
import badger_envs
from badger_envs.registry import family_of
from badger_envs.scoring import normalised_score
from baselines.sb3_models import load_sb3
from leaderboards import suite
from tests.leaderboards.command import refused, run

sb3 = pytest.importorskip("stable_baselines3")
contrib = pytest.importorskip("sb3_contrib")

XOR, BANDIT = "Badger/XOR-2-v0", "Badger/Bandit-k5-n10-v0"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that were trained for a few steps."""
    folder = tmp_path_factory.mktemp("models")
    few: dict[str, Any] = {"n_steps": 32, "seed": 0, "device": "cpu"}
    ppo = {**few, "n_epochs": 1, "batch_size": 32}
    model = sb3.PPO("MultiInputPolicy", XOR, **ppo)
    model.learn(64).save(folder / "dict.zip")
    model = sb3.A2C("MlpPolicy", "Badger/GuessingGame-flat-v0", **few)
    model.learn(64).save(folder / "flat.zip")
    model = contrib.RecurrentPPO("MlpLstmPolicy", "Badger/Bandit-k5-n10-rl2-v0", **ppo)
    model.learn(64).save(folder / "rl2.zip")
    return folder


def plain_loop(model: Any, id: str, trials: int, **settings: Any) -> np.ndarray:
    """Outcomes [trials] by the loop that every user of Gymnasium writes."""
    env: Any = gym.make(id, split="test", **settings)
    outcomes = []
    for seed in range(trials):
        observation, info = env.reset(seed=seed)
        state, start, done = None, np.ones(1, bool), False
        while not done:
            action, state = model.predict(observation, state, start, deterministic=True)
            observation, _, terminated, truncated, info = env.step(action)
            start, done = np.zeros(1, bool), terminated or truncated
        outcomes.append(info[family_of(id).outcome])
    return np.array(outcomes)


@pytest.mark.parametrize(
    ("name", "algorithm", "id", "observation"),
    [
        ("dict", "PPO", XOR, "dict"),
        ("flat", "A2C", "Badger/GuessingGame-v0", "flat"),
        ("rl2", "RecurrentPPO", BANDIT, "rl2"),
    ],
)
def test_a_model_reaches_what_a_plain_loop_says(
    capsys: pytest.CaptureFixture[str], models: Path, name: str, algorithm: str, id: str, observation: str
) -> None:
    path = models / f"{name}.zip"
    done = run(capsys, "evaluate", "--sb3", path, "--env", id, "--trials", 30, "--json")
    assert done.status == 0, done.err
    outcome, score = done.results
    expected = plain_loop(load_sb3(path), id, 30, observation=observation)
    assert outcome["name"] == family_of(id).outcome
    assert outcome["value"] == pytest.approx(expected.mean(), abs=1e-6)
    half = 1.96 * expected.std(ddof=1) / 30**0.5
    assert outcome["ci95"] == pytest.approx([expected.mean() - half, expected.mean() + half], abs=1e-6)
    assert score["name"] == "normalised_score"
    assert score["value"] == pytest.approx(normalised_score(id, expected.mean()), abs=1e-6)
    assert (outcome["agent"], outcome["env"]) == (f"{name} ({algorithm})", id)
    assert outcome["observation"] == observation


def test_settings_split_and_seed_are_the_users(capsys: pytest.CaptureFixture[str], models: Path) -> None:
    words = ("--env", "Badger/GuessingGame-flat-v0", "horizon=3", "--split", "train", "--seed", 7)
    (outcome,) = run(
        capsys, "evaluate", "--sb3", models / "flat.zip", *words, "--trials", 5, "--json"
    ).results
    model = load_sb3(models / "flat.zip")
    settings: dict[str, Any] = {"observation": "flat", "horizon": 3, "split": "train"}
    expected = badger_envs.evaluate(model, "Badger/GuessingGame-v0", 5, seed=7, **settings)
    assert outcome["value"] == pytest.approx(expected.outcome, abs=1e-6)
    assert (outcome["horizon"], outcome["split"], outcome["task_seed"]) == (3, "train", 7)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dict.zip", "--env", "Badger/GuessingGame-v0"], "the model does not fit Badger/GuessingGame-v0"),
        (["flat.zip", "--env", XOR], "takes Box [2]"),
        (["flat.zip", "--env", "Badger/XOR-2-v9"], "XOR-2"),
        (["flat.zip", "--env", XOR, "dimz=3"], "dimz"),
        (["flat.zip"], "--sb3 needs an environment"),
        (["none.zip", "--env", XOR], "no file"),
        (["text.zip", "--env", XOR], "is no zip"),
        (["dict.zip", "--env", XOR, "--control", "forgetful"], "--sb3 takes --env"),
        (["dict.zip", "--env", XOR, "--trials", "0"], "trials is 0"),
    ],
)
def test_what_does_not_fit_is_one_line(
    capsys: pytest.CaptureFixture[str],
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(models)
    Path("text.zip").write_text("no zip")
    assert message in refused(capsys, "evaluate", "--sb3", *words)


def test_without_the_libraries_the_extra_is_named(
    capsys: pytest.CaptureFixture[str], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    line = refused(capsys, "evaluate", "--sb3", models / "dict.zip", "--env", XOR)
    assert "pip install 'badger-suite[baselines]'" in line


@pytest.mark.parametrize(
    ("algorithm", "policy", "id"),
    [
        ("PPO", "MlpPolicy", BANDIT),
        ("A2C", "MultiInputPolicy", BANDIT),
        ("DQN", "MlpPolicy", BANDIT),
        ("SAC", "MlpPolicy", XOR),
        ("TD3", "MlpPolicy", XOR),
        ("MaskablePPO", "MlpPolicy", BANDIT),
        ("QRDQN", "MlpPolicy", BANDIT),
        ("TQC", "MlpPolicy", XOR),
        ("CrossQ", "MlpPolicy", XOR),
        ("TRPO", "MlpPolicy", XOR),
        ("ARS", "LinearPolicy", XOR),
    ],
)
def test_a_zip_is_opened_by_its_own_algorithm(tmp_path: Path, algorithm: str, policy: str, id: str) -> None:
    own = getattr(sb3, algorithm, None) or getattr(contrib, algorithm)
    small = {"buffer_size": 100} if hasattr(own, "_store_transition") else {}
    env = gym.make(id, observation="dict" if policy == "MultiInputPolicy" else "flat")
    model = own(policy, env, seed=0, device="cpu", **small)
    model.save(tmp_path / "m.zip")
    opened = load_sb3(tmp_path / "m.zip")
    assert type(opened) is own
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(
        opened.predict(observation, deterministic=True)[0], model.predict(observation, deterministic=True)[0]
    )


def test_a_profile_of_a_model_names_where_it_does_not_fit(
    capsys: pytest.CaptureFixture[str], models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "TRIALS", 20)
    done = run(capsys, "suite", "run", "--sb3", models / "flat.zip", "--out", tmp_path, "--json")
    assert done.status == 0, done.err
    own = {row["ability"]: row for row in done.results if row.get("agent") == "flat"}
    assert {ability for ability, row in own.items() if row["value"] is not None} == {
        "coordination",
        "long trials",
    }
    assert "the model does not fit Badger/XOR-3-v0" in own["hidden information"]["note"]
    expected = badger_envs.evaluate(load_sb3(models / "flat.zip"), "Badger/GuessingGame-flat-v0", 20)
    assert own["coordination"]["value"] == pytest.approx(expected.score, abs=1e-6)


def test_a_model_that_fits_no_family_has_no_profile(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sb3.PPO("MlpPolicy", "CartPole-v1", n_steps=64, device="cpu").save(tmp_path / "cart.zip")
    done = run(capsys, "suite", "run", "--sb3", tmp_path / "cart.zip", "--out", tmp_path / "p")
    assert (done.status, done.out) == (2, "")
    (line,) = done.err.strip().splitlines()  # where the bar was, a line is empty
    assert "the agent fits no family" in line


# the suite's own agents, by the same plain loop


def test_the_command_is_a_plain_loop_for_the_suites_own_agents(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "evaluate", "guessing-zeros", "--trials", 200, "--json")
    env: Any = gym.make("Badger/GuessingGame-v0", split="test")
    outcomes = []
    for seed in range(200):
        env.reset(seed=seed)
        finished = False
        while not finished:
            *_, terminated, truncated, info = env.step(np.zeros(3, np.float32))
            finished = terminated or truncated
        outcomes.append(info["error"])
    assert done.value("error") == pytest.approx(np.mean(outcomes), abs=1e-6)


@pytest.mark.parametrize(
    ("dims", "trials", "dtype"),
    [
        (3, 20, "float32"),
        (6, 20, "float64"),
        pytest.param(3, 200, "float32", marks=pytest.mark.slow),
        pytest.param(6, 200, "float64", marks=pytest.mark.slow),
    ],
)
def test_a_trained_agent_in_gym_make_reaches_the_evaluators_outcomes(
    dims: int, trials: int, dtype: str
) -> None:
    # In float32, NumPy and torch differ in the last digit of an observation; with 6 numbers the agent makes
    # 2e-4 of that in 2 of 200 trials. Whether the trials are the same is seen in float64.
    trained = badger_agents.load("guessing-attentional")
    if dtype == "float64":
        trained.agent.double()  # type: ignore[attr-defined]
    env: Any = gym.make("Badger/GuessingGame-v0", split="test", dims=dims, dtype=dtype)
    policy = trained.policy(env)
    outcomes = []
    for seed in range(trials):
        observation, info = env.reset(seed=seed)
        policy.reset()
        finished = False
        while not finished:
            observation, _, terminated, truncated, info = env.step(policy.act(observation))
            finished = terminated or truncated
        outcomes.append(info["error"])
    expected = badger_agents.evaluate(trained.agent, env.unwrapped.family, trials).outcomes
    np.testing.assert_allclose(outcomes, expected.numpy(), atol=1e-5, rtol=0)
