"""Make the versions of an assignment, for students and for graders, of its master notebook."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

import lecture_utils

MASTERS = Path(lecture_utils.__file__).resolve().parents[1] / "assignments"
REQUIREMENTS = MASTERS / "requirements.txt"
REPOSITORY = re.compile(r'^REPOSITORY = "(.*)"$', re.MULTILINE)


class MissingOtterError(ImportError):
    """otter-grader is not installed."""


def otter_grader() -> Any:
    """Return otter's module, or say what to do where it is missing.

    Raises
    ------
    MissingOtterError
        If otter-grader is not installed.
    """
    try:
        import otter.assign
        import otter.test_files.exception_test
    except ImportError as error:
        raise MissingOtterError(
            f"Assignments need otter-grader, which is not installed ({error})."
            " `make setup` installs it with the book; elsewhere"
            f" `pip install {pin()}` does."
        ) from error
    return otter


def pin() -> str:
    """Return the requirement of otter-grader, with its version."""
    lines = (
        REQUIREMENTS.read_text("utf-8").splitlines()
        if REQUIREMENTS.is_file()
        else []
    )
    return next((x for x in lines if x.startswith("otter-grader")), "otter")


def names() -> list[str]:
    """Return the names of the assignments, in the order of the book."""
    found = [path.parent.name for path in MASTERS.glob("*/assignment.toml")]
    return sorted(found, key=lambda name: int(about(name)["number"]))


def about(name: str) -> dict[str, Any]:
    """Return what assignment.toml says: number, title, section, minutes, answers.

    Raises
    ------
    ValueError
        If there is no assignment of this name.
    """
    file = MASTERS / name / "assignment.toml"
    if not re.fullmatch(r"\w+", name) or not file.is_file():
        there = ", ".join(names()) if MASTERS.is_dir() else ""
        raise ValueError(
            f"There is no assignment {name!r}. "
            + (
                f"There are: {there}."
                if there
                else "Assignments are in the book's repository, and not in"
                " the installed package; run this in its folder."
            )
        )
    return tomllib.loads(file.read_text("utf-8"))


@dataclass(frozen=True)
class Built:
    """What was made of one master.

    Attributes
    ----------
    student
        The notebook for students, with the public tests in it.
    solution
        The notebook with all solutions; not to be handed out.
    tests
        For each question that a program grades, the source of all its tests.
    manual
        For each question that a person reads, its points.
    folder
        Where all this lies, with two archives.
    """

    student: Path
    solution: Path
    tests: dict[str, str]
    manual: dict[str, float]
    folder: Path


def build(name: str, out: Path) -> Built:
    """Make the student's and the grader's version of an assignment.

    Parameters
    ----------
    name
        One of `names`.
    out
        A folder; what it holds in ``out / name`` from before is replaced.
    """
    about(name)
    otter = otter_grader()
    folder = out / name
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        master = work / f"{name}.ipynb"
        shutil.copyfile(MASTERS / name / f"{name}.ipynb", master)
        with contextlib.redirect_stdout(io.StringIO()):
            otter.assign.main(
                str(master),
                str(work / "made"),
                no_pdfs=True,
                no_run_tests=True,
            )
        made = work / "made"
        public, tests = _tests(made / "student"), _tests(made / "autograder")
        for version in ("student", "autograder"):
            _prepare(made / version / f"{name}.ipynb", public)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "instructor").mkdir(parents=True)
        (folder / "student").mkdir()
        student = folder / "student" / f"{name}.ipynb"
        shutil.copyfile(made / "student" / f"{name}.ipynb", student)
        solution = folder / "instructor" / f"{name}.ipynb"
        shutil.copyfile(made / "autograder" / f"{name}.ipynb", solution)
        shutil.copytree(
            made / "autograder" / "tests", folder / "instructor" / "tests"
        )
        (gradescope,) = (made / "autograder").glob("*.zip")
        _gradescope(
            gradescope, folder / f"{name}-gradescope.zip", _address(student)
        )
        with zipfile.ZipFile(folder / f"{name}-student.zip", "w") as archive:
            archive.write(student, f"{name}/{student.name}")
    return Built(student, solution, tests, _manual(name), folder)


def _tests(folder: Path) -> dict[str, str]:
    """Return the tests of each question, in the questions' order."""
    files = sorted(
        (folder / "tests").glob("*.py"),
        key=lambda file: int(re.sub(r"\D", "", file.stem) or 0),
    )
    return {file.stem: file.read_text("utf-8") for file in files}


def _manual(name: str) -> dict[str, float]:
    """Return the points of the questions that a person reads."""
    master = nbformat.read(MASTERS / name / f"{name}.ipynb", as_version=4)
    found = {}
    for cell in master.cells:
        if cell.cell_type == "raw" and "manual: true" in cell.source:
            fields = dict(re.findall(r"^(\w+): (.*)$", cell.source, re.M))
            found[fields["name"]] = float(fields["points"])
    return found


CHECKS = """\
# The checks below the questions. Run this cell; there is nothing to change.
import importlib.util
from pathlib import Path

if importlib.util.find_spec("otter") is None:
    %pip install --quiet {pin}
import otter

TESTS = {tests}
folder = Path("checks-{name}")
folder.mkdir(exist_ok=True)
for question, source in TESTS.items():
    (folder / f"{{question}}.py").write_text(source, "utf-8")
grader = otter.Notebook(tests_dir=str(folder))
"""


def _prepare(path: Path, tests: dict[str, str]) -> None:
    """Put the public tests into a notebook, so that it needs no file beside it.

    otter would keep them in files beside it, or in its metadata, which Colab does not show to it.
    """
    notebook = nbformat.read(path, as_version=4)
    first = next(
        i for i, c in enumerate(notebook.cells) if c.cell_type == "code"
    )
    lines = ["{"]
    for question, source in tests.items():
        lines.append(f"    {question!r}: (")
        lines += [f"        {x!r}" for x in source.splitlines(keepends=True)]
        lines.append("    ),")
    text = CHECKS.format(
        pin=pin(), tests="\n".join([*lines, "}"]), name=path.stem
    )
    cell = nbformat.v4.new_code_cell(text, id="checks")
    cell.metadata.update(tags=["hide-input"], deletable=False, editable=False)
    notebook.cells.insert(first + 1, cell)
    for number, one in enumerate(notebook.cells):
        one["id"] = f"cell-{number}"  # else a build would never be repeated
    nbformat.write(notebook, path)


def _address(notebook: Path) -> str:
    """Return the repository's address, which `make repository` has set; empty without."""
    found = REPOSITORY.search(
        "\n".join(
            cell.source
            for cell in nbformat.read(notebook, as_version=4).cells
            if cell.cell_type == "code"
        )
    )
    return found[1] if found else ""


def _gradescope(source: Path, target: Path, address: str) -> None:
    """Copy otter's archive for Gradescope, with the book's package among what it installs."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in sorted(old.infolist(), key=lambda e: e.filename):
            data = old.read(entry)
            if entry.filename == "environment.yml" and address:
                package = f'      - "lecture-utils @ git+{address}"\n'
                data = data.rstrip() + b"\n" + package.encode()
            new.writestr(entry.filename, data)


def cells_of(notebook: Any) -> list[tuple[int, str]]:
    """Return the code cells of a notebook that are not empty, each with its number."""
    code = [c.source for c in notebook.cells if c.cell_type == "code"]
    return [
        (number, source.replace("\r\n", "\n").replace("\r", "\n"))
        for number, source in enumerate(code, 1)
        if source.strip()
    ]
