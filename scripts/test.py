"""Run every test: style, types, the site in profile `ci`, and pytest, which uses that site.

All steps run even when one fails, so that one run shows everything there is to repair.
"""

from __future__ import annotations

import os
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from steps import ROOT, attempt, fail, say

from lecture_utils.data import DataNotFoundError, absolute_folders

REPORT = ROOT / "_build" / "ci" / "tests.xml"
BIN = Path(sys.executable).parent


def not_run() -> Counter[str]:
    """Return how many tests were not run, by the reason that they gave."""
    reasons: Counter[str] = Counter()
    if REPORT.is_file():
        for skipped in ET.parse(REPORT).getroot().iter("skipped"):
            reasons[skipped.get("message", "no reason given")] += 1
    return reasons


def main() -> None:
    """Run the steps and say what became of them."""
    start = time.monotonic()
    try:
        os.environ.update(absolute_folders())  # the steps run in the book's folder
    except DataNotFoundError as error:
        fail("test", str(error))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.unlink(missing_ok=True)
    python = sys.executable
    passed = {
        "style (ruff check)": attempt("Style (ruff check)", [str(BIN / "ruff"), "check", "."]),
        "format (ruff format)": attempt(
            "Format (ruff format)", [str(BIN / "ruff"), "format", "--check", "."]
        ),
        "types (mypy)": attempt("Types (mypy)", [str(BIN / "mypy")]),
        "site (profile ci)": attempt(
            "Site, profile ci", [python, "scripts/build_book.py", "--profile", "ci"]
        ),
    }
    # The site's tests come last: their browser stays open, and there can be but one at a time.
    folders = sorted(
        (str(path.relative_to(ROOT)) for path in (ROOT / "tests").iterdir() if path.is_dir()),
        key=lambda name: (name == "tests/site", name),
    )
    folders = [name for name in folders if "__pycache__" not in name]
    # Without a site of these sources the tests of the site would judge an older one.
    without_site = not passed["site (profile ci)"]
    if without_site:
        folders.remove("tests/site")
    passed["tests (pytest)"] = attempt(
        "Tests (pytest)",
        [python, "-m", "pytest", f"--junitxml={REPORT}", *folders, *sys.argv[1:]],
    )
    say(f"\nTime: {time.monotonic() - start:.0f} s")
    for reason, count in not_run().items():
        say(f"NOT RUN: {count} test(s): {reason}")
    if without_site:
        say("NOT RUN: the tests of the site, since it could not be built.")
    failed = [step for step, good in passed.items() if not good]
    if failed:
        fail("test", f"{', '.join(failed)}; the messages above say why.")
    say("Every step passed.")


if __name__ == "__main__":
    main()
