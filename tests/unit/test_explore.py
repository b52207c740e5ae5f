"""Explorers: what they carry, what they refuse, and how they behave in a browser."""

import base64
import io
import re
import shutil
from html import unescape

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from lecture_utils import explore

matplotlib.use("agg")
RNG = np.random.default_rng(0)
WORDS = {"caption": "Watch the edges.", "alt": "A test picture"}


def pictures(count, height=6, width=8):
    return [RNG.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def smooth(size):
    y, x = np.mgrid[:size, :size] / size
    return np.stack([np.sin(9 * x) ** 2, np.cos(5 * y) ** 2, x * y], axis=-1)


def images_in(html):
    """Return the attributes of the images, in order."""
    return [
        {name: unescape(value) for name, value in re.findall(r'([a-z-]+)="([^"]*)"', tag)}
        | {"hidden": tag.endswith("hidden>")}
        for tag in re.findall(r"<img[^>]*>", html)
    ]


def decoded(image):
    data = base64.b64decode(image["src"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def three(**options):
    return explore.slider(
        options.pop("images", pictures(3)), ["×2", "×3", "<4>"], name="scale", **WORDS, **options
    )


def table(**options):
    return explore.slider_grid(
        [pictures(3), pictures(3)], ["low", "high"], [1, 2, 3],
        row_name="noise", column_name="steps", **WORDS, **options
    )  # fmt: skip


def faces(channels=1, **options):
    shape = (5, 4) if channels == 1 else (5, 4, 3)
    mean = RNG.uniform(0.3, 0.7, shape)
    components = RNG.normal(0, 0.1, (3, *shape))
    return mean, components, explore.linear_combination(
        mean, components, names=["pose", "light", "smile"], **WORDS, **options
    )  # fmt: skip


# What they carry


def test_only_the_first_picture_is_shown_without_javascript():
    images = pictures(3)
    explorer = three(images=images, start=1)
    found = images_in(explorer.html)
    assert [image["hidden"] for image in found] == [True, False, True]
    for image, expected in zip(found, images, strict=True):
        assert np.array_equal(decoded(image), expected)
    assert found[2]["alt"] == "A test picture (scale: <4>)"
    assert 'class="lecture-explorer-controls" hidden' in explorer.html


def test_a_table_runs_through_columns_first():
    found = images_in(table(start=(1, 2)).html)
    assert [image["alt"] for image in found] == [
        f"A test picture (noise: {noise}, steps: {steps})"
        for noise in ("low", "high")
        for steps in (1, 2, 3)
    ]
    assert [image["hidden"] for image in found] == [True] * 5 + [False]


def test_small_pictures_are_magnified_by_a_whole_number_and_keep_their_pixels():
    (image, *_) = images_in(three().html)
    assert "pixelated" in image["class"].split()
    assert image["style"] == f"width: {512 // 8 * 8}px"
    (large,) = images_in(explore.slider([smooth(600)], [1], name="n", **WORDS).html)
    assert large["style"] == "width: 600px"
    assert "pixelated" not in large["class"].split()


def test_quality_trades_bytes_for_pixels_of_large_pictures_only():
    noise = np.clip(smooth(200) + RNG.normal(0, 0.1, (200, 200, 3)), 0, 1)
    sizes = {}
    for quality in (30, 85, 100):
        (image,) = images_in(explore.slider([noise], [1], name="n", quality=quality, **WORDS).html)
        sizes[quality] = len(image["src"])
        error = decoded(image) - noise * 255
        assert (np.abs(error).max() <= 0.5) == (quality == 100)
        assert np.sqrt((error**2).mean()) < 30
    assert sizes[30] < sizes[85] < sizes[100]
    (small,) = images_in(
        explore.slider([noise[:128, :128]], [1], name="n", quality=1, **WORDS).html
    )
    assert np.abs(decoded(small) - noise[:128, :128] * 255).max() <= 0.5


def test_tensors_and_figures_are_pictures_too():
    tensor = torch.rand(3, 6, 8)
    (image,) = images_in(explore.slider([tensor], [1], name="n", **WORDS).html)
    assert np.array_equal(decoded(image), (tensor.movedim(0, -1) * 255).round().byte().numpy())
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.plot([1, 2])
    (image,) = images_in(explore.slider([figure], [1], name="n", **WORDS).html)
    assert decoded(image).shape == (384, 768, 3)
    assert image["style"] == "width: 384px"
    assert not plt.get_fignums()


def test_a_figure_whose_text_cannot_be_read_in_an_explorer_gets_a_sentence():
    def drawn():
        fig, ax = plt.subplots(figsize=(4, 2))
        ax.set_title("title", size=10)
        ax.tick_params(labelsize=10)
        return fig

    explore.slider([drawn()], ["a"], name="n", caption="c", alt="a")
    with pytest.raises(ValueError, match=r"in the figure is 5 points large on the page"):
        explore.slider([drawn()], ["a"], name="n", caption="c", alt="a", width=192)


def test_the_same_contents_give_the_same_page():
    images = pictures(3)
    assert three(images=images).html == three(images=images).html
    assert ' id="' not in three().html


def test_a_notebook_shows_the_page_and_a_terminal_a_line():
    explorer = table()
    assert explorer._repr_html_() == explorer.html
    assert repr(explorer) == "explorer: noise (2), steps (3)"


def test_nothing_refers_to_another_place():
    for explorer in (three(), table(), faces()[2]):
        assert not re.search(r"https?:|//[a-z]+\.|url\(|@import|\bimport\b|fetch\(", explorer.html)


# What they refuse


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: explore.slider([], [], name="n", **WORDS), "0 images and labels for 0"),
        (lambda: explore.slider(pictures(2), [1], name="n", **WORDS), "2 images and labels for 1"),
        (lambda: three(captions=["a"]), "1 captions for 3 images"),
        (lambda: three(start=3), "starts at position 3 and has the positions 0 to 2"),
        (lambda: three(start=-1), "starts at position -1"),
        (lambda: three(quality=0), "quality is 0"),
        (lambda: three(width=0), "width is 0"),
        (lambda: three(images=[*pictures(2), *pictures(1, 8, 8)]), r"8 x 6, 8 x 8 .*aspect ratio"),
        (lambda: three(images=[*pictures(2), np.full((6, 8), 2.0)]), r"from 2 to 2"),
        (lambda: three(images=[*pictures(2), "cat.png"]), "An image is a str"),
        (lambda: explore.slider(pictures(1), [1], name=" ", **WORDS), "no name"),
        (lambda: explore.slider(pictures(1), [1], name="n", caption="", alt="a"), "caption .*empty"),
        (lambda: explore.slider(pictures(1), [1], name="n", caption="c", alt=""), "text alternative"),
        (lambda: explore.slider_grid([pictures(2), pictures(1)], [1, 2], [1, 2], row_name="r",
                                     column_name="c", **WORDS), "Row 1 has 1 images for 2 column"),
        (lambda: table(captions=[["a"] * 3, ["b"] * 2]), "Row 1 has 2 captions for 3 column"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_gets_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def combination(**changes):
    arguments = {"mean": np.full((3, 3), 0.5), "components": np.zeros((1, 3, 3)), "names": ["a"]}
    return explore.linear_combination(**arguments | changes, **WORDS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names": []}, "1 components and 0 names"),
        ({"components": [], "names": []}, "0 components"),
        ({"components": np.zeros((1, 3, 4))}, r"shape \(3, 4\) and the mean \(3, 3\)"),
        ({"components": np.full((1, 3, 3), np.nan)}, "not finite"),
        ({"mean": np.full((3, 3), -1.0)}, "from -1 to -1"),
        ({"limit": 0.0}, "limit is 0.0"),
        ({"limit": float("nan")}, "limit is nan"),
        ({"upscale": 0}, "upscale is 0"),
        ({"names": [""]}, "no name"),
    ],
)
def test_a_combination_that_does_not_fit_gets_a_sentence(changes, words):
    with pytest.raises(ValueError, match=words):
        combination(**changes)


def test_an_explorer_too_large_for_a_page_gets_a_sentence():
    noise = [RNG.integers(0, 256, (700, 700, 3), dtype=np.uint8) for _ in range(2)]
    with pytest.raises(ValueError, match=r"takes \d\.\d MB; at most 2\.5 MB"):
        explore.slider(noise, [1, 2], name="n", quality=100, **WORDS)


# In a browser

browser_test = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(no_playwright):
    if no_playwright:
        pytest.skip(f"NOT RUN: no Chromium that starts ({no_playwright})")
    from playwright import sync_api as playwright

    with playwright.sync_playwright() as driver:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        try:
            chromium = driver.chromium.launch(executable_path=path, args=arguments)
        except playwright.Error as error:
            pytest.skip(f"NOT RUN: no Chromium that starts ({str(error).splitlines()[0]})")
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Open a page with this body; fail at the end if it complained or asked for anything else."""
    complaints, contexts = [], []

    def open_page(body, *, head="", script="", **options):
        context = browser.new_context(**{"viewport": {"width": 900, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if script:
            page.add_init_script(script)
        file = tmp_path / "page.html"
        file.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title>'
            '<meta name="viewport" content="width=device-width"><style>:root{color-scheme:light '
            f"dark}}body{{margin:16px}}</style>{head}<body>{body}",
            encoding="utf-8",
        )
        page.on("request", lambda r: None if r.url.startswith(("data:", file.as_uri()))
                else complaints.append(f"asked for {r.url}"))  # fmt: skip
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def visible(page, within="lecture-explorer"):
    """Return the one picture that can be seen in an explorer."""
    images = page.locator(within).first.locator("img")
    (shown,) = [i for i in range(images.count()) if images.nth(i).is_visible()]
    return shown, images.nth(shown)


@browser_test
def test_keys_move_the_picture_and_say_so(visit):
    page = visit(three(captions=["Two.", "Three.", "Four."]).html)
    assert visible(page)[0] == 0
    page.keyboard.press("Tab")
    slider = page.get_by_role("slider", name="scale")
    assert slider.evaluate("e => e === document.activeElement")
    assert slider.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    for key, position, label, note in [
        ("ArrowRight", 1, "×3", "Three."), ("End", 2, "<4>", "Four."),
        ("ArrowRight", 2, "<4>", "Four."), ("Home", 0, "×2", "Two.")]:  # fmt: skip
        page.keyboard.press(key)
        shown, image = visible(page)
        assert shown == position
        assert image.get_attribute("alt") == f"A test picture (scale: {label})"
        assert image.evaluate("e => e.naturalWidth") == 8
        assert slider.get_attribute("aria-valuetext") == label
        assert page.locator("label output").inner_text() == label
        assert page.locator(".lecture-explorer-note").inner_text() == note


@browser_test
def test_the_mouse_moves_the_picture(visit):
    page = visit(three().html)
    box = page.get_by_role("slider").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    assert visible(page)[0] == 2
    page.mouse.move(box["x"] + box["width"] - 9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert visible(page)[0] == 1


@browser_test
def test_two_sliders_reach_every_picture(visit):
    page = visit(table(start=(1, 0)).html)
    row, column = page.get_by_role("slider").all()
    seen = []
    for i in "01":
        for j in "012":
            row.fill(i)
            column.fill(j)
            seen.append(visible(page)[0])
    assert seen == [0, 1, 2, 3, 4, 5]


@browser_test
def test_explorers_on_one_page_are_strangers(visit):
    explorer = three()
    page = visit(explorer.html + table().html + explorer.html + faces()[2].html + faces()[2].html)
    page.get_by_role("slider").first.fill("2")
    state = page.locator("input").evaluate_all("all => all.map(e => e.value)")
    assert state == ["2", "0", "0", "0", *["0"] * 6]
    pictures = page.locator("lecture-explorer").nth(2).locator("img")
    assert [pictures.nth(i).is_visible() for i in range(3)] == [True, False, False]
    assert page.locator("[id]").count() == 0
    names = "Object.getOwnPropertyNames(window).sort()"
    assert page.evaluate(names) == visit("<p>empty</p>").evaluate(names)


@browser_test
@pytest.mark.parametrize("way", ["script first", "detached", "attached", "moved"])
def test_it_starts_however_it_comes_into_the_page(visit, way):
    html = three().html
    if way == "script first":
        script = html[html.index("<script>") :]
        page = visit(html.replace(script, ""), head=script)
        page.wait_for_function("!document.querySelector('.lecture-explorer-controls').hidden")
    else:
        page = visit("<main></main>")
        # Notebook interfaces set innerHTML, which runs no script, and then run scripts themselves,
        # some before the output is in the page.
        page.evaluate(
            """([html, way]) => {
                const output = document.createElement("div");
                const main = document.querySelector("main");
                if (way !== "detached") main.append(output);
                output.innerHTML = html;
                for (const old of output.querySelectorAll("script")) {
                    const script = document.createElement("script");
                    script.textContent = old.textContent;
                    old.replaceWith(script);
                }
                if (way === "detached") {
                    const run = document.createElement("script");
                    run.textContent = output.querySelector("script").textContent;
                    document.head.append(run);
                    main.append(output);
                }
                if (way === "moved") document.body.append(output);
            }""",
            [html, way],
        )
    page.get_by_role("slider").fill("1")
    assert visible(page)[0] == 1


@browser_test
def test_without_javascript_the_first_picture_stands_alone(visit):
    for explorer in (three(start=2), faces()[2]):
        page = visit(explorer.html, java_script_enabled=False)
        assert sum(image.is_visible() for image in page.locator("img").all()) == 1
        assert page.get_by_text("Watch the edges.").is_visible()
        assert not any(e.is_visible() for e in page.locator("input, button").all())


@browser_test
def test_paper_shows_the_present_picture_without_controls(visit):
    page = visit(three().html)
    page.get_by_role("slider").fill("1")
    page.emulate_media(media="print")
    assert visible(page)[0] == 1
    assert page.locator("label output").inner_text() == "×3"
    assert not page.locator("input").is_visible()


@browser_test
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_overflows_and_colours_are_the_page_s(visit, scheme):
    wide = explore.slider(
        [smooth(600)], ["a rather long label for it"], name="a long name", **WORDS
    )
    page = visit(
        wide.html + faces()[2].html, viewport={"width": 360, "height": 700}, color_scheme=scheme
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    colour = "e => getComputedStyle(e).color"
    expected = page.locator("body").evaluate(colour)
    assert expected == {"light": "rgb(0, 0, 0)", "dark": "rgb(255, 255, 255)"}[scheme]
    for element in page.locator(".lecture-explorer :is(p, span, output, button)").all():
        assert element.evaluate(colour) == expected
    assert page.get_by_role("slider").first.bounding_box()["height"] >= 24


def canvas(page):
    """Return what the canvas shows as an array (H, W, 3)."""
    height, width, data = page.locator("canvas").evaluate(
        """e => [e.height, e.width,
                 [...e.getContext("2d").getImageData(0, 0, e.width, e.height).data]]"""
    )
    array = np.array(data).reshape(height, width, 4)
    assert (array[:, :, 3] == 255).all()
    return array[:, :, :3]


@browser_test
@pytest.mark.parametrize("channels", [1, 3])
def test_the_browser_computes_the_combination(visit, channels):
    mean, components, explorer = faces(channels)
    page = visit(explorer.html)
    bound = 1 + 3 * np.abs(components).reshape(3, -1).max(axis=1).sum()
    for weights in ([0, 0, 0], [3, 0, 0], [-1.5, 0.7, 2.9], [-3, -3, -3]):
        for slider, weight in zip(page.get_by_role("slider").all(), weights, strict=True):
            slider.fill(str(weight))
        exact = 255 * np.clip(mean + np.tensordot(weights, components, 1), 0, 1)
        exact = exact if channels == 3 else exact[:, :, None]
        assert np.abs(canvas(page) - exact).max() <= bound
    picture = page.get_by_role("img")
    label = picture.get_attribute("aria-label")
    assert label == "A test picture (pose −3.0, light −3.0, smile −3.0)"
    assert picture.evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"
    smile = page.get_by_role("slider", name="smile")
    assert smile.get_attribute("aria-valuetext") == "−3.0 standard deviations"
    smile.press("ArrowRight")
    assert page.locator("output").last.inner_text() == "−2.9 σ"


@browser_test
def test_reset_and_random(visit):
    # A fixed sequence of uniform numbers, so that the test does not depend on luck.
    uniform = "{let s = 1; Math.random = () => (s = (s * 48271) % 2147483647) / 2147483647;}"
    page = visit(faces()[2].html, script=uniform)
    values = "all => all.map(e => e.valueAsNumber)"
    sliders = page.locator("input")
    before = canvas(page)
    page.get_by_role("button", name="Random").focus()
    drawn = []
    for _ in range(200):
        page.keyboard.press("Enter")
        drawn += sliders.evaluate_all(values)
    assert not np.array_equal(canvas(page), before)
    assert abs(np.mean(drawn)) < 0.15
    assert 0.9 < np.std(drawn) < 1.1
    assert np.abs(drawn).max() <= 3
    page.get_by_role("button", name="Reset").click()
    assert sliders.evaluate_all(values) == [0, 0, 0]
    assert np.array_equal(canvas(page), before)
