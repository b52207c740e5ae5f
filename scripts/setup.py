"""Set up the book: `.venv`, the pinned packages, and the scripts that the pages are served with.

Needs nothing but Python 3.11. What is done already is skipped; what was interrupted is done again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from steps import ROOT, digest, fail, run_step, say

VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "book-stamp"
INSTALLING = VENV / "book-installing"
NODE_MODULES = ROOT / "node_modules"
NODE_STAMP = NODE_MODULES / "book-stamp"
SITE = ROOT / ".cache" / "site"

# What the pages load from the book itself: from the npm package to the folder `vendor/` of the site.
# MathJax draws with SVG, which needs no fonts: browsers refuse fonts to pages opened from disk.
VENDORED = {
    "mathjax/es5/tex-svg.js": "mathjax/tex-svg.js",
    "mathjax/es5/input/tex/extensions": "mathjax/input/tex/extensions",
    "mathjax/es5/a11y": "mathjax/a11y",
    "mathjax/es5/sre/mathmaps/base.json": "mathjax/sre/mathmaps/base.json",
    "mathjax/es5/sre/mathmaps/en.json": "mathjax/sre/mathmaps/en.json",
    "mathjax/es5/sre/mathmaps/nemeth.json": "mathjax/sre/mathmaps/nemeth.json",
    "mathjax/LICENSE": "mathjax/LICENSE",
    "@jupyter-widgets/html-manager/dist/embed.js": "widgets/embed.js",
    "@jupyter-widgets/html-manager/dist/embed.js.LICENSE.txt": "widgets/embed.js.LICENSE.txt",
    "@jupyter-widgets/html-manager/dist/1551f4f60c37af51121f.woff2": (
        "widgets/1551f4f60c37af51121f.woff2"
    ),
    "@jupyter-widgets/html-manager/dist/7a3337626410ca2f4071.woff2": (
        "widgets/7a3337626410ca2f4071.woff2"
    ),
}

# The widget manager speaks to MathJax 2, and reports to the console how it checks its own input.
PATCHES = {
    'MathJax.Hub.Queue(["Typeset",MathJax.Hub,e])': "MathJax.typesetPromise?.([e])",
    'void 0!==c?c:"log",strictTuples': "void 0!==c?c:!1,strictTuples",
}


def python_environment() -> None:
    """Create `.venv` and install the pins and the package, unless that is done."""
    step = "Python environment"
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        fail(
            step,
            f"this is Python {found}, and the pins are for Python 3.11. "
            "Install Python 3.11, or say where it is: make PYTHON=/path/to/python3.11 book",
        )
    wanted = digest(ROOT / "requirements.txt", ROOT / "pyproject.toml")
    if INSTALLED.is_file() and INSTALLED.read_text() == wanted and VENV_PYTHON.exists():
        return
    # An installation that was cut short can leave half a package that pip takes for a whole one.
    if INSTALLING.exists() or not _has_pip():
        run_step(
            step,
            [sys.executable, "-m", "venv", "--clear", str(VENV)],
            "On Debian and Ubuntu the module comes with the package python3-venv.",
        )
    INSTALLING.touch()
    INSTALLED.unlink(missing_ok=True)
    pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run_step(
        "Python packages (some minutes and 7 GB the first time)",
        [*pip, "-r", "requirements.txt"],
        "Its message stands above; a missing network and a full disk are the usual reasons. "
        "Run the same command again afterwards.",
    )
    run_step(
        "Package lecture_utils",
        [*pip, "--no-deps", "-e", "."],
        "Its message stands above; run the same command again afterwards.",
    )
    INSTALLED.write_text(wanted)
    INSTALLING.unlink()


def _has_pip() -> bool:
    """Tell whether `.venv` is there and its Python can run pip."""
    if not VENV_PYTHON.exists():
        return False
    asked = subprocess.run([VENV_PYTHON, "-m", "pip", "--version"], capture_output=True)
    return asked.returncode == 0


def site_scripts() -> None:
    """Install the npm packages of the pages, and lay what a page loads into `.cache/site`."""
    wanted = digest(ROOT / "package-lock.json")
    if not (NODE_STAMP.is_file() and NODE_STAMP.read_text() == wanted):
        node_folder = VENV / "bin"
        npm = shutil.which("npm") or str(node_folder / "npm")
        path = {} if shutil.which("npm") else {"PATH": f"{node_folder}:/usr/bin:/bin"}
        # npm removes node_modules first, and with it the stamp: a cut-short run is done again.
        run_step(
            "Scripts of the pages (npm)",
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            "Its message stands above; a missing network is the usual reason. "
            "Run the same command again afterwards.",
            env=path,
        )
        NODE_STAMP.write_text(wanted)
    stamp = SITE.with_name("site-stamp")
    wanted = digest(ROOT / "package-lock.json", extra=f"{VENDORED}{PATCHES}")
    if stamp.is_file() and stamp.read_text() == wanted and SITE.is_dir():
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(SITE, ignore_errors=True)
    for source, target in VENDORED.items():
        origin, copy = NODE_MODULES / source, SITE / "vendor" / target
        copy.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, copy)
        else:
            shutil.copyfile(origin, copy)
    _patch(SITE / "vendor" / "widgets" / "embed.js")
    stamp.write_text(wanted)


def _patch(script: Path) -> None:
    """Apply the patches, and drop the reference to a source map that is not shipped."""
    text = script.read_text("utf-8")
    for before, after in PATCHES.items():
        if before not in text:
            fail(
                "scripts of the pages",
                f"the widget manager does not contain {before!r}, which PATCHES in "
                "scripts/setup.py replaces. It is another version than the one that this was "
                "written for: look at what it does now and change PATCHES.",
            )
        text = text.replace(before, after)
    lines = text.splitlines(keepends=True)
    script.write_text("".join(x for x in lines if not x.startswith("//# sourceMap")), "utf-8")


def main() -> None:
    """Run both parts."""
    try:
        python_environment()
        site_scripts()
    except OSError as error:
        fail("set-up", f"{error.filename}: {error.strerror}. Free some space or check the rights.")
    except KeyboardInterrupt:
        fail("set-up", "it was interrupted. Run the same command again.", 130)
    say("Set-up: done.")


if __name__ == "__main__":
    main()
