"""Grading of students' files: each is run in a process of its own, with the small budget and a time limit.

A student's file is code, and whoever grades it runs it. A cell that fails does not keep later cells from
being graded.
"""

import json
import linecache
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from labs.grading import BUDGET, RESULTS

LIMIT = 300.0
"""Seconds that one file may take."""


class Handed(NamedTuple):
    """A file that was handed in.

    Attributes:
        path: of it, a script in the percent format or a notebook.
        lab: number of its lab, as its name says.
    """

    path: Path
    lab: int


def handed_in(folder: Path) -> list[Handed]:
    """Files of labs in a folder and in those below it, by name: lab_01....py or lab_01....ipynb.

    Raises:
        ValueError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}")
    named = [(path, re.match(r"lab_(\d\d)", path.name)) for path in sorted(folder.rglob("lab_*"))]
    found = [
        Handed(path, int(name[1]))
        for path, name in named
        if name and path.suffix in (".py", ".ipynb") and ".ipynb_checkpoints" not in path.parts
    ]
    known = [each for each in found if 1 <= each.lab <= 10]
    if not known:
        raise ValueError(f"no lab in {folder}; files are told by their names, such as lab_01_a_trial.ipynb")
    return known


def unnamed(folder: Path) -> list[Path]:
    """Scripts and notebooks in a folder and those below it whose names tell no lab: they are not graded."""
    known = {each.path for each in handed_in(folder)}
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in (".py", ".ipynb"))
    return [path for path in files if path not in known and ".ipynb_checkpoints" not in path.parts]


def check_folder(folder: Path, limit: float = LIMIT) -> Iterator[dict[str, Any]]:
    """One row per exercise of each file: file, lab, exercise, passed, message.

    Args:
        folder: with the files.
        limit: seconds that one file may take.
    """
    for path, lab in handed_in(folder):
        name = str(path.relative_to(folder))
        for exercise, (passed, message) in check_file(path, lab, limit).items():
            yield {"file": name, "lab": lab, "exercise": exercise, "passed": passed, "message": message}


def check_file(path: Path, lab: int, limit: float = LIMIT) -> dict[str, tuple[bool, str]]:
    """Whether each exercise of a file is passed, and what the checker says.

    Args:
        path: of a script or notebook.
        lab: its number.
        limit: seconds that it may take.
    """
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as place:
        results = Path(place) / "results.jsonl"
        own = {BUDGET: "smoke", RESULTS: str(results), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
        paths = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "labs", "run", str(path.resolve())]
        late = ""
        try:
            done = subprocess.run(
                command,
                cwd=place,
                env={**os.environ, **own, "PYTHONPATH": paths},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit,
                check=False,
            )
            last = done.stderr.strip().splitlines()
            late = last[-1] if last else "the file has no check of it"
        except subprocess.TimeoutExpired:
            late = f"the file ran longer than {limit:.0f} s before it"
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    rows = {row["id"]: (row["passed"], row["message"]) for row in map(json.loads, lines)}
    return {id: rows.get(id, (False, f"{id}: not reached: {late}")) for id in exercises(lab)}


def exercises(lab: int) -> list[str]:
    """Exercises of a lab, as its own file checks them."""
    (file,) = Path(__file__).parent.glob(f"lab_{lab:02}_*.py")
    return re.findall(r'^labs\.check\("(\d+\.\d+)"', file.read_text(encoding="utf-8"), flags=re.MULTILINE)


def run_cells(path: Path) -> None:
    """Run a file cell after cell in one namespace; a cell that fails is one line on standard error."""
    import jupytext

    cells = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    names: dict[str, Any] = {"__name__": "__main__"}
    failures: list[str] = []
    for number, source in enumerate(cells, start=1):
        code = re.sub(r"(?m)^[%!].*$", "", source)  # what only a notebook understands
        name = f"{path.name}, cell {number}"
        linecache.cache[name] = (
            len(code),
            None,
            code.splitlines(keepends=True),
            name,
        )  # for inspect.getsource
        try:
            exec(compile(code, name, "exec"), names)
        except (Exception, SystemExit) as error:
            told = " ".join(str(error).split())
            failures.append(f"cell {number} raises {type(error).__name__}: {told}")
            first = "" if len(failures) == 1 else f"{failures[0]}; then "  # what comes later may come of it
            print(first + failures[-1], file=sys.stderr)


def make_notebooks(folder: Path) -> list[Path]:
    """Build a notebook of each lab that is not there yet in a folder, which is made if missing.

    Returns:
        those that were built.

    Raises:
        ValueError: all of them are there already.
    """
    import jupytext

    labs = sorted(Path(__file__).parent.glob("lab_*.py"))
    made = {folder / f"{lab.stem}.ipynb": lab for lab in labs}
    left = {path: lab for path, lab in made.items() if not path.exists()}
    if not left:
        raise ValueError(
            f"all notebooks are in {folder} already, perhaps with answers; delete one to start it again,"
            " or name another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path, lab in left.items():
        jupytext.write(jupytext.read(lab), path)
    return list(left)
