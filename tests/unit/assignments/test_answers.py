"""Every assignment: what is right gets everything, what is wrong loses its question and no other."""

from __future__ import annotations

import ast
import functools
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytest.importorskip("otter", reason="otter-grader is not installed: run make setup")

from lecture_utils.assignments.build import MASTERS, Built, about, build, cells_of, names
from lecture_utils.assignments.grade import grade_notebook, run_tests

HOME = tempfile.TemporaryDirectory(prefix="assignments-")
NAMES = names()
LIMITS: dict[str, Any] = {"seconds": 170, "memory": 4 * 2**30, "hidden": (MASTERS,)}


@functools.cache
def built(name: str) -> Built:
    return build(name, Path(HOME.name))


@functools.cache
def cells(path: Path) -> list[str]:
    return [source for _, source in cells_of(nbformat.read(path, as_version=4))]


def defines(source: str) -> set[str]:
    """Return the names of the functions and classes of a cell; nothing of one with magics."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return set()
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def imports(source: str) -> bool:
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Import | ast.ImportFrom) for node in body)


def answered(sources: list[str], code: list[str]) -> list[str]:
    """Put answers in the places of the functions that they define."""
    new = list(sources)
    for answer in code:
        wanted = defines(answer)
        (place,) = (i for i, source in enumerate(sources) if wanted & defines(source))
        assert defines(sources[place]) <= wanted, "an answer replaces a whole cell"
        new[place] = answer
    return new


def graded_here(name: str, code: str) -> dict[str, list[str]]:
    """Grade an answer in this process; cells that only try functions out are left out."""
    space: dict[str, Any] = {}
    for source in answered(cells(built(name).solution), [code]):
        if defines(source) or imports(source):
            exec(source, space)
    grade = run_tests(built(name).tests, space)
    lost = {q for q, (got, most) in grade.points.items() if got < most}
    assert lost == {q for q, sentences in grade.failures.items() if sentences}
    return {q: s for q, s in grade.failures.items() if s}


def answers(kind: str) -> list[Any]:
    return [
        pytest.param(name, answer, id=f"{name}: {answer['name']}")
        for name in NAMES
        for answer in about(name)[kind]
    ]


def as_notebook(sources: list[str]) -> bytes:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    return nbformat.writes(notebook).encode()


@pytest.mark.parametrize(("name", "answer"), answers("wrong"))
def test_a_wrong_answer_loses_its_question_and_no_other(name, answer):
    lost = graded_here(name, answer["code"])
    assert set(lost) == {answer["loses"]}, lost
    for sentence in lost[answer["loses"]]:
        assert sentence[0].isupper() or sentence[0].isdigit()
        assert sentence[-1] in ".?!", sentence


@pytest.mark.parametrize(("name", "answer"), answers("right"))
def test_an_answer_written_in_another_way_loses_nothing(name, answer):
    assert graded_here(name, answer["code"]) == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_gets_everything_and_every_cell_of_it_runs(name):
    grade = grade_notebook(built(name).solution.read_bytes(), built(name), **LIMITS)
    assert grade.notes == [] and not any(grade.failures.values()), grade
    assert all(got == most > 0 for got, most in grade.points.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_blank_notebook_gets_nothing_and_breaks_nothing(name):
    grade = grade_notebook(built(name).student.read_bytes(), built(name), **LIMITS)
    assert grade.total == 0
    assert all(
        "returned nothing" in s or "defined" in s for f in grade.failures.values() for s in f
    )


@pytest.mark.parametrize("name", NAMES)
def test_other_right_answers_get_everything_from_the_grader_too(name):
    sources = cells(built(name).solution)
    chosen: dict[str, str] = {}
    for answer in about(name)["right"]:
        chosen.setdefault(min(defines(answer["code"])), answer["code"])
    data = as_notebook(answered(sources, list(chosen.values())))
    grade = grade_notebook(data, built(name), **LIMITS)
    assert not any(grade.failures.values()), grade


@pytest.mark.parametrize("name", NAMES)
def test_the_answers_cover_every_question(name):
    entry = about(name)
    assert {answer["loses"] for answer in entry["wrong"]} == set(built(name).tests)
    assert len(entry["right"]) >= 2
    assert built(name).manual, "one question is read by a person"


@pytest.mark.parametrize("name", NAMES)
def test_the_master_is_fit_for_students(name):
    master = nbformat.read(MASTERS / name / f"{name}.ipynb", as_version=4)
    for cell in master.cells:
        assert not cell.get("outputs") and not cell.get("execution_count"), (
            "a master has outputs: clear them"
        )
    for question, source in built(name).tests.items():
        tests = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
        called = [test.name for test in tests]
        assert len(called) == len(set(called)), (
            f"{question} has two tests of one name: otter runs the second one only"
        )
        assert "hidden=True" in source and "hidden=False" in source
    student = built(name).student.read_text("utf-8")
    assert "hidden=True" not in student and "SOLUTION" not in student
    assert "Rubric" not in student and "BEGIN" not in student.replace("BEGIN QUESTION", "")
    points = sum(
        [
            *built(name).manual.values(),
            *(most for _, most in run_tests(built(name).tests, {}).points.values()),
        ]
    )
    assert points == 20
    assert 90 <= about(name)["minutes"] <= 180
    section = f"{about(name)['section']}.ipynb"
    pages = [MASTERS.parent / folder / section for folder in ("book", "drafts")]
    assert sum(page.is_file() for page in pages) == 1, "it follows no section, or two"
