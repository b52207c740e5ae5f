"""Executed notebooks are kept, and run again only when something that they depend on has changed.

jupyter-cache, which keeps them, compares code cells only. So each notebook gets a cache of its own
folder, `.cache/execution/<profile>-<hash>`, and the hash is taken over whatever else can change an
output: the modules of `lecture_utils` that the notebook imports, directly or through others, with
the data and the checkpoints beside them; its quiz; the pinned packages; the data sets found on this
machine; the device and the precision.

What a cell writes to stderr is a fault of the book, and ends the build: a warning of Python, a
traceback, a message of the cell. What a library says about the machine is not: the build prints it
and the page goes without it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from docutils import nodes
from myst_nb.core.read import create_nb_reader
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

if TYPE_CHECKING:
    import nbformat
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

LOGGER = logging.getLogger(__name__)
PACKAGE = "lecture_utils"
QUIZZES = "quizzes"
# Seconds after which a cell counts as hanging, also on a slow machine with other work: a whole
# notebook takes about 25 s in `ci` and 60 s in `book` on two cores. `full` trains.
HANGING = 1800
TRAINING = 7 * 24 * 3600
UNUSED_DAYS = 7
# How lines begin that a library writes about the machine, not about the code that it runs.
MACHINE = re.compile(
    "|".join(
        (
            r"\[[WE][^\]]*\.(cpp|cc|cu|mm):\d+\]",  # PyTorch's core: a processor without NNPACK
            r"lib(g|i)omp: |OMP: ",  # OpenMP: a number of threads that it cannot use
            r"(Intel|INTEL) (MKL|oneMKL) ",
            r"Error in cpuinfo: ",  # a processor that PyTorch does not know
            r"Fontconfig (error|warning): ",
            r"Matplotlib (is building the font cache|created a temporary)",
            r"mkdir -p failed for path|.* is not a writable (cache )?directory",
            r"\d+\.\d+s - ",  # ipykernel's debugger, about frozen modules
            r"\S+:\d+: UserWarning: (CUDA initialization|Can't initialize NVML)",
        )
    )
)


def code_of(notebook: dict[str, Any]) -> str:
    """Return the Python of a notebook's code cells, without the lines of IPython magic."""
    lines: list[str] = []
    for cell in notebook.get("cells", []):
        if cell["cell_type"] == "code":
            source = cell["source"]
            text = source if isinstance(source, str) else "".join(source)
            for line in text.splitlines():
                bare = line.lstrip()
                magic = bare.startswith(("%", "!"))
                # `pass` keeps a block whole whose only line is a magic.
                lines.append(
                    line[: len(line) - len(bare)] + "pass" if magic else line
                )
    return "\n".join(lines)


def imports_of(source: str, module: str, is_package: bool) -> Iterator[str]:
    """Yield the dotted names that this source may import, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                kept = parents[: len(parents) - node.level + is_package]
                base = ".".join([*kept, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def finds_modules_itself(source: str) -> bool:
    """Tell whether the source imports by a name that it makes up while it runs."""
    marks = (
        "importlib.import_module",
        "import_module(",
        "__import__(",
        "pkgutil",
        "runpy",
    )
    return any(mark in source for mark in marks)


def modules_of(package: Path) -> dict[str, Path]:
    """Return every module of the package: dotted name to file."""
    modules = {}
    for file in sorted(package.rglob("*.py")):
        parts = [
            package.name,
            *file.relative_to(package).with_suffix("").parts,
        ]
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = (
            file
        )
    return modules


def dependencies(code: str, package: Path) -> list[Path]:
    """Return the files of the package that code with these imports may use.

    A module counts with all that it imports, also inside functions, and with its parents; a
    package counts with the files beside its modules that are not Python (scripts, checkpoints);
    quizzes do not, since each notebook names its own.
    Where names are made up at run time, and where the code cannot be parsed, everything counts.
    """
    modules = modules_of(package)
    everything = sorted(
        f
        for f in package.rglob("*")
        if f.is_file()
        and f.suffix != ".pyc"
        and f.relative_to(package).parts[0] != QUIZZES
    )
    try:
        waiting = list(imports_of(code, "", False))
    except SyntaxError:
        return everything
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        parents = name.rpartition(".")[0]
        if parents:
            waiting.append(parents) if parents not in used else None
        if name in used or name not in modules:
            continue
        used.add(name)
        file = modules[name]
        source = file.read_text("utf-8")
        if finds_modules_itself(source):
            return everything
        waiting.extend(imports_of(source, name, file.name == "__init__.py"))
    files = {modules[name] for name in used}
    for name in used:
        if modules[name].name == "__init__.py":
            files |= set(_beside(modules[name].parent))
    return sorted(files)


def _beside(folder: Path) -> Iterator[Path]:
    """Yield the files of a package that are no modules, in folders that are no packages, too."""
    for entry in folder.iterdir():
        if entry.is_dir():
            if not (entry / "__init__.py").exists() and entry.name not in {
                "__pycache__",
                QUIZZES,
            }:
                yield from _beside(entry)
        elif entry.suffix not in {".py", ".pyc"}:
            yield entry


def quizzes_of(code: str, package: Path) -> list[Path]:
    """Return the quizzes that the code names as ``part/section``."""
    folder = package / QUIZZES
    return [
        file
        for file in sorted(folder.glob("*/*.json"))
        if file.relative_to(folder).with_suffix("").as_posix() in code
    ]


def data_found() -> list[str]:
    """Return the names of the data sets that loaders would find on this machine."""
    from lecture_utils import data

    return [name for name in data.DATASETS if data.find(name) is not None]


def key(
    notebook: dict[str, Any], root: Path, environment: Iterable[str]
) -> str:
    """Return the hash over all that this notebook's outputs depend on, its own cells aside."""
    code = code_of(notebook)
    files = dependencies(code, root / PACKAGE)
    files += quizzes_of(code, root / PACKAGE)
    sha = hashlib.sha256("\n".join(environment).encode())
    for file in files:
        sha.update(str(file.relative_to(root)).encode())
        sha.update(hashlib.sha256(file.read_bytes()).digest())
    return sha.hexdigest()[:16]


@functools.cache
def environment(root: Path) -> list[str]:
    """Return what is the same for all notebooks of a build."""
    return [
        sys.version,
        (root / "requirements.txt").read_text("utf-8"),
        *(
            os.environ.get(name, "")
            for name in ("LECTURE_DEVICE", "LECTURE_PRECISION")
        ),
        *data_found(),
    ]


def profile() -> str:
    """Return the profile that the notebooks run in."""
    return os.environ.get("LECTURE_PROFILE") or "book"


def folder_of(notebook: dict[str, Any], root: Path) -> Path:
    """Return the cache of a notebook as it and its surroundings are now."""
    name = f"{profile()}-{key(notebook, root, environment(root))}"
    return root / ".cache" / "execution" / name


def keep(
    source: Path, executed: nbformat.NotebookNode, root: Path, seconds: float
) -> None:
    """Keep the outputs of a notebook that something else has executed, for the next build.

    The profile and the data must be those of the execution, as the environment names them.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    environment.cache_clear()  # it may be another than that of the last call
    cache = get_cache(folder_of(json.loads(source.read_text("utf-8")), root))
    cache.cache_notebook_bundle(
        CacheBundleIn(
            executed, str(source), data={"execution_seconds": seconds}
        ),
        check_validity=False,
        overwrite=True,
    )


def is_kept(source: Path, root: Path) -> bool:
    """Tell whether the outputs of a notebook are kept, as it and its surroundings are now."""
    from jupyter_cache import get_cache

    folder = folder_of(json.loads(source.read_text("utf-8")), root)
    if not folder.is_dir():
        return False
    try:
        get_cache(folder).match_cache_file(str(source))
    except KeyError:
        return False
    return True


def times_itself(notebook: dict[str, Any]) -> bool:
    """Tell whether a notebook looks at the clock; then nothing should run beside it."""
    try:
        names = set(imports_of(code_of(notebook), "", False))
    except SyntaxError:
        return False
    return bool(names & {"time", "timeit", f"{PACKAGE}.timing"})


def divide(text: str) -> tuple[str, str]:
    """Divide what was written to stderr: what code wrote, and what libraries say of the machine.

    A line that is indented belongs to the line before it.
    """
    code: list[str] = []
    machine: list[str] = []
    place = code
    for line in text.splitlines():
        if MACHINE.match(line):
            place = machine
        elif line.strip() and not line[0].isspace():
            place = code
        place.append(line)
    return "\n".join(code).strip(), "\n".join(machine).strip()


class JudgeStderr(SphinxTransform):
    """Take what cells wrote to stderr out of the page, and say what it was."""

    default_priority = 300

    def apply(self, **kwargs: Any) -> None:
        """Go through the outputs of a page."""
        for block in list(self.document.findall(nodes.literal_block)):
            if not {"output", "stderr"} <= set(block["classes"]):
                continue
            code, machine = divide(block.astext())
            if machine:
                LOGGER.info(
                    "%s: this machine's libraries say:\n%s",
                    self.env.docname,
                    machine,
                )
            if code:
                LOGGER.warning(
                    "a cell wrote to stderr:\n%s\nMend what causes it; where it is about the machine "
                    "and not about the code, add its beginning to MACHINE in %s",
                    code,
                    Path(__file__).name,
                    location=block,
                    type="stderr",
                )
            block.parent.remove(block)


def used_caches(env: BuildEnvironment) -> dict[str, str]:
    """Return which cache each page was made from; kept with the environment between builds."""
    if not hasattr(env, "lecture_caches"):
        env.lecture_caches = {}  # type: ignore[attr-defined]
    caches: dict[str, str] = env.lecture_caches  # type: ignore[attr-defined]
    return caches


def notebook_of(
    env: BuildEnvironment, docname: str, text: str
) -> dict[str, Any] | None:
    """Return a page as a notebook, also one written in Markdown; None if it runs nothing."""
    path = env.doc2path(docname)
    reader = create_nb_reader(path, env.myst_config, env.mystnb_config, text)  # type: ignore[attr-defined]
    return reader.read(text) if reader else None


def with_settings(text: str, path: Path, settings: dict[str, Any]) -> str:
    """Return the text of a notebook with these settings for myst-nb, where it names none itself."""
    if path.suffix == ".ipynb":
        notebook = json.loads(text)
        own = notebook["metadata"].get("mystnb", {})
        notebook["metadata"]["mystnb"] = settings | own
        return json.dumps(notebook)
    _, head, body = re.split(r"^---\s*$", text, maxsplit=2, flags=re.MULTILINE)
    metadata = yaml.safe_load(head)
    metadata["mystnb"] = settings | metadata.get("mystnb", {})
    return f"---\n{yaml.safe_dump(metadata)}---{body}"


def choose_cache(app: Sphinx, docname: str, source: list[str]) -> None:
    """Tell myst-nb, through the notebook's metadata, which cache and which time-out to use."""
    notebook = notebook_of(app.env, docname, source[0])
    if notebook is None:
        return
    cache = folder_of(notebook, Path(app.srcdir).parent)
    cache.mkdir(parents=True, exist_ok=True)
    os.utime(cache)
    used_caches(app.env)[docname] = str(cache)
    settings = {
        "execution_cache_path": str(cache),
        "execution_timeout": TRAINING if profile() == "full" else HANGING,
    }
    path = Path(app.env.doc2path(docname))
    source[0] = with_settings(source[0], path, settings)


def forget_unused(app: Sphinx, exception: Exception | None) -> None:
    """Remove caches that no build has used for a week."""
    if exception is None:
        for cache in (Path(app.srcdir).parent / ".cache" / "execution").glob(
            "*-*"
        ):
            if time.time() - cache.stat().st_mtime > UNUSED_DAYS * 24 * 3600:
                shutil.rmtree(cache, ignore_errors=True)


def outdated(app: Sphinx, env: BuildEnvironment, *_: set[str]) -> list[str]:
    """Name the notebooks whose outputs would differ now though their files have not changed."""
    stale = []
    for docname in env.all_docs:
        page = Path(env.doc2path(docname))
        if not page.is_file():
            continue
        if notebook := notebook_of(env, docname, page.read_text("utf-8")):
            cache = folder_of(notebook, Path(app.srcdir).parent)
            if used_caches(env).get(docname) != str(cache):
                stale.append(docname)
            elif cache.is_dir():
                os.utime(cache)
    return stale


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_transform(JudgeStderr)
    app.connect("source-read", choose_cache)
    app.connect("env-get-outdated", outdated)
    app.connect("build-finished", forget_unused)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
