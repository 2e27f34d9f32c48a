"""A family of someone else's: their one file has all four faces, the checks and the command line."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import badger_envs
from badger_envs.testing import check_family
from leaderboards.cli import main

PACKAGE = Path(__file__).parents[1] / "third_party"
ID = "Recall/Recall-v0"
FULL_ID = f"recall_family:{ID}"
RECIPE = str(PACKAGE / "recall_family" / "recall.toml")


def forget() -> None:
    """As if it had never been imported."""
    import pettingzoo

    sys.modules.pop("recall_family", None)
    for name in ("parallel_registry", "aec_registry"):  # PettingZoo 1.27 and later
        getattr(pettingzoo, name, {}).pop(ID, None)
    gym.registry.pop(ID, None)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package can be imported, as if installed, and has not been."""
    monkeypatch.syspath_prepend(PACKAGE)
    forget()
    yield
    forget()


def test_it_passes_all_conformance_checks() -> None:
    gym.make(FULL_ID)
    check_family(ID)


@pytest.mark.parametrize("make", [gym.make, badger_envs.family_of, lambda id: gym.make_vec(id, num_envs=2)])
def test_the_module_in_front_of_the_id_registers_it(make: Any) -> None:
    with pytest.raises(gym.error.Error):
        make(ID)
    make(FULL_ID)
    make(ID)


def test_the_same_trial_on_all_four_faces() -> None:
    """That of the user's own file, step by step; the checks do it in depth."""
    from badger_envs.faces.pettingzoo import parallel_env

    single, several = gym.make(FULL_ID), gym.make_vec(FULL_ID, num_envs=2)
    batched, parallel = badger_envs.make_batched(FULL_ID, batch_size=2), parallel_env(FULL_ID)
    assert parallel.possible_agents == ["expert_0", "expert_1", "expert_2"]
    seen = [
        single.reset(seed=3)[0],
        several.reset(seed=3)[0],
        batched.reset(seed=3),
        parallel.reset(seed=3)[0],
    ]
    generator = np.random.default_rng(0)
    done = False
    while not done:
        one, rows, tensors, by_agent = seen
        part = parallel.observation_slices["inputs"]
        np.testing.assert_array_equal(one["inputs"], rows["inputs"][0])
        np.testing.assert_array_equal(one["inputs"], tensors.inputs[0, :, 0].numpy())
        np.testing.assert_array_equal(one["inputs"], np.concatenate([row[part] for row in by_agent.values()]))
        action = generator.uniform(-1, 1, 3).astype(np.float32)
        pair = np.stack([action, action])
        acts = {
            agent: np.array([x, 0, 0, 0, 0], np.float32) for agent, x in zip(by_agent, action, strict=True)
        }
        one, reward, done, _, info = single.step(action)
        rows, rewards, *_ = several.step(pair)
        moved = batched.step(torch.from_numpy(pair))
        by_agent, paid, *_ = parallel.step(acts)
        seen = [one, rows, moved.observation, by_agent]
        assert [rewards[0], float(moved.reward[0]), paid["expert_0"]] == pytest.approx([reward] * 3, abs=1e-6)
    assert reward == pytest.approx(-info["error"])
    assert reward < 0


@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes")
def test_the_checkers_of_others_pass() -> None:
    from pettingzoo.test import api_test, parallel_api_test
    from stable_baselines3.common.env_checker import check_env as check_for_baselines

    from badger_envs.faces import pettingzoo

    env = gym.make(FULL_ID).unwrapped
    check_env(env)
    check_for_baselines(env)
    parallel_api_test(pettingzoo.recall_v0.parallel_env(), num_cycles=20)
    api_test(pettingzoo.recall_v0.env(), num_cycles=20)


def results(capsys: Any, *arguments: str) -> dict[str, Any]:
    main([*arguments, "--trust", "recall_family", "--json"])
    return {row["name"]: row["value"] for row in json.loads(capsys.readouterr().out)["results"]}


def test_the_command_line_trains_evaluates_and_draws_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = results(capsys, "train", RECIPE, "--outer-steps", "40")
    assert trained["folder"] == str(Path("runs") / "recall-seed0")
    forget()  # a later process knows the run folder only
    evaluated = results(capsys, "evaluate", "runs/recall-seed0", "--trials", "500")
    assert 0 < evaluated["error"] < 0.3  # 1/3 is what zeros score
    forget()
    drawn = results(capsys, "trace", "runs/recall-seed0")
    assert Path(drawn["picture"]).stat().st_size > 1_000


def test_the_command_line_resumes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    results(capsys, "train", RECIPE, "--outer-steps", "2")
    forget()
    again = results(capsys, "train", RECIPE, "--outer-steps", "2", "--resume")
    assert again["outer_steps"] == 2


def test_where_it_is_not_installed_the_recipe_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(PACKAGE)])
    with pytest.raises(SystemExit) as stop:
        main(["train", RECIPE, "--trust", "recall_family"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "recall.toml: env: " in error
    assert "recall_family" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
