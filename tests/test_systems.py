"""What other systems lack or do otherwise: modules of POSIX, UTF-8 everywhere, whole installations."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from badger_agents.recipe.loading import load_recipe, recipe_files
from leaderboards.boards.board import FOLDER, board_names, load_board
from leaderboards.toml_text import recipe_text
from tests.leaderboards.boards.tiny import tiny_board

ROOT = Path(__file__).parent.parent
PACKAGES = ("badger_envs", "badger_agents", "baselines", "leaderboards")
FILES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
POSIX = ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "syslog", "crypt", "readline", "curses")
OPTIONAL = ("pettingzoo", "pygame", "tensorboard", "ray", "cma", "sb3_contrib", "stable_baselines3")


def run(*words: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")


def test_every_module_is_imported_where_posix_modules_are_missing() -> None:
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in FILES]
    names = [name.removesuffix(".__init__") for name in names]
    code = f"""
import importlib, sys
import filelock, gymnasium, matplotlib.figure, rich.progress, scipy.optimize, scipy.stats, torch, tyro
import torch.distributed.nn.functional
for name in {POSIX!r}:
    sys.modules[name] = None
for name in {names!r}:
    importlib.import_module(name)
print("all")
"""
    assert run("-c", code).strip() == "all"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_function_imports_a_posix_module(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in names} & {*POSIX}, f"line {node.lineno}"


ELSEWHERE = f"""
import builtins, os

real = builtins.__import__

def imported(name, globals=None, *others, **more):
    importer = (globals or {{}}).get("__name__", "").partition(".")[0]
    if importer in {PACKAGES!r} and name.partition(".")[0] in {POSIX!r}:
        raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    return real(name, globals, *others, **more)

builtins.__import__ = imported
for name in ("sched_getaffinity", "getloadavg", "nice", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
"""
"""What every interpreter begins with, those that are spawned too: POSIX-only modules are missing for all code
of the packages, whenever it imports, and functions of `os` for everybody."""


@pytest.mark.slow
def test_commands_run_where_posix_is_missing_with_spawned_processes_and_no_utf_8(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text(ELSEWHERE, encoding="utf-8")
    board = tiny_board(tmp_path, outer_steps=2, training={"outer_steps": 2})
    recipe, table, runs = tmp_path / "small.toml", tmp_path / "tiny-v1.toml", tmp_path / "läufe"
    table.write_text(recipe_text(board.model_dump(exclude_none=True), "For tests."), encoding="utf-8")
    code = """
import multiprocessing, os, sys
assert not hasattr(os, "nice") and not sys.flags.utf8_mode
if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    from leaderboards.cli import main
    main(sys.argv[1:])
"""
    script = tmp_path / "run.py"
    script.write_text(code, encoding="utf-8")

    def badger(*words: object) -> str:
        path = os.pathsep.join([str(tmp_path / "first"), str(ROOT)])
        elsewhere = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": path}
        return run(str(script), *map(str, words), **elsewhere)

    badger("train", recipe, "--seeds", 2, "--out", runs)
    assert "interval" in badger("evaluate", runs / "small-seed0", "--trials", 20)
    badger("board", "run", table, "--out", tmp_path / "böard", "--processes", 2)
    assert "talk" in badger("board", "show", table, "--runs", tmp_path / "böard")
    badger("board", "prepare", table, "small", "--runs", runs, "--author", "A", "--out", tmp_path / "mine")
    badger("board", "validate", tmp_path / "mine", "--board", table)
    badger("board", "verify", tmp_path / "mine", "--board", table)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_text_files_name_their_encoding(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = {keyword.arg for keyword in node.keywords}
            if node.func.attr in ("read_text", "write_text"):
                assert "encoding" in given, f"line {node.lineno}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_json_has_no_words_of_its_own(file: Path) -> None:
    """Of what is written for others; what is said between own processes is not."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if (
            node.func.attr == "dumps"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "json"
        ):
            strict = any(keyword.arg == "allow_nan" for keyword in node.keywords)
            assert strict or any(str(file).endswith(name) for name in NO_FLOATS), f"line {node.lineno}"


NO_FLOATS = (
    "faces/trial_spec.py",
    "training/checkpoint.py",
    "estimators/process_group.py",
    "submissions/remote_agent.py",
    "submissions/contestants.py",
    "boards/board.py",
    "testing/definition.py",
    "leaderboards/toml_text.py",
    "commands/admin/card.py",
    "boards/rows.py",
)
"""Files whose JSON is hashed, exchanged, or of settings, which are checked to be finite or TOML's own."""


@pytest.mark.parametrize(
    "encoding",
    ["ascii", pytest.param("cp850", marks=pytest.mark.slow), pytest.param("cp932", marks=pytest.mark.slow)],
)
def test_a_training_in_any_folder_ends_well_on_any_terminal(tmp_path: Path, encoding: str) -> None:
    for number, extra in enumerate(([], ["--json"])):
        folder = tmp_path / f"läufe{number}"
        words = ["train", "guessing-hardwired", "--outer-steps", "1", "--out", str(folder), *extra]
        told = run("-m", "leaderboards.cli", *words, PYTHONIOENCODING=encoding)
        assert (folder / "checkpoint.safetensors").is_file()
        if extra:
            rows = {row["name"]: row["value"] for row in json.loads(told)["results"]}
            assert rows["folder"] == str(folder)
    assert "usage" in run("-m", "leaderboards.cli", "--help", PYTHONIOENCODING=encoding)


@pytest.mark.parametrize("kind", ["envs", "recipes", "pretrained", "boards", "topologies"])
def test_lists_need_neither_docstrings_nor_optional_packages(tmp_path: Path, kind: str) -> None:
    for name in OPTIONAL:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('broken')", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    plain = run("-m", "leaderboards.cli", "list", kind)
    assert run("-m", "leaderboards.cli", "list", kind, PYTHONPATH=path) == plain
    bare = run("-m", "leaderboards.cli", "list", kind, "--json", PYTHONOPTIMIZE="2")
    whole = run("-m", "leaderboards.cli", "list", kind, "--json")
    names, wanted = ([row["id"] for row in json.loads(text)["results"]] for text in (bare, whole))
    assert names == wanted


def test_help_needs_no_docstrings() -> None:
    assert "--outer-steps" in run("-m", "leaderboards.cli", "train", "--help", PYTHONOPTIMIZE="2")


def test_a_locale_without_utf_8_starts() -> None:
    elsewhere = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert "guessing-hardwired" in run("-m", "leaderboards.cli", "list", "recipes", **elsewhere)
    code = "from badger_agents.recipe.loading import *; [load_recipe(name) for name in recipe_files()]"
    run("-c", code, **elsewhere)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    recipe = recipe_files()["guessing-hardwired"]
    marked = tmp_path / "guessing-hardwired.toml"
    marked.write_bytes(b"\xef\xbb\xbf" + recipe.read_bytes())
    assert load_recipe(str(marked)) == load_recipe("guessing-hardwired")
    name = board_names()[0]
    board = tmp_path / "board.toml"
    board.write_bytes(b"\xef\xbb\xbf" + (FOLDER / name / "board.toml").read_bytes())
    assert load_board(str(board)).name == load_board(name).name
