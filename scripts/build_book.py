"""Build the pages of the book in one profile, and publish them only when the whole build is good.

The build goes to a working folder of its own and is copied to its place at the end in one step, so
that the pages which were there before stay whole until then. The working folder is kept for the
next build, which then reads only the pages that have changed; it is thrown away when the last
build did not end well, since a page that caused a warning would not be read, and warn, again.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from jupyter_book.sphinx import build_sphinx
from jupyter_cache.executors.utils import single_nb_execution
from measured import cores
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.console import nocolor
from steps import ROOT, digest, fail, say

sys.path.insert(0, str(ROOT / "book" / "_extensions"))
from lecture_execution import HANGING, is_kept, keep, times_itself
from lecture_pages import EDITION

from lecture_utils import __version__
from lecture_utils.data import DataNotFoundError
from lecture_utils.kernels import own_settings

BUILD = ROOT / "_build"
# The theme's scripts report on themselves to the reader's console; their errors stay.
CHATTER = re.compile(r"console\.(?:log|info|debug)\((?:`[^`]*`|\"[^\"]*\")\)")
PUBLISHED = {"book": BUILD / "html", "ci": BUILD / "ci" / "html", "full": BUILD / "full" / "html"}


def settings_digest() -> str:
    """Return a hash over the settings, the extensions and the pins: they bear on every page."""
    files = [ROOT / "_config.yml", ROOT / "_toc.yml", ROOT / "requirements.txt"]
    for folder in ("_extensions", "_static", "_templates"):
        files += sorted(
            file
            for file in (ROOT / "book" / folder).rglob("*")
            if file.is_file() and file.suffix != ".pyc"
        )
    return digest(*files, extra=" ".join(str(file.relative_to(ROOT)) for file in files))


def edition(root: Path) -> dict[str, str]:
    """Return version, date and commit of these sources; of a copy without its history, the day."""
    found = {"version": __version__, "date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": "unknown"}
    here = ["git", "--no-optional-locks", "-C", str(root)]
    questions = {
        "top": ["rev-parse", "--show-toplevel"],
        "commit": ["describe", "--always", "--exclude=*", "--dirty=-changed"],
        "date": ["log", "-1", "--format=%cs"],
    }
    try:
        answers = {
            name: subprocess.run(
                [*here, *question], capture_output=True, text=True, check=True
            ).stdout.strip()
            for name, question in questions.items()
        }
    except (OSError, subprocess.CalledProcessError):
        return found
    # A copy may lie in a repository of the reader's own.
    if Path(answers.pop("top")).resolve() != root.resolve():
        return found
    return found | answers


def publish(built: Path, place: Path) -> None:
    """Copy the built pages to their place, which holds the old ones or the new ones, never half."""
    fresh, old = place.with_name(f".{place.name}.new"), place.with_name(f".{place.name}.old")
    for folder in (fresh, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(built, fresh, ignore=shutil.ignore_patterns("reports", ".buildinfo*"))
    for chatty in [*(fresh / "_static" / "scripts").glob("*.js"), fresh / "search.html"]:
        chatty.write_text(CHATTER.sub("void 0", chatty.read_text("utf-8")), "utf-8")
    known = edition(ROOT)
    for page in fresh.rglob("*.html"):
        text = page.read_text("utf-8")
        for name, mark in EDITION.items():
            text = text.replace(mark, known[name])
        page.write_text(text, "utf-8")
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def execute(source: Path, root: Path) -> None:
    """Execute a notebook in an empty folder, and keep its outputs if it comes to its end."""
    notebook = nbformat.read(source, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = single_nb_execution(notebook, folder, HANGING, allow_errors=False)
        except RuntimeError:  # the kernel died
            return
    if result.err is None:
        keep(source, notebook, root, result.time)
        say(f"  {source.relative_to(root)}: {result.time:.0f} s")


def execute_ahead(root: Path, workers: int) -> None:
    """Execute the notebooks whose outputs are not kept, several at once; the build finds them then.

    Those that look at the clock are left to the build, which executes one after the other with
    nothing beside it. So are those that fail: the build says why.
    """
    sources = [
        path
        for path in sorted((root / "book").glob("*/*.ipynb"))
        if not is_kept(path, root) and not times_itself(json.loads(path.read_text("utf-8")))
    ]
    workers = min(workers, len(sources))
    if workers < 2:
        return
    say(
        f"{len(sources)} notebooks are executed, {workers} at a time, each on its share of the cores:"
    )
    before = os.environ.get("OMP_NUM_THREADS")
    # Two threads that wait for each other on a busy core are slower than one.
    os.environ["OMP_NUM_THREADS"] = before or str(max(1, cores() // workers))
    try:
        # Processes, since an interruption ends them and their kernels at once.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
            list(pool.map(execute, sources, [root] * len(sources)))
    except BrokenProcessPool:
        say("  A process was ended from outside; the build goes on with one notebook at a time.")
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def build(profile: str) -> Path:
    """Build, publish, and return the folder of the pages."""
    place = PUBLISHED[profile]
    work = BUILD / "work" / profile
    good = work / "last-build-was-good"
    settings = settings_digest()
    if not (good.is_file() and good.read_text() == settings):
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    good.unlink(missing_ok=True)
    if not sys.stdout.isatty():
        nocolor()
    StandaloneHTMLBuilder.epilog = ""  # it would name the working folder
    say(f"== Pages, profile {profile}")
    os.environ["LECTURE_PROFILE"] = profile
    with own_settings(ROOT / ".cache" / "matplotlib"):
        if profile != "full":  # which trains for hours, each notebook with all there is
            execute_ahead(ROOT, min(cores(), 4))
        result = build_sphinx(
            ROOT / "book",
            work / "html",
            path_config=ROOT / "_config.yml",
            noconfig=True,  # there is no conf.py
            confoverrides={
                "external_toc_path": str(ROOT / "_toc.yml"),
                "latex_individualpages": False,
                "nitpicky": True,
            },
            warningiserror=True,
            keep_going=True,
        )
    if result != 0:
        fail(
            f"pages, profile {profile}",
            "the warnings and tracebacks above say what is wrong. "
            "The pages published before are as they were.",
        )
    good.write_text(settings)
    publish(work / "html", place)
    return place


def main() -> None:
    """Read the options and build."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", choices=sorted(PUBLISHED), default="book")
    profile = parser.parse_args().profile
    start = time.monotonic()
    try:
        BUILD.mkdir(exist_ok=True)
        with (BUILD / f".lock-{profile}").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another build of this profile is running; this one waits for it.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            place = build(profile)
    except DataNotFoundError as error:
        fail("pages", str(error))
    except OSError as error:
        fail("pages", f"{error.filename}: {error.strerror}. Free some space or check the rights.")
    except KeyboardInterrupt:
        fail("pages", "the build was interrupted. Run the same command again.", 130)
    seconds = time.monotonic() - start
    index = os.path.relpath(place / "index.html")
    say(f"The book is built ({seconds:.0f} s): open {index} in a browser, or run `make serve`.")


if __name__ == "__main__":
    main()
