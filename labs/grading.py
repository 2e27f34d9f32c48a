"""What a lab calls: check an answer, go on with one that is right, and choose a budget."""

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from labs.checks import Mistake

BUDGET = "BADGER_LABS"
"""Environment variable: "smoke" makes every training in the labs a few steps long."""

RESULTS = "BADGER_LABS_RESULTS"
"""Environment variable: file to which `check` appends one JSON line per answer (see `labs.student_files`)."""

PATIENCE = 30.0
"""Seconds that a checker may take while results are written: then the answer loops without end."""


class Result(NamedTuple):
    """What a checker said of an answer.

    Attributes:
        id: of the exercise, such as "3.2".
        passed: whether the answer is right.
        message: one line; of a wrong answer, what is wrong with it.
    """

    id: str
    passed: bool
    message: str


def check(id: str, answer: Any) -> None:
    """Check an answer and print one line.

    Args:
        id: of the exercise, such as "3.2".
        answer: your function, class or value.

    Raises:
        ValueError: there is no such exercise.
    """
    file = os.environ.get(RESULTS)
    result = _graded(id, answer)
    print(result.message)
    if file is not None:
        with Path(file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(result._asdict()) + "\n")


def grade(id: str, answer: Any) -> Result:
    """Check an answer; nothing that it raises comes through.

    Args:
        id: of the exercise.
        answer: a function, class or value; None is no answer.

    Raises:
        ValueError: there is no such exercise.
    """
    checker = checkers(lab_of(id)).get(id)
    if checker is None:
        raise ValueError(f"no exercise {id!r}; this lab has {', '.join(checkers(lab_of(id)))}")
    unanswered = Result(id, False, f"{id} is not answered yet")
    if answer is None or answer is ...:
        return unanswered
    try:
        checker(answer)
    except Mistake as mistake:
        return Result(id, False, f"{id}: {mistake}")
    except NotImplementedError as error:
        if str(error).startswith("exercise"):
            return unanswered
        return Result(id, False, f"{id}: {_told(error)}")
    except (Exception, SystemExit) as error:
        return Result(id, False, f"{id}: {_told(error)}")
    return Result(id, True, f"{id} is right")


def answer(id: str, given: Any) -> Any:
    """The answer if it is right; else the solution, so that a lab goes on.

    Args:
        id: of the exercise.
        given: your function, class or value.
    """
    if _graded(id, given).passed:
        return given
    print(f"from here this lab uses the solution of {id}")
    return solutions(lab_of(id))[id]


def steps(full: int, smoke: int) -> int:
    """How many outer steps, trials or repeats: `full`, or `smoke` where BADGER_LABS=smoke."""
    return smoke if os.environ.get(BUDGET) == "smoke" else full


def show(name: str) -> None:
    """Show the current figure in a notebook; a script writes it to runs/labs/NAME.png and says so."""
    import matplotlib.pyplot as plt

    if os.environ.get(BUDGET) == "smoke":
        print(f"{BUDGET}=smoke: small budgets; a figure of trainings or of few tasks means nothing")
    if "ipykernel" in sys.modules:
        plt.show()
        return
    path = Path("runs", "labs", f"{name}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    plt.savefig(path, dpi=120, bbox_inches="tight")
    plt.close()
    print(f"figure: {path}")


def checkers(lab: int) -> dict[str, Callable[[Any], None]]:
    """Checkers of a lab by exercise; each raises `Mistake` at a wrong answer."""
    return dict(importlib.import_module(f"labs.checks.lab_{lab:02}").CHECKS)


def solutions(lab: int) -> dict[str, Any]:
    """Solutions of a lab by exercise."""
    return dict(importlib.import_module(f"labs.solutions.lab_{lab:02}").SOLUTIONS)


def lab_of(id: str) -> int:
    """The number of the lab that an exercise belongs to.

    Raises:
        ValueError: there is no such lab.
    """
    lab = id.partition(".")[0]
    if not (lab.isdigit() and 1 <= int(lab) <= 10):
        raise ValueError(f"no exercise {id!r}; exercises are LAB.NUMBER, such as 3.2, of the labs 1 to 10")
    return int(lab)


def _graded(id: str, answer: Any) -> Result:
    """As `grade`; where results are written, an answer without end is wrong, and its thread is left."""
    if RESULTS not in os.environ:
        return grade(id, answer)
    checkers(lab_of(id))  # its imports are not the answer's time
    found: list[Result] = []
    thread = threading.Thread(target=lambda: found.append(grade(id, answer)), daemon=True)
    began, busy = time.monotonic(), time.process_time()
    thread.start()
    # Seconds of the processor: a busy machine does not make an answer wrong. One that only sleeps takes none.
    while (
        thread.is_alive()
        and time.process_time() - busy < PATIENCE
        and time.monotonic() - began < 5 * PATIENCE
    ):
        thread.join(0.1)
    return found[0] if found else Result(id, False, f"{id}: it ran longer than {PATIENCE:.0f} s: no end?")


def _told(error: BaseException) -> str:
    """An error that the student's code raised, in one line, with the line where it happened."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_name})" if trace is not None else ""
    return f"it raises {type(error).__name__}: {' '.join(str(error).split())[:200]}{place}"
