"""What is loaded by name, and what is not."""

import json
import os
import sys
from pathlib import Path

import pytest

from badger_agents.badger.agent import BadgerAgent
from badger_agents.class_loading import Trust, code_files, load_class, with_code_files

SOURCE = "import json\nclass Mine:\n    number = {}\n"


def test_classes_of_the_project_are_loaded_by_name() -> None:
    assert load_class("badger_agents.badger.agent:BadgerAgent", BadgerAgent, "agent") is BadgerAgent


def test_a_class_of_a_file_is_one_wherever_the_file_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(SOURCE.format(1))
    monkeypatch.chdir(tmp_path)
    trust = Trust.of("one.py", "two.py:Mine")
    mine = load_class("one.py:Mine", object, "policy", trust)
    assert mine is load_class(f"{tmp_path}/two.py:Mine", object, "policy", trust)
    assert mine.__module__ in sys.modules
    assert sorted(os.listdir(tmp_path)) == ["one.py", "two.py"]  # no __pycache__ in a user's folder


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    numbers = []
    for number in (1, 2):
        file.write_text(SOURCE.format(number))
        os.utime(file, (1e9, 1e9))  # as old and as long as before
        numbers.append(load_class(f"{file}:Mine", object, "policy", Trust.of(file)).number)
    assert numbers == [1, 2]


@pytest.mark.parametrize(
    ("source", "path", "message"),
    [
        (None, "mine.py:Mine", "No such file"),
        ("x = 1", "mine.py:Mine", "no 'Mine', but nothing of its own"),
        ("class Other: pass", "mine.py:Mine", "no 'Mine', but Other"),
        ("Mine = 1", "mine.py:Mine", "not a class"),
        ("class Mine(:", "mine.py:Mine", "SyntaxError"),
        ("import no_such_module", "mine.py:Mine", "no_such_module"),
        ("1 / 0", "mine.py:Mine", "ZeroDivisionError"),
        ("raise SystemExit", "mine.py:Mine", "SystemExit"),  # a script, whose end is not ours
        ("class Mine: pass", "mine.py:Mine", "not a subclass of badger_agents.BadgerAgent"),
        ("x = 1", "mine.py", "cannot be loaded"),
        ("x = 1", "badger_agents.nothing:Mine", "No module named"),
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
            load_class(path, BadgerAgent, "policy", Trust.of("mine.py"))
        assert repr(path) in str(caught.value)


@pytest.mark.parametrize(
    ("path", "what_would_do"),
    [
        ("subprocess:Popen", "--trust subprocess"),
        ("this:Anything", "--trust this"),  # a module that prints when imported, and which nothing imports
        ("badger_agents_evil:Mine", "--trust badger_agents_evil"),
        ("mine.py:Mine", "--trust mine.py"),
        ("badger_agents/../mine.py:Mine", "--trust"),
    ],
)
def test_what_is_not_trusted_is_not_even_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, what_would_do: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("open('ran', 'w')\nclass Mine: pass\n")
    with pytest.raises(ValueError, match=what_would_do):
        load_class(path, object, "agent", Trust.of("other.py", "my_package"))
    assert not Path("ran").exists()
    assert "this" not in sys.modules


def test_what_a_user_names_is_trusted_and_nothing_beside_it(tmp_path: Path) -> None:
    run, beside = tmp_path / "run", tmp_path / "beside"
    for folder in (run, run / "deeper", beside):
        folder.mkdir()
        (folder / "mine.py").write_text(SOURCE.format(1))
    trust = Trust.of(run) | Trust.of("json.decoder:JSONDecoder")
    assert load_class(f"{run}/mine.py:Mine", object, "policy", trust).number == 1
    assert load_class("json:JSONDecoder", object, "policy", trust) is json.JSONDecoder
    for path in (f"{beside}/mine.py:Mine", f"{run}/deeper/mine.py:Mine", f"{run}/../beside/mine.py:Mine"):
        with pytest.raises(ValueError, match="did not name"):
            load_class(path, object, "policy", trust)


def test_methods_are_asked_for_where_there_is_no_common_base() -> None:
    with pytest.raises(ValueError, match="lacks act"):
        load_class("badger_agents.badger.policies.gru:GRUPolicy", ("initial_state", "act"), "agent")


def test_files_of_code_are_found_at_any_depth() -> None:
    tables = {
        "policy": "a.py:A",
        "topology": "ring:2",
        "name": "a.py",
        "policies": ({"kind": "some/b.py:B", "c": [{"d": "c.py:C"}]},),
    }
    assert [str(file) for file in code_files(tables)] == ["a.py", "some/b.py", "c.py"]
    moved = with_code_files(tables, lambda file: Path("run") / file.name)
    assert [str(file) for file in code_files(moved)] == ["run/a.py", "run/b.py", "run/c.py"]
    assert (moved["topology"], moved["name"]) == ("ring:2", "a.py")
