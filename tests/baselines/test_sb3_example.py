"""`examples/sb3_recurrent_ppo.py`: both algorithms train and are tested through `gym.make`."""

import runpy
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "sb3_recurrent_ppo.py"


@pytest.fixture
def example() -> dict[str, Any]:
    pytest.importorskip("sb3_contrib")
    return runpy.run_path(str(EXAMPLE))


@pytest.mark.parametrize(("name", "policy"), [("PPO", "MlpPolicy"), ("RecurrentPPO", "MlpLstmPolicy")])
def test_it_trains_and_earns_what_chance_does(example: dict[str, Any], name: str, policy: str) -> None:
    model = example["train"](example[name], policy, seed=0, steps=400, number=4)
    assert model.num_timesteps == 400
    assert model.observation_space.shape == (23,)
    mean, error = example["earned"](model, trials=100)
    assert abs(mean - 50) < 5  # of 100 pulls, half pay; one update has taught nothing
    assert 0.5 < error < 3


@pytest.mark.slow
def test_quick_is_quick(
    example: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [str(EXAMPLE), "--quick"])
    example["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["algorithm", "PPO", "RecurrentPPO"]
