"""The speed measurements: each script prints its numbers at a tiny size; what they compare with."""

import importlib
import json
import math

import pytest
import torch

from badger_envs import keyed_random, make_batched
from benchmarks import envs, timing
from benchmarks.memory import Alive
from leaderboards.cli import call

SMALL = "--seconds 0.05 --json"

SCRIPTS = {
    "envs": "--num-envs 4 --batch-size 8",
    "agent": "--batch-size 2 --experts 3 --hidden-size 8 --horizon 3 --matrix-size 16",
    "topologies": "--topology ring all --experts 4 8 --hidden-size 4 --dense-up-to 4 --figure t.svg",
    "outer": "guessing-hardwired --training batch_size=4 --matrix-size 16 --memory",
    "bare": "",
    "population": "guessing-hardwired --training batch_size=4 --seeds 2 --threads 1",
    "estimators": "guessing-hardwired --training batch_size=4 --horizon 4 8 --pairs 2 --window 2",
    "rl2": "--num-envs 4 --horizon 4 --hidden-size 4 --epochs 1 --minibatches 2",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name != "envs" else []) for name in SCRIPTS]
)
def test_a_script_prints_what_it_measured(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "rl2":
        pytest.importorskip("sb3_contrib")
    monkeypatch.chdir(tmp_path)
    script = importlib.import_module(f"benchmarks.{name}")
    call(getattr(script, name), f"python -m benchmarks.{name}", [*SCRIPTS[name].split(), *SMALL.split()])
    results = json.loads(capsys.readouterr().out)["results"]
    assert results
    assert all(isinstance(row["value"], int | float) and math.isfinite(row["value"]) for row in results)


def test_what_cannot_be_timed_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        call(envs.envs, "python -m benchmarks.envs", ["--id", "Badger/XOR-v0", "--face", "torch"])
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "no bare torch loop" in printed.err


def assert_shows_what_the_face_shows(env, loop, actions: torch.Tensor, observation) -> None:
    fields, outcome = next(loop)
    assert outcome == ()
    torch.testing.assert_close(fields, tuple(observation))
    for action, (fields, (reward, loss, terminated)) in zip(actions, loop, strict=True):
        step = env.step(action)
        torch.testing.assert_close(fields, tuple(step.observation))
        torch.testing.assert_close(reward, step.reward)
        torch.testing.assert_close(loss, step.loss)
        assert torch.equal(terminated, step.terminated)


def test_the_bare_guessing_game_shows_what_the_face_shows() -> None:
    env = make_batched("Badger/GuessingGame-v0", 5, dims=4, horizon=6)
    actions = envs.torch_actions(env.family, 5, "cpu")
    observation = env.reset(seed=3)
    assert_shows_what_the_face_shows(env, envs.guessing_game(env.task.target, actions), actions, observation)


def test_the_bare_bandit_shows_what_the_face_shows() -> None:
    env = make_batched("Badger/Bandit-v0", 7, arms=4, horizon=9)
    actions = envs.torch_actions(env.family, 7, "cpu")
    keys = keyed_random.outer_keys(3, 0, 7, like=actions)
    observation = env.reset(keys=keys)
    loop = envs.bandit(env.task.mean, env.family.noise(keys, 9)[:, :, 0], actions)
    assert_shows_what_the_face_shows(env, loop, actions, observation)


def test_sides_are_timed_in_turns_and_who_goes_first_alternates(monkeypatch: pytest.MonkeyPatch) -> None:
    played, now = [], [0.0]

    def side(name: str, seconds: float) -> timing.Cycle:
        def cycle() -> int:
            played.append(name)
            now[0] += seconds
            return 3

        return cycle

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    speeds = timing.compare(side("a", 0.25), side("b", 0.5), 60.0)
    assert set(speeds.subject) == {12.0}
    assert speeds.ratio == 2.0
    assert len(speeds.subject) == timing.ROUNDS
    played.clear()
    timing.compare(side("a", 2.0), side("b", 3.0), 1.0)
    assert "".join(played) == "ab" + "abbaab"  # each once to warm up, then the least number of rounds


def test_memory_is_that_of_what_is_alive_at_the_same_time() -> None:
    with Alive() as alive:
        one = torch.zeros(1000)
        one.view(10, 100)  # a view takes none
        for _ in range(3):
            one + 1.0  # freed at once
    assert alive.peak == 8000
    assert alive.largest == 4000
