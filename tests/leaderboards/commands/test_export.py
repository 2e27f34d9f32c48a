"""`badger export`: a file that plays without torch, and what is refused."""

import json
from pathlib import Path

import pytest

from tests.badger_agents.badger.feeding import exported, python
from tests.leaderboards.command import refused

PLAY = """
import runpy, sys
sys.argv = ["play_onnx.py", sys.argv[1]]
runpy.run_path("examples/play_onnx.py")
assert "torch" not in sys.modules
"""


def test_an_exported_agent_solves_a_task_without_torch(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    file = tmp_path / "new" / "step.onnx"
    said = json.loads(exported("guessing-hardwired", file))
    assert [row["value"] for row in said["results"]] == [str(file), file.stat().st_size]
    outcome = json.loads(python("-c", PLAY, file))
    assert outcome["error"] < 0.2  # zeros score 1 on average


def test_what_cannot_be_exported_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "step.onnx" in refused(capsys, "export", "xor", tmp_path / "step.pt")
    pytest.importorskip("onnxscript")
    assert "only Badger agents" in refused(capsys, "export", "bandit-ucb1", tmp_path / "step.onnx")
    assert "no run" in refused(capsys, "export", "nothing", tmp_path / "step.onnx")
