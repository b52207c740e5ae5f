"""An author's quick answer: style, types, the notebook standard, and the tests of what has changed.

What has changed is what git sees beside the commits that the main branch has. Notebooks that have
changed, or those that are named, are executed as in `make test`, which runs everything else, too.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from measured import Steps
from steps import ROOT, fail, say

sys.path.insert(0, str(ROOT / "book" / "_extensions"))
from lecture_execution import PACKAGE, imports_of

from lecture_utils.data import absolute_folders

ALWAYS = [
    "tests/book/test_standard.py",
    "tests/book/test_pages.py",
    "tests/unit/test_imports.py",
]
EXECUTED = "tests/book/test_run.py"
MAIN = ("@{upstream}", "origin/main", "main")


def git(*arguments: str) -> list[str]:
    """Return the lines that git prints; an empty list where it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        fail("check", "git was not found, and it knows what has changed. Install it.")
    return done.stdout.splitlines() if done.returncode == 0 else []


def changed() -> list[Path]:
    """Return the files that differ from the last commit which the main branch has, too."""
    bases = (git("merge-base", "HEAD", name) for name in MAIN)
    base = next((lines[0] for lines in bases if lines), "HEAD")
    names = git("diff", "--name-only", base) + git("ls-files", "--others", "--exclude-standard")
    return [ROOT / name for name in dict.fromkeys(names)]


def module_of(file: Path) -> str:
    """Return the name by which tests import a file, or the module that reads it if it is no code."""
    if file.suffix != ".py":
        beside = file.with_suffix(".py")
        parents = (folder / "__init__.py" for folder in file.parents)
        file = beside if beside.is_file() else next(filter(Path.is_file, parents), file)
    if not file.is_relative_to(ROOT / PACKAGE):
        return file.stem
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def own_test(module: str) -> Path:
    """Return the place of a module's own test: tests/unit/<part>/test_<name>.py."""
    *folders, name = module.split(".")[1:] or [module]
    return ROOT.joinpath("tests", "unit", *folders, f"test_{name}.py")


def tests_of(files: list[Path]) -> list[str]:
    """Return the tests that have changed, and for each module its own, or all that import it."""
    modules = {module_of(file) for file in files if file.suffix not in {".ipynb", ".md"}}
    modules -= {PACKAGE, "conftest"}  # every test would be one of these
    # A recipe is found by its name; one test runs them all.
    modules = {f"{PACKAGE}.recipes" if ".recipes." in name else name for name in modules}
    found = {own_test(name) for name in modules} | set(files)
    others = {name for name in modules if not own_test(name).is_file()}
    for test in (ROOT / "tests").glob("[!s]*/**/test_*.py"):
        if others & set(imports_of(test.read_text("utf-8"), test.stem, False)):
            found.add(test)
    names = {str(test.relative_to(ROOT)) for test in found if test.is_file()}
    return sorted(
        name
        for name in names - {*ALWAYS, EXECUTED}
        if re.match(r"tests/(unit|book)/.*test_\w+\.py", name)
    )


def notebook(name: str) -> Path:
    """Return the notebook of this name: a path, or a section such as super_resolution/vdsr."""
    for path in (Path(name), ROOT / "book" / name, ROOT / "book" / f"{name}.ipynb"):
        if path.is_file() and path.resolve().is_relative_to(ROOT / "book"):
            return path.resolve()
    fail("check", f"there is no notebook {name!r}. Name one below book/.")


def main() -> None:
    """Run the steps and say what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", help="those to execute, in place of the changed")
    named = [notebook(name) for name in parser.parse_args().notebooks]
    files = changed()
    pages = named or [file for file in files if file.suffix == ".ipynb" and file.is_file()]
    data = "data" if "LECTURE_DATA_DIR" in absolute_folders() else "embedded"
    executed = [
        f"{EXECUTED}::test_notebook_runs[{page.relative_to(ROOT / 'book').as_posix()}-{data}]"
        for page in pages
    ]
    tests = tests_of(files)
    steps = Steps()
    steps.style_and_types()
    # The longest first, so that the others fit beside them.
    steps.tests("tests", [*executed, *tests, *ALWAYS], "-q")
    steps.report()
    say("\nTested of what has changed: " + (", ".join(tests) or "nothing that a unit test imports"))
    say("Executed: " + (", ".join(page.stem for page in pages) or "no notebook"))
    say("`make test` runs everything.")
    steps.end("check")


if __name__ == "__main__":
    main()
