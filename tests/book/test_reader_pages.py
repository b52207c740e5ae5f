"""What the build writes for readers: links of terms, tips, names for search, editions, reports."""

import json
import re
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest
from test_build import QUESTIONS, ROOT, Book, notebook, shown

import build_book  # isort: skip - test_build makes it known
import lecture_pages
import lecture_quiz
import lecture_tips

from lecture_utils import __version__

GLOSSARY = """# Glossary

```{glossary}
effective receptive field
  The part of a {term}`receptive field` that counts.

GAN
  Two networks.

Gram matrix
  A matrix of inner products $\\boldsymbol G$.

receptive field
  The pixels that count.
```
"""
TEXT = """# A receptive field

It has an effective receptive field of `Gram matrix`, $n$ and two receptive
fields, gan, a GAN-like thing and *GANs*. The receptive field again. Receptive field.

## Its Gram matrix

$$
G = F^T F
$$ (eq-gaussian-gram-matrix)

- Gram matrices of a GAN.
"""


@pytest.fixture
def book(tmp_path):
    book = Book(tmp_path)
    settings = (book.source / "conf.py").read_text()
    settings = settings.replace(
        "'lecture_pages'", "'lecture_pages', 'lecture_tips', 'lecture_search'"
    )
    (book.source / "conf.py").write_text(settings)
    contents = "generation/gaussian\nfigures\nglossary"
    book.write("index.md", f"# Book\n\n```{{toctree}}\n:numbered:\n{contents}\n```")
    book.write("glossary.md", GLOSSARY)
    caption = "Faces. Their mean $\\boldsymbol\\mu$."
    book.write("generation/gaussian.ipynb", notebook(TEXT, shown("gaussian/mean", caption)))
    return book


def tips(book, page):
    text = (book.pages / "_tips" / f"{page}.js").read_text()
    return json.loads(text[text.index(", ") + 2 : text.rindex(")")])


def test_the_first_use_of_a_term_is_a_link(book):
    assert book.build() == ""
    links = book.page("generation/gaussian").select(
        "article a:has(> .std-term), .body a:has(> .std-term)"
    )
    assert [(" ".join(a.text.split()), a["href"].partition("#term-")[2]) for a in links] == [
        ("effective receptive field", "effective-receptive-field"),
        ("receptive fields", "receptive-field"),
        ("GANs", "GAN"),
        ("Gram matrices", "Gram-matrix"),
    ]
    assert all(a["href"].startswith("../glossary.html#") for a in links)
    # A page that is no section, such as the glossary, has the links of its author.
    assert len(book.page("glossary").select(".body a.reference.internal:has(> .std-term)")) == 1


def test_a_link_of_the_author_counts(book):
    text = "# A\n\nA {term}`GAN`, and another GAN.\n"
    book.write("generation/gaussian.ipynb", notebook(text, shown("gaussian/mean")))
    assert book.build() == ""
    assert len(book.page("generation/gaussian").select("a:has(> .std-term)")) == 1


def test_a_new_term_is_linked_on_pages_that_have_not_changed(book):
    book.build()
    book.write("glossary.md", GLOSSARY.replace("\nGAN\n", "\nagain\n  Once more.\n\nGAN\n"))
    assert book.build() == ""
    links = book.page("generation/gaussian").select("a:has(> .std-term)")
    assert "again" in [a.text for a in links]


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("feature map", "Feature maps", True),
        ("covariance matrix", "covariance matrices", True),
        ("explicit density", "explicit densities", True),
        ("content loss", "content losses", True),
        ("GAN", "gan", False),
        ("Gram matrix", "gram matrix", False),
        ("receptive field", "receptive\nfield", True),
        ("stride", "strident", False),
    ],
)
def test_forms_of_a_term(term, text, found):
    assert bool(re.fullmatch(lecture_tips.forms(term), text)) is found


def test_a_page_writes_what_it_defines(book):
    book.build()
    section = tips(book, "generation/gaussian")
    figure = section["fig-gaussian-mean"]
    assert 'data-src="_images/gaussian-mean.png"' in figure and " src=" not in figure
    assert 'alt="A &lt;b&gt;."' in figure and "Faces. Their mean" in figure
    formula = section["equation-eq-gaussian-gram-matrix"]
    assert "G = F^T F" in formula and "(1.1)" in formula.replace("(1)", "(1.1)")
    terms = tips(book, "glossary")
    assert set(terms) == {
        f"term-{name}"
        for name in ("effective-receptive-field", "GAN", "Gram-matrix", "receptive-field")
    }
    assert "<a" not in terms["term-effective-receptive-field"]
    assert r"\(\boldsymbol G\)" in terms["term-Gram-matrix"]
    for shown_tip in [*section.values(), *terms.values()]:
        assert " id=" not in shown_tip and "headerlink" not in shown_tip
    assert not (book.pages / "_tips" / "index.js").exists()

    book.write("generation/gaussian.ipynb", notebook("# G", "x = 1"))
    book.build()
    assert not (book.pages / "_tips" / "generation" / "gaussian.js").exists()


def test_search_knows_figures_and_formulas_by_name(book):
    book.build()
    text = (book.pages / "searchindex.js").read_text()
    index = json.loads(text[text.index("(") + 1 : text.rindex(")")])
    names = {
        f"{prefix}.{name}".lstrip("."): (index["objtypes"][str(kind)], anchor)
        for prefix, found in index["objects"].items()
        for _, kind, _, anchor, name in found
    }
    figure = next(name for name, (kind, _) in names.items() if kind == "lecture:figure")
    assert re.fullmatch(r"Figure [\d.]+: Faces; Their mean mu", figure)
    assert names[figure][1] == "fig-gaussian-mean"
    formula = next(name for name, (kind, _) in names.items() if kind == "lecture:formula")
    assert re.fullmatch(r"Formula ?[\d.]*, gaussian gram matrix: Its Gram matrix", formula)
    assert names[formula][1] == "equation-eq-gaussian-gram-matrix"


@pytest.mark.parametrize(
    ("address", "provider", "place", "title", "body"),
    [
        ("https://github.com/a/b", "github", "/a/b/issues/new", "title", "body"),
        (
            "https://git.example.edu/a/b",
            "gitlab",
            "/a/b/-/issues/new",
            "issue[title]",
            "issue[description]",
        ),
    ],
)
def test_a_report_names_page_and_edition(address, provider, place, title, body):
    link = lecture_pages.report_link(address, provider, "generation/gaussian", "A & B")
    parts = urlsplit(link)
    assert parts.path == place
    fields = parse_qs(parts.query)
    assert fields[title] == ["A & B: "]
    for word in ("generation/gaussian", "A & B", *lecture_pages.EDITION.values()):
        assert word in fields[body][0]
    # The marks are found again in the address, where the pages are published.
    assert all(mark in link for mark in lecture_pages.EDITION.values())


@pytest.mark.parametrize("address", ["", "https://git.example.edu/a/b"])
def test_a_page_links_a_report_where_the_book_has_an_address(book, address):
    with (book.source / "conf.py").open("a") as file:
        file.write(
            "html_theme = 'sphinx_book_theme'\n"
            f"templates_path = [{str(ROOT / 'book' / '_templates')!r}]\n"
            f"html_theme_options = {{'repository_url': {address!r}, 'path_to_docs': 'book',\n"
            "    'footer_content_items': ['edition.html']}\n"
        )
    assert book.build() == ""
    page = book.page("generation/gaussian")
    assert page.select_one(".edition time").text == lecture_pages.EDITION["date"]
    links = [a["href"] for a in page.select(".edition a.report")]
    expected = lecture_pages.report_link(
        address, "gitlab", "generation/gaussian", "1. A receptive field"
    )
    assert links == ([expected] if address else [])
    assert not book.page("search").select(".report")


def test_a_report_to_bitbucket_is_an_empty_one():
    link = lecture_pages.report_link("https://bitbucket.org/a/b", "bitbucket", "x", "X")
    assert link == "https://bitbucket.org/a/b/issues/new"


def test_an_edition_is_version_date_and_commit(tmp_path):
    found = build_book.edition(tmp_path)
    assert found["version"] == __version__ and found["commit"] == "unknown"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"])

    def git(*arguments):
        identity = [
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.org",
            "-c",
            "commit.gpgsign=false",
        ]
        subprocess.run(
            ["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True
        )

    git("init")
    (tmp_path / "page.md").write_text("one")
    git("add", ".")
    git("commit", "-m", "one", "--date", "2001-02-03T04:05:06")
    known = build_book.edition(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{7,}", known["commit"])
    (tmp_path / "page.md").write_text("two")
    assert build_book.edition(tmp_path)["commit"] == known["commit"] + "-changed"
    # A copy of the book inside another repository is not that repository's.
    (tmp_path / "copy").mkdir()
    assert build_book.edition(tmp_path / "copy")["commit"] == "unknown"


def test_published_pages_have_their_edition(tmp_path, monkeypatch):
    monkeypatch.setattr(
        build_book, "edition", lambda _: {"version": "1", "date": "2", "commit": "3"}
    )
    (tmp_path / "built" / "part").mkdir(parents=True)
    marks = " ".join(lecture_pages.EDITION.values())
    for name in ("search.html", "part/page.html"):
        (tmp_path / "built" / name).write_text(f"<p>{marks}</p>")
    build_book.publish(tmp_path / "built", tmp_path / "html")
    assert (tmp_path / "html" / "part" / "page.html").read_text() == "<p>1 2 3</p>"


def test_a_question_is_known_by_what_it_asks():
    def key(question):
        markup = "".join(node.astext() for node in lecture_quiz.fieldset(question, "q", 1))
        return re.search(r'data-question="(\w+)"', markup)[1]

    first, other = QUESTIONS[:2]
    assert key(first) == key(dict(reversed(first.items()))) != key(other)
    assert key(first) != key(first | {"question": "Another?"})


def test_the_page_of_changes_names_the_version():
    assert f"## {__version__}" in (ROOT / "book" / "changes.md").read_text("utf-8")
