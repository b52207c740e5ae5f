"""The pages that are not notebooks: what they promise is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from standard import BOOK, ROOT, bibliography, figure_ids, unknown_citations

PAGES = sorted(p for p in BOOK.rglob("*.md") if not any(x.startswith("_") for x in p.parts))


def contents() -> list[str]:
    """Return the names of all pages in the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"], *chapters]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page_cites_known_works(page: Path):
    assert not unknown_citations(page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page_is_in_the_table_of_contents(page: Path):
    assert page.relative_to(BOOK).with_suffix("").as_posix() in contents()


def test_contents_and_notebooks_are_the_same():
    notebooks = {
        p.relative_to(BOOK).with_suffix("").as_posix()
        for p in BOOK.rglob("*.ipynb")
        if ".ipynb_checkpoints" not in p.parts
    }
    assert notebooks == {name for name in contents() if "/" in name}


def test_introduction_links_what_is_written_and_names_what_is_to_come():
    lines = (BOOK / "intro.md").read_text("utf-8").splitlines()
    table = [line for line in lines if line.startswith("|")][2:]
    linked = {m[1] for line in table if (m := re.search(r"\]\(([\w/]+)\.ipynb\)", line))}
    assert linked == {name for name in contents() if "/" in name}
    to_come = [line for line in table if "*(to come)*" in line]
    assert len(linked) + len(to_come) == len(table) == len(set(figure_ids().values()))


def test_readme_names_the_sections_that_are_written():
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    written = re.search(r"Written so far: (.*?)\. ", readme)
    assert written
    named = set(re.findall(r"\*([^*]+)\*", written[1]))
    titles = set()
    for name in contents():
        if "/" in name:
            text = (BOOK / f"{name}.ipynb").read_text("utf-8")
            title = re.search(r'"# ([^"\\]+)', text)
            assert title, f"{name} has no title"
            titles.add(title[1])
    assert named == titles


def test_every_data_set_is_cited_from_the_bibliography():
    from lecture_utils.data import DATASETS

    unknown = {d.name: d.citation for d in DATASETS.values() if d.citation not in bibliography()}
    assert not unknown


def test_files_that_the_readme_and_the_guide_name_are_there():
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text("utf-8")
        paths = set(re.findall(r"(?:book|scripts|tests|lecture_utils)/[\w./-]+\w", text))
        missing = sorted(p for p in paths if not (ROOT / p).exists())
        assert not missing, f"{document} names {missing}"


def test_glossary_is_in_alphabetical_order():
    text = (BOOK / "glossary.md").read_text("utf-8").partition("{glossary}\n")[2]
    terms = re.findall(r"^(?!```)(\S.*)$", text, re.MULTILINE)
    assert len(terms) > 50
    plain = [term.lower().replace("é", "e") for term in terms]
    assert plain == sorted(plain)
