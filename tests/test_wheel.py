"""The wheel: what is in it, and that it works from an empty folder where no extra is installed."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from badger_envs import TABLE

ROOT = Path(__file__).parent.parent

PACKAGES = ("badger_envs", "badger_agents", "baselines", "leaderboards")

STEPPED = """
import sys
import gymnasium as gym
import badger_envs
for id in sys.argv[1:]:
    env = gym.make(id)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    vector = gym.make_vec(id, num_envs=2, vectorization_mode="vector_entry_point")
    vector.reset(seed=0)
    vector.step(vector.action_space.sample())
    print(id)
try:
    import torch
except ModuleNotFoundError:
    print("no torch")
"""


def ran(*words: object, cwd: Path) -> str:
    """What a program prints, errors included; fails if it does."""
    words_ = [str(word) for word in words]
    done = subprocess.run(words_, cwd=cwd, env={"PATH": ""}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The wheel, and all that building it said."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("benchmarks", "labs", "paper", "tests"):  # there to be left out
        (source / name).mkdir()
        (source / name / "__init__.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    said = ran(sys.executable, "-c", build, out, cwd=source)
    (wheel,) = out.glob("*.whl")
    return wheel, said


@pytest.fixture(scope="session")
def bare(built: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"]
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", built[0]], check=True)
    return programs


def test_the_wheel_is_small_and_built_without_a_warning(built: tuple[Path, str]) -> None:
    wheel, said = built
    assert wheel.stat().st_size < 3e6
    assert "Warning" not in said
    assert "would be ignored" not in said


def test_the_wheel_holds_what_is_used_and_nothing_else(built: tuple[Path, str]) -> None:
    names = zipfile.ZipFile(built[0]).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {name for name in tops if ".dist-info" not in name} == set(PACKAGES)
    assert not [name for name in names if "/runs/" in name or name.endswith(".gz")]
    for pattern in ("recipes/*.toml", "pretrained/*", "tuned/*", "boards/*/*.toml", "boards/*/*.csv"):
        for package in PACKAGES:
            there = {str(file.relative_to(ROOT)) for file in (ROOT / package).glob(pattern)}
            assert there <= set(names)


def test_every_id_steps_where_no_extra_is_installed(bare: Path, tmp_path: Path) -> None:
    ids = [entry.id for entry in TABLE if "Digits" not in entry.id]  # its images are scikit-learn's
    assert ran(bare / "python", "-c", STEPPED, *ids, cwd=tmp_path).splitlines() == [*ids, "no torch"]


def test_the_command_line_says_what_to_install(bare: Path, tmp_path: Path) -> None:
    assert "evaluate" in ran(bare / "badger", "--help", cwd=tmp_path)
    assert ran(bare / "badger", "--version", cwd=tmp_path).startswith("badger ")
    done = subprocess.run([bare / "badger", "list"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.endswith("pip install 'badger-suite[boards]'\n")
    assert len(done.stderr.splitlines()) == 1
