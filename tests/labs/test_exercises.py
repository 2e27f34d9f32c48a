"""Every exercise: its solution passes, its blank fails, and plausible wrong answers fail by name."""

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest

import labs
from labs.grading import checkers, lab_of, solutions
from labs.student_files import exercises

ROOT = Path(__file__).parent.parent.parent
FILES = {int(path.name[4:6]): path for path in sorted((ROOT / "labs").glob("lab_*.py"))}
EXERCISES = [id for lab in FILES for id in checkers(lab)]


def wrong_answers(id: str) -> list[tuple[Any, str]]:
    """Answers, and words that the message must have."""
    return importlib.import_module(f"tests.labs.wrong.lab_{lab_of(id):02}").WRONG[id]


def blank(id: str) -> Any:
    """The exercise as the lab ships it: its function or class, or None where a value is asked."""
    tree = ast.parse(FILES[lab_of(id)].read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and f"'exercise {id}'" in ast.unparse(node):
            names: dict[str, Any] = {"__name__": "blank"}
            exec(compile(ast.Module([*imports, node], []), id, "exec"), names)
            return names[node.name]
    return None


@pytest.mark.parametrize("lab", FILES)
def test_a_lab_has_three_to_five_exercises_and_checks_each(lab: int) -> None:
    text = FILES[lab].read_text(encoding="utf-8")
    known = list(checkers(lab))
    assert known == [f"{lab}.{number}" for number in range(1, len(known) + 1)]
    assert 3 <= len(known) <= 5
    for id in known:
        assert wrong_answers(id)
    assert list(solutions(lab)) == known
    assert exercises(lab) == known
    for promise in ("**You will learn**", "**It presumes**", "**It takes**"):
        assert promise in text


@pytest.mark.parametrize("id", EXERCISES)
def test_the_solution_passes(id: str) -> None:
    assert labs.grade(id, solutions(lab_of(id))[id]) == labs.Result(id, True, f"{id} is right")


@pytest.mark.parametrize("id", EXERCISES)
def test_the_blank_is_not_answered_yet(id: str) -> None:
    assert labs.grade(id, blank(id)) == labs.Result(id, False, f"{id} is not answered yet")


@pytest.mark.parametrize(
    ("id", "number"), [(id, number) for id in EXERCISES for number in range(len(wrong_answers(id)))]
)
def test_a_wrong_answer_is_told_its_mistake(id: str, number: int) -> None:
    given, words = wrong_answers(id)[number]
    result = labs.grade(id, given)
    assert not result.passed
    assert result.message.startswith(f"{id}: ")
    assert words in result.message
    assert "\n" not in result.message
