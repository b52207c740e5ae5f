"""Run every test: style, types, the tests of package and notebooks, the site in profile `ci`, its tests.

All steps run even when one fails, so that one run shows everything there is to repair. Each notebook
is executed once for each kind of data, by nbval; the site is built of what it showed. Seconds are
reported at the end, and never a reason to fail.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from steps import ROOT, fail, say

from lecture_utils.data import DataNotFoundError, absolute_folders

REPORTS = ROOT / "_build" / "ci"
BIN = Path(sys.executable).parent
BUDGET = 25  # seconds that the cells of a notebook may compute in profile `ci`
NONE_COLLECTED = 5  # pytest's code where a filter such as -k leaves no test


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Steps:
    """The steps so far: what became of each, and its seconds by the clock and of computing."""

    def __init__(self) -> None:
        self.passed: dict[str, bool] = {}
        self.seconds: dict[str, tuple[float, float]] = {}

    def run(self, name: str, command: list[str], **settings: str) -> bool:
        """Run one command in the book's folder; tell whether it succeeded."""
        say(f"\n== {name}")
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            code = subprocess.run(command, cwd=ROOT, env=os.environ | settings).returncode
        except KeyboardInterrupt:
            fail(name, "it was interrupted.", 130)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        computed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.seconds[name] = (time.monotonic() - start, computed)
        self.passed[name] = code == 0 or (code == NONE_COLLECTED and len(sys.argv) > 1)
        return self.passed[name]

    def tests(self, name: str, folders: list[str], report: Path) -> None:
        """Run tests, as many at once as there are cores; each takes its share of them."""
        workers = min(cores(), 4)  # a notebook's process takes about a gigabyte
        command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *folders]
        command += ["-o", "junit_family=xunit1", "-n", str(workers), "--dist=worksteal"]
        # Two threads that wait for each other on a busy core are slower than one.
        threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores() // workers))
        self.run(name, [*command, *sys.argv[1:]], OMP_NUM_THREADS=threads)


def kind(case: ET.Element) -> str:
    """Return which kind of test this is, for the table of seconds."""
    folder, file = str(case.get("classname")).split(".")[1:3]
    if str(case.get("name")).startswith("test_notebook_runs"):
        return "notebooks, executed"
    if folder == "book":
        return {
            "test_build": "the build",
            "test_run": "the run of notebooks",
        }.get(file, "notebooks and pages, read")
    return {"test_browser": "the site, in a browser", "test_html": "the site, as files"}.get(
        file, "the package"
    )


def report(steps: Steps, cases: list[ET.Element]) -> None:
    """Print the seconds of steps, of kinds of tests and of notebooks."""
    say(f"\n{'Step':<34}{'s by the clock':>16}{'s computing':>14}")
    for name, (clock, computed) in steps.seconds.items():
        say(f"{name:<34}{clock:16.0f}{computed:14.0f}")
    total = [sum(column) for column in zip(*steps.seconds.values(), strict=True)]
    say(f"{'all':<34}{total[0]:16.0f}{total[1]:14.0f}")

    count: Counter[str] = Counter(kind(case) for case in cases)
    seconds: Counter[str] = Counter()
    for case in cases:
        seconds[kind(case)] += float(case.get("time", 0))
    say(f"\n{'Tests of':<34}{'tests':>16}{'s, summed':>14}")
    for name in sorted(count):
        say(f"{name:<34}{count[name]:16}{seconds[name]:14.0f}")

    say(f"\n{'Notebook':<58}{'s by the clock':>16}{'s computing':>14}")
    for case in cases:
        values = {p.get("name"): float(p.get("value", 0)) for p in case.iter("property")}
        if "cell_seconds" in values:
            name = str(case.get("name")).removeprefix("test_notebook_runs")[1:-1]
            computed = values["processor_seconds"]
            above = f"   above the budget of {BUDGET} s" if computed > BUDGET else ""
            say(f"{name:<58}{values['cell_seconds']:16.1f}{computed:14.1f}{above}")


def main() -> None:
    """Run the steps and say what became of them."""
    try:
        os.environ.update(absolute_folders())  # the steps run in the book's folder
    except DataNotFoundError as error:
        fail("test", str(error))
    REPORTS.mkdir(parents=True, exist_ok=True)
    for old in REPORTS.glob("tests*.xml"):
        old.unlink()
    # Notebooks of profile ci see no data but those of LECTURE_DATA_DIR, here as in their tests.
    no_cache = REPORTS / "no-cache"
    steps = Steps()
    steps.run("style (ruff check)", [str(BIN / "ruff"), "check", "."])
    steps.run("format (ruff format)", [str(BIN / "ruff"), "format", "--check", "."])
    steps.run("types (mypy)", [str(BIN / "mypy")])
    folders = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").glob("[a-z]*/"))]
    folders.remove("tests/site")
    steps.tests("tests of package and notebooks", folders, REPORTS / "tests.xml")
    site = steps.run(
        "site, profile ci",
        [sys.executable, "scripts/build_book.py", "--profile", "ci"],
        LECTURE_CACHE_DIR=str(no_cache),
    )
    # Without a site of these sources the tests of the site would judge an older one.
    if site:
        steps.tests("tests of the site", ["tests/site"], REPORTS / "tests-site.xml")
    cases = [
        case
        for file in sorted(REPORTS.glob("tests*.xml"))
        for case in ET.parse(file).getroot().iter("testcase")
    ]
    report(steps, cases)
    reasons = Counter(
        skipped.get("message", "no reason given")
        for case in cases
        for skipped in case.iter("skipped")
    )
    say("")
    for reason, number in reasons.items():
        say(f"NOT RUN: {number} test(s): {reason}")
    if not site:
        say("NOT RUN: the tests of the site, since it could not be built.")
    failed = [name for name, good in steps.passed.items() if not good]
    if failed:
        fail("test", f"{', '.join(failed)}; the messages above say why.")
    say("Every step passed.")


if __name__ == "__main__":
    main()
