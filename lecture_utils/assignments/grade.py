"""Grade submissions: points by question, a report for each student, a table of all."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import re
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

import lecture_utils
from lecture_utils.assignments.build import (
    MASTERS,
    Built,
    build,
    cells_of,
    names,
    otter_grader,
)
from lecture_utils.assignments.session import Session
from lecture_utils.files import write_atomically

LARGEST = 50 * 2**20  # bytes of a notebook
FIRST = ["student", "submission", "sha256"]
LAST = ["automatic", "note"]


@dataclass
class Grade:
    """What one submission has got.

    Attributes
    ----------
    points
        For each question, the points and how many there were to get.
    failures
        For each question, a sentence for each of its checks that failed.
    notes
        What else is to say: why nothing could be graded, cells that failed.
    """

    points: dict[str, tuple[float, float]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> float:
        """The sum over the questions that were graded here."""
        return sum(got for got, _ in self.points.values())


def run_tests(tests: dict[str, str], environment: Any) -> Grade:
    """Run the tests of all questions on what an environment calls by its names.

    Parameters
    ----------
    tests
        The source of the tests of each question, as otter writes it.
    environment
        A `Session`, or the namespace in which a notebook was run.
    """
    kind = otter_grader().test_files.exception_test.ExceptionTestFile
    grade = Grade()
    with tempfile.TemporaryDirectory() as folder:
        for question, source in tests.items():
            # A file, since the source of a probe is read from it.
            path = Path(folder) / f"{question}.py"
            path.write_text(source, "utf-8")
            test = kind.from_string(source, path=str(path))
            test.run(environment)
            grade.points[question] = (test.score, test.possible)
            grade.failures[question] = [
                _sentence(result.message)
                for result in test.test_case_results
                if not result.passed
            ]
    return grade


def _sentence(message: str) -> str:
    """Return what a failed check says, without the line of code that otter shows with it."""
    last = re.split(r"^(\w+): ", message, flags=re.M)
    text = str(message if len(last) < 3 else last[-1])
    kind = "" if len(last) < 3 else str(last[-2])
    if kind not in {"AssertionError", "SubmissionError"} and kind:
        text = f"{kind}: {text}"
    return " ".join(text.split())[:600]


def read(data: bytes) -> Any:
    """Return the notebook of a file's contents.

    Raises
    ------
    ValueError
        A sentence, if it is none.
    """
    if len(data) > LARGEST:
        raise ValueError(
            f"The file has {len(data) / 2**20:.0f} MB; a notebook may have"
            f" {LARGEST >> 20}. Clear its outputs and hand it in again."
        )
    try:
        text = data.decode("utf-8-sig")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.reads(text, as_version=4)
            cells_of(notebook)
    except Exception as error:
        raise ValueError(
            "The file is not a notebook, or a damaged one"
            f" ({type(error).__name__}). Hand in the .ipynb file that Jupyter"
            " has saved."
        ) from error
    return notebook


def grade_notebook(
    data: bytes,
    built: Built,
    *,
    seconds: int,
    memory: int,
    hidden: tuple[Path, ...],
) -> Grade:
    """Grade the contents of one file; what can't be graded gets nothing and a sentence."""
    try:
        notebook = read(data)
    except ValueError as error:
        return _nothing(built, str(error))
    cells = cells_of(notebook)
    with Session(
        cells, seconds=seconds, memory=memory, hidden=hidden
    ) as session:
        grade = run_tests(built.tests, session)
    if session.end:
        grade.notes.append(session.end)
    named = notebook.metadata.get("otter", {}).get("assignment_name")
    if named not in (None, built.student.stem):
        grade.notes.append(f"The notebook is of the assignment {named!r}.")
    counts = [c.get("execution_count") for c in notebook.cells]
    order = [n for n in counts if isinstance(n, int)]
    if order != sorted(order):
        grade.notes.append(
            "The cells had been run out of order. They were graded from top"
            " to bottom."
        )
    grade.notes += [
        f"Code cell {number} ended with {why}"
        for number, why in session.failed
    ]
    return grade


def _nothing(built: Built, note: str) -> Grade:
    """Return the grade of a submission in which no question can be asked."""
    grade = run_tests(built.tests, {})
    grade.failures = {}
    grade.points = {q: (0.0, most) for q, (_, most) in grade.points.items()}
    grade.notes = [note]
    return grade


@dataclass(frozen=True)
class Submission:
    """One student's file.

    Attributes
    ----------
    student
        The name of the file without its ending, or that of the student's folder.
    file
        How it is called in the table.
    data
        Its contents; empty if ``problem`` says why there are none.
    """

    student: str
    file: str
    data: bytes
    problem: str = ""


def submissions(folder: Path) -> Iterator[Submission]:
    """Find what was handed in: files, archives, or a folder for each student.

    Raises
    ------
    ValueError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(
            f"There is no folder {folder}. Name the folder that holds the"
            " submissions: a notebook, an archive or a folder a student."
        )
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        read = (
            _of_folder
            if path.is_dir()
            else _of_archive
            if path.suffix.lower() == ".zip"
            else _of_file
        )
        student = path.name if path.is_dir() else path.stem
        try:
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise OSError("it is a link or no file")
            yield read(path)
        except OSError as error:
            problem = f"It cannot be read: {error.strerror or error}."
            yield Submission(student, path.name, b"", problem)


def _load(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _chosen(found: list[str]) -> str:
    """Return why none of several files can be chosen; nothing if there is one."""
    if len(found) == 1:
        return ""
    if not found:
        return "There is no notebook in it. Hand in the .ipynb file."
    return f"There are {len(found)} notebooks in it. Hand in one."


def _own(name: str) -> bool:
    """Whether a path is a student's notebook and not what a program left."""
    parts = Path(name).parts
    left = {".ipynb_checkpoints", "__MACOSX"}
    return name.lower().endswith(".ipynb") and not left & set(parts)


def _of_file(path: Path) -> Submission:
    return Submission(path.stem, path.name, _load(path))


def _of_folder(path: Path) -> Submission:
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and not file.is_symlink()
        and _own(str(file.relative_to(path)))
    ]
    problem = _chosen([file.name for file in found])
    data = b"" if problem else _load(found[0])
    file = path if problem else found[0]
    return Submission(
        path.name, str(file.relative_to(path.parent)), data, problem
    )


def _of_archive(path: Path) -> Submission:
    try:
        with zipfile.ZipFile(path) as archive:
            found = [e for e in archive.infolist() if _own(e.filename)]
            problem = _chosen([entry.filename for entry in found])
            if problem:
                return Submission(path.stem, path.name, b"", problem)
            with archive.open(found[0]) as file:
                return Submission(path.stem, path.name, file.read(LARGEST + 1))
    except (zipfile.BadZipFile, RuntimeError, EOFError) as error:
        problem = f"The archive cannot be read ({type(error).__name__})."
        return Submission(path.stem, path.name, b"", problem)


def assignment_of(found: list[Submission]) -> str:
    """Return the assignment that most of the notebooks name themselves.

    Raises
    ------
    ValueError
        If none does.
    """
    named = []
    for submission in found:
        try:
            notebook = read(submission.data)
        except ValueError:
            continue
        named.append(notebook.metadata.get("otter", {}).get("assignment_name"))
    known = [name for name in named if name in names()]
    if not known:
        raise ValueError(
            "None of the submissions says which assignment it is. Name it with"
            f" --assignment: {', '.join(names())}."
        )
    return str(max(set(known), key=known.count))


def grade_folder(
    folder: Path,
    out: Path,
    *,
    assignment: str | None = None,
    again: bool = False,
    seconds: int = 600,
    gigabytes: float = 4,
    tell: Callable[[str], None] = print,
) -> int:
    """Grade what lies in a folder, and write the table and the reports.

    A submission that has a row in the table, with the same contents, keeps it. The table is
    replaced by a whole new one after each submission, so whatever interrupts the work, all grades
    given so far are in it; so are columns and points that a person has entered.

    Parameters
    ----------
    folder
        The submissions; see `submissions`.
    out
        The table, CSV. Reports go to a folder beside it.
    assignment
        Its name; without it, what the notebooks say.
    again
        Grade all again. The earlier reports stay, under names of their own.
    seconds, gigabytes
        What each submission may take.

    Returns
    -------
    int
        How many were graded now.
    """
    reports = out.with_name(f"{out.stem}-reports")
    _check_place(folder, reports)
    found = list(submissions(folder))
    if not found:
        raise ValueError(f"There is nothing in the folder {folder}.")
    students = [submission.student for submission in found]
    twice = sorted({name for name in students if students.count(name) > 1})
    if twice:
        raise ValueError(
            f"In {folder} there are several submissions of"
            f" {', '.join(twice)}. Leave one of each student."
        )
    name = assignment or assignment_of(found)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _alone(out), tempfile.TemporaryDirectory() as made:
        built = build(name, Path(made))
        columns = [*FIRST, *built.tests, *built.manual, *LAST]
        rows, others = _table(out, columns)
        reports.mkdir(exist_ok=True)
        hidden = (
            MASTERS,
            MASTERS.parent / "_build" / "assignments",
            folder.resolve(),
            reports.resolve(),
            Path(made),
        )
        done = 0
        for number, submission in enumerate(found, 1):
            where = f"{number} of {len(found)}: {submission.student}"
            sha = hashlib.sha256(submission.data).hexdigest()[:16]
            row = rows.get(submission.student, {})
            if row.get("sha256") == sha and not again:
                tell(f"{where}: graded before, {row['automatic']} points")
                continue
            if submission.problem:
                grade = _nothing(built, submission.problem)
            else:
                grade = grade_notebook(
                    submission.data,
                    built,
                    seconds=seconds,
                    memory=int(gigabytes * 2**30),
                    hidden=hidden,
                )
            if row and row.get("sha256") != sha:
                for question in built.manual:  # which were for other text
                    if row.get(question):
                        grade.notes.append(
                            f"Before this submission, {question} had"
                            f" {row[question]} points."
                        )
                        row[question] = ""
            row |= {
                "student": submission.student,
                "submission": submission.file,
                "sha256": sha,
                "automatic": f"{grade.total:g}",
                "note": " ".join(grade.notes)[:1000],
            }
            row |= {q: f"{got:g}" for q, (got, _) in grade.points.items()}
            rows[submission.student] = row
            text = report(submission, built, grade)
            _write_report(reports, submission.student, text)
            _write(out, [*columns, *others], rows)
            done += 1
            tell(f"{where}: {grade.total:g} points")
    return done


def _check_place(folder: Path, reports: Path) -> None:
    """Refuse folders which can't be hidden, since the grader itself lies in them."""
    package = Path(lecture_utils.__file__).resolve().parent
    needed = [package, Path(sys.prefix), Path(tempfile.gettempdir())]
    for place in (folder.resolve(), reports.resolve()):
        for path in needed:
            if path.resolve().is_relative_to(place):
                raise ValueError(
                    f"The folder {place} also holds {path}, which the grader"
                    " needs. Put the submissions into a folder of their own."
                )


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second grader from the same table."""
    with out.with_name(f".{out.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"Another grader is writing {out}. Wait until it has ended."
            ) from error
        yield


def _table(
    out: Path, columns: list[str]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Read the rows that there are, by student, and the names of columns that others have added."""
    if not out.exists():
        return {}, []
    try:
        text = out.read_text("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        there = list(reader.fieldnames or [])
        rows = {row["student"]: dict(row) for row in reader}
        missing = [c for c in columns if c not in there]
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        raise ValueError(_foreign(out)) from error
    if missing or any(None in row for row in rows.values()):
        raise ValueError(_foreign(out))
    return rows, [c for c in there if c not in columns]


def _foreign(out: Path) -> str:
    return (
        f"{out} is not the table of this assignment, so it was left as it is."
        " Name another file with --out, or move this one away."
    )


def _write(
    out: Path, columns: list[str], rows: dict[str, dict[str, str]]
) -> None:
    """Replace the table by a whole new one."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows[student] for student in sorted(rows))
    write_atomically(out, text.getvalue().encode())


def _write_report(folder: Path, student: str, text: str) -> None:
    """Write a report; an earlier one, if it says something else, gets a number."""
    path = folder / f"{student}.md"
    if path.exists() and path.read_text("utf-8") != text:
        number = 1
        while (old := folder / f"{student}.{number}.md").exists():
            number += 1
        shutil.copyfile(path, old)
    write_atomically(path, text.encode())


def report(submission: Submission, built: Built, grade: Grade) -> str:
    """Return what a student may read about their grade, in Markdown."""
    possible = sum(most for _, most in grade.points.values())
    lines = [
        f"# {built.student.stem}: {submission.student}",
        "",
        f"{submission.file}: {grade.total:g} of {possible:g} points from the"
        " program's checks.",
        "",
        "| Question | Points | Of |",
        "| --- | ---: | ---: |",
    ]
    for question, (got, most) in grade.points.items():
        lines.append(f"| {question} | {got:g} | {most:g} |")
    for question, most in built.manual.items():
        lines.append(f"| {question} | read by a person | {most:g} |")
    for question, sentences in grade.failures.items():
        if sentences:
            lines += ["", f"## {question}", ""]
            lines += [f"- {text}" for text in dict.fromkeys(sentences)]
    if grade.notes:
        lines += ["", "## Notes", ""]
        lines += [f"- {' '.join(note.split())}" for note in grade.notes]
    return "\n".join(lines) + "\n"


def check(notebook: Path) -> Grade:
    """Run a student's notebook afresh, and the checks that it brings, as the student.

    Raises
    ------
    ValueError
        If it is no notebook, or one without checks.
    """
    if not notebook.is_file():
        raise ValueError(f"There is no file {notebook}.")
    cells = cells_of(read(_load(notebook)))
    with Session(cells, closed=False) as session:
        tests = session.get("TESTS")
        good = isinstance(tests, dict) and all(
            isinstance(part, str) for item in tests.items() for part in item
        )
        if not good:
            raise ValueError(
                f"{notebook} has no checks: its cell that defines TESTS is"
                " missing or does not run. Take it from a fresh copy of the"
                f" assignment. {session.end}".strip()
            )
        grade = run_tests(tests, session)
    grade.notes += [session.end] if session.end else []
    grade.notes += [
        f"Code cell {number} ended with {why}"
        for number, why in session.failed
    ]
    return grade
