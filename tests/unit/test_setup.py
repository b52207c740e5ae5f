"""What a newcomer's machine needs: the package's requirements, and the set-up."""

import ast
import json
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# The package's requirements ------------------------------------------------------------------------


def required(*extras: str) -> dict[str, Requirement]:
    """What `lecture-utils[extras]` asks for itself, by name."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return {canonicalize_name(line.name): line for line in map(Requirement, lines)}


def imported(source: str) -> set[str]:
    """The packages that a piece of code imports, without the standard library's."""
    code = "\n".join(
        re.sub(r"\S.*", "pass", line) if line.lstrip().startswith(("%", "!")) else line
        for line in source.splitlines()
    )
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


def test_a_downloaded_notebook_imports_only_what_its_first_cell_installs():
    names = set()
    for page in (ROOT / "book").rglob("*.ipynb"):
        cells = json.loads(page.read_text("utf-8"))["cells"]
        for cell in cells:
            if cell["cell_type"] == "code":
                names |= imported("".join(cell["source"]))
    for module in (ROOT / "lecture_utils").rglob("*.py"):
        names |= imported(module.read_text("utf-8"))
    # IPython is there where a kernel runs; the others only run notebooks from the command line.
    names -= {"lecture_utils", "IPython", "nbclient", "nbformat"}
    places = metadata.packages_distributions()
    allowed = required("notebooks")
    missing = {n for n in names if not {canonicalize_name(d) for d in places[n]} & set(allowed)}
    assert not missing, f"neither the package nor its extra `notebooks` requires {missing}"


def test_the_extra_of_the_notebooks_leaves_a_running_jupyter_as_it_is():
    extra = {Requirement(line).name for line in PROJECT["optional-dependencies"]["notebooks"]}
    assert extra == {"ipywidgets", "jupyterquiz"}
    assert required("notebooks")["ipywidgets"].specifier.contains("7.7.1")  # Colab's
