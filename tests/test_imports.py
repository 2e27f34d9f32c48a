"""The floors: each package imports only from those below, and the lowest is light."""

import ast
import graphlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

FLOORS = ("badger_envs", "badger_agents", "baselines", "leaderboards")  # from the ground up
ROOT = Path(__file__).parent.parent


def run(code: str) -> str:
    """Run code in a fresh interpreter, with warnings as errors, and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, at its top or inside its functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here, so that floors can be seen"
            names.add(str(node.module).split(".")[0])
    return names


def test_badger_envs_imports_and_makes_an_environment_without_heavy_packages() -> None:
    heavy = {"torch", "pettingzoo", "matplotlib", "pygame"}
    code = (
        "import sys, badger_envs, gymnasium\n"
        "env = gymnasium.make('Badger/GuessingGame-v0')\n"
        "env.reset(seed=0)\n"
        "env.step(env.action_space.sample())\n"
        "vector = gymnasium.make_vec('Badger/GuessingGame-v0', num_envs=2)\n"
        "vector.reset(seed=0)\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    assert run(code).strip() == "[]"


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_only_from_below(floor: str) -> None:
    above = {*FLOORS[FLOORS.index(floor) + 1 :], "benchmarks", "labs", "paper", "tests"}
    files = sorted((ROOT / floor).rglob("*.py"))
    assert files
    wrong = {str(file.relative_to(ROOT)): sorted(imported(file) & above) for file in files}
    assert {file: names for file, names in wrong.items() if names} == {}


@pytest.mark.parametrize("floor", FLOORS[:-1])
def test_a_floor_names_nothing_above(floor: str) -> None:
    """In code, prose and data; but for the one list of packages whose classes any file may name."""
    above = re.compile(r"\b(" + "|".join(FLOORS[FLOORS.index(floor) + 1 :]) + r")\b[./:]")
    files = [*(ROOT / floor).rglob("*.py"), *(ROOT / floor).rglob("*.toml")]
    named = {str(file.relative_to(ROOT)) for file in files if above.search(file.read_text(encoding="utf-8"))}
    assert named <= {"badger_agents/class_loading.py"}


@pytest.mark.parametrize("floor", FLOORS)
def test_there_are_no_circles_within_a_floor(floor: str) -> None:
    files = {module_of(file): file for file in (ROOT / floor).rglob("*.py")}
    graph = {module: {name for name in imports_of(file) if name in files} for module, file in files.items()}
    order = graphlib.TopologicalSorter({module: names - {module} for module, names in graph.items()})
    order.prepare()  # CycleError names a circle


@pytest.mark.parametrize("floor", FLOORS)
def test_no_folder_is_crowded(floor: str) -> None:
    counts = Counter(file.parent.relative_to(ROOT) for file in (ROOT / floor).rglob("*.py"))
    assert {str(folder): count for folder, count in counts.items() if count > 14} == {}


def module_of(file: Path) -> str:
    """A file's module, by its full name."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path) -> set[str]:
    """Modules that a file imports, at its top or inside its functions, by their full names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = str(node.module)
            submodules = {f"{base}.{alias.name}" for alias in node.names}
            known = {
                each for each in submodules if (ROOT / each.replace(".", "/")).with_suffix(".py").exists()
            }
            known |= {each for each in submodules if (ROOT / each.replace(".", "/") / "__init__.py").exists()}
            names |= known
            if len(known) < len(submodules):
                names.add(base)
    return names


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_alone(floor: str) -> None:
    run(f"import {floor}")
