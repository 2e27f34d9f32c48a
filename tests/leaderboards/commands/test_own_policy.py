"""A user's own expert policy: a class in a file, trained and evaluated by name."""

import os
from pathlib import Path
from typing import Any

import pytest

from badger_agents.estimators.optimiser import clipped
from badger_agents.training import loop
from badger_agents.training.checkpoint import load_checkpoint
from badger_agents.training.run import CHECKPOINT
from tests.badger_agents.small import small_toml
from tests.leaderboards.command import refused, run

POLICY = """\
import torch
from badger_agents import ExpertPolicy

class MyPolicy(ExpertPolicy):
    '''Every expert adds a bit of what it reads and hears.'''

    def __init__(self, reading_size):
        super().__init__()
        self.message_size = 4
        self.think = torch.nn.Linear(8 + 4 + reading_size, 8)
        self.say = torch.nn.Linear(8 + reading_size, 4)
        self.write = torch.nn.Linear(8, 1)

    @property
    def draw_size(self):
        return 8

    def initial_state(self, draws):
        return draws

    def emit(self, state, reading):
        return self.say(torch.cat([state, reading], dim=-1))

    def update(self, state, inbox, reading):
        state = torch.tanh(self.think(torch.cat([state, inbox, reading], dim=-1)))
        return state, self.write(state)
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def test_a_policy_of_one_s_own_is_trained_and_evaluated_anywhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("my_file.py").write_text(POLICY)
    recipe = small_toml(tmp_path)
    done = run(capsys, "train", recipe, "--policy", "my_file.py:MyPolicy", "--out", "run", "--json")
    assert done.value("outer_steps") == 6
    assert all(row["agent"] == "small-MyPolicy" for row in done.results)
    first = run(capsys, "evaluate", "run", "--trials", 20, "--json").results
    Path("my_file.py").write_text("raise SystemError('changed since')")
    Path("run").rename("moved")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert run(capsys, "evaluate", "../moved", "--trials", 20, "--json").results == first
    assert run(capsys, "trace", tmp_path / "moved", "--json").status == 0


def test_a_run_with_a_policy_of_one_s_own_resumes_bit_identical(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("my_file.py").write_text(POLICY)
    words = ["train", small_toml(tmp_path), "--policy", "my_file.py:MyPolicy", "--json", "--out"]
    assert run(capsys, *words, "whole").status == 0

    def interrupted(*arguments: Any) -> Any:
        if Path("parts", CHECKPOINT).exists():
            raise KeyboardInterrupt
        return clipped(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "clipped", interrupted)
        assert run(capsys, *words, "parts").status == 130
    assert run(capsys, *words, "parts", "--resume").status == 0
    assert Path("whole", CHECKPOINT).read_bytes() == Path("parts", CHECKPOINT).read_bytes()

    Path("my_file.py").write_text(POLICY.replace("tanh", "sin"))
    before = {path: path.read_bytes() for path in Path("parts").iterdir()}
    assert "--resume" in refused(capsys, *words, "parts")
    assert "my_file.py" in refused(capsys, *words, "parts", "--resume")
    assert {path: path.read_bytes() for path in Path("parts").iterdir()} == before


@pytest.mark.parametrize(
    ("source", "policy", "message"),
    [
        (None, "my_file.py:MyPolicy", "No such file"),
        (POLICY, "my_file.py:Other", "no 'Other', but MyPolicy"),
        (POLICY, "my_file.py", "cannot be loaded"),
        ("class MyPolicy: pass", "my_file.py:MyPolicy", "not a subclass of badger_agents.ExpertPolicy"),
        (POLICY.replace("self.message_size = 4", ""), "my_file.py:MyPolicy", "message_size"),
        (
            POLICY.replace("self, reading_size", "self"),
            "my_file.py:MyPolicy",
            "takes 1 positional argument but",
        ),
        ("1 / 0", "my_file.py:MyPolicy", "ZeroDivisionError"),
        ("def (", "my_file.py:MyPolicy", "SyntaxError"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, source: str | None, policy: str, message: str
) -> None:
    if source is not None:
        Path("my_file.py").write_text(source)
    recipe = small_toml(tmp_path)
    before = sorted(os.listdir())
    assert message in refused(capsys, "train", recipe, "--policy", policy)
    assert sorted(os.listdir()) == before


def test_settings_of_a_recipe_are_changed_by_words(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = small_toml(tmp_path)
    words = ["--agent", "channel.topology=none", "policy.state_noise=0.5", "--env", "horizon=3"]
    words += ["--training", "optimiser.learning_rate=1e-3"]
    done = run(capsys, "train", recipe, *words, "--json")
    assert done.status == 0
    kept = load_checkpoint(Path(str(done.value("folder"))) / CHECKPOINT).recipe
    assert kept.name.startswith(
        "small-horizon-3-channel.topology-none-policy.state_noise-0.5-optimiser.learning_rate-1e-3"
    )
    assert kept.agent_settings()["channel"]["topology"] == "none"
    assert kept.agent_settings()["policy"]["state_noise"] == 0.5
    assert kept.family().horizon == 3
    assert kept.training is not None
    assert kept.training.optimiser.learning_rate == 1e-3


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--agent", "topology"], "key=value"),
        (["--agent", "colour=red"], "agent.colour: unknown key"),
        (["--training", "batch_size=0"], "batch_size is 0"),
    ],
)
def test_wrong_words_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], reason: str
) -> None:
    assert reason in refused(capsys, "train", small_toml(tmp_path), *words)
    assert not Path("runs").exists()
