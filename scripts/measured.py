"""Steps that run and are measured: what became of each, and its seconds."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from steps import ROOT, fail, say

BIN = Path(sys.executable).parent


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Steps:
    """The steps so far: whether each passed, and its seconds by the clock and of computing."""

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
        self.passed[name] = code == 0
        return code == 0

    def style_and_types(self) -> None:
        """Run ruff, as linter and as formatter, and mypy."""
        self.run("style (ruff check)", [str(BIN / "ruff"), "check", "."])
        self.run("format (ruff format)", [str(BIN / "ruff"), "format", "--check", "."])
        self.run("types (mypy)", [str(BIN / "mypy")])

    def tests(self, name: str, which: list[str], *options: str) -> None:
        """Run tests, as many at once as there are cores; each takes its share of them."""
        workers = min(cores(), 4)  # a notebook's process takes about a gigabyte
        command = [sys.executable, "-m", "pytest", *which, *options]
        command += ["-n", str(workers), "--dist=worksteal"]
        # Two threads that wait for each other on a busy core are slower than one.
        threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores() // workers))
        self.run(name, command, OMP_NUM_THREADS=threads)

    def report(self) -> None:
        """Print the seconds of each step and of all."""
        say(f"\n{'Step':<34}{'s by the clock':>16}{'s computing':>14}")
        total = tuple(sum(column) for column in zip(*self.seconds.values(), strict=True))
        for name, (clock, computed) in [*self.seconds.items(), ("all", total)]:
            say(f"{name:<34}{clock:16.0f}{computed:14.0f}")

    def end(self, step: str) -> None:
        """End the program with the names of the steps that failed, if there are any."""
        failed = [name for name, good in self.passed.items() if not good]
        if failed:
            fail(step, f"{', '.join(failed)}; the messages above say why.")
        say("Every step passed.")
