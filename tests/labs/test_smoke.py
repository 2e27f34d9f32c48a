"""Every lab as it is shipped, all exercises blank, runs from top to bottom with the small budget."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labs.grading import BUDGET, checkers

ROOT = Path(__file__).parent.parent.parent
FILES = {int(path.name[4:6]): path for path in sorted((ROOT / "labs").glob("lab_*.py"))}
FAST = (1, 4)
"""Labs that `make test` runs; `make labs` and `make test-slow` run all."""


@pytest.mark.parametrize(
    "lab", [pytest.param(lab, marks=[] if lab in FAST else [pytest.mark.slow]) for lab in FILES]
)
def test_a_lab_runs_with_blanks(lab: int, tmp_path: Path) -> None:
    own = {BUDGET: "smoke", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(FILES[lab])]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **own}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    for id in checkers(lab):
        assert f"{id} is not answered yet" in said
    assert list((tmp_path / "runs" / "labs").glob(f"lab_{lab:02}_*.png"))
