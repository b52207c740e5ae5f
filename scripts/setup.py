"""Set up the book: `.venv`, the pinned packages, and the scripts that the pages are served with.

Needs nothing but Python 3.11 or newer, which scripts/setup.sh finds. What is done already is
skipped; what was interrupted is done again. Two variables of the environment count. PYTHON is the
Python that the reader has asked for: an environment of another version is made anew. TORCH_INDEX
is an index to take torch from; it is remembered.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

# An older Python reads this file, if nothing newer than 3.6 stands in it, but not the next import.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"The step 'Python' failed: this is Python {sys.version.split()[0]}, and 3.11 or newer is "
        "needed. `sh scripts/setup.sh` looks for one."
    )

from steps import ROOT, digest, fail, run_step, say

VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
INSTALLED = VENV / "book-stamp"
INSTALLING = VENV / "book-installing"
INDEX = VENV / "book-torch-index"
# The book's pins, and those of what builds and grades its assignments, which agree with them.
PINS = [ROOT / "requirements.txt", ROOT / "assignments" / "requirements.txt"]
NODE_MODULES = ROOT / "node_modules"
NODE_STAMP = NODE_MODULES / "book-stamp"
SITE = ROOT / ".cache" / "site"
TEMPORARY = ROOT / ".cache" / "set-up"

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
AGAIN = "Then run the same command again."

# Free space that an environment needs, on the way and in the end: on Linux torch has CUDA with it.
GIGABYTES = 10 if sys.platform == "linux" else 4
GIGABYTES_OTHER_INDEX = 4

# The reader's settings of pip say from where packages come, not which and not where they go. What
# pip unpacks goes on the book's disk: /tmp may be a part of the memory, and too small.
PIP = {
    **dict.fromkeys(("PIP_USER", "PIP_NO_DEPS", "PIP_REQUIRE_HASHES", "PIP_DRY_RUN"), "0"),
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "TMPDIR": str(TEMPORARY),
}
# The same for npm's, whose folder in the account is often root's.
NPM = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", f"--cache={TEMPORARY}"]
NPM += [
    "--global=false",
    "--package-lock=true",
    "--dry-run=false",
    "--include=dev",
    "--no-update-notifier",
]

# The first lines of a program that pip wrote: with a short path, and with one that is long or has
# blanks, which the system would not take as an interpreter's.
INTERPRETER = re.compile(
    rb"#!(?:/[^\n]*/python[\d.]*|/bin/sh\n'''exec' [^\n]*/python[\d.]*[\"']? \"\$0\" \"\$@\"\n' ''')\n"
)

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
    """Create `.venv`, install the pins and make the package known, unless that is done."""
    step = "Python environment"
    index = os.environ.get("TORCH_INDEX") or _text(INDEX)
    wanted = digest(*PINS, extra=index)
    version = _version()
    asked = HERE if os.environ.get("PYTHON") else version
    good = bool(version) and version == asked and index == _text(INDEX)
    if good:
        _keep_in_place()
        if _text(INSTALLED) == wanted:
            return
    # An installation that was cut short can leave half a package that pip takes for a whole one.
    if INSTALLING.exists() or not good:
        _check_folder(step, GIGABYTES_OTHER_INDEX if index else GIGABYTES)
        run_step(
            f"{step}, of Python {HERE} ({sys.executable})",
            [sys.executable, "-m", "venv", "--clear", str(VENV)],
            "On Debian and Ubuntu the module venv is a package of its own: "
            f"apt-get install python{HERE}-venv",
        )
    INSTALLING.touch()
    INSTALLED.unlink(missing_ok=True)
    shutil.rmtree(TEMPORARY, ignore_errors=True)
    TEMPORARY.mkdir(parents=True)
    pip = [str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
    if index:
        INDEX.write_text(index)
        pins = PINS[0].read_text("utf-8").split()
        torch = [pin for pin in pins if pin.startswith(("torch==", "torchvision=="))]
        run_step(
            f"PyTorch from {index}",
            [*pip, "--no-deps", "--index-url", index, *torch],
            lambda said: _advice(said, f"{index} (TORCH_INDEX)"),
            env=PIP,
        )
    run_step(
        f"Python packages (the first time some minutes, and about {2 if index else 7} GB)",
        [*pip, *(part for file in PINS for part in ("-r", str(file.relative_to(ROOT))))],
        lambda said: _advice(said, "the package index"),
        env=PIP,
    )
    shutil.rmtree(TEMPORARY, ignore_errors=True)
    _make_known()
    INSTALLED.write_text(wanted)
    INSTALLING.unlink()


def _text(path: Path) -> str:
    """Return what a small file holds; nothing where there is none."""
    return path.read_text("utf-8") if path.is_file() else ""


def _version() -> str:
    """Return the version of the Python in `.venv`, as 3.11; nothing where it can't run pip."""
    code = "import sys, pip; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    try:
        asked = subprocess.run([VENV_PYTHON, "-c", code], capture_output=True, text=True)
    except OSError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _check_folder(step: str, gigabytes: int) -> None:
    """End the program where no environment can be made in the book's folder."""
    if os.pathsep in str(ROOT):
        fail(
            step,
            f"the book lies in {ROOT}, and a folder with {os.pathsep!r} in its name can hold no "
            "Python environment. Rename the folder.",
        )
    if not os.access(ROOT, os.W_OK):
        fail(step, f"nothing may be written to {ROOT}. Check the rights, or copy the folder.")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < gigabytes:
        fail(
            step,
            f"{free:.1f} GB are free where the book lies ({ROOT}), and setting it up takes up to "
            f"{gigabytes}. Free some space. Without the libraries for a graphics card it takes "
            f"{GIGABYTES_OTHER_INDEX} at most: see TORCH_INDEX in book/setup.md.",
        )


def _advice(said: str, index: str) -> str:
    """Return what to do about an error of pip, by what pip wrote."""
    if "No space left on device" in said or "quota exceeded" in said:
        places = {"the book": ROOT, "pip's store of downloads": Path("~").expanduser()}
        free = " and ".join(
            f"{shutil.disk_usage(path).free / 1e9:.1f} GB for {name} ({path})"
            for name, path in places.items()
            if path.exists()
        )
        return (
            f"A disk is full, or what you may store is used up; free are {free}. Free some space; "
            f"with PIP_NO_CACHE_DIR=1 pip stores no downloads. {AGAIN}"
        )
    if re.search(r"Retrying \(|ConnectionError|Could not fetch URL|timed out|ProxyError", said):
        return (
            f"There is no connection to {index}. Connect the machine to the network, or name your "
            f"network's proxy or index in pip's settings. {AGAIN}"
        )
    missing = re.search(r"No matching distribution found for (\S+)", said)
    if missing:
        return (
            f"There is no {missing[1]} in {index} for Python {HERE} on this kind of machine "
            f"({sys.platform}, {os.uname().machine}). On Linux, x86_64, there is everything "
            "for Python 3.11 to 3.14: make PYTHON=/path/to/python3 book"
        )
    if "Permission denied" in said:
        return f"What may not be written stands above; check the rights. {AGAIN}"
    return f"Its message stands above. {AGAIN}"


def _make_known() -> None:
    """Let the environment import the package from the folder that the environment lies in.

    The path is relative, so that a folder that is copied or renamed uses its own package, and
    nothing is built, which would need a network.
    """
    packages = VENV / "lib" / f"python{_version()}" / "site-packages"
    (packages / "book.pth").write_text("../../../..\n", "utf-8")
    if any(packages.glob("lecture_utils-*.dist-info")):
        run_step(
            "Package lecture_utils, as it was installed before",
            [str(VENV_PYTHON), "-m", "pip", "uninstall", "--quiet", "--yes", "lecture-utils"],
            f"Its message stands above. {AGAIN}",
            env=PIP,
        )


def _keep_in_place() -> None:
    """Let the programs in `.venv` use this environment, where its folder was copied or renamed."""
    made = re.search(r"^command = .*? -m venv (?:--\S+ )*(.*)$", _text(VENV / "pyvenv.cfg"), re.M)
    place = VENV.resolve()
    if not made or made[1] == str(place):
        return
    python = shlex.quote(str(place / "bin" / "python"))
    first = os.fsencode(f"#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n")
    for program in (VENV / "bin").iterdir():
        if program.is_file() and not program.is_symlink():
            text = program.read_bytes()
            old = INTERPRETER.match(text)
            if old:
                program.write_bytes(first + text[old.end() :])
    # This writes the scripts that activate it, and last, so that a cut-short run is done again, the
    # place itself.
    run_step(
        f"Python environment, which was made for {made[1]}",
        [str(VENV_PYTHON), "-m", "venv", "--without-pip", str(place)],
        "Remove the folder .venv, and run the same command again.",
    )


def site_scripts() -> None:
    """Install the npm packages of the pages, and lay what a page loads into `.cache/site`."""
    wanted = digest(ROOT / "package-lock.json")
    if not (NODE_STAMP.is_file() and NODE_STAMP.read_text() == wanted):
        # The npm of the pins, since the machine may have none, or an old one.
        programs = VENV / "bin"
        # npm removes node_modules first, and with it the stamp: a cut-short run is done again.
        run_step(
            "Scripts of the pages (npm)",
            [str(programs / "npm"), "ci", *NPM],
            "Its message stands above; a missing network is the usual reason. " + AGAIN,
            env={
                "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                # npm ends where the account has no home, as in a container with --user.
                "HOME": os.environ.get("HOME") or str(TEMPORARY),
            },
        )
        shutil.rmtree(TEMPORARY, ignore_errors=True)
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
        said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        fail("set-up", f"{said}. Free some space or check the rights. {AGAIN}")
    except KeyboardInterrupt:
        fail("set-up", "it was interrupted. Run the same command again.", 130)
    say("Set-up: done.")


if __name__ == "__main__":
    main()
