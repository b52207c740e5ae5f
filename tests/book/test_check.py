"""`make check` runs the tests of what has changed, and all of `make test` is measured."""

import runpy
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import check  # noqa: E402 - the folder above is named first
import measured  # noqa: E402


@pytest.mark.parametrize(
    ("changed", "test", "also"),
    [
        ("lecture_utils/metrics.py", "tests/unit/test_metrics.py", False),
        ("lecture_utils/explore.js", "tests/unit/test_explore.py", False),
        ("lecture_utils/super_resolution/vdsr.py", "test_architectures.py", True),
        ("lecture_utils/recipes/super_resolution/vdsr_x2.py", "tests/unit/test_recipes.py", False),
        ("book/_extensions/lecture_quiz.py", "tests/book/test_build.py", True),
        ("tests/unit/test_show.py", "tests/unit/test_show.py", False),
    ],
)
def test_what_has_changed_is_tested(changed, test, also):
    tests = check.tests_of([ROOT / changed])
    assert any(name.endswith(test) for name in tests)
    assert also or len(tests) == 1, "its own test, and no other"


@pytest.mark.parametrize("changed", ["book/intro.md", "README.md", "lecture_utils/__init__.py"])
def test_what_no_unit_test_is_of_is_left_to_the_standard(changed):
    assert check.tests_of([ROOT / changed]) == []


def test_a_notebook_is_named_by_path_or_section(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = ROOT / "book" / "super_resolution" / "vdsr.ipynb"
    for name in ("super_resolution/vdsr", "super_resolution/vdsr.ipynb", str(path)):
        assert check.notebook(name) == path
    with pytest.raises(SystemExit):
        check.notebook("vdsr")
    assert "there is no notebook 'vdsr'" in capsys.readouterr().err


def test_each_step_is_measured_and_the_failed_are_named(capsys):
    steps = measured.Steps()
    loop = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    assert steps.run("busy", [sys.executable, "-c", loop])
    assert not steps.run("broken", [sys.executable, "-c", "raise SystemExit(3)"])
    clock, computed = steps.seconds["busy"]
    assert clock >= 0.3 and computed >= 0.3
    steps.report()
    with pytest.raises(SystemExit):
        steps.end("check")
    said = capsys.readouterr()
    assert "busy" in said.out and "The step 'check' failed: broken;" in said.err


def test_seconds_of_tests_and_notebooks_are_reported_and_judge_nothing(capsys):
    case = (
        '<testcase classname="tests.book.test_run" time="70" '
        'name="test_notebook_runs[super_resolution/vdsr.ipynb-data]"><properties>'
        '<property name="cell_seconds" value="65.0"/>'
        '<property name="processor_seconds" value="31.0"/></properties></testcase>'
    )
    other = '<testcase classname="tests.unit.super_resolution.test_x" name="test_y" time="2"/>'
    # Not by import: Python has a package named test, too.
    report = runpy.run_path(str(ROOT / "scripts" / "test.py"))["report"]
    report([ET.fromstring(case), ET.fromstring(other)])
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("super_resolution/vdsr.ipynb-data")]
    assert line.split()[1:3] == ["65.0", "31.0"] and "above the budget" in line
    assert any(line.split()[:2] == ["the", "package"] for line in lines)
