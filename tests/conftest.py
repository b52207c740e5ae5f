"""All tests run without the reader's own settings, and none of them fails by the clock."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from lecture_utils.kernels import own_settings

FONTS = Path(__file__).resolve().parents[1] / ".cache" / "matplotlib"

# A slow machine is not a fault of the code: examples have no time limit.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    stack = ExitStack()
    config.add_cleanup(stack.close)
    stack.enter_context(own_settings(FONTS))
    os.environ["MPLBACKEND"] = "agg"  # no test opens a window
    stack.callback(os.environ.pop, "MPLBACKEND", None)


@pytest.fixture(scope="session")
def no_playwright() -> str:
    """Why Playwright does not run here; empty where it does.

    Its driver is a program of its own, which may lack a library of the system; a test that starts
    it then fails, and leaves an event loop behind.
    """
    asked = subprocess.run(
        [sys.executable, "-m", "playwright", "--version"], capture_output=True, text=True
    )
    said = asked.stderr.strip().splitlines() or ["it ended without a word"]
    return f"Playwright: {said[-1]}" if asked.returncode else ""
