"""Every notebook, run once from top to bottom in profile ci and compared with its stored outputs.

It runs as someone has it who downloaded it: alone, in an empty folder. What it showed is kept for
the pages of profile ci, which are built of it and execute nothing again.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
import pytest
from standard import BOOK, ROOT, Section

sys.path.insert(0, str(ROOT / "book" / "_extensions"))
import lecture_execution

from lecture_utils.data import absolute_folders
from lecture_utils.kernels import own_settings

# What is left of a notebook's run is a hang; nbval then marks the cells after it as XFAIL.
HANGING = lecture_execution.HANGING
NOTEBOOKS = sorted(p for p in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
DATA = absolute_folders().get("LECTURE_DATA_DIR")
BAD = {"failure", "error", "skipped"}


@dataclass(frozen=True)
class Result:
    """What nbval reported: a line for each cell that did not pass, all cells and their seconds.

    ``seconds`` are those of the cells by the clock; ``processor`` those that kernel and nbval spent
    computing, which other programs on the machine do not lengthen. ``files`` are the names that the
    notebook left in its folder; ``environment`` is that of the run.
    """

    problems: list[str]
    cells: int = 0
    seconds: float = 0
    processor: float = 0
    output: str = ""
    files: list[str] = field(default_factory=list)
    executed: nbformat.NotebookNode | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def written(self) -> str:
        """Return what the cells wrote to stderr, without what the machine has to say."""
        cells = self.executed.cells if self.executed else []
        outputs: list[Any] = [o for cell in cells for o in cell.get("outputs", [])]
        text = "\n".join(o.text for o in outputs if o.get("name") == "stderr")
        return lecture_execution.divide(text)[0]


def run(path: Path, folder: Path, *, data: str | None = None, cell_seconds: float = HANGING):
    """Run a notebook by nbval in an empty folder, without a way to the network."""
    report, executed = folder / "report.xml", folder / "executed.ipynb"
    command = [sys.executable, "-m", "pytest", "-p", "nbval.plugin", "-p", "nbval_keep", "-q"]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, "--nbval-lax", "--nbval-current-env"]
    command += ["--nbval-kernel-startup-timeout=600", f"--nbval-cell-timeout={cell_seconds}"]
    command += [f"--junitxml={report}", "-o", "junit_duration_report=call", "--color=no"]
    with own_settings(ROOT / ".cache" / "matplotlib") as empty:
        alone = Path(shutil.copy(path, empty))
        dropped = {"LECTURE_DATA_DIR", "PYTEST_ADDOPTS"}
        environment = {k: v for k, v in os.environ.items() if k not in dropped}
        environment |= {"LECTURE_PROFILE": "ci", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        # The profile ci opens no connection; one that is tried fails at this closed port.
        environment |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        environment |= {"LECTURE_CACHE_DIR": str(folder / "empty-cache")}
        if data:
            environment["LECTURE_DATA_DIR"] = data
        paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*command, f"--executed={executed}", alone.name],
            cwd=empty,
            env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            text=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        alone.unlink(missing_ok=True)
        left = sorted(file.name for file in empty.iterdir())
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    output = done.stdout + done.stderr
    if not report.is_file() or not executed.is_file():
        problem = f"nbval ended with code {done.returncode} and wrote no report."
        return Result([problem], output=output)
    cases = list(ET.parse(report).getroot().iter("testcase"))
    problems = []
    for case in cases:
        # nbval marks as XFAIL, which JUnit calls skipped, what did not run after a time-out.
        problems += [f"{case.get('name')}: {child.tag}" for child in case if child.tag in BAD]
    if done.returncode != 0 and not problems:
        problems.append(f"nbval ended with code {done.returncode}.")
    seconds = sum(float(case.get("time", 0)) for case in cases)
    shown = nbformat.read(executed, as_version=4)
    return Result(
        problems, len(cases), seconds, processor, output, left, shown, environment=environment
    )


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="embedded"),
        pytest.param(
            DATA,
            id="data",
            marks=[
                pytest.mark.data,
                pytest.mark.skipif(not DATA, reason="LECTURE_DATA_DIR is not set"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.relative_to(BOOK).as_posix())
def test_notebook_runs(path: Path, data: str | None, tmp_path: Path, record_property):
    result = run(path, tmp_path, data=data)
    # Seconds are reported, and no reason to fail: a slow machine is not a fault of the notebook.
    record_property("cell_seconds", round(result.seconds, 1))
    record_property("processor_seconds", round(result.processor, 1))
    assert not result.problems, "\n".join([*result.problems, result.output])
    assert result.cells == len(Section.read(path).code), "not every code cell was run"
    assert not result.written(), "the page would show what the cells wrote to stderr"
    assert not result.files, "a notebook leaves nothing in its folder"
    with mock.patch.dict(os.environ, result.environment, clear=True):
        lecture_execution.keep(path, result.executed, ROOT, result.seconds)


# The same run on notebooks that must not pass.


def _write(path: Path, cells: list[tuple[str, str | None]]) -> Path:
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    notebook = new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    for code, stored in cells:
        cell = new_code_cell(code)
        if stored is not None:
            cell.metadata["tags"] = ["nbval-check-output"]
            cell.execution_count = 1
            cell.outputs = [new_output("stream", name="stdout", text=stored)]
        notebook.cells.append(cell)
    nbformat.write(notebook, path)
    return path


def test_a_good_notebook_passes_and_is_timed(tmp_path: Path):
    code = "import time\ntime.sleep(1.5)\nprint(6 * 7)"
    result = run(_write(tmp_path / "good.ipynb", [(code, "42\n"), ("x = 1", None)]), tmp_path)
    assert (result.problems, result.cells) == ([], 2), result.output
    assert result.seconds >= 1.5
    assert result.processor > 0.1
    assert [cell.execution_count for cell in result.executed.cells] == [1, 2]
    assert result.executed.cells[0].outputs[0].text == "42\n"


def test_a_notebook_runs_alone(tmp_path: Path):
    (tmp_path / "beside.json").write_text("[]")
    code = "from pathlib import Path\nPath('beside.json').read_text()"
    result = run(_write(tmp_path / "needy.ipynb", [(code, None)]), tmp_path)
    assert [p.partition(": ")[2] for p in result.problems] == ["failure"], result.output
    assert "FileNotFoundError" in result.output
    result = run(_write(tmp_path / "leaves.ipynb", [("open('x', 'w').close()", None)]), tmp_path)
    assert result.files == ["x"]


def test_what_code_writes_to_stderr_is_noticed_and_what_the_machine_says_is_not(tmp_path: Path):
    said = "[W NNPACK.cpp:64] Could not initialize NNPACK! Reason: Unsupported hardware.\\n"
    cells = [
        (f"import os\nn = os.write(2, b'{said}')", None),  # as a library in C++ does
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", None),
    ]
    result = run(_write(tmp_path / "says.ipynb", cells), tmp_path)
    assert result.problems == [], result.output
    assert "DeprecationWarning: old" in result.written()
    assert "NNPACK" in str(result.executed) and "NNPACK" not in result.written()


def test_an_error_a_changed_output_and_an_endless_cell_are_noticed(tmp_path: Path):
    cells = [
        ("print(1)", "2\n"),
        ("1 / 0", None),
        ("import time\ntime.sleep(30)", None),
        ("never_defined", None),
    ]
    result = run(_write(tmp_path / "bad.ipynb", cells), tmp_path, cell_seconds=2)
    kinds = [problem.partition(": ")[2] for problem in result.problems]
    assert len(kinds) == 4, result.output
    assert kinds[:3] == ["failure"] * 3, "the changed output, the error, the endless cell"
    assert kinds[3] == "skipped", "the cell after a time-out is XFAIL and must count"


def test_the_network_is_out_of_reach(tmp_path: Path):
    code = "import urllib.request\nurllib.request.urlopen('http://example.org', timeout=5)"
    result = run(_write(tmp_path / "net.ipynb", [(code, None)]), tmp_path)
    assert [p.partition(": ")[2] for p in result.problems] == ["failure"], result.output


def test_profile_backend_and_data_are_those_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("LECTURE_PROFILE", "book")
    monkeypatch.setenv("LECTURE_DATA_DIR", str(tmp_path))
    code = (
        "import os\nfrom matplotlib import get_backend\n"
        "print(os.environ['LECTURE_PROFILE'], 'inline' in get_backend(), "
        "os.environ.get('LECTURE_DATA_DIR'))"
    )
    notebook = _write(tmp_path / "env.ipynb", [(code, "ci True None\n")])
    result = run(notebook, tmp_path)
    assert result.problems == [], result.output
