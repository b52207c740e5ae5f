"""The built pages in a browser: what a reader sees and can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, SITE, pages, soup

pytestmark = pytest.mark.browser

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def pages_with(selector: str) -> list[str]:
    """Return the pages whose HTML has such an element."""
    found = [name for name in pages() if soup(SITE / name).select_one(selector)]
    return found or ["nowhere"]  # a test that fails, not none at all


EQUATIONS = """() => ({
  written: document.querySelectorAll('.math').length,
  drawn: [...document.querySelectorAll('.math')]
    .filter((m) => m.querySelector('mjx-container svg')).length,
  wrong: [...document.querySelectorAll('mjx-merror, [data-mml-node=merror], '
    + 'mjx-container [fill=red]')].map((e) => e.closest('.math')?.textContent ?? '?'),
  raw: [...document.querySelectorAll('article p, article td, article li, article figcaption')]
    .map((e) => [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join(' '))
    .filter((t) => /\\\\[(\\[]|\\$[^$]*[\\\\^_][^$]*\\$/.test(t)),
})"""
SIDEWAYS = """() => {
  const width = document.documentElement.clientWidth;
  const within = (e) => e && e !== document.body && e !== document.documentElement
    && (/(auto|scroll|hidden|clip)/.test(getComputedStyle(e).overflowX)
      || within(e.parentElement));
  return {
    width: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
    wide: [...document.querySelectorAll('body *')]
      .filter((e) => e.getBoundingClientRect().right > width + 1
        && e.getBoundingClientRect().width > 0 && !within(e.parentElement)
        && getComputedStyle(e).position !== 'fixed')
      .slice(0, 5).map((e) => e.outerHTML.slice(0, 200)),
  };
}"""


def test_page_opens_from_disk_in_order(open_page: Any, page_name: str):
    """Nothing in the console or from elsewhere, every formula drawn, nothing too wide."""
    opened = open_page(page_name)
    page = opened.page
    # Pictures further down are loaded when they come into view.
    page.evaluate("() => window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(300)
    assert not opened.console
    assert not opened.elsewhere
    equations = page.evaluate(EQUATIONS)
    assert equations["drawn"] == equations["written"]
    assert not equations["wrong"]
    assert not equations["raw"], "formulas that were not recognised as such"
    if page_name == "notation.html":
        assert equations["drawn"] > 50
    assert page.evaluate(SIDEWAYS)["width"] <= 1280
    assert page.locator("input[type=search]:visible").count() <= 1


# Code cells, what they print, listings, and whatever scrolls within them.
CODE_CUT = """() => {
  for (const folded of document.querySelectorAll('article details')) folded.open = true;
  const inside = ['pre', '.cell_input', '.cell_output'].map((s) => `article ${s}, article ${s} *`);
  return [...document.querySelectorAll(inside.join(', '))]
    .filter((e) => !e.closest('.math') && e.clientWidth && e.scrollWidth > e.clientWidth + 1
      && /(auto|scroll|hidden)/.test(getComputedStyle(e).overflowX))
    .map((e) => {
      const longest = e.innerText.split('\\n').reduce((a, b) => (b.length > a.length ? b : a), '');
      return `${e.scrollWidth - e.clientWidth} pixels: ${longest.length} characters: ${longest}`;
    });
}"""


@pytest.mark.parametrize("name", pages_with("article pre, article .cell_output"))
def test_code_is_not_cut(open_page: Any, name: str):
    """No code cell, output or listing scrolls sideways on a laptop, beside a scroll bar of 15."""
    opened = open_page(name, width=1280 - 15)
    for width in (1280 - 15, 1440 - 15):
        opened.page.set_viewport_size({"width": width, "height": 844})
        cut = opened.page.evaluate(CODE_CUT)
        assert not cut, f"at {width} pixels:\n" + "\n".join(cut)


def test_page_does_not_scroll_sideways_on_a_phone(open_page: Any, page_name: str):
    opened = open_page(page_name, width=390)
    found = opened.page.evaluate(SIDEWAYS)
    assert found["width"] <= 390, found["wide"]
    assert not opened.console


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: Any, page_name: str, theme: str):
    assert AXE.is_file(), "axe-core is not installed; `make test` installs it (npm ci)"
    page = open_page(page_name, theme=theme).page
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("async () => (await axe.run(document)).violations")
    serious = [
        f"{v['impact']}: {v['id']}: {v['help']}\n    "
        + "\n    ".join(n["html"][:160] + " | " + n["failureSummary"][:300] for n in v["nodes"][:4])
        for v in found
        if v["impact"] in {"serious", "critical"}
    ]
    assert not serious, "\n".join(serious)


# Figures at full size.

FIGURE = "figure.lecture-figure a.image-reference"
LIGHTBOX = """() => {
  const dialog = document.querySelector('dialog.lightbox');
  const picture = dialog.querySelector('img');
  const view = dialog.querySelector('.lightbox-view');
  const focus = document.activeElement;
  return {
    open: dialog.open,
    role: dialog.role ?? dialog.getAttribute('role') ?? 'dialog',
    label: dialog.getAttribute('aria-label'),
    file: picture.src.split('/').pop(),
    width: picture.getBoundingClientRect().width,
    room: view.clientWidth,
    left: view.scrollLeft,
    within: dialog.contains(focus),
  };
}"""


def _open_figure(page: Any, how: str) -> Any:
    """Open the first figure of a page in one of the ways; return its link."""
    link = page.locator(FIGURE).first
    link.scroll_into_view_if_needed()
    if how == "Enter":
        link.focus()
        page.keyboard.press("Enter")
    elif how == "tap":
        link.locator("img").tap()
    else:
        link.locator("img").click()
    page.wait_for_function(
        "() => parseFloat(document.querySelector('dialog.lightbox img').style.width) > 0"
    )
    return link


@pytest.mark.parametrize(
    ("how", "end", "width"),
    [
        ("click", "button", 1280),
        ("Enter", "Escape", 1280),
        ("Enter", "Escape", 390),
        ("tap", "outside", 390),
    ],
)
def test_a_figure_opens_at_full_size_and_closes(open_page: Any, how: str, end: str, width: int):
    opened = open_page(pages_with(FIGURE)[0], width=width, touch=how == "tap")
    page = opened.page
    link = _open_figure(page, how)
    shown = page.evaluate(LIGHTBOX)
    assert shown["open"] and shown["within"]
    image = link.locator("img")
    assert shown["label"] == image.get_attribute("alt")
    assert shown["file"] == image.get_attribute("src").rpartition("/")[2]
    on_page = float(image.evaluate("i => parseFloat(i.style.width)"))
    assert shown["width"] >= on_page, "its text is smaller than on a page"
    for key in [*["Tab"] * 6, *["Shift+Tab"] * 9]:
        page.keyboard.press(key)
        assert page.evaluate(LIGHTBOX)["within"], "the focus left the dialog"
    if end == "Escape":
        page.keyboard.press("Escape")
    elif end == "button":
        page.get_by_role("button", name="Close").click()
    else:
        page.mouse.click(width / 2, 840)
    assert not page.evaluate(LIGHTBOX)["open"]
    assert link.evaluate("a => document.activeElement === a"), "the focus did not come back"
    assert not opened.console
    assert not opened.elsewhere


def test_a_figure_moves_and_grows_on_a_phone(open_page: Any):
    page = open_page(pages_with(FIGURE)[0], width=390, touch=True).page
    _open_figure(page, "tap")
    first = page.evaluate(LIGHTBOX)
    assert first["width"] > first["room"], "all of the figure fits: choose a wider one"
    page.keyboard.press("ArrowRight")
    moved = page.evaluate(LIGHTBOX)
    assert moved["left"] > first["left"]
    page.get_by_role("button", name="Larger").tap()
    assert page.evaluate(LIGHTBOX)["width"] > 1.2 * first["width"]
    page.keyboard.press("0")
    assert page.evaluate(LIGHTBOX)["width"] == pytest.approx(first["width"])
    page.keyboard.press("-")
    assert page.evaluate(LIGHTBOX)["width"] < first["width"]
    # Nothing forbids the browser's own pinching.
    viewport = page.locator("meta[name=viewport]").first.get_attribute("content")
    assert "user-scalable" not in viewport and "maximum-scale" not in viewport


def test_a_mouse_drags_a_figure_without_closing_it(open_page: Any):
    page = open_page(pages_with(FIGURE)[0], width=390).page
    _open_figure(page, "click")
    page.mouse.move(300, 420)
    page.mouse.down()
    page.mouse.move(100, 420, steps=5)
    page.mouse.up()
    shown = page.evaluate(LIGHTBOX)
    assert shown["open"] and shown["left"] == pytest.approx(200, abs=2)


@pytest.mark.parametrize("name", pages_with(FIGURE))
def test_every_figure_says_on_a_phone_that_it_opens(open_page: Any, name: str):
    page = open_page(name, width=390).page
    links = page.query_selector_all(FIGURE)
    for link in links:
        hint = link.query_selector(".lightbox-hint")
        assert hint.is_visible() and hint.bounding_box()["height"] >= 24
        assert "full size" in hint.inner_text()
        assert link.get_attribute("aria-haspopup") == "dialog"


@pytest.mark.parametrize("name", pages_with("lecture-explorer"))
def test_an_explorer_opens_the_picture_that_it_shows(open_page: Any, name: str):
    page = open_page(name, width=390).page
    for explorer in page.query_selector_all("lecture-explorer"):
        slider = explorer.query_selector("input[type=range]")
        slider.focus()
        page.keyboard.press("End")
        button = explorer.query_selector("button.lightbox-open")
        shown = explorer.query_selector(".lecture-explorer-picture:not([hidden])")
        picture = shown.evaluate("e => e.tagName === 'CANVAS' ? e.toDataURL() : e.src")
        for element in (button, shown):
            element.click()
            page.wait_for_function(
                "s => document.querySelector('dialog[open].lightbox img')?.src === s", arg=picture
            )
            page.keyboard.press("Escape")
            # The dialog gives the focus back once it is closed, which takes a moment.
            page.wait_for_function("b => document.activeElement === b", arg=button)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_an_open_figure(open_page: Any, theme: str):
    page = open_page(pages_with(FIGURE)[0], theme=theme).page
    _open_figure(page, "click")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("async () => (await axe.run('dialog.lightbox')).violations")
    assert not [v["help"] for v in found if v["impact"] in {"serious", "critical"}]


# Explorers.

PICTURE = """explorer => {
  const shown = [...explorer.querySelectorAll('img, canvas')]
    .filter((e) => e.getBoundingClientRect().width > 0);
  return shown.map((e) => e.tagName === 'CANVAS' ? e.toDataURL() : e.src).join(' ');
}"""
STATE = """input => [input.value, input.getAttribute('aria-valuetext'),
  input.closest('label').querySelector('output').textContent]"""


def _sliders(page: Any) -> list[tuple[Any, Any]]:
    """Return each slider of a page with its explorer."""
    explorers = page.query_selector_all("lecture-explorer")
    return [(s, e) for e in explorers for s in e.query_selector_all("input[type=range]")]


@pytest.mark.parametrize("name", pages_with("lecture-explorer"))
def test_sliders_move_the_picture_with_the_mouse(open_page: Any, name: str):
    opened = open_page(name)
    sliders = _sliders(opened.page)
    assert sliders
    for slider, explorer in sliders:
        slider.scroll_into_view_if_needed()
        before, state = explorer.evaluate(PICTURE), slider.evaluate(STATE)
        box = slider.bounding_box()
        middle = box["y"] + box["height"] / 2
        low, high, value = slider.evaluate("s => [+s.min, +s.max, s.valueAsNumber]")
        start = box["x"] + box["width"] * (0.02 + 0.96 * (value - low) / (high - low))
        end = box["x"] + box["width"] * (0.03 if value > (low + high) / 2 else 0.97)
        opened.page.mouse.move(start, middle)
        opened.page.mouse.down()
        opened.page.mouse.move((start + end) / 2, middle, steps=4)
        opened.page.mouse.move(end, middle, steps=4)
        opened.page.mouse.up()
        after, moved = explorer.evaluate(PICTURE), slider.evaluate(STATE)
        assert before and after and after != before, "the picture did not change"
        assert all(old != new for old, new in zip(state, moved, strict=True)), (state, moved)
    assert not opened.console


@pytest.mark.parametrize("name", pages_with("lecture-explorer"))
def test_sliders_move_the_picture_with_the_keyboard(open_page: Any, name: str):
    opened = open_page(name)
    for slider, explorer in _sliders(opened.page):
        before, state = explorer.evaluate(PICTURE), slider.evaluate(STATE)
        slider.focus()
        at_end = slider.evaluate("s => s.valueAsNumber === +s.max")
        opened.page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
        assert slider.evaluate("s => document.activeElement === s")
        assert slider.evaluate(STATE)[1] != state[1], "the value that is read out did not change"
        opened.page.keyboard.press("Home" if at_end else "End")
        assert explorer.evaluate(PICTURE) != before, "the picture did not change"
        if not at_end:
            opened.page.keyboard.press("Home")
            assert slider.evaluate("s => s.valueAsNumber === +s.min")


@pytest.mark.parametrize("name", pages_with("lecture-explorer"))
def test_explorers_work_by_touch_width(open_page: Any, name: str):
    for slider, explorer in _sliders(open_page(name, width=390).page):
        box, around = slider.bounding_box(), explorer.bounding_box()
        assert box["width"] >= 120, "too short to be moved with a finger"
        assert box["x"] >= 0 and around["x"] + around["width"] <= 390


# Quiz.


@pytest.mark.parametrize("name", pages_with("form.quiz"))
def test_quiz_answers_respond(open_page: Any, name: str):
    opened = open_page(name)
    questions = opened.page.query_selector_all(".quiz-question")
    assert len(questions) >= 3
    for question in questions:
        verdict = question.query_selector(".quiz-verdict")
        button = question.query_selector("button.quiz-check")
        button.scroll_into_view_if_needed()
        button.click()
        assert "first" in verdict.inner_text(), "an empty answer must be asked for"
        for right in (False, True):
            answered = _answer(question, right)
            if not answered:
                continue
            button.click()
            sign = "\u2713" if right else "\u2717"
            said = verdict.inner_text()
            assert said.startswith(sign), f"answer {answered!r} got {said!r}"
            assert len(said) > 2, "the verdict gives no reason"
    assert not opened.console


def _answer(question: Any, right: bool) -> str | None:
    """Give a right or a wrong answer; return it, or None if the question allows no such one."""
    if question.get_attribute("data-kind") == "numeric":
        comments = question.query_selector_all(".quiz-comment[data-low]")
        good = next(c for c in comments if c.get_attribute("data-correct") == "true")
        low, high = (float(good.get_attribute(f"data-{end}")) for end in ("low", "high"))
        text = repr((low + high) / 2) if right else repr(high + 12345.678)
        question.query_selector("input").fill(text)
        return text
    options = question.query_selector_all(".quiz-option")
    correct = [
        o.query_selector(".quiz-comment").get_attribute("data-correct") == "true" for o in options
    ]
    several = question.query_selector("input[type=checkbox]")
    for option, good in zip(options, correct, strict=True):
        box = option.query_selector("input")
        if several:
            box.set_checked(good is right)
    if not several:
        options[correct.index(right)].query_selector("input").check()
    return "the right ones" if right else "a wrong one"


# Search, colours, folded parts.


@pytest.mark.parametrize("how", ["server", "disk"])
def test_search_finds_a_word(open_page: Any, address: str, how: str):
    server = address if how == "server" else None
    for word, page_name in (("eigenvectors", "gaussian_model"), ("Voronoi", "interpolation")):
        opened = open_page("intro.html", server=server)
        page = opened.page
        page.keyboard.press("Control+k")
        field = page.locator("input[type=search]:visible")
        assert field.count() == 1, "one search field must be open"
        field.fill(word)
        field.press("Enter")
        page.wait_for_url("**/search.html?*")
        page.wait_for_selector(f"#search-results li a[href*='{page_name}']")
        assert not opened.console
        assert not opened.elsewhere


def test_search_says_that_there_is_nothing(open_page: Any, address: str):
    page = open_page("search.html?q=qwertzuiopasdf", server=address).page
    page.wait_for_function(
        "() => /did not match/.test(document.querySelector('#search-results').innerText)"
    )
    assert page.locator("#search-results li a").count() == 0


def test_dark_mode_switch(open_page: Any):
    page = open_page("intro.html").page
    colour = "() => getComputedStyle(document.body).backgroundColor"
    seen = {}
    for _ in range(4):
        page.locator(".theme-switch-button:visible").first.click()
        seen[page.evaluate("document.documentElement.dataset.theme")] = page.evaluate(colour)
    assert set(seen) == {"light", "dark"}

    def brightness(rgb: str) -> float:
        return sum(float(v) for v in rgb.strip("rgba()").split(",")[:3]) / 3

    assert brightness(seen["dark"]) < 80 < 200 < brightness(seen["light"])
    chosen = page.evaluate("document.documentElement.dataset.theme")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == chosen, "not remembered"


@pytest.mark.parametrize("name", pages_with(".solution"))
def test_solutions_are_folded_and_open(open_page: Any, name: str):
    page = open_page(name).page
    solutions = page.query_selector_all("details.solution")
    assert len(solutions) >= 2
    for solution in solutions:
        content = solution.query_selector(".folded-body")
        assert not content.is_visible()
        solution.query_selector("summary").focus()
        page.keyboard.press("Enter")
        assert content.is_visible()
        solution.query_selector("summary").click()
        assert not content.is_visible()


def test_next_and_previous_lead_through_the_whole_book(open_page: Any):
    page = open_page("intro.html").page
    seen = [Path(page.url).name]
    while page.locator("a.right-next").count():
        page.locator("a.right-next").first.click()
        page.wait_for_load_state("load")
        seen.append(page.url.rpartition("/")[2].partition("#")[0])
    expected = {Path(n).name for n in pages()} - {"index.html", "search.html", "genindex.html"}
    assert set(seen) == expected
    assert len(seen) == len(expected)
