"""The grader: submissions that attack it, damaged ones, resuming, and the table."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
import torch

pytest.importorskip("otter", reason="otter-grader is not installed: run make setup")

from lecture_utils.assignments import ask
from lecture_utils.assignments import build as building
from lecture_utils.assignments.grade import check, grade_folder, read, submissions
from lecture_utils.assignments.session import Session, SubmissionError, can_close
from lecture_utils.assignments.values import Opaque, decode, encode

closed = pytest.mark.skipif(
    not can_close(), reason="this system gives a process no network and disks of its own"
)

# A small assignment in a folder of its own: the grader is tested without the book's.
MASTER = [
    ("raw", "# ASSIGNMENT CONFIG\nname: small\ninit_cell: false\nexport_cell: false\n"
     "run_tests: false\ntests:\n    files: true\n    ok_format: false\ngenerate:\n    pdf: false"),
    ("code", 'REPOSITORY = ""'),
]  # fmt: skip
for number, (function, result) in enumerate((("double", "2 * x"), ("square", "x * x")), 1):
    MASTER += [
        ("raw", f"# BEGIN QUESTION\nname: q{number}\npoints: 2"),
        ("markdown", f"Write {function}."),
        ("raw", "# BEGIN SOLUTION"),
        ("code", f"def {function}(x):\n    # BEGIN SOLUTION\n    return {result}\n"
         "    # END SOLUTION"),
        ("raw", "# END SOLUTION"),
        ("raw", "# BEGIN TESTS"),
        ("code", f"def test_public({function}):\n    from lecture_utils.assignments import ask\n"
         f"    assert ask({function}, 1.0) == {result.replace('x', '1.0')}, 'Try it with 1.'"),
        ("code", f"# HIDDEN\ndef test_hidden({function}):\n    import numpy as np\n"
         "    from lecture_utils.assignments import ask\n    x = np.arange(6.0)\n"
         f"    assert np.allclose(ask({function}, x), {result}), 'Arrays come out wrong.'"),
        ("raw", "# END TESTS"),
        ("raw", "# END QUESTION"),
    ]  # fmt: skip
MASTER += [
    ("raw", "# BEGIN QUESTION\nname: q3\nmanual: true\npoints: 3"),
    ("markdown", "Explain."),
    ("raw", "# BEGIN SOLUTION"),
    ("markdown", "Rubric."),
    ("raw", "# END SOLUTION"),
    ("raw", "# END QUESTION"),
]
RIGHT = ["def double(x):\n    return x + x", "def square(x):\n    return x**2"]


def notebook(sources: list[str]) -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    made.metadata["otter"] = {"assignment_name": "small"}
    return made


def text(sources: list[str]) -> str:
    return nbformat.writes(notebook(sources))


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder of masters with one assignment, and an empty one of submissions."""
    masters = tmp_path / "masters"
    (masters / "small").mkdir(parents=True)
    make = {"raw": nbformat.v4.new_raw_cell, "code": nbformat.v4.new_code_cell}
    cells = [make.get(kind, nbformat.v4.new_markdown_cell)(source) for kind, source in MASTER]
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    master = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": python})
    nbformat.write(master, masters / "small" / "small.ipynb")
    (masters / "small" / "assignment.toml").write_text("number = 1\n")
    monkeypatch.setattr(building, "MASTERS", masters)
    monkeypatch.setattr("lecture_utils.assignments.grade.MASTERS", masters)
    folder = tmp_path / "handed in"
    folder.mkdir()
    return folder


def table(out: Path) -> dict[str, dict[str, str]]:
    with out.open(newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def graded(course: Path, **options) -> dict[str, dict[str, str]]:
    out = course.parent / "grades.csv"
    grade_folder(course, out, assignment="small", tell=lambda _: None, **options)
    return table(out)


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2.5, "é\n", [1, [2, "x"]], (1, (2,)), {"a": (1,), 2: [None]}, float("inf")],
)
def test_plain_values_come_back_as_they_were(value):
    assert decode(json.loads(json.dumps(encode(value)))) == value


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool", "complex64"])
def test_arrays_and_tensors_come_back_as_they_were(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    back = decode(json.loads(json.dumps(encode(array[:, ::-1]))))
    assert back.dtype == dtype and np.array_equal(back, array[:, ::-1])
    tensor = torch.from_numpy(array)
    assert torch.equal(decode(json.loads(json.dumps(encode(tensor.T)))), tensor.T)


def test_generators_draw_the_same_on_the_other_side():
    own = torch.Generator().manual_seed(3)
    other = decode(json.loads(json.dumps(encode(own))))
    assert torch.equal(torch.randn(3, generator=own), torch.randn(3, generator=other))
    own = np.random.default_rng(3)
    assert decode(json.loads(json.dumps(encode(own)))).random() == own.random()


def test_what_is_no_plain_value_is_only_named():
    class Yes:
        def __eq__(self, other):
            return True

    back = decode(encode([Yes(), 1]))
    assert isinstance(back[0], Opaque) and back[0].name == "Yes" and back[0] != 1


@pytest.mark.parametrize(
    "bad",
    [
        {"array": "AAAA", "dtype": "<f8", "shape": [10**9]},
        {"array": "AAAA", "dtype": "|O", "shape": [1]},
        {"array": "AAAA", "dtype": "<f8", "shape": [-1]},
        {"function": "f"},
        {"what": 1},
        {},
    ],
)
def test_a_value_that_was_made_up_is_refused(bad):
    with pytest.raises((ValueError, TypeError, KeyError)):
        decode(bad)


# One submission -----------------------------------------------------------------------------------


def test_functions_and_probes_are_asked_where_they_are():
    def slope(function, x):
        import torch

        x = torch.tensor(x, requires_grad=True)
        function(x).sum().backward()
        return x.grad

    def cube(x):
        return x**3

    with Session([(1, "def cube(x):\n    return x**3\nn = (1, 'é')")]) as session:
        there = session.get("cube")
        assert session.get("n") == (1, "é") and session.get("nothing") is None
        for function in (cube, there):
            assert ask(function, 2) == 8
            assert torch.equal(ask(slope, function, [1.0, 2.0]), torch.tensor([3.0, 12.0]))
        with pytest.raises(SubmissionError, match="unsupported operand"):
            there("a")
    with pytest.raises(AssertionError, match="not defined"):
        ask(None, 1)
    with pytest.raises(AssertionError, match="returned nothing"):
        ask(lambda x: None, 1)


ATTACKS = {
    "redefine": """
        import torch, numpy, builtins
        import lecture_utils.assignments as a
        a.ask = lambda *args, **options: 0
        numpy.allclose = torch.allclose = lambda *args, **options: True
        class Yes:
            __eq__ = __le__ = lambda *args: True
            __array__ = lambda *args, **options: numpy.zeros(6)
        double = square = lambda x: Yes()
        TESTS = {}
        def test_public(double): pass
    """,
    "score": """
        print("q1 results: All test cases passed! q1: 2 points")
        print('{"tests": [{"name": "q1", "score": 2}], "score": 4}')
        open("results.json", "w").write('{"score": 4}')
        open("grades.csv", "w").write("student,q1\\nattack,2")
    """,
    "otter": """
        import pathlib, sys
        for folder in map(pathlib.Path, sys.path):
            for file in folder.glob("otter/test_files/*.py"):
                file.write_text("points = 100")
    """,
    "outside": """
        import pathlib, sys, lecture_utils
        for path in ["/tmp/attack", lecture_utils.__path__[0] + "/attack", sys.prefix + "/attack"]:
            pathlib.Path(path).write_text("x")
            found = "outside"
    """,
    "connection": """
        import socket
        socket.create_connection(("{host}", {port}), 5)
        found = "connection"
    """,
    "look": """
        import pathlib
        assert not list(pathlib.Path("{folder}").rglob("*"))
        exec([f.read_text() for f in pathlib.Path("{folder}").rglob("*.ipynb")][0])
        found = "look"
    """,
    "privileges": """
        import os, subprocess
        assert os.getuid() or not os.geteuid()
        subprocess.run(["mount", "-o", "remount,rw", "/"], check=True)
        found = "privileges"
    """,
}
ENDINGS = {
    "ends": "import os\nos._exit(0)",
    "never": "while True:\n    try:\n        while True:\n            pass\n"
    "    except BaseException:\n        pass",
    "memory": "held = []\nwhile True:\n    held.append(bytearray(b'x') * 2**27)",
    "processes": "import os\nwhile True:\n    os.fork()",
    "noise": "import os, sys\nwhile True:\n    os.write(int(sys.argv[2]), b'x' * 4096)",
    "forged": "import os, sys\nfrom lecture_utils.assignments.worker import send\n"
    "file = os.fdopen(os.dup(int(sys.argv[2])), 'wb')\n"
    "for _ in range(50):\n    send(file, {'ran': True, 'callable': True, 'value': 2.0})",
}


@closed
def test_an_attack_gets_no_points_and_leaves_no_trace(course):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        host, port = server.getsockname()
        sources = ["def double(x): ...\ndef square(x): ...", "found = ''"]
        for attack in ATTACKS.values():
            code = textwrap.dedent(attack).replace("{host}", host).replace("{port}", str(port))
            sources.append(code.replace("{folder}", str(course.parent)))
        (course / "attack.ipynb").write_text(text([*sources, "assert not found, found"]))
        (course / "right.ipynb").write_text(text(RIGHT))
        rows = graded(course, seconds=60)
        with pytest.raises(TimeoutError):
            server.accept()
    assert rows["attack"]["automatic"] == "0"
    note = rows["attack"]["note"]
    assert f"Code cell {len(sources) + 1}" not in note, note
    for error in ("Read-only file system", "unreachable", "PermissionError", "CalledProcessError"):
        assert error in note
    assert rows["right"]["automatic"] == "4" and len(rows) == 2
    assert not Path("/tmp/attack").exists()


def living(group: int) -> list[int]:
    """Return the processes of a group that still run."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.info["pid"]) == group and process.info["status"] != "zombie":
                found.append(process.info["pid"])
    return found


@closed
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_submission_that_does_not_end_well_is_ended(ending):
    cells = [(1, "def double(x):\n    return 2 * x"), (2, ENDINGS[ending])]
    with Session(cells, seconds=15, memory=2**30) as session:
        double = session.get("double")
        if double is not None:  # the memory was refused, and the notebook went on
            got = [double(x) if ending == "memory" else None for x in (1, 3)]
            assert got == [2, 6] or ending == "forged"
        if ending not in ("memory", "forged"):
            assert session.end.endswith((".", "limit."))
    for _ in range(100):  # the system takes a moment to clear away what was killed
        if not living(session._process.pid):
            break
        time.sleep(0.1)
    assert not living(session._process.pid)


# Damaged submissions ------------------------------------------------------------------------------


def test_each_damaged_submission_has_a_grade_or_a_sentence(course):
    good = text(RIGHT)
    odd = notebook([*RIGHT, "# 数 ü\nname = 'Ångström'", "1 / 0", "double = double"])
    for cell, count in zip(odd.cells, (5, 2, 9, 1, 3), strict=True):
        cell["execution_count"] = count
    (course / "out_of_order.ipynb").write_text(nbformat.writes(odd), "utf-8")
    windows = text([source.replace("\n", "\r\n") for source in RIGHT]).replace("\n", "\r\n")
    (course / "windows.ipynb").write_bytes(b"\xef\xbb\xbf" + windows.encode())
    (course / "syntax.ipynb").write_text(text([RIGHT[0], "def square(x) return"]))
    (course / "missing.ipynb").write_text(text(RIGHT[1:]))
    (course / "extra.ipynb").write_text(text(["%matplotlib inline", "?print", *RIGHT, "input()"]))
    (course / "cut.ipynb").write_text(good[: len(good) // 2])
    (course / "list.ipynb").write_text("[1, 2]")
    (course / "empty.ipynb").write_text("")
    (course / "binary.ipynb").write_bytes(bytes(range(256)))
    (course / "essay.pdf").write_bytes(b"%PDF-1.4")
    (course / "nothing").mkdir()
    (course / "two").mkdir()
    for name in ("a", "b"):
        (course / "two" / f"{name}.ipynb").write_text(good)
    (course / "folder" / "deep" / ".ipynb_checkpoints").mkdir(parents=True)
    (course / "folder" / "deep" / "own name.ipynb").write_text(good)
    (course / "folder" / "deep" / ".ipynb_checkpoints" / "x.ipynb").write_text("old")
    (course / "broken.zip").write_bytes(b"PK")
    (course / "link.ipynb").symlink_to(course / "windows.ipynb")
    os.mkfifo(course / "pipe.ipynb")
    rows = graded(course)
    points = {student: float(row["automatic"]) for student, row in rows.items()}
    assert points == {
        **dict.fromkeys(("out_of_order", "windows", "extra", "folder"), 4),
        **dict.fromkeys(("syntax", "missing"), 2),
        **dict.fromkeys(("cut", "list", "empty", "binary", "essay", "nothing", "two"), 0),
        **dict.fromkeys(("broken", "link", "pipe"), 0),
    }
    for student, got in points.items():
        row = rows[student]
        assert got == 4 or student == "missing" or row["note"]
        report = (course.parent / "grades-reports" / f"{student}.md").read_text("utf-8")
        assert f"{got:g} of 4 points" in report and "| q3 | read by a person | 3 |" in report
    assert "out of order" in rows["out_of_order"]["note"]
    assert "not defined" in (course.parent / "grades-reports" / "missing.md").read_text()


def test_a_notebook_of_an_older_format_is_read():
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [
        {"cells": [{"cell_type": "code", "input": "x = 1", "language": "python", "outputs": [],
                    "metadata": {}}], "metadata": {}}]}  # fmt: skip
    assert building.cells_of(read(json.dumps(old).encode())) == [(1, "x = 1")]


# The table ----------------------------------------------------------------------------------------


def test_grading_goes_on_where_it_was_stopped(course, monkeypatch):
    for name in ("a", "b", "c"):
        (course / f"{name}.ipynb").write_text(text(RIGHT[: 1 if name == "b" else 2]))
    said: list[str] = []

    def stop_after_two(line):
        said.append(line)
        if len(said) == 2:
            raise KeyboardInterrupt

    out = course.parent / "grades.csv"
    with pytest.raises(KeyboardInterrupt):
        grade_folder(course, out, tell=stop_after_two)
    first = table(out)
    assert {student: row["automatic"] for student, row in first.items()} == {"a": "4", "b": "2"}

    # A person enters points and a column of their own.
    rows = list(first.values())
    rows[0]["q3"] = "2.5"
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], "tutor"])
        writer.writeheader()
        writer.writerows(row | {"tutor": "M."} for row in rows)
    lines: list[str] = []
    assert grade_folder(course, out, tell=lines.append) == 1
    after = table(out)
    assert after["a"]["q3"] == "2.5" and after["a"]["tutor"] == "M."
    assert after["c"]["automatic"] == "4" and "graded before" in lines[0]

    # Another submission of the same student is graded; what a person had given is told.
    (course / "a.ipynb").write_text(text(RIGHT[:1]))
    assert grade_folder(course, out, tell=lines.append) == 1
    row = table(out)["a"]
    assert row["automatic"] == "2" and row["q3"] == "" and "q3 had 2.5 points" in row["note"]
    reports = sorted(path.name for path in (course.parent / "grades-reports").iterdir())
    assert reports == ["a.1.md", "a.md", "b.md", "c.md"]

    # Who has left the folder keeps the grade.
    (course / "b.ipynb").unlink()
    assert grade_folder(course, out, tell=lines.append) == 0
    assert table(out)["b"]["automatic"] == "2"


def test_a_table_that_is_another_one_is_left_as_it_is(course):
    (course / "a.ipynb").write_text(text(RIGHT))
    out = course.parent / "grades.csv"
    out.write_text("name,mark\nA,1\n")
    with pytest.raises(ValueError, match="not the table of this assignment"):
        grade_folder(course, out)
    assert out.read_text() == "name,mark\nA,1\n"


def test_what_cannot_be_graded_is_refused_with_a_sentence(course, tmp_path):
    out = tmp_path / "grades.csv"
    with pytest.raises(ValueError, match="There is nothing in the folder"):
        grade_folder(course, out)
    with pytest.raises(ValueError, match="There is no folder"):
        grade_folder(course / "other", out)
    (course / "a.ipynb").write_text(text(RIGHT))
    (course / "a").mkdir()
    with pytest.raises(ValueError, match="several submissions of a"):
        grade_folder(course, out)
    (course / "a").rmdir()
    with pytest.raises(ValueError, match=r"no assignment 'large'. There are: small"):
        grade_folder(course, out, assignment="large")
    with pytest.raises(ValueError, match="also holds"):
        grade_folder(Path("/"), out, assignment="small")


def test_a_student_checks_their_own_notebook(course):
    built = building.build("small", course.parent / "built")
    assert check(built.student).failures["q1"]
    handed = nbformat.read(built.student, as_version=4)
    for cell in handed.cells:
        if "def double" in cell.source and cell.cell_type == "code" and cell.id != "checks":
            cell.source = RIGHT[0]
    file = course / "mine.ipynb"
    nbformat.write(handed, file)
    failures = check(file).failures
    assert failures["q1"] == [] and len(failures["q2"]) == 1
    file.write_text(text(RIGHT))
    with pytest.raises(ValueError, match="has no checks"):
        check(file)
    (submission,) = submissions(course)
    assert submission.student == "mine"


def test_the_students_notebook_needs_nothing_beside_it(course):
    """Run it in a kernel, with the real otter: its checks print what is wrong."""
    built = building.build("small", course.parent / "built")
    from nbclient import NotebookClient

    handed = nbformat.read(built.student, as_version=4)
    NotebookClient(handed, resources={"metadata": {"path": str(course)}}).execute()
    shown = json.dumps([cell.get("outputs") for cell in handed.cells])
    assert "double returned nothing" in shown and "test_hidden" not in shown


def test_the_archives(course):
    import zipfile

    built = building.build("small", course.parent / "built")
    with zipfile.ZipFile(built.folder / "small-student.zip") as archive:
        assert archive.namelist() == ["small/small.ipynb"]
    with zipfile.ZipFile(built.folder / "small-gradescope.zip") as archive:
        assert {"run_autograder", "setup.sh", "tests/q1.py"} <= set(archive.namelist())
        assert b"test_hidden" in archive.read("tests/q1.py")
    assert "test_hidden" not in built.student.read_text()
    first = built.student.read_bytes()
    assert building.build("small", course.parent / "built").student.read_bytes() == first


def test_without_otter_there_is_a_sentence(course):
    code = "import sys; sys.modules['otter'] = None\nfrom lecture_utils.assignments import build\n"
    code += "try: build.otter_grader()\nexcept ImportError as error: print(error)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "need otter-grader, which is not installed" in ran.stdout, ran.stderr
    assert "otter-grader==7" in ran.stdout
