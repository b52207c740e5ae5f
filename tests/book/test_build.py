"""The book's build: what runs again and what does not, figures, quizzes, settings, failures."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils
from sphinx_book_theme.header_buttons import update_context_with_repository_info

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "book" / "_extensions"), str(ROOT / "scripts")]

import build_book  # noqa: E402 - the folders above are named first
import lecture_execution  # noqa: E402
import lecture_pages  # noqa: E402
import lecture_quiz  # noqa: E402
import set_repository  # noqa: E402
import setup as set_up  # noqa: E402

KERNEL = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}


def notebook(*cells: str | nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook of Markdown cells (texts that start with #) and code cells."""
    new = nbformat.v4
    made = [
        cell
        if not isinstance(cell, str)
        else new.new_markdown_cell(cell)
        if cell.startswith("#")
        else new.new_code_cell(cell)
        for cell in cells
    ]
    return new.new_notebook(cells=made, metadata=KERNEL)


# What a notebook depends on -----------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """A small package and a book, in which imports stand at the top, inside and behind others."""
    files = {
        "lecture_utils/__init__.py": "from lecture_utils.runtime import start\n",
        "lecture_utils/runtime.py": "def start(): ...\n",
        "lecture_utils/show.py": "from lecture_utils import files\n",
        "lecture_utils/files.py": "",
        "lecture_utils/lazy.py": "def f():\n    from . import behind\n",
        "lecture_utils/behind.py": "",
        "lecture_utils/other.py": "",
        "lecture_utils/explore.js": "",
        "lecture_utils/checkpoints/__init__.py": "",
        "lecture_utils/checkpoints/a.safetensors": "weights",
        "lecture_utils/models/__init__.py": "from .net import Net\n",
        "lecture_utils/models/net.py": "class Net: ...\n",
        "lecture_utils/recipes/__init__.py": "import importlib\nimportlib.import_module('x')\n",
        "lecture_utils/quizzes/generation/gaussian.json": "[]",
        "lecture_utils/quizzes/generation/other.json": "[]",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


CODE = "from lecture_utils import show, start\n%matplotlib inline\nshow.quiz('generation/gaussian')"


@pytest.mark.parametrize(
    ("code", "changed", "runs_again"),
    [
        (CODE, "lecture_utils/show.py", True),
        (CODE, "lecture_utils/files.py", True),  # show imports it
        (CODE, "lecture_utils/runtime.py", True),  # the package imports it
        (CODE, "lecture_utils/explore.js", True),
        (CODE, "lecture_utils/other.py", False),
        (CODE, "lecture_utils/checkpoints/a.safetensors", False),
        (CODE, "lecture_utils/quizzes/generation/gaussian.json", True),
        (CODE, "lecture_utils/quizzes/generation/other.json", False),
        ("import lecture_utils.lazy", "lecture_utils/behind.py", True),
        ("def f():\n    from lecture_utils import lazy", "lecture_utils/behind.py", True),
        ("from lecture_utils.models import Net", "lecture_utils/models/net.py", True),
        ("from lecture_utils.models.net import Net", "lecture_utils/models/__init__.py", True),
        ("from lecture_utils import checkpoints", "lecture_utils/checkpoints/a.safetensors", True),
        ("from lecture_utils import recipes", "lecture_utils/other.py", True),  # makes up names
        ("def unfinished(", "lecture_utils/other.py", True),
    ],
)
def test_a_notebook_runs_again_when_what_it_uses_has_changed(project, code, changed, runs_again):
    page = notebook("# Title", code)
    before = lecture_execution.key(page, project, ["pins"])
    (project / changed).write_text("changed = True\n")
    assert (lecture_execution.key(page, project, ["pins"]) != before) is runs_again


def test_prose_changes_no_key_and_the_environment_changes_every_key(project):
    before = lecture_execution.key(notebook("# Title", CODE), project, ["pins"])
    assert lecture_execution.key(notebook("# Another", CODE), project, ["pins"]) == before
    assert lecture_execution.key(notebook("# Title", CODE), project, ["others"]) != before


def test_the_environment_names_pins_device_and_data(project, monkeypatch, tmp_path):
    (project / "requirements.txt").write_text("numpy==1\n")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LECTURE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LECTURE_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("LECTURE_DEVICE", "cpu")
    lines = lecture_execution.environment(project)
    assert {"numpy==1\n", "cpu", "photos"} <= set(lines)
    assert "set5" not in lines


def test_notebooks_get_the_folders_where_the_build_was_started(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTURE_DATA_DIR", "data")
    monkeypatch.setenv("LECTURE_CACHE_DIR", "cache")
    for variable in ("LECTURE_PROFILE", "IPYTHONDIR"):  # so that they are put back
        monkeypatch.setenv(variable, "")
    monkeypatch.setattr(build_book, "BUILD", tmp_path / "build")
    seen = {}
    monkeypatch.setattr(build_book, "build_sphinx", lambda *_, **__: seen.update(os.environ) or 1)
    with pytest.raises(SystemExit):
        build_book.build("ci")
    assert seen["LECTURE_DATA_DIR"] == str(tmp_path / "data")
    assert seen["LECTURE_CACHE_DIR"] == str(tmp_path / "cache")


# Figures ------------------------------------------------------------------------------------------


def picture(colour: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (600, 300), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def shown(figure_id: str, caption: str = "Cap.", colour: str = "red") -> nbformat.NotebookNode:
    """A code cell with the output that `show.figure` leaves."""
    markup = (
        f'<figure class="lecture-figure" data-figure-id="{figure_id}"><img alt="A &lt;b&gt;." '
        f'src="data:image/png;base64,{picture(colour)}" width="300" height="150">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
    data = {"text/html": markup, "text/plain": f"figure {figure_id}"}
    output = nbformat.v4.new_output("display_data", data=data)
    return nbformat.v4.new_code_cell("show.figure(...)", outputs=[output], execution_count=1)


class Book:
    """A Sphinx project with the book's own extensions, built in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.source, self.pages = folder / "book", folder / "work" / "html"
        self.source.mkdir()
        (self.source / "figures.csv").write_text(
            "id,section,slide,shows\n"
            'gaussian/mean,generation/gaussian,Gaussian model,"the mean, of faces"\n'
            "sr/nearest,super_resolution/interpolation,Nearest,cells\n"
        )
        (self.source / "conf.py").write_text(
            f"import sys\nsys.path.append({str(ROOT / 'book' / '_extensions')!r})\n"
            "extensions = ['myst_nb', 'lecture_figures', 'lecture_quiz', 'lecture_pages']\n"
            "nb_execution_mode = 'off'\nnumfig = True\nmyst_enable_extensions = ['dollarmath']\n"
        )
        self.write(
            "index.md", "# Book\n\n```{toctree}\n:numbered:\ngeneration/gaussian\nfigures\n```"
        )
        self.write("figures.md", "# Figures\n\n```{figure-index}\n```\n")
        self.write("generation/gaussian.ipynb", notebook("# G", shown("gaussian/mean")))

    def write(self, name: str, content: str | nbformat.NotebookNode) -> None:
        path = self.source / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else nbformat.writes(content))

    def build(self) -> str:
        """Build what has changed and return the warnings."""
        warnings = io.StringIO()
        with patch_docutils(self.source), docutils_namespace():
            app = Sphinx(
                *(self.source, self.source, self.pages, self.pages.parent / "doctrees", "html"),
                confoverrides={"nitpicky": True},
                status=None,
                warning=warnings,
            )
            app.build()
        return re.sub(r"\x1b\[[0-9;]*m", "", warnings.getvalue())

    def page(self, name: str) -> BeautifulSoup:
        return BeautifulSoup((self.pages / f"{name}.html").read_text(), "html.parser")


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path)


def test_figures_are_numbered_and_referred_to(book):
    caption = "The mean $\\mu_0$ of `N` faces costs \\$1."
    book.write("generation/gaussian.ipynb", notebook("# G", shown("gaussian/mean", caption)))
    intro = "# Book\n\nSee {numref}`fig-gaussian-mean`.\n"
    book.write("index.md", intro + "\n```{toctree}\n:numbered:\ngeneration/gaussian\nfigures\n```")
    assert book.build() == ""

    figure = book.page("generation/gaussian").find("figure", id="fig-gaussian-mean")
    image = figure.find("img")
    assert image["alt"] == "A <b>."
    assert "width: 300px" in image["style"]
    file = (book.pages / "generation" / image["src"]).resolve()
    assert Image.open(file).size == (600, 300)
    assert figure.find("span", class_="math").text == "\\(\\mu_0\\)"
    assert figure.find("code").text == "N"
    assert "costs $1." in figure.find("figcaption").text
    assert figure.find("span", class_="caption-number").text.strip() == "Fig. 1.1"
    link = book.page("index").find("a", href="generation/gaussian.html#fig-gaussian-mean")
    assert link.text == "Fig. 1.1"


def test_the_index_shows_what_is_made_and_what_is_to_come(book):
    assert book.build() == ""
    page = book.page("figures")
    row = page.find("code", string="gaussian/mean").find_parent("tr")
    thumbnail = row.find("img")
    assert Image.open((book.pages / thumbnail["src"]).resolve()).width == 240
    assert row.find("a")["href"] == "generation/gaussian.html#fig-gaussian-mean"
    assert row.find("a").text == "Figure 1.1"
    assert "The mean, of faces." in row.text and "Gaussian model" in row.text
    coming = page.find("code", string="sr/nearest").find_parent("tr")
    assert "to come" in coming.text and coming.find("img") is None
    headings = " ".join(heading.text for heading in page.find_all("h2"))
    assert re.search("Image generation.*Super-resolution.*Style transfer", headings)


def test_the_index_follows_pages_that_are_read_again(book):
    book.build()
    book.write("generation/gaussian.ipynb", notebook("# G", "x = 1"))
    assert book.build() == ""
    row = book.page("figures").find("code", string="gaussian/mean").find_parent("tr")
    assert "to come" in row.text

    book.write("generation/gaussian.ipynb", notebook("# G", shown("gaussian/mean", colour="blue")))
    assert book.build() == ""
    thumbnail = book.page("figures").find("img")
    with Image.open((book.pages / thumbnail["src"]).resolve()) as image:
        assert image.getpixel((5, 5)) == (0, 0, 255)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([shown("gaussian/mean"), shown("gaussian/mean")], "'gaussian/mean' is made twice"),
        ([shown("gaussian/unknown")], "'gaussian/unknown' is not in book/figures.csv"),
        ([shown("sr/nearest")], "'sr/nearest' belongs to super_resolution/interpolation"),
    ],
)
def test_a_wrong_figure_is_a_warning(book, cells, sentence):
    book.write("generation/gaussian.ipynb", notebook("# G", *cells))
    assert sentence in book.build()


def test_a_picture_that_cannot_be_read_is_a_warning(book):
    cell = shown("gaussian/mean")
    cell.outputs[0].data["text/html"] = (
        cell.outputs[0].data["text/html"].replace("base64,", "base64,x")
    )
    book.write("generation/gaussian.ipynb", notebook("# G", cell))
    assert "the picture of figure 'gaussian/mean' cannot be read" in book.build()


# Quizzes and folded boxes -------------------------------------------------------------------------

QUESTIONS = [
    {
        "question": "What is the rank for $N$ images?",
        "type": "many_choice",
        "answers": [
            {"answer": "$N-1$", "correct": True, "feedback": "The mean takes `one`."},
            {"answer": "$N$", "correct": False},
            {"answer": "at most $N-1$", "correct": True},
        ],
    },
    {
        "question": "How many?",
        "type": "numeric",
        "answers": [
            {"type": "value", "value": 3, "correct": True, "feedback": "Yes."},
            {"type": "range", "range": [4, 9], "correct": False, "feedback": "Too many."},
            {"type": "default", "feedback": "No."},
        ],
    },
]


def asked(questions: list[dict]) -> nbformat.NotebookNode:
    """A code cell with the two outputs that jupyterquiz leaves, made by jupyterquiz itself."""
    from jupyterquiz.dynamic.loader import load_questions_script
    from jupyterquiz.dynamic.renderer import build_script, build_styles, render_div

    prefix, static, url = load_questions_script(questions, "abc")
    box = render_div("abc", False, True, False, 1000, 600, 10, "left") + build_styles("abc", {})
    script = build_script(prefix, static, url, "abc", True)
    outputs = [
        nbformat.v4.new_output("display_data", data={"text/html": box, "text/plain": "<HTML>"}),
        nbformat.v4.new_output(
            "display_data", data={"application/javascript": script, "text/plain": "<JS>"}
        ),
    ]
    return nbformat.v4.new_code_cell("show.quiz(...)", outputs=outputs, execution_count=1)


def test_quizzes_become_forms_without_the_scripts_of_jupyterquiz(book):
    book.write(
        "generation/gaussian.ipynb", notebook("# G", asked(QUESTIONS), shown("gaussian/mean"))
    )
    assert book.build() == ""
    page = book.page("generation/gaussian")
    assert "MathJax.Hub" not in str(page) and "data-shufflequestions" not in str(page)
    choice, number = page.find_all("fieldset")
    assert len(choice.find_all("input", type="checkbox")) == 3
    assert choice.find("legend").find("span", class_="math").text == "\\(N\\)"
    right = {
        label.text.partition(") ")[2]: label.find_next("span", class_="quiz-comment")[
            "data-correct"
        ]
        for label in choice.find_all("label")
    }
    assert right == {"\\(N-1\\)": "true", "\\(N\\)": "false", "at most \\(N-1\\)": "true"}
    comments = number.find_all("span", class_="quiz-comment")
    assert float(comments[0]["data-low"]) < 3 < float(comments[0]["data-high"])
    assert (float(comments[1]["data-low"]), float(comments[1]["data-high"])) == (4, 9)
    assert "data-low" not in comments[2].attrs
    assert all(
        "hidden" in comment.attrs for comment in page.find_all("span", class_="quiz-comment")
    )


def test_a_rounded_answer_stands_for_what_rounds_to_it():
    low, high = lecture_quiz.bounds({"type": "value", "value": 28.42})
    assert (round(low, 6), round(high, 6)) == (28.415, 28.425)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ({"question": "?", "type": "essay", "answers": []}, "is of type 'essay'"),
        ({"question": "?", "type": "numeric", "answers": []}, "has no correct answer"),
        ({"type": "numeric", "answers": [{"correct": True}]}, "lacks 'question'"),
    ],
)
def test_a_question_that_cannot_be_shown_is_a_warning(book, question, sentence):
    cells = [asked([question]), shown("gaussian/mean")]
    book.write("generation/gaussian.ipynb", notebook("# G", *cells))
    assert sentence in book.build()


def test_folded_boxes_are_details(book):
    text = "# G\n\n```{admonition} Hint\n:class: dropdown\n\nThink of $N$.\n```\n"
    book.write("generation/gaussian.ipynb", notebook(text, shown("gaussian/mean")))
    book.build()
    box = book.page("generation/gaussian").find("details")
    assert box.find("summary").text.strip() == "Hint"
    assert "Think of" in box.text


# The address of the published book ----------------------------------------------------------------

FIRST_CELL = 'import importlib.util\n\nREPOSITORY = ""  # as an earlier book had it'


@pytest.fixture
def settings(tmp_path):
    """Settings like the book's, and two notebooks."""
    shutil.copy(ROOT / "_config.yml", tmp_path)
    for name in ("generation/a", "super_resolution/b"):
        page = tmp_path / "book" / f"{name}.ipynb"
        page.parent.mkdir(parents=True)
        page.write_text(nbformat.writes(notebook("# Grüße", FIRST_CELL, "REPOSITORY = 1")) + "\n")
    return tmp_path


def test_one_address_for_the_settings_and_every_notebook(settings):
    before = {path: path.read_text() for path in settings.rglob("*.*") if path.is_file()}
    changed = set_repository.set_address(settings, "https://github.com/owner/name.git/")
    assert len(changed) == 3
    assert '  url: "https://github.com/owner/name"\n' in (settings / "_config.yml").read_text()
    page = (settings / "book/generation/a.ipynb").read_text()
    cells = [cell["source"] for cell in nbformat.reads(page, 4)["cells"]]
    assert cells[1] == set_repository.setup_cell("https://github.com/owner/name")
    assert 'REPOSITORY = "https://github.com/owner/name"\n' in cells[1]
    assert cells[2] == "REPOSITORY = 1"
    assert set_repository.set_address(settings, "https://github.com/owner/name") == []
    set_repository.set_address(settings, "")
    assert (settings / "_config.yml").read_text() == before[settings / "_config.yml"]
    page = (settings / "book/generation/a.ipynb").read_text()
    assert nbformat.reads(page, 4)["cells"][1]["source"] == set_repository.SETUP_CELL


@pytest.mark.parametrize(
    "address",
    [
        "github.com/owner/name",
        "https://github.com/owner",
        "https://github.com/owner/name/tree/main",
        "https://gitlab.com/name",
        "https://gitlab.com/group/name/-/tree/main",
        "https://git.example.edu/",
        "https://git.example.edu:port/group/name",
        "https://token@git.example.edu/group/name",
        "https://git.example.edu/group/name?ref=main",
        "https://git.example.edu/group/{name}",
        "git@github.com:owner/name.git",
        "http://github.com/owner/name",
        'a"b',
    ],
)
def test_a_wrong_address_changes_nothing(settings, address):
    before = {path: path.read_text() for path in settings.rglob("*.*") if path.is_file()}
    with pytest.raises(ValueError, match=r"it must (be the https address|have an? )"):
        set_repository.set_address(settings, address)
    assert {path: path.read_text() for path in before} == before


BINDER = "https://mybinder.org/v2/"
PLACE = "/main?urlpath=lab/tree/book/generation/gaussian.ipynb"
ADDRESSES = {
    "https://github.com/owner/name": [
        "https://colab.research.google.com/github/owner/name/blob/main/"
        "book/generation/gaussian.ipynb",
        f"{BINDER}gh/owner/name{PLACE}",
    ],
    "https://gitlab.com/group/name": [f"{BINDER}gl/group%2Fname{PLACE}"],
    "https://gitlab.com/group/of/groups/name": [f"{BINDER}gl/group%2Fof%2Fgroups%2Fname{PLACE}"],
    "https://bitbucket.org/owner/name": [
        f"{BINDER}git/https%3A%2F%2Fbitbucket.org%2Fowner%2Fname{PLACE}"
    ],
    "https://git.example.edu:8443/~user/name": [
        f"{BINDER}git/https%3A%2F%2Fgit.example.edu%3A8443%2F~user%2Fname{PLACE}"
    ],
    "https://git.example.edu/name": [f"{BINDER}git/https%3A%2F%2Fgit.example.edu%2Fname{PLACE}"],
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_theme_takes_every_address_that_can_be_set(address):
    options = {"repository_url": set_repository.checked(f"{address}.git/")}
    config = SimpleNamespace(html_theme_options=options, html_context={})
    lecture_pages.repository_provider(None, config)
    update_context_with_repository_info(SimpleNamespace(config=config))
    links = lecture_pages.launch_links(
        options["repository_url"], "main", "book/generation/gaussian.ipynb"
    )
    assert list(links.values()) == ADDRESSES[address]


def test_a_provider_that_the_settings_name_stays():
    options = {"repository_url": "https://git.example.edu/a/b", "repository_provider": "github"}
    lecture_pages.repository_provider(None, SimpleNamespace(html_theme_options=options))
    assert options["repository_provider"] == "github"


def test_a_book_on_a_host_of_ones_own_has_a_button_for_binder(book):
    address = "https://git.example.edu:8443/~user/name"
    with (book.source / "conf.py").open("a") as file:
        file.write(
            "html_theme = 'sphinx_book_theme'\n"
            f"html_theme_options = {{'repository_url': {address!r}, 'path_to_docs': 'book'}}\n"
        )
    assert book.build() == ""
    [link] = book.page("generation/gaussian").select(".dropdown-launch-buttons a")
    assert [link["href"]] == ADDRESSES[address]
    assert (book.pages / "generation" / link.find("img")["src"]).resolve().is_file()
    assert not book.page("figures").select(".dropdown-launch-buttons")


def test_a_notebook_without_the_constant_changes_nothing(settings):
    page = settings / "book" / "super_resolution" / "b.ipynb"
    page.write_text(nbformat.writes(notebook("# B", "import x")))
    with pytest.raises(ValueError, match=r"b\.ipynb: its first code cell does not set REPOSITORY"):
        set_repository.set_address(settings, "https://github.com/owner/name")
    assert 'url: ""' in (settings / "_config.yml").read_text()


# The whole way ------------------------------------------------------------------------------------


INTRO = """---
file_format: mystnb
kernelspec:
  name: python3
---

# Intro

{}

```{{code-cell}}
import lecture_utils
print("front", 2 * 3)
```
"""


def test_the_build_recovers_and_runs_only_what_it_must(tmp_path):
    for name in ("scripts", "book/_extensions", "book/_templates", "book/_static"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_config.yml", "requirements.txt", "book/figures.csv", "book/references.bib"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".cache" / "site").mkdir(parents=True)
    (tmp_path / "lecture_utils").mkdir()
    module = tmp_path / "lecture_utils" / "__init__.py"
    module.write_text("value = 1\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: page\n")
    intro, page = tmp_path / "book" / "intro.md", tmp_path / "book" / "page.ipynb"
    intro.write_text(INTRO.format("One."))  # a notebook written in Markdown, as the front page is
    published = tmp_path / "_build" / "html"

    def build() -> tuple[int, str, int]:
        done = subprocess.run(
            [sys.executable, "scripts/build_book.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=settings,
        )
        output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        return done.returncode, output, len(re.findall("Executing notebook using", output))

    settings = readers_settings(tmp_path / "reader")

    code = "import lecture_utils\nprint('made', 6 * 7)"
    page.write_text(nbformat.writes(notebook("# Page", code)))
    status, output, runs = build()
    assert (status, runs) == (0, 2), output
    assert "_build/html/index.html" in output
    assert "made 42" in (published / "page.html").read_text()
    assert "front 6" in (published / "intro.html").read_text()

    intro.write_text(INTRO.format("Two."))  # prose of one page: no other is read
    status, output, runs = build()
    assert (status, runs) == (0, 0), output
    assert "Two." in (published / "intro.html").read_text()
    assert "front 6" in (published / "intro.html").read_text()
    assert "reading sources... [100%] intro" in output
    assert len(re.findall("cached notebook", output)) == 1

    page.write_text(nbformat.writes(notebook("# Page, in other words", code)))
    status, output, runs = build()
    assert (status, runs) == (0, 0), output
    assert "in other words" in (published / "page.html").read_text()

    module.write_text("value = 2\n")  # the package
    status, output, runs = build()
    assert (status, runs) == (0, 2), output

    page.write_text(nbformat.writes(notebook("# Page", "1 / 0")))  # a notebook that fails
    for _ in range(2):  # also when nothing has changed since
        status, output, runs = build()
        assert (status, runs) == (1, 1), output
        assert "ZeroDivisionError: division by zero" in output
        assert "The step 'pages, profile book' failed" in output
        assert "made 42" in (published / "page.html").read_text()

    # An interruption: half a page in the working folder, and no mark that the build was good.
    page.write_text(nbformat.writes(notebook("# Page", code)))
    half = tmp_path / "_build" / "work" / "book" / "html" / "intro.html"
    half.write_text("<p>half")
    status, output, runs = build()
    assert (status, runs) == (0, 0), output
    assert "Two." in (published / "intro.html").read_text()

    said = "[W NNPACK.cpp:64] Could not initialize NNPACK! Reason: Unsupported hardware.\\n"
    code = f"import os\nn = os.write(2, b'{said}')\n{SETTINGS}"
    page.write_text(nbformat.writes(notebook("# Page", code)))
    status, output, _ = build()
    assert status == 0 and "this machine's libraries say:\n[W NNPACK" in output, output
    text = (published / "page.html").read_text()
    assert "NNPACK" not in BeautifulSoup(text, "html.parser").find(class_="cell_output").text
    assert f"black True {sys.prefix} []" in text, text

    page.write_text(nbformat.writes(notebook("# Page", "import sys\nsys.stderr.write('odd\\n')")))
    status, output, _ = build()
    assert status == 1 and "a cell wrote to stderr:\nodd\n" in output, output


def test_notebooks_are_executed_two_at_a_time_but_those_that_look_at_the_clock(
    project, monkeypatch, capfd
):
    (project / "requirements.txt").write_text("numpy==1\n")
    waits = (
        "from pathlib import Path\nfrom threading import Event\n"
        f"place = Path({str(project)!r})\n(place / 'NAME').touch()\n"
        "while not (place / 'OTHER').exists():\n    Event().wait(0.05)\nprint('met')"
    )
    cells = {
        "one": waits.replace("NAME", "1").replace("OTHER", "2"),
        "two": waits.replace("NAME", "2").replace("OTHER", "1"),
        "clock": "import time\nprint(time.perf_counter())",
        "broken": "1 / 0",
    }
    pages = {name: project / "book" / "part" / f"{name}.ipynb" for name in cells}
    pages["one"].parent.mkdir(parents=True)
    for name, code in cells.items():
        nbformat.write(notebook("# Title", code), pages[name])
    monkeypatch.setenv("LECTURE_PROFILE", "ci")
    build_book.execute_ahead(project, 1)  # on one core the build does it
    assert not any(lecture_execution.is_kept(page, project) for page in pages.values())
    build_book.execute_ahead(project, 2)
    kept = {name for name, page in pages.items() if lecture_execution.is_kept(page, project)}
    assert kept == {"one", "two"}, capfd.readouterr().out
    build_book.execute_ahead(project, 2)  # of the two only one is left
    assert capfd.readouterr().out.count("are executed") == 1


# What a notebook shows of the settings that it runs with.
SETTINGS = """
import sys
from pathlib import Path
from matplotlib import get_backend, rcParams
print(rcParams["text.color"], "inline" in get_backend(), sys.prefix, list(Path().iterdir()))
"""


def readers_settings(folder: Path) -> dict[str, str]:
    """The environment of a reader who has settings of their own, all of which would do harm."""
    home = folder / "home"
    files = {
        "kernels/python3/kernel.json": json.dumps(
            {"argv": ["/nowhere/python", "{connection_file}"], "display_name": "Mine"}
        ),
        "matplotlibrc": "text.color: white\nsavefig.facecolor: black\n",
        "home/.config/matplotlib/matplotlibrc": "text.color: white\n",
        "home/.ipython/profile_default/startup/00.py": "raise SystemExit('start-up file')",
        "start.py": "raise SystemExit('PYTHONSTARTUP')",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for path in [*home.rglob("*"), home]:
        path.chmod(0o500)
    return os.environ | {
        "HOME": str(home),
        "IPYTHONDIR": str(home / ".ipython"),
        "JUPYTER_PATH": str(folder),
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "MPLBACKEND": "TkAgg",
        "MPLCONFIGDIR": str(home / ".config" / "matplotlib"),
        "PYTHONSTARTUP": str(folder / "start.py"),
        "PYTHONWARNINGS": "default",
    }


@pytest.mark.parametrize(
    ("text", "code", "machine"),
    [
        ("odd", "odd", ""),
        ("libgomp: Invalid value for environment variable OMP_NUM_THREADS: 0\n", "", "libgomp"),
        ("[W123 NNPACK.cpp:61] Could not initialize NNPACK!\nodd\n", "odd", "NNPACK"),
        ("a.py:1: DeprecationWarning: old\n  f()\n", "DeprecationWarning: old\n  f()", ""),
        (
            "/x/torch/cuda/__init__.py:9: UserWarning: CUDA initialization: old driver\n  return f()\n",
            "",
            "return f()",
        ),
        ("Traceback (most recent call last):\n  File\nOSError: OMP: x", "OSError: OMP: x", ""),
    ],
)
def test_what_is_written_to_stderr_is_of_the_code_or_of_the_machine(text, code, machine):
    of_code, of_machine = lecture_execution.divide(text)
    assert code in of_code and bool(of_code) == bool(code)
    assert machine in of_machine and bool(of_machine) == bool(machine)


def test_the_lock_file_names_no_host():
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert not any("resolved" in package for package in lock["packages"].values())
    wanted = {name.split("/")[0] for name in set_up.VENDORED}
    assert wanted == {"mathjax", "@jupyter-widgets"}
