"""Labs as they are shipped, run with the full budget: their figures, and the seconds that each takes."""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from labs.grading import BUDGET, RESULTS

SECONDS = "seconds.csv"
"""Table of the seconds that labs took, beside their figures: a row per lab."""


def draw(folder: Path) -> None:
    """Run all labs one after the other, each on one core; keep their figures and seconds in a folder.

    Where an exercise is blank, and all are, a lab goes on with the solution. Seconds are the processor's, so
    that a busy machine does not make a lab longer. Prints a line per lab.

    Args:
        folder: made if missing; figures and seconds that are there are replaced.

    Raises:
        ValueError: a lab ended with an error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for lab in sorted(Path(__file__).parent.glob("lab_*.py")):
        seconds = _drawn(lab, folder)
        rows.append([int(lab.stem[4:6]), round(seconds)])
        print(f"{lab.stem}: {seconds:.0f} s", flush=True)
    with (folder / SECONDS).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["lab", "seconds"], *rows])


def _drawn(lab: Path, folder: Path) -> float:
    """Seconds of the processor that a lab took; its figures are in the folder."""
    from PIL import Image

    own = {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(lab.parent.parent)}
    theirs = {key: value for key, value in os.environ.items() if key not in (BUDGET, RESULTS)}
    with tempfile.TemporaryDirectory() as place:
        before = os.times()
        done = subprocess.run(
            [sys.executable, str(lab)],
            cwd=place,
            env={**theirs, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        after = os.times()
        if done.returncode:
            raise ValueError(f"{lab.name} ended with {done.stderr.strip().splitlines()[-1]}")
        for figure in sorted(Path(place, "runs", "labs").glob("*.png")):
            with Image.open(figure) as picture:
                picture.convert("RGB").quantize(64).save(folder / figure.name, optimize=True)
    return after.children_user + after.children_system - before.children_user - before.children_system
