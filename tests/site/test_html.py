"""The built pages as files: nothing from elsewhere, alternatives, links, and what must be listed."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag
from conftest import ROOT, pages, soup

BOOK = ROOT / "book"
LARGEST_PAGE = 6_000_000  # bytes of a page with its pictures

# What a <link> may name without the browser loading it.
NAMED_ONLY = {"canonical", "next", "prev", "search", "index", "author", "license", "alternate"}
# Addresses that occur in scripts and are not loaded, each with the reason.
NOT_LOADED = {
    r"http://www\.w3\.org/": "names of XML namespaces",
    r"https://www\.mathjax\.org": "a link in MathJax's menu",
    r"https://cdn\.jsdelivr\.net/npm/(speech-rule-engine|sre-mathmaps-ie|wicked-good-xpath)@": (
        "defaults of MathJax's speech engine, which MathJax replaces by its own folder"
    ),
    r"https://github\.com/mathjax/mhchemParser": "names the source of a parser in a string",
}
ADDRESS = re.compile(r"""(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+[^\s"'`)<>\\]*""", re.IGNORECASE)


def is_elsewhere(address: str) -> bool:
    """Tell whether an address leads to another host."""
    return bool(re.match(r"(?:[a-z][a-z0-9+.-]*:)?//", address.strip(), re.IGNORECASE))


def loads(page: BeautifulSoup) -> Iterator[str]:
    """Yield every address that a browser loads when it shows the page."""
    for tag in page.find_all(True):
        for name in ("src", "poster", "background", *(["data"] if tag.name == "object" else [])):
            if tag.get(name):
                yield str(tag[name])
        for candidate in str(tag.get("srcset", "")).split(","):
            yield from candidate.split()[:1]
        if tag.name == "link" and not set(tag.get("rel") or []) <= NAMED_ONLY:
            yield str(tag.get("href", ""))
        if tag.name in {"image", "use"}:
            yield str(tag.get("href") or tag.get("xlink:href") or "")
        if tag.name == "meta" and str(tag.get("http-equiv", "")).lower() == "refresh":
            yield str(tag["content"]).partition("url=")[2]
        yield from in_style(str(tag.get("style", "")))
        if tag.name == "style":
            yield from in_style(tag.get_text())


def in_style(css: str) -> Iterator[str]:
    """Yield the addresses that a style sheet loads."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    for quoted, bare in re.findall(r"""url\(\s*(?:["'](.*?)["']|([^)"']*?))\s*\)""", css):
        yield quoted or bare
    yield from re.findall(r"""@import\s+["'](.*?)["']""", css)


def in_script(code: str) -> Iterator[str]:
    """Yield the addresses of other hosts that a script names outside comments."""
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
    code = re.sub(r"(?m)(^|[;{}\s])//[^\n\"'`]*$", r"\1", code)
    for match in ADDRESS.finditer(code):
        address = match[0]
        literal = code[match.start() - 1 : match.start()] in {'"', "'", "`", "("}
        if address.startswith("//") and not literal:
            continue  # a division, a regular expression or the end of one
        if not any(re.match(known, address) for known in NOT_LOADED):
            yield address


def target(page: Path, site: Path, address: str) -> Path | None:
    """Return the file that an address within the site names, or None if it names none."""
    if urlsplit(address).scheme:
        return None
    path = unquote(urlsplit(address).path)
    file = (page.parent / path).resolve() if path else page.resolve()
    file = file / "index.html" if file.is_dir() else file
    return file if file.is_relative_to(site) else None


def test_the_site_is_built(site: Path):
    names = pages()
    for name in ("intro.html", "figures.html", "data.html", "glossary.html", "search.html"):
        assert name in names


def test_page_loads_nothing_from_elsewhere(site: Path, page_name: str):
    page = soup(site / page_name)
    assert not [a for a in loads(page) if is_elsewhere(a)]
    scripts = [tag.get_text() for tag in page.find_all("script") if not tag.get("src")]
    scripts = [s for s in scripts if not s.lstrip().startswith("{")]
    assert not [a for script in scripts for a in in_script(script)]


def test_scripts_and_styles_load_nothing_from_elsewhere(site: Path):
    used = set((site / "vendor" / "mathjax").rglob("*.js"))  # MathJax loads its parts itself
    for name in pages():
        page = site / name
        for address in loads(soup(page)):
            file = target(page, site, address) if not is_elsewhere(address) else None
            if file and file.suffix in {".js", ".css"}:
                used.add(file)
    problems = []
    assert any(f.suffix == ".css" for f in used)
    for file in sorted(used):
        text = file.read_text("utf-8")
        if file.suffix == ".js":
            found = list(in_script(text))
        else:
            found = [a for a in in_style(text) if is_elsewhere(a)]
            for address in in_style(text):
                if not address.startswith(("data:", "#")) and not is_elsewhere(address):
                    there = target(file, site, address)
                    if there is None or not there.is_file():
                        problems.append(f"{file.relative_to(site)}: {address} is missing")
        problems += [f"{file.relative_to(site)}: {address}" for address in found]
    assert not problems, "\n".join(problems)


def has_alternative(image: Tag) -> bool:
    """Tell whether an image says something to those who cannot see it, or is said beside it."""
    alternative = image.get("alt")
    if alternative is None:
        return False
    if not str(alternative).strip():
        # Decoration: allowed only in a link that has words of its own, or hidden from readers.
        link = image.find_parent("a")
        return bool(link and link.get_text(strip=True)) or bool(
            image.find_parent(attrs={"aria-hidden": "true"})
        )
    return not re.search(r"\.(png|jpe?g|svg|webp|gif)$|^_images|^figure$|^image$", str(alternative))


def test_every_image_has_a_text_alternative(site: Path, page_name: str):
    page = soup(site / page_name)
    mute = [str(i)[:200] for i in page.find_all("img") if not has_alternative(i)]
    for drawn in page.select("svg, canvas, [role=img]"):
        named = drawn.get("aria-label") or drawn.get("aria-labelledby") or drawn.find("title")
        hidden = drawn.get("aria-hidden") == "true" or drawn.find_parent(
            attrs={"aria-hidden": "true"}
        )
        if not named and not hidden:
            mute.append(str(drawn)[:200])
    assert not mute


def test_every_link_and_every_loaded_file_is_there(site: Path, page_name: str):
    page = site / page_name
    addresses = {str(a["href"]) for a in soup(page).find_all("a", href=True)}
    addresses |= {str(a["href"]) for a in soup(page).find_all("link", href=True)}
    addresses |= set(loads(soup(page)))
    problems = []
    for address in sorted(addresses):
        if is_elsewhere(address) or urlsplit(address).scheme in {"mailto", "data"}:
            continue
        file = target(page, site, address)
        if file is None or not file.is_file():
            problems.append(f"{address}: no such file in the site")
            continue
        anchor = unquote(urlsplit(address).fragment)
        if anchor and file.suffix == ".html":
            there = soup(file).find(attrs={"id": anchor}) or soup(file).find("a", {"name": anchor})
            if there is None:
                problems.append(f"{address}: no such place in {file.relative_to(site)}")
    assert not problems, "\n".join(problems)


def test_no_id_stands_twice(site: Path, page_name: str):
    ids = [str(tag["id"]) for tag in soup(site / page_name).find_all(id=True)]
    assert not sorted({i for i in ids if ids.count(i) > 1})


def test_page_with_its_pictures_is_not_too_heavy(site: Path, page_name: str):
    page = site / page_name
    pictures = {
        file
        for tag in soup(page).find_all("img", src=True)
        if not str(tag["src"]).startswith("data:") and (file := target(page, site, str(tag["src"])))
    }
    weight = page.stat().st_size + sum(p.stat().st_size for p in pictures)
    assert weight <= LARGEST_PAGE, f"{weight / 1e6:.1f} MB"


def test_no_path_of_the_building_machine_is_published(site: Path):
    home = str(Path.home())
    marks = [str(ROOT), *([f"{home}/"] if home != "/" else [])]
    files = [f for f in site.rglob("*") if f.suffix in {".html", ".js", ".css", ".ipynb", ".md"}]
    found = [f for f in files if any(mark in f.read_text("utf-8") for mark in marks)]
    assert not [f.relative_to(site).as_posix() for f in found]


def test_figure_index_lists_every_figure(site: Path):
    index = soup(site / "figures.html")
    with (BOOK / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    lines = {}
    for line in index.select("table.figure-index tbody tr"):
        named = [code.get_text() for code in line.find_all("code") if code.get_text() in rows]
        assert len(named) == 1, f"a line of the index names {named}"
        assert named[0] not in lines, f"{named[0]} is listed twice"
        lines[named[0]] = line
    assert set(lines) == set(rows)
    for key, line in lines.items():
        section = f"{rows[key]['section']}.html"
        place = "fig-" + key.replace("/", "-")
        if (site / section).is_file():
            links = [str(a["href"]) for a in line.find_all("a")]
            assert f"{section}#{place}" in links, f"{key} has no link to its figure"
            assert line.find("img"), f"{key} has no thumbnail"
            assert soup(site / section).find(id=place), f"{key} is not on its page"
        else:
            assert "to come" in line.get_text(), f"{key} is neither made nor to come"


def test_figures_and_captions_are_numbered(site: Path):
    seen = 0
    for name in pages():
        for figure in soup(site / name).select("figure"):
            number = figure.select_one("figcaption .caption-number")
            assert number and re.match(r"Figure \d+\.\d+", number.get_text()), str(figure)[:300]
            seen += 1
    assert seen


def test_the_front_page_has_something_to_move_for_each_part_that_is_written(site: Path):
    cards = soup(site / "intro.html").select(".front .sd-card")
    moved = [str(c.select_one("a[href]")["href"]) for c in cards if c.find("lecture-explorer")]
    parts = {notebook.parent.name for notebook in BOOK.glob("*/*.ipynb")}
    assert sorted(address.partition("/")[0] for address in moved) == sorted(parts), (
        "book/intro.md needs one card with an explorer and a link for each part"
    )


def test_a_figure_is_a_link_to_its_picture(site: Path, page_name: str):
    # So it opens at full size without a script, too.
    page = soup(site / page_name)
    for figure in page.select("figure.lecture-figure"):
        link = figure.select_one("a.image-reference[href]")
        assert link and link["href"] == link.find("img")["src"]


def test_every_data_set_is_in_the_licence_table(site: Path):
    from lecture_utils.data import DATASETS

    page = soup(site / "data.html").get_text(" ").replace("’", "'")
    text = " ".join(page.split())
    for data_set in DATASETS.values():
        assert data_set.title in text, f"{data_set.name} is not listed"
        assert " ".join(data_set.licence.split()) in text, f"licence of {data_set.name} is missing"
        links = [str(a["href"]) for a in soup(site / "data.html").find_all("a", href=True)]
        assert data_set.source in links, f"the source of {data_set.name} is not linked"


def test_every_embedded_painting_is_described(site: Path):
    from lecture_utils.data import PAINTINGS

    page = soup(site / "data.html")
    links = [str(a["href"]) for a in page.find_all("a", href=True)]
    for painting in PAINTINGS.values():
        assert painting.painter in page.get_text(" ")
        assert {painting.page, painting.source} <= set(links)


def test_every_section_offers_its_notebook(site: Path):
    sections = sorted(BOOK.glob("*/*.ipynb"))
    assert sections
    for notebook in sections:
        name = notebook.relative_to(BOOK).with_suffix("")
        page = site / f"{name}.html"
        links = [str(a["href"]) for a in soup(page).select('a[href$=".ipynb"]')]
        files = [target(page, site, link) for link in links]
        assert files and all(file and file.is_file() for file in files), f"{name}: {links}"
        offered = json.loads(files[0].read_text("utf-8"))
        assert offered["cells"] == json.loads(notebook.read_text("utf-8"))["cells"]


def test_every_citation_leads_to_the_references(site: Path):
    references = soup(site / "references.html")
    entries = references.select(".citation-list > *, dl.citation > dt, .citation")
    assert len(entries) > 20
    cited = soup(site / "glossary.html").select('a[href^="references.html#"]')
    assert len(cited) > 20


# The helpers above find what they look for.


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://cdn.example.org/x.js"></script>',
        '<link rel="stylesheet" href="//example.org/x.css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        '<img src="http://example.org/x.png" alt="x">',
        '<img srcset="a.png 1x, https://example.org/b.png 2x" alt="x">',
        '<iframe src="https://example.org/"></iframe>',
        '<p style="background: url(https://example.org/x.png)">x</p>',
        "<style>@import 'https://example.org/x.css';</style>",
        "<style>@font-face { src: url('//example.org/x.woff2') }</style>",
        '<object data="https://example.org/x.svg"></object>',
        '<meta http-equiv="refresh" content="0; url=https://example.org/">',
    ],
)
def test_what_a_page_loads_is_found(markup: str):
    assert [a for a in loads(BeautifulSoup(markup, "html.parser")) if is_elsewhere(a)]


@pytest.mark.parametrize(
    "code",
    [
        'fetch("https://example.org/x.json")',
        "import('//cdn.example.org/x.js')",
        "importScripts(`https://example.org/x.js`)",
        'script.src = "https://cdn.jsdelivr.net/npm/x"',
    ],
)
def test_what_a_script_loads_is_found(code: str):
    assert list(in_script(code))


@pytest.mark.parametrize(
    "code",
    ["/* https://example.org */ x()", "// see https://example.org", 'ns = "http://www.w3.org/svg"'],
)
def test_what_a_script_only_mentions_is_not(code: str):
    assert not list(in_script(code))


@pytest.mark.parametrize(
    ("markup", "good"),
    [
        ('<img src="x.png">', False),
        ('<img src="x.png" alt="">', False),
        ('<img src="x.png" alt="_images/x.png">', False),
        ('<a href="y"><img src="x.png" alt=""></a>', False),
        ('<a href="y"><img src="x.png" alt="">Figure 1</a>', True),
        ('<img src="x.png" alt="A grey face.">', True),
    ],
)
def test_a_missing_alternative_is_found(markup: str, good: bool):
    image = BeautifulSoup(markup, "html.parser").find("img")
    assert isinstance(image, Tag) and has_alternative(image) is good
