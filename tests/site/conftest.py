"""The built pages, and a browser to open them in.

The pages are those of profile ci, or of the folder that LECTURE_SITE names. The browser is
Debian's Chromium, one on the path, or the one that Playwright installs. Where there is none the
tests that need it are not run, and a section at the end says so; with LECTURE_REQUIRE_BROWSER=1
they fail instead.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("LECTURE_SITE") or ROOT / "_build" / "ci" / "html").resolve()
HANGING = 600_000  # milliseconds; on a slow machine a page only takes longer
NOT_RUN = "BROWSER TESTS NOT RUN"


@functools.cache
def soup(file: Path) -> BeautifulSoup:
    """Return a page, which is parsed once for all tests of a process."""
    return BeautifulSoup(file.read_text("utf-8"), "html.parser")


def pages() -> list[str]:
    """Return the addresses of all pages within the site."""
    found = sorted(p.relative_to(SITE) for p in SITE.rglob("*.html"))
    return [p.as_posix() for p in found if not p.parts[0].startswith("_")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``page_name`` once for each page."""
    if "page_name" in metafunc.fixturenames:
        # Without a site there must be a test that fails, not none at all.
        metafunc.parametrize("page_name", pages() or ["index.html"])


@pytest.fixture(scope="session")
def site() -> Path:
    if not (SITE / "index.html").is_file():
        pytest.fail(f"There are no pages in {SITE}. `make test` builds them first.", pytrace=False)
    return SITE


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Serve the site on the loopback device, and give its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _executables() -> list[str | None]:
    """Return the browsers to try, in order; None is the one that Playwright installs."""
    if "LECTURE_CHROMIUM" in os.environ:
        return [os.environ["LECTURE_CHROMIUM"]]
    names = ("chromium", "chromium-browser", "google-chrome")
    found = ["/usr/bin/chromium", *(shutil.which(name) for name in names)]
    return [*(path for path in found if path and Path(path).is_file()), None]


@pytest.fixture(scope="session")
def browser(no_playwright: str) -> Iterator[Any]:
    """Start one browser for all tests, or say why there is none."""
    reasons = []
    if no_playwright:
        _not_run([no_playwright])
    from playwright.sync_api import Error, sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--no-first-run"]
    with sync_playwright() as playwright:
        for path in _executables():
            try:
                chromium = playwright.chromium.launch(
                    executable_path=path, args=arguments, timeout=HANGING
                )
            except Error as error:
                reasons.append(f"{path or 'Playwright'}: {str(error).strip().splitlines()[0]}")
                continue
            yield chromium
            chromium.close()
            return
        _not_run(reasons)


def _not_run(reasons: list[str]) -> None:
    """Skip the test, in words that the summary below looks for, or fail it where that is asked."""
    message = f"{NOT_RUN}: no Chromium could be started ({'; '.join(reasons)})"
    if os.environ.get("LECTURE_REQUIRE_BROWSER"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly which tests had no browser."""
    skipped = terminalreporter.stats.get("skipped", [])
    without = [r for r in skipped if NOT_RUN in str(r.longrepr)]
    if without:
        reason = str(without[0].longrepr[-1] if isinstance(without[0].longrepr, tuple) else "")
        terminalreporter.section(NOT_RUN, sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(without)} tests need a browser. {reason}")
        terminalreporter.line(
            "Install one (Debian: apt-get install chromium; elsewhere: "
            ".venv/bin/playwright install chromium), or name it in LECTURE_CHROMIUM."
        )


@dataclass
class Opened:
    """A page in the browser, with all that it complained about."""

    page: Any
    console: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until scripts have run and formulas are drawn."""
        self.page.wait_for_load_state("load")
        self.page.evaluate(
            "async () => { if (document.querySelector('.math')) await MathJax.startup.promise; }"
        )


@pytest.fixture
def open_page(browser: Any, site: Path) -> Iterator[Any]:
    """Give a function that opens a page of the site, from disk unless an address is given."""
    contexts = []

    def opener(
        name: str,
        *,
        server: str | None = None,
        theme: str = "light",
        width: int = 1280,
        touch: bool = False,
    ):
        context = browser.new_context(
            viewport={"width": width, "height": 844},
            color_scheme=theme,
            reduced_motion="reduce",
            has_touch=touch,
        )
        context.set_default_timeout(HANGING)
        contexts.append(context)
        opened = Opened(context.new_page())
        page = opened.page

        def on_message(message: Any) -> None:
            if message.type in {"error", "warning"}:
                opened.console.append(f"{message.type}: {message.text} ({message.location})")

        def on_request(request: Any) -> None:
            here = (f"{server}/",) if server else ("file://",)
            if not request.url.startswith((*here, "data:", "blob:", "about:")):
                opened.elsewhere.append(request.url)

        page.on("console", on_message)
        page.on("pageerror", lambda error: opened.console.append(f"error: {error}"))
        page.on("requestfailed", lambda request: opened.console.append(f"failed: {request.url}"))
        page.on("request", on_request)
        page.goto(f"{server}/{name}" if server else (site / name).as_uri())
        if name == "index.html":  # it only leads on
            page.wait_for_url("**/intro.html")
        opened.settle()
        return opened

    yield opener
    for context in contexts:
        context.close()
