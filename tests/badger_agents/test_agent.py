"""Finding classes by name, also in a user's own file, and what any agent must be."""

import os
import sys
from pathlib import Path

import pytest
import torch

from badger_agents.agent import Agent, feedback_and_change, load_class
from badger_agents.badger.agent import BadgerAgent
from baselines.optimisers.triangulation import Triangulation
from tests.badger_agents.small import random_agent, small_family

SOURCE = "class Mine:\n    number = {}\n"


def test_a_class_of_a_module() -> None:
    assert load_class("badger_agents.badger.agent:BadgerAgent", "agent") is BadgerAgent


def test_a_class_of_a_file_is_one_wherever_the_file_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(SOURCE.format(1))
    monkeypatch.chdir(tmp_path)
    mine = load_class("one.py:Mine", "policy")
    assert mine is load_class(f"{tmp_path}/two.py:Mine", "policy")
    assert mine.__module__ in sys.modules
    assert sorted(os.listdir(tmp_path)) == ["one.py", "two.py"]  # no __pycache__ in a user's folder


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    numbers = []
    for number in (1, 2):
        file.write_text(SOURCE.format(number))
        os.utime(file, (1e9, 1e9))  # as old and as long as before
        numbers.append(load_class(f"{file}:Mine", "policy").number)
    assert numbers == [1, 2]


@pytest.mark.parametrize(
    ("source", "path", "message"),
    [
        (None, "mine.py:Mine", "No such file"),
        ("x = 1", "mine.py:Mine", "no attribute 'Mine'"),
        ("Mine = 1", "mine.py:Mine", "not a class"),
        ("class Mine(:", "mine.py:Mine", "SyntaxError"),
        ("import no_such_module", "mine.py:Mine", "no_such_module"),
        ("1 / 0", "mine.py:Mine", "ZeroDivisionError"),
        ("x = 1", "mine.py", "cannot be loaded"),
        ("x = 1", "no_such_module:Mine", "No module named"),
        ("x = 1", "", "cannot be loaded"),
        ("x = 1", ":", "cannot be loaded"),
    ],
)
def test_what_cannot_be_loaded_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None, path: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if source is not None:
        Path("mine.py").write_text(source)
    for _ in range(2):  # a file that failed must not be found half-loaded the second time
        with pytest.raises(ValueError, match=message) as caught:
            load_class(path, "policy")
        assert repr(path) in str(caught.value)


def test_change_of_feedback_is_zero_at_the_first_step() -> None:
    feedback, previous = torch.tensor([[5.0], [5.0]]), torch.tensor([[2.0], [2.0]])
    first = torch.tensor([[0.0], [1.0]])
    assert feedback_and_change(feedback, previous, first).tolist() == [[5.0, 3.0], [5.0, 0.0]]


def test_what_is_an_agent() -> None:
    assert isinstance(random_agent(small_family()), Agent)
    assert isinstance(Triangulation(), Agent)
    assert not isinstance(torch.nn.Linear(1, 1), Agent)
