"""What the pages do for a reader: tips on links, progress, reports, search for figures and formulas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import SITE, pages, soup
from test_browser import AXE, pages_with

pytestmark = pytest.mark.browser

# Tips on links ------------------------------------------------------------------------------------

TIP = "#lecture-tip:not([hidden])"
# The kinds of links that have a tip, and what their tips hold.
KINDS = {
    "term": ('article a[href*="glossary.html#term-"]', "p"),
    "formula": ('article a[href^="#equation-"]', "mjx-container svg"),
    "figure": ('article a[href^="#fig-"]:has(.std-numref)', "img"),
    "work": ('article a[href*="references.html#"]', "p"),
}
SHOWN = """() => {
  const tip = document.querySelector('#lecture-tip');
  const box = tip.getBoundingClientRect();
  const link = document.querySelector('[aria-describedby=lecture-tip]');
  return {
    hidden: tip.hidden, role: tip.getAttribute('role'), text: tip.innerText, link: link?.innerText,
    inside: box.left >= 0 && box.right <= document.documentElement.clientWidth,
    width: tip.scrollWidth - tip.clientWidth,
    broken: [...tip.querySelectorAll('img')].some((i) => !i.complete || !i.naturalWidth),
    live: tip.querySelectorAll('a[href], button, input, [tabindex], [id]:not([id^=MJX])').length,
  };
}"""


def _link(page: Any, kind: str) -> Any:
    """Return the first link of a kind that the reader sees."""
    link = page.locator(f"{KINDS[kind][0]}:visible").first
    link.scroll_into_view_if_needed()
    return link


def _page_with(kind: str) -> str:
    selector = KINDS[kind][0]
    sections = [name for name in pages_with(selector) if "/" in name]
    assert sections, f"no section has a link to a {kind}"
    return sections[0]


@pytest.mark.parametrize("how", ["server", "disk"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_link_shows_on_hover_what_it_leads_to(open_page: Any, address: str, kind: str, how: str):
    opened = open_page(_page_with(kind), server=address if how == "server" else None)
    page = opened.page
    link = _link(page, kind)
    link.hover()
    page.wait_for_selector(f"{TIP} {KINDS[kind][1]}")
    page.wait_for_timeout(200)
    shown = page.evaluate(SHOWN)
    assert shown["role"] == "tooltip" and shown["link"] == link.inner_text()
    assert shown["inside"] and shown["width"] <= 0, "the tip is cut"
    assert not shown["broken"] and not shown["live"]
    assert "\\" not in shown["text"], "a formula was not drawn"
    # The pointer may move into it (1.4.13, hoverable), and it goes when the pointer has left both.
    page.locator(TIP).hover()
    page.wait_for_timeout(600)
    assert page.locator(TIP).count() == 1, "the tip went while the pointer was over it"
    page.mouse.move(2, 2)
    page.wait_for_selector(TIP, state="detached")
    assert link.get_attribute("aria-describedby") is None
    assert not opened.console
    assert not opened.elsewhere


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_link_shows_it_with_the_focus_until_escape(open_page: Any, kind: str):
    page = open_page(_page_with(kind)).page
    link = _link(page, kind)
    page.keyboard.press("Tab")  # the reader uses the keyboard
    link.focus()
    page.wait_for_selector(f"{TIP} {KINDS[kind][1]}")
    assert page.evaluate(SHOWN)["link"] == link.inner_text()
    page.mouse.move(2, 2)
    page.wait_for_timeout(600)
    assert page.locator(TIP).count() == 1, "the tip went although the focus stayed (persistent)"
    page.keyboard.press("Escape")
    assert page.locator(TIP).count() == 0, "Escape does not take it away (dismissible)"
    assert link.evaluate("a => document.activeElement === a"), "Escape moved the focus"


def test_the_tip_goes_with_the_focus(open_page: Any):
    page = open_page(_page_with("work")).page
    page.keyboard.press("Tab")
    first = page.locator(KINDS["work"][0]).first
    first.focus()
    page.wait_for_selector(TIP)
    page.locator("a.right-next").first.focus()
    assert page.locator(TIP).count() == 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_first_tap_shows_and_the_second_follows(open_page: Any, kind: str):
    name = _page_with(kind)
    page = open_page(name, width=390, touch=True).page
    link = _link(page, kind)
    before = page.url
    link.tap()
    page.wait_for_selector(f"{TIP} {KINDS[kind][1]}")
    page.wait_for_timeout(200)
    shown = page.evaluate(SHOWN)
    assert shown["inside"] and shown["width"] <= 0, "the tip is cut"
    assert "Tap the link again" in shown["text"]
    assert page.url == before
    leads_to = link.evaluate("a => a.href")
    link.tap()
    page.wait_for_url(leads_to)


def test_a_tap_beside_it_takes_it_away(open_page: Any):
    page = open_page(_page_with("term"), width=390, touch=True).page
    _link(page, "term").tap()
    page.wait_for_selector(TIP)
    box = page.locator(TIP).bounding_box()
    page.touchscreen.tap(195, box["y"] - 60 if box["y"] > 120 else box["y"] + box["height"] + 60)
    assert page.locator(TIP).count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_tip(open_page: Any, theme: str):
    page = open_page(_page_with("figure"), theme=theme).page
    for kind in KINDS:
        if not page.locator(KINDS[kind][0]).count():
            continue
        _link(page, kind).hover()
        page.wait_for_selector(f"{TIP} {KINDS[kind][1]}")
        if page.evaluate("typeof axe") == "undefined":
            page.add_script_tag(path=str(AXE))
        found = page.evaluate("async () => (await axe.run('#lecture-tip')).violations")
        assert not [v["help"] for v in found if v["impact"] in {"serious", "critical"}]
        page.keyboard.press("Escape")


def test_every_link_to_what_is_defined_has_a_tip():
    """Each link of the kinds above names something that its page has written for tips.js."""
    tips = {}
    for file in (SITE / "_tips").rglob("*.js"):
        name = file.relative_to(SITE / "_tips").with_suffix(".html").as_posix()
        text = file.read_text("utf-8")
        tips[name] = json.loads(text[text.index(", ") + 2 : text.rindex(")")])
    missing = []
    for name in pages():
        for selector, _ in KINDS.values():
            for link in soup(SITE / name).select(selector):
                path, _, anchor = str(link["href"]).partition("#")
                page = (Path(name).parent / path if path else Path(name)).as_posix()
                page = (SITE / page).resolve().relative_to(SITE).as_posix()
                if anchor not in tips.get(page, {}):
                    missing.append(f"{name}: {link['href']}")
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("name", [name for name in pages() if "/" in name] or ["nowhere"])
def test_a_section_links_its_terms(name: str):
    links = soup(SITE / name).select("article a:has(> .std-term)")
    assert len({str(link["href"]) for link in links}) >= 5


# Progress -----------------------------------------------------------------------------------------


def _section_with_quiz() -> str:
    return next(name for name in pages_with("form.quiz") if "/" in name)


def _goto(page: Any, name: str, server: str | None) -> None:
    """Open another page in the same browser, which is a reader who goes on."""
    page.goto(f"{server}/{name}" if server else (SITE / name).as_uri())
    page.wait_for_load_state("load")


@pytest.mark.parametrize("how", ["server", "disk"])
def test_progress_stays_and_is_shown_saved_loaded_and_deleted(
    open_page: Any, address: str, tmp_path: Path, how: str
):
    server = address if how == "server" else None
    name = _section_with_quiz()
    opened = open_page(name, server=server)
    page = opened.page
    page.get_by_label("I have read this section").check()
    question = page.locator(".quiz-question:has(input[type=radio])").first
    question.locator("input").first.check()
    question.locator("button").click()
    said = question.locator(".quiz-verdict").inner_text()
    assert said

    page.reload()
    page.wait_for_function("() => document.querySelector('.quiz-verdict').closest('form')")
    assert page.get_by_label("I have read this section").is_checked()
    assert question.locator("input").first.is_checked()
    assert question.locator(".quiz-verdict").inner_text() == said
    assert page.locator(".quiz-verdict:not(:empty)").count() == 1

    _goto(page, "intro.html", server)
    panel = page.locator(".progress-panel")
    assert "read 1 of" in panel.inner_text() and "answered 1 question," in panel.inner_text()
    ticks = page.locator(f"article table a[href='{name}'] .progress-tick")
    assert "read" in ticks.inner_text()
    with page.expect_download() as download:
        panel.get_by_role("button", name="Save").click()
    file = tmp_path / "progress.json"
    download.value.save_as(file)
    kept = json.loads(file.read_text("utf-8"))
    assert list(kept["read"]) == [name.removesuffix(".html")] and len(kept["answers"]) == 1

    panel.get_by_role("button", name="Delete").click()
    assert "read 0 of" in panel.inner_text() and "answered 0 questions." in panel.inner_text()
    assert page.locator(".progress-tick").count() == 0
    assert page.evaluate("localStorage.getItem('lecture-progress')") is None
    _goto(page, name, server)
    assert not page.get_by_label("I have read this section").is_checked()
    assert page.locator(".quiz-verdict:not(:empty)").count() == 0

    _goto(page, "intro.html", server)
    panel.get_by_label("Load from a file").set_input_files(file)
    page.wait_for_function(
        "() => /read 1 of/.test(document.querySelector('.progress-panel').innerText)"
    )
    assert not opened.console
    assert not opened.elsewhere


def test_a_file_that_holds_no_progress_is_refused(open_page: Any, tmp_path: Path):
    opened = open_page("intro.html")
    panel = opened.page.locator(".progress-panel")
    for text in ("{", "[1]", '{"version": 1}', '{"version": 1, "read": {}, "answers": {"a": 1}}'):
        (tmp_path / "other.json").write_text(text)
        opened.page.evaluate("document.querySelector('.progress-said').textContent = ''")
        panel.get_by_label("Load from a file").set_input_files(tmp_path / "other.json")
        opened.page.wait_for_selector(".progress-said:has-text('holds no progress')")
    assert not opened.console


def test_every_kind_of_answer_stays(open_page: Any):
    """Check boxes, radio buttons and typed numbers: what was given is there again, right or wrong."""
    state = """() => [...document.querySelectorAll('.quiz-question')].map((q) => [
      q.className, q.querySelector('.quiz-verdict').textContent,
      [...q.querySelectorAll('input')].map((i) => i.type === 'text' ? i.value : i.checked)])"""
    opened = open_page(_section_with_quiz())
    page = opened.page
    for number, question in enumerate(page.query_selector_all(".quiz-question")):
        if field := question.query_selector("input[type=text]"):
            field.fill("1,5")
        else:
            boxes = question.query_selector_all("input")
            boxes[number % len(boxes)].check()
        question.query_selector("button").click()
    given = page.evaluate(state)
    page.reload()
    page.wait_for_load_state("load")
    assert page.evaluate(state) == given
    assert page.evaluate("document.activeElement === document.body"), "the focus was moved"


def test_without_storage_the_page_says_that_nothing_is_kept(open_page: Any):
    opened = open_page(_section_with_quiz())
    page = opened.page
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    page.get_by_label("I have read this section").check()
    assert "does not keep it" in page.locator(".progress-mark").inner_text()
    assert not opened.console


# The foot of a page -------------------------------------------------------------------------------


def test_every_page_says_which_edition_it_is_of(page_name: str):
    page = soup(SITE / page_name)
    if page_name == "index.html":  # it only leads on
        return
    edition = page.select_one("footer .edition")
    assert edition, "there is no edition"
    assert re.search(r"Version \d+\.\d+\.\d+ of \d{4}-\d\d-\d\d, commit \w+", edition.get_text())
    assert "EDITION_" not in str(page)
    here = Path(page_name).name  # which links itself as "#"
    links = [str(a["href"]).rpartition("/")[2].replace("#", here) for a in edition.select("a")]
    assert {"changes.html", "accessibility.html"} <= set(links)


# Search -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["server", "disk"])
def test_search_leads_to_figures_and_formulas(open_page: Any, address: str, how: str):
    """By a rare word of a caption, and by the name of a formula."""
    section = next(name for name in pages_with("figure.lecture-figure") if "/" in name)
    figure = soup(SITE / section).select_one("figure.lecture-figure")
    words = re.findall(r"\b[a-z]{6,}\b", figure.select_one(".caption-text").get_text())
    formula = next(
        str(tag["id"])
        for tag in soup(SITE / section).select('div.math[id^="equation-eq-"]')
        if tag["id"].count("-") > 2
    )
    name = " ".join(formula.split("-")[2:])
    for query, anchor in ((" ".join(words[:2]), figure["id"]), (name, formula)):
        opened = open_page("search.html", server=address if how == "server" else None)
        field = opened.page.locator("input[type=search]:visible")
        field.fill(query)
        field.press("Enter")
        result = opened.page.wait_for_selector(f"#search-results a[href*='#{anchor}']")
        assert re.search(r"(Figure|Formula) [\d.]+", result.inner_text())
        assert not opened.console
