"""Run every test: style, types, the tests of package and notebooks, the site in profile `ci`, its tests.

All steps run even when one fails, so that one run shows everything there is to repair. Each notebook
is executed once for each kind of data, by nbval; the site is built of what it showed. Seconds are
reported at the end, and never a reason to fail.
"""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ET
from collections import Counter

from measured import Steps
from steps import ROOT, fail, say

from lecture_utils.data import DataNotFoundError, absolute_folders

REPORTS = ROOT / "_build" / "ci"
BUDGET = 30  # seconds that a notebook may compute in profile `ci`, with the start of its kernel


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


def report(cases: list[ET.Element]) -> None:
    """Print the seconds of kinds of tests and of notebooks."""
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
    steps.style_and_types()
    folders = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").glob("[a-z]*/"))]
    folders.remove("tests/site")
    legacy = ["-o", "junit_family=xunit1"]  # the one that takes a notebook's seconds
    steps.tests(
        "tests of package and notebooks", folders, f"--junitxml={REPORTS / 'tests.xml'}", *legacy
    )
    site = steps.run(
        "site, profile ci",
        [sys.executable, "scripts/build_book.py", "--profile", "ci"],
        LECTURE_CACHE_DIR=str(no_cache),
    )
    # Without a site of these sources the tests of the site would judge an older one.
    if site:
        file = REPORTS / "tests-site.xml"
        steps.tests("tests of the site", ["tests/site"], f"--junitxml={file}", *legacy)
    cases = [
        case
        for file in sorted(REPORTS.glob("tests*.xml"))
        for case in ET.parse(file).getroot().iter("testcase")
    ]
    steps.report()
    report(cases)
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
    steps.end("test")


if __name__ == "__main__":
    main()
