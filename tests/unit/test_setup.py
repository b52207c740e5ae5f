"""What a newcomer's machine needs: the package's requirements, and the set-up."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# The package's requirements -----------------------------------------------------------------------


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
        for cell in json.loads(page.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                names |= imported("".join(cell["source"]))
    for module in (ROOT / "lecture_utils").rglob("*.py"):
        names |= imported(module.read_text("utf-8"))
    # A running kernel has these; the last two only run notebooks from the command line.
    names -= {"lecture_utils", "IPython", "ipykernel", "nbclient", "nbformat"}
    # The extra `assignments`, which only the command line's `assignments` needs.
    names -= {"otter", "psutil", "traitlets"}
    names -= {"pptx"}  # of the extra `slides`, for the command line's `figures deck`
    places = metadata.packages_distributions()
    allowed = set(required("notebooks"))
    missing = {n for n in names if not {canonicalize_name(d) for d in places[n]} & allowed}
    assert not missing, f"neither the package nor its extra `notebooks` requires {missing}"


def test_the_extra_of_the_notebooks_leaves_a_running_jupyter_as_it_is():
    extra = {Requirement(line).name for line in PROJECT["optional-dependencies"]["notebooks"]}
    assert extra == {"ipywidgets", "jupyterquiz"}
    assert required("notebooks")["ipywidgets"].specifier.contains("7.7.1")  # Colab's


# Finding a Python: scripts/setup.sh ---------------------------------------------------------------

PYTHON = """#!/bin/sh
case "$1" in
    -c) case "$2" in *version_info*) exit {old};; *ensurepip*) exit {bare};; esac;;
    --version) echo "Python {version}";;
    *) echo "ran {name} $*";;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """A way to run the set-up with these Pythons on the path and nothing else."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("dirname", "make", "sh"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)

    def python(name: str, version: str, *, bare: bool = False) -> Path:
        old = tuple(map(int, version.split(".")[:2])) < (3, 11)
        program = tools / name
        program.write_text(PYTHON.format(name=name, version=version, old=int(old), bare=int(bare)))
        program.chmod(0o755)
        return program

    def run(*command: str, **variables: str) -> SimpleNamespace:
        done = subprocess.run(
            command or ("sh", str(ROOT / "scripts" / "setup.sh")),
            cwd=tmp_path if not command else ROOT,
            env={"PATH": str(tools), "CDPATH": str(tmp_path), **variables},
            capture_output=True,
            text=True,
        )
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)

    return SimpleNamespace(python=python, run=run)


def test_the_newest_python_on_the_path_sets_up(machine):
    for version in ("3.11.2", "3.13.1", "3.12.3"):
        machine.python(f"python{version[:4]}", version)
    machine.python("python3", "3.10.4")
    assert machine.run().out == "ran python3.13 scripts/setup.py\n"


def test_a_python_that_can_make_an_environment_goes_before_a_newer_one(machine):
    machine.python("python3.13", "3.13.5", bare=True)
    machine.python("python3.11", "3.11.2")
    assert machine.run().out == "ran python3.11 scripts/setup.py\n"


def test_where_none_can_the_newest_is_taken_which_says_what_it_lacks(machine):
    machine.python("python3.13", "3.13.5", bare=True)
    machine.python("python3.12", "3.12.3", bare=True)
    assert machine.run().out == "ran python3.13 scripts/setup.py\n"


def test_a_python_newer_than_those_that_are_looked_for_by_name_is_taken(machine):
    machine.python("python3", "3.17.0")
    assert machine.run().out == "ran python3 scripts/setup.py\n"


@pytest.mark.parametrize("command", [(), ("make", "setup"), ("make", "book")])
def test_without_a_python_one_sentence_names_what_was_looked_for(machine, command):
    if command and not shutil.which("make"):
        pytest.skip("there is no make on this machine")
    done = machine.run(*command)
    assert done.code != 0 and done.out == ""
    assert "no Python 3.11 or newer was found on the path" in done.err
    assert (
        "Looked for: python3.14, python3.13, python3.12, python3.11, python3, python." in done.err
    )
    assert "make PYTHON=/path/to/python3 book" in done.err
    assert "ermission" not in done.err


def test_old_pythons_are_named_with_their_version(machine):
    machine.python("python3", "3.6.8")
    machine.python("python", "2.7.18")
    done = machine.run()
    assert done.code == 1
    assert "python3 (which is Python 3.6.8), python (which is Python 2.7.18)" in done.err


def test_the_python_that_is_asked_for_is_the_one_that_sets_up(machine):
    machine.python("python3.13", "3.13.5")
    asked = machine.python("my python", "3.11.2")
    assert machine.run(PYTHON=str(asked)).out == "ran my python scripts/setup.py\n"
    old = machine.python("python3.9", "3.9.2")
    assert (
        "which is Python 3.9.2; Python 3.11 or newer is needed" in machine.run(PYTHON=str(old)).err
    )
    done = machine.run(PYTHON="/no/such/python")
    assert done.code == 1 and "PYTHON is '/no/such/python', which does not run here" in done.err


def test_an_old_python_can_read_the_set_up_far_enough_to_say_that_it_is_old():
    source = (ROOT / "scripts" / "setup.py").read_text()
    tree = ast.parse(source, feature_version=(3, 7))
    # `from __future__ import annotations` is an error of syntax in 3.6.
    assert "__future__" not in source
    code = f"import sys; sys.version_info = (3, 6, 8); sys.version = '3.6.8 x'; exec({source!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and ast.get_docstring(tree)
    assert done.stderr.startswith("The step 'Python' failed: this is Python 3.6.8, and 3.11")


# Setting up: scripts/setup.py ---------------------------------------------------------------------


class Course:
    """A folder with the scripts of the book, pins and a package; pip and npm are only recorded."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.steps: list[tuple[str, list[str], dict[str, str]]] = []

    @classmethod
    def new(cls, folder: Path, patch: pytest.MonkeyPatch) -> "Course":
        (folder / "lecture_utils").mkdir(parents=True)
        shutil.copytree(ROOT / "scripts", folder / "scripts")
        (folder / "requirements.txt").write_text("numpy==2.0\ntorch==2.5\ntorchvision==0.20\n")
        (folder / "assignments").mkdir()
        (folder / "assignments" / "requirements.txt").write_text("otter-grader==7.0.0\n")
        course = cls(folder, patch)
        course.package("first")
        return course

    def package(self, text: str) -> None:
        (self.folder / "lecture_utils" / "__init__.py").write_text(f"text = {text!r}\n")

    @property
    def python(self) -> Path:
        return self.folder / ".venv" / "bin" / "python"

    @property
    def packages(self) -> Path:
        [packages] = (self.folder / ".venv" / "lib").glob("python3*/site-packages")
        return packages

    def load(self):
        """The set-up of this folder, as a module."""
        for name in ("steps", "setup"):
            self.patch.delitem(sys.modules, name, raising=False)
        with self.patch.context() as patch:
            patch.syspath_prepend(self.folder / "scripts")
            import setup

        def run_step(step, command, advice, *, env=None):
            self.steps.append((step, command, env or {}))
            if "venv" in command:  # without pip, which takes seconds; a stand-in that can be asked
                subprocess.run([*command, "--without-pip"], check=True)
                (self.packages / "pip.py").touch()

        self.patch.setattr(setup, "run_step", run_step)
        return setup

    def set_up(self, **variables: str) -> list[str]:
        """Set up, and return the names of the steps that ran."""
        self.steps.clear()
        for name in ("PYTHON", "TORCH_INDEX"):
            self.patch.delenv(name, raising=False)
        for name, value in variables.items():
            self.patch.setenv(name, value)
        self.load().python_environment()
        return [re.split(r"[,(]", step)[0].strip() for step, _, _ in self.steps]

    def ask(self, *command: object) -> str:
        """What a program prints that runs outside this folder."""
        done = subprocess.run(
            [str(part) for part in command], cwd="/", capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture
def course(tmp_path, monkeypatch):
    # The reader's Python may have the book's package on its path: the environment must not.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100e9))
    return Course.new(tmp_path / "course", monkeypatch)


FIRST = ["Python environment", "Python packages"]


def test_set_up_skips_what_is_done(course):
    assert course.set_up() == FIRST
    assert course.set_up() == []
    assert course.ask(course.python, "-c", "import lecture_utils as l; print(l.text)") == "first"


def test_set_up_installs_again_when_the_pins_change(course):
    course.set_up()
    (course.folder / "requirements.txt").write_text("numpy==2.1\n")
    assert course.set_up() == ["Python packages"]
    assert course.set_up() == []


def test_set_up_installs_what_assignments_need_with_the_book(course):
    course.set_up()
    (_, command, _) = course.steps[-1]
    assert command[-4:] == ["-r", "requirements.txt", "-r", "assignments/requirements.txt"]
    (course.folder / "assignments" / "requirements.txt").write_text("otter-grader==7.0.1\n")
    assert course.set_up() == ["Python packages"]


def test_set_up_starts_over_after_an_interruption(course):
    course.set_up()
    (course.folder / "requirements.txt").write_text("numpy==2.1\n")
    module = course.load()

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    course.patch.setattr(module, "run_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        module.python_environment()
    assert course.set_up() == FIRST
    assert course.set_up() == []


def test_an_environment_whose_python_has_gone_is_made_anew(course):
    course.set_up()
    (course.packages / "pip.py").unlink()
    assert course.set_up() == FIRST
    course.python.unlink()
    course.python.symlink_to("/no/such/python")
    assert course.set_up() == FIRST


def test_another_python_makes_the_environment_anew_only_if_it_was_asked_for(course):
    course.set_up()
    course.patch.setattr(sys, "version_info", (3, 99, 0))
    assert course.set_up() == []
    assert course.set_up(PYTHON="python3.99") == FIRST


@pytest.mark.parametrize("keep", [True, False], ids=["copied", "moved"])
def test_a_copied_or_moved_folder_uses_its_own_environment_and_package(course, keep):
    course.set_up()
    tool = course.folder / ".venv" / "bin" / "tool"
    tool.write_text(f"#!{course.python}\nimport lecture_utils, sys\nprint(sys.executable)\n")
    tool.chmod(0o755)
    other = course.folder.parent / "mein Kurs é, '2'"
    shutil.copytree(course.folder, other, symlinks=True)
    if not keep:
        shutil.rmtree(course.folder)
    copied = Course(other, course.patch)
    copied.package("second")
    steps = copied.set_up()
    assert "Python packages" not in steps  # nothing is fetched
    assert copied.ask(copied.python, "-c", "import lecture_utils as l; print(l.text)") == "second"
    assert copied.ask(other / ".venv" / "bin" / "tool") == str(copied.python)
    activated = copied.ask("sh", "-c", '. "$1/.venv/bin/activate"; command -v python', "sh", other)
    assert activated == str(copied.python)
    assert copied.set_up() == []
    if keep:  # the first is as it was
        assert course.set_up() == []
        assert course.ask(tool) == str(course.python)


def test_a_copy_that_is_copied_again_is_fitted_again(course):
    course.set_up()
    places = [course.folder.parent / name for name in ("a b", "c")]
    tool = course.folder / ".venv" / "bin" / "tool"
    # As pip writes it where the path is long.
    tool.write_text(
        f"#!/bin/sh\n'''exec' \"{course.python}\" \"$0\" \"$@\"\n' '''\nimport sys\n"
        "print(sys.executable)\n"
    )
    tool.chmod(0o755)
    shutil.copytree(course.folder, places[0], symlinks=True)
    Course(places[0], course.patch).set_up()
    shutil.move(places[0], places[1])
    copied = Course(places[1], course.patch)
    copied.set_up()
    assert copied.ask(places[1] / ".venv" / "bin" / "tool") == str(copied.python)


def test_a_package_that_an_earlier_set_up_installed_is_taken_away(course):
    course.set_up()
    (course.folder / "requirements.txt").write_text("numpy==2.1\n")
    (course.packages / "lecture_utils-0.1.0.dist-info").mkdir()
    assert course.set_up() == ["Python packages", "Package lecture_utils"]
    assert "uninstall" in course.steps[1][1]


def test_torch_comes_from_the_index_that_is_named_and_stays_from_there(course):
    index = "https://index.example.edu/cpu"
    assert course.set_up(TORCH_INDEX=index) == [FIRST[0], f"PyTorch from {index}", FIRST[1]]
    command = course.steps[1][1]
    assert command[command.index("--index-url") + 1] == index
    assert command[-2:] == ["torch==2.5", "torchvision==0.20"] and "--no-deps" in command
    assert course.set_up() == []
    assert course.set_up(TORCH_INDEX=index) == []
    (course.folder / "requirements.txt").write_text("torch==2.6\n")
    assert course.set_up() == [f"PyTorch from {index}", FIRST[1]]
    assert course.steps[0][1][-1] == "torch==2.6"
    other = "https://index.example.edu/other"
    assert course.set_up(TORCH_INDEX=other) == [FIRST[0], f"PyTorch from {other}", FIRST[1]]


@pytest.mark.parametrize("settings", ["user = true", "require-hashes = true", "dry-run = true"])
def test_the_readers_settings_of_pip_do_not_say_what_is_installed_where(course, tmp_path, settings):
    (tmp_path / "pip.conf").write_text(f"[install]\n{settings}\n")
    module = course.load()
    code = (
        "from pip._internal.commands import create_command\n"
        "options, _ = create_command('install').parse_args(['numpy'])\n"
        "print(options.use_user_site, options.require_hashes, options.dry_run)"
    )
    environment = {**os.environ, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), **module.PIP}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert set(done.stdout.split()) <= {"False", "0"}, done.stdout + done.stderr


# What pip 25 and 26 write.
NO_NETWORK = (
    "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after"
    " connection broken by 'NewConnectionError(\"Failed to establish a new connection\")'\n"
    "ERROR: Could not find a version that satisfies the requirement numpy==2.0\n"
    "ERROR: No matching distribution found for numpy==2.0\n"
)
NO_WHEEL = (
    "ERROR: Could not find a version that satisfies the requirement torch==2.5 (from versions:"
    " 2.4)\nERROR: No matching distribution found for torch==2.5\n"
)
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
RIGHTS = "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'\n"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (NO_NETWORK, "There is no connection to the package index."),
        (NO_WHEEL, "There is no torch==2.5 in the package index for Python 3."),
        (FULL, "A disk is full, or what you may store is used up; free are 100.0 GB for the book"),
        (RIGHTS, "check the rights"),
        ("ERROR: odd\n", "Its message stands above."),
    ],
)
def test_a_failure_of_pip_is_followed_by_what_to_do_about_it(course, capfd, said, sentence):
    module = course.load()
    command = [sys.executable, "-c", f"import sys; sys.stderr.write({said!r}); sys.exit(3)"]
    import steps

    with pytest.raises(SystemExit, match="3"):
        steps.run_step("Pins", command, lambda text: module._advice(text, "the package index"))
    written = capfd.readouterr().err
    assert said in written and "The step 'Pins' failed: " in written
    assert sentence in written.split("failed: ")[1]
    assert (sentence == "There is no connection to the package index.") is (
        "connection" in written.split("failed: ")[1]
    )


def test_a_disk_without_room_is_found_before_anything_is_fetched(course, capsys):
    course.patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5e9))
    with pytest.raises(SystemExit):
        course.set_up()
    assert f"5.0 GB are free where the book lies ({course.folder})" in capsys.readouterr().err
    assert course.steps == []
    assert course.set_up(TORCH_INDEX="https://index.example.edu/cpu") != []  # needs less


def test_a_folder_in_which_no_environment_can_lie_is_named(tmp_path, monkeypatch, capsys):
    course = Course.new(tmp_path / "a:b", monkeypatch)
    with pytest.raises(SystemExit):
        course.set_up()
    assert "a folder with ':' in its name can hold no Python environment" in capsys.readouterr().err


def test_a_folder_that_may_not_be_written_to_is_named(course, capsys):
    course.patch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(SystemExit):
        course.set_up()
    assert f"nothing may be written to {course.folder}" in capsys.readouterr().err


def test_npm_is_the_environments_and_needs_no_home(course):
    module = course.load()
    (course.folder / "package-lock.json").write_text("{}")
    course.patch.setattr(module, "VENDORED", {})
    course.patch.setattr(module, "_patch", lambda script: None)
    (course.folder / "node_modules").mkdir()
    course.patch.delenv("HOME")
    module.SITE.mkdir(parents=True)
    module.site_scripts()
    [(_, command, environment)] = course.steps
    assert command[:2] == [str(course.python.with_name("npm")), "ci"]
    assert f"--cache={course.folder / '.cache' / 'set-up'}" in command
    assert environment["PATH"].split(os.pathsep)[0] == str(course.python.parent)
    assert environment["HOME"] == str(course.folder / ".cache" / "set-up")
