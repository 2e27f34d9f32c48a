"""`badger labs`: notebooks of the labs, and grading of students' files. Needs a clone of the repository."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import tyro

import leaderboards


def check(folder: Annotated[Path, tyro.conf.Positional], *, seconds: float = 300.0) -> None:
    """Run students' files with the small budget and print one JSON line per exercise.

    Files are told by their names, lab_01....py or lab_01....ipynb, in the folder and those below it. Each
    runs in a process of its own. Students' files are code, and this runs it: look into them first, or run it
    where nothing can be lost. What a file prints is not shown.

    Args:
        folder: With the students' files.
        seconds: That one file may take.
    """
    if not seconds > 0:
        raise ValueError(f"--seconds is {seconds}; it must be above 0")
    _call("check", str(folder.resolve()), str(seconds))


def notebooks(folder: Annotated[Path, tyro.conf.Positional]) -> None:
    """Build a notebook of each lab in a folder; inside the clone, they find the labs' checkers by themselves.

    Args:
        folder: Made if missing; no notebook there is overwritten.
    """
    _call("notebooks", str(folder.resolve()))
    root = clone()
    if not folder.resolve().is_relative_to(root):
        print(
            f"{folder} is outside the clone: set PYTHONPATH={root} before you start Jupyter", file=sys.stderr
        )


def draw(folder: Annotated[Path, tyro.conf.Positional]) -> None:
    """Run all labs as they are shipped, with the full budget; keep their figures and seconds in a folder.

    `make figures` calls it: pages of the documentation then show the figures. It takes minutes, on one core.
    Seconds are the processor's.

    Args:
        folder: Made if missing; figures that are there are replaced.
    """
    _call("draw", str(folder.resolve()))


def clone() -> Path:
    """Where the labs are: in the clone from which the suite is installed, or in the current folder.

    Raises:
        ValueError: in neither.
    """
    for root in (Path(leaderboards.__file__).parent.parent, Path.cwd()):
        if (root / "labs" / "grading.py").is_file():
            return root
    raise ValueError("the labs are not installed with the suite; run this from a clone of its repository")


def _call(*words: str) -> None:
    """Run the labs' own program in the clone; it ends this one if it fails."""
    done = subprocess.run([sys.executable, "-m", "labs", *words], cwd=clone(), check=False)
    if done.returncode:
        sys.exit(2)


Command = (
    Annotated[None, tyro.conf.subcommand("check", constructor=check)]
    | Annotated[None, tyro.conf.subcommand("notebooks", constructor=notebooks)]
    | Annotated[None, tyro.conf.subcommand("draw", constructor=draw)]
)
"""What `badger labs` can do."""


def labs(command: Annotated[Command, tyro.conf.arg(name="")]) -> None:
    """Ten labs on learning to learn: build notebooks of them, grade students' answers, draw their figures."""
