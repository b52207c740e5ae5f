"""Pictures keep their pixels, figures keep the book's rules, files are the same in every run."""

import base64
import errno
import hashlib
import html.parser
import io
import os
import re
import subprocess
import sys
import time

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from lecture_utils import show

matplotlib.use("agg")
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("OUT", "FORMATS", "ONLY"):
        monkeypatch.delenv(f"LECTURE_FIGURES_{name}", raising=False)
    yield
    plt.close("all")


def picture(height=6, width=7, colour=True):
    return RNG.integers(0, 256, (height, width, 3) if colour else (height, width), dtype=np.uint8)


def rendered(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=show.DPI)
    return np.asarray(Image.open(buffer).convert("RGB"))


def shown(figure, axes):
    """Return what the figure shows inside these axes, cut out at whole dots."""
    sheet = rendered(figure)
    box = axes.get_position().transformed(
        matplotlib.transforms.Affine2D().scale(sheet.shape[1], sheet.shape[0])
    )
    edges = np.array([box.x0, box.x1, box.y0, box.y1])
    assert np.abs(edges - edges.round()).max() < 1e-6
    x0, x1, y0, y1 = edges.round().astype(int)
    return sheet[sheet.shape[0] - y1 : sheet.shape[0] - y0, x0:x1]


def enlarged(image, factor):
    image = image if image.ndim == 3 else image[:, :, None].repeat(3, axis=2)
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


# pixels


@given(st_np.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3))))
def test_pixels_of_floats_and_tensors_are_the_eight_bits_that_they_came_from(image):
    tensor = torch.from_numpy(image).movedim(-1, 0)
    for same in (image, image / 255, (image / 255).astype(np.float32), tensor, tensor / 255,
                 (tensor / 255)[None], (tensor.double() / 255).requires_grad_()):  # fmt: skip
        assert np.array_equal(show.pixels(same), image)
    grey = image[:, :, 0]
    for same in (grey, grey[:, :, None], torch.from_numpy(grey)[None] / 255):
        assert np.array_equal(show.pixels(same), grey)


def test_pixels_of_booleans_and_of_bfloat16():
    assert show.pixels(np.array([[True, False]])).tolist() == [[255, 0]]
    assert show.pixels(torch.tensor([[0.0, 0.5, 1.0]], dtype=torch.bfloat16)).tolist() == [
        [0, 128, 255]
    ]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((3, 8, 8)), r"array of float64 with shape \(3, 8, 8\).*\(H, W\).*moveaxis"),
        (np.zeros((8, 8, 4)), r"shape \(8, 8, 4\).*\(H, W\) or \(H, W, 3\).*alpha"),
        (torch.zeros(8, 8, 3), r"tensor of float32 with shape \(8, 8, 3\).*\(3, H, W\)"),
        (torch.zeros(4, 3, 8, 8), r"\(4, 3, 8, 8\).*Pick one image out of a batch"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        (np.full((2, 2), 1.2), r"from 1.2 to 1.2.*Clip it"),
        (np.full((2, 2), -0.1), r"from -0.1 to -0.1.*limits="),
        (np.array([[0.0, np.nan]]), r"nan"),
        (np.zeros((2, 2), dtype=np.int64), r"int64.*uint8"),
        (np.zeros((2, 2), dtype=np.uint16), r"uint16.*257"),
        (torch.zeros((2, 2), dtype=torch.int64), r"int64.*uint8"),
        (np.zeros((2, 2), dtype=complex), r"complex"),
        (Image.fromarray(np.zeros((2, 2), np.uint8)).convert("P"), r"Pillow.*convert"),
        ([[0.0, 1.0]], r"a list.*np\.array"),
    ],
)
def test_what_is_not_an_image_gets_a_sentence(image, words):
    with pytest.raises((TypeError, ValueError), match=words):
        show.pixels(image)


# grid


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("size", [0.3, 1.6])
def test_each_pixel_of_a_grid_is_a_square_of_whole_dots(colour, size):
    images = [picture(colour=colour) for _ in range(5)]
    figure = show.grid(images, columns=3, titles=list("abcde"), title="Five", size=size)
    assert len(figure.axes) == 5
    for axes, image in zip(figure.axes, images, strict=True):
        factor = int(size * show.DPI) // 7
        assert np.array_equal(shown(figure, axes), enlarged(image, factor))
    assert [text.get_text() for text in figure.texts] == ["Five", *"abcde"]


def test_images_of_two_sizes_share_one_scale():
    small, large = picture(4, 4), picture(8, 8)
    figure = show.grid([small, large])
    factor = int(1.6 * show.DPI) // 8
    assert np.array_equal(shown(figure, figure.axes[0]), enlarged(small, factor))
    assert np.array_equal(shown(figure, figure.axes[1]), enlarged(large, factor))


@pytest.mark.parametrize("count", [1, 7, 16, 40, 100])
def test_a_grid_fits_the_page_and_leaves_no_gap_where_it_can(count):
    figure = show.grid(np.zeros((count, 2, 2)))
    assert len(figure.axes) == count
    assert figure.get_size_inches()[0] <= 7.5
    columns = len({axes.get_position().x0 for axes in figure.axes})
    assert count % columns == 0 or count == 7


def test_an_image_larger_than_its_cell_is_averaged_not_sampled():
    stripes = np.zeros((800, 800), dtype=np.uint8)
    stripes[:, ::2] = 255  # taking each second column would give black or white
    figure = show.grid([stripes], size=400 / show.DPI)
    middle = shown(figure, figure.axes[0])[50:-50, 50:-50]
    assert middle.shape == (300, 300, 3)
    assert abs(middle.astype(int) - 127).max() <= 8


def test_signed_images_share_the_limits_and_get_a_colour_bar():
    images = torch.linspace(-2, 2, 24).reshape(2, 1, 3, 4)
    figure = show.grid(images, limits=(-2, 2), cmap="RdBu_r", colorbar="value")
    *panels, bar = figure.axes
    assert [axes.images[0].get_clim() for axes in panels] == [(-2, 2)] * 2
    assert bar.get_ylabel() == "value"
    assert np.allclose(panels[1].images[0].get_array(), images[1, 0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"images": []}, "no image"),
        ({"images": [picture()], "titles": ["a", "b"]}, "2 titles for 1 images"),
        ({"images": [picture()], "columns": 0}, "columns is 0"),
        ({"images": [picture()], "colorbar": "value"}, r"without limits=\(low, high\)"),
        ({"images": [picture()], "limits": (0, 1)}, r"\(6, 7, 3\).*one channel"),
    ],
)
def test_a_grid_that_cannot_be_drawn_gets_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        show.grid(**arguments)


def test_drawing_leaves_the_defaults_as_they_were():
    before = dict(matplotlib.rcParams)
    show.comparison(picture(), {"a": picture()}, errors=True)
    assert dict(matplotlib.rcParams) == before


# comparison


def test_a_comparison_keeps_the_pixels_of_images_and_insets():
    reference, candidate = picture(40, 60), picture(40, 60)
    figure = show.comparison(reference, {"other": candidate}, inset=(5, 10, 8, 12))
    whole, part, other, other_part = figure.axes
    factor = (show.PAGE - 2 * 8 - 16) // 2 // 60
    magnified = (60 * factor - 4) // 12
    assert np.array_equal(shown(figure, part), enlarged(reference[5:13, 10:22], magnified))
    assert np.array_equal(shown(figure, other_part), enlarged(candidate[5:13, 10:22], magnified))
    # The frame covers the inset's surroundings; below it the image is untouched.
    for axes, image in ((whole, reference), (other, candidate)):
        drawn, expected = shown(figure, axes), enlarged(image, factor)
        assert np.array_equal(drawn[14 * factor :], expected[14 * factor :])
        assert not np.array_equal(drawn[: 14 * factor], expected[: 14 * factor])
        assert axes.patches[0].get_bbox().bounds == (9.5, 4.5, 12, 8)


def test_labels_give_the_psnr_of_grey_images():
    reference, other = picture(20, 20, colour=False), picture(20, 20, colour=False)
    figure = show.comparison(reference, {"noise": other, "same": reference}, border=3)
    inside = np.s_[3:-3, 3:-3]
    expected = peak_signal_noise_ratio(reference[inside], other[inside])
    labels = [text.get_text() for text in figure.texts]
    assert labels == ["Reference", f"noise\n{expected:.2f} dB", "same\nidentical"]


def test_labels_give_the_psnr_of_the_luminance_of_colour_images():
    reference, other = picture(20, 20), picture(20, 20)
    figure = show.comparison(reference, {"noise": other}, reference_name="original")
    weights = np.array([65.481, 128.553, 24.966]) / 255
    error = ((reference.astype(float) - other) @ weights) ** 2
    expected = 10 * np.log10(255**2 / error.mean())
    assert [t.get_text() for t in figure.texts] == ["original", f"noise\n{expected:.2f} dB"]


def test_error_maps_share_one_scale_and_its_bar():
    reference = np.full((20, 20), 100, dtype=np.uint8)
    near, far = reference + np.uint8(2), reference - np.uint8(40)
    figure = show.comparison(reference, {"near": near, "far": far}, errors=True, psnr=False)
    maps = [a for a in figure.axes if a.images and a.images[0].get_cmap().name == "magma"]
    assert [axes.images[0].get_clim() for axes in maps] == [(0, 40)] * 2
    assert [axes.images[0].get_array().max() for axes in maps] == [2, 40]
    assert any("absolute error" in axes.get_title() for axes in figure.axes)
    assert [text.get_text() for text in figure.texts] == ["Reference", "near", "far"]


@pytest.mark.parametrize(
    ("candidates", "options", "words"),
    [
        ({}, {}, "no candidate"),
        ({"small": picture(5, 7)}, {}, r"'small' has the shape \(5, 7, 3\).*\(6, 7, 3\)"),
        ({"grey": picture(colour=False)}, {}, r"'grey' has the shape \(6, 7\)"),
        ({"a": picture()}, {"inset": (0, 0, 7, 7)}, "does not lie in an image of 6 x 7"),
        ({"a": picture()}, {"inset": (-1, 0, 2, 2)}, "does not lie"),
        ({"a": picture()}, {"inset": (0, 0, 0, 2)}, "does not lie"),
    ],
)
def test_what_cannot_be_compared_gets_a_sentence(candidates, options, words):
    with pytest.raises(ValueError, match=words):
        show.comparison(picture(), candidates, **options)


# encode_lossless


@given(
    st_np.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
                 elements=st.sampled_from([0, 1, 7, 128, 255]))
)  # fmt: skip
def test_small_pictures_are_stored_without_loss(image):
    data, kind = show.encode_lossless(image[:, :, 0] if image.shape[2] == 1 else image)
    assert kind == "png"
    back = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(back, np.broadcast_to(image, back.shape))


def test_large_pictures_are_stored_without_loss_in_the_smaller_format():
    y, x = np.mgrid[:300, :300]
    waves = np.stack([np.sin(x / a) * np.cos(y / b) for a, b in ((9, 7), (31, 3), (5, 50))], -1)
    smooth = show.pixels(waves / 2 + 0.5)
    flat = enlarged(np.array([[[1, 2, 3], [200, 0, 9]]], dtype=np.uint8), 300)
    kinds = []
    for image in (smooth, flat):
        data, kind = show.encode_lossless(image)
        kinds.append(kind)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), image)
        plain = io.BytesIO()
        Image.fromarray(image).save(plain, "png")
        assert len(data) <= plain.tell()
    assert kinds == ["webp", "png"]


# figure


class Parsed(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.data = {}, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        assert tag not in self.tags
        self.tags[tag] = dict(attrs)

    def handle_data(self, data):
        self.data += data


@pytest.fixture
def displayed(monkeypatch):
    bundles = []
    monkeypatch.setattr(show, "_display", lambda b, m=None: bundles.append((b, m)))
    return bundles


def draw():
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([0, 1], [1, 3])
    axes.set_title("A line $x^2$")
    return figure


def test_a_figure_is_displayed_once_with_caption_and_text_alternative(displayed):
    expected = rendered(figure := draw())
    show.figure("gaussian/mean", 'A <b> & "line" in $x$.', 'Rises from "1" to 3 & stops', figure)
    ((bundle, metadata),) = displayed
    parsed = Parsed(bundle["text/html"])
    assert parsed.tags["figure"] == {
        "class": "lecture-figure", "data-figure-id": "gaussian/mean"}  # fmt: skip
    assert parsed.tags["img"]["alt"] == 'Rises from "1" to 3 & stops'
    assert parsed.data == 'A <b> & "line" in $x$.'
    assert (parsed.tags["img"]["width"], parsed.tags["img"]["height"]) == ("288", "192")
    source = base64.b64decode(parsed.tags["img"]["src"].partition(",")[2])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(source)).convert("RGB")), expected)
    assert bundle["text/plain"] == "figure gaussian/mean"
    assert not metadata
    assert not plt.get_fignums()


def test_without_fig_the_current_figure_is_meant(displayed):
    draw()
    show.figure("a/b", "caption", "alternative")
    assert len(displayed) == 1
    assert not plt.get_fignums()


def test_outside_a_notebook_the_figure_is_named(capsys):
    show.figure("a/b", "caption", "alternative", draw())
    assert capsys.readouterr().out == "figure a/b\n"


@pytest.mark.parametrize(
    "id", ["gaussian", "Gaussian/mean", "a/b/c", "a/../b", "/a", "a/b ", "a/-b", 3]
)
def test_a_malformed_id_gets_a_sentence(id):
    with pytest.raises(ValueError, match=r"id is .*such as 'gaussian/mean'"):
        show.figure(id, "caption", "alternative", draw())


@pytest.mark.parametrize(
    ("caption", "alt", "words"),
    [
        (" ", "alternative", "caption of figure 'a/b' is empty"),
        ("caption", "\n", "text alternative of figure 'a/b' is empty"),
        ("The mean.", "the  mean", "repeats the caption"),
    ],
)
def test_caption_and_text_alternative_are_needed_and_differ(caption, alt, words):
    with pytest.raises(ValueError, match=words):
        show.figure("a/b", caption, alt, draw())


def test_an_empty_figure_gets_a_sentence():
    for empty in (None, plt.figure(), plt.subplots()[0]):
        with pytest.raises(ValueError, match="nothing to show as figure 'a/b'"):
            show.figure("a/b", "caption", "alternative", empty)
        plt.close("all")


def _title(ax):
    ax.set_title("small print", size=7)


def _tick_labels(ax):
    ax.set_xticks([0, 1], labels=["small print", ""], size=7)


def _legend(ax):
    ax.plot([1, 2], label="small print")
    ax.legend(fontsize=7)


def _annotation(ax):
    ax.annotate("small print", (0, 1), fontsize=7.9)


def _table(ax):
    cell = ax.table([["small print"]])[0, 0]
    cell.set_fontsize(7)


def _panel_title(ax):
    ax.figure.suptitle("small print", size=7)


def _wide(ax):  # 8 points, of which the page's width leaves 6
    ax.figure.set_size_inches(10, 3)
    ax.text(0, 1, "small print", size=8)


@pytest.mark.parametrize(
    "small", [_title, _tick_labels, _legend, _annotation, _table, _panel_title, _wide]
)
def test_a_text_that_cannot_be_read_on_the_page_is_named(small):
    show.use_style()
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    small(ax)
    words = r"'small print' in figure 'a/b' is (6|7|7\.9) points large on the page; the least is 8"
    with pytest.raises(ValueError, match=words):
        show.figure("a/b", "Caption.", "Alternative.", fig)


def test_text_that_is_not_drawn_may_have_any_size(displayed):
    show.use_style()
    fig, (one, two) = plt.subplots(1, 2)
    one.plot([1, 2])
    one.set_xlabel("hidden", size=5).set_visible(False)
    one.set_title("$x_k^2$", size=8)  # an index is smaller, and is no text of its own
    two.imshow(picture())
    two.tick_params(labelsize=4)
    two.set_axis_off()
    two.text(0, 0, " ", size=1)
    show.figure("a/b", "Caption.", "Alternative.", fig)
    assert displayed


def test_a_figure_of_words_alone_is_drawn(displayed):
    figure, axes = plt.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, "noise")
    show.figure("gan/diagram", "caption", "alternative", figure)
    assert displayed


# figure, exporting


def test_files_are_written_only_when_asked_for(displayed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    show.figure("a/b", "caption", "alternative", draw())
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("LECTURE_FIGURES_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("LECTURE_FIGURES_ONLY", "a/b, c/d")
    monkeypatch.setenv("LECTURE_FIGURES_FORMATS", "svg,png")
    for id in ("a/b", "a/c", "c/d"):
        show.figure(id, "caption", "alternative", draw())
    files = sorted(p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*.*"))
    assert files == ["a/b.png", "a/b.svg", "c/d.png", "c/d.svg"]
    records = [metadata.get("lecture_figure") for _, metadata in displayed if metadata]
    assert [record["id"] for record in records] == ["a/b", "c/d"]
    assert records[0]["versions"]["numpy"] == np.__version__
    assert Image.open(tmp_path / "out/a/b.png").text["Description"] == "alternative"


def test_vector_files_hold_the_pixels_themselves(displayed, monkeypatch, tmp_path):
    monkeypatch.setenv("LECTURE_FIGURES_OUT", str(tmp_path))
    image = picture()
    show.figure("a/b", "caption", "alternative", show.grid([image]))
    svg = (tmp_path / "a/b.svg").read_text()
    (data,) = re.findall(r'xlink:href="data:image/png;base64,([^"]+)"', svg)
    inside = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    assert any(np.array_equal(turned, image) for turned in (inside, inside[::-1]))
    assert "image-rendering:pixelated" in svg
    assert b"/Width 7" in (tmp_path / "a/b.pdf").read_bytes()


def test_an_unknown_format_gets_a_sentence(displayed, monkeypatch, tmp_path):
    monkeypatch.setenv("LECTURE_FIGURES_OUT", str(tmp_path))
    monkeypatch.setenv("LECTURE_FIGURES_FORMATS", "jpg")
    with pytest.raises(ValueError, match=r"'jpg' in LECTURE_FIGURES_FORMATS.*pdf, svg, png"):
        show.figure("a/b", "caption", "alternative", draw())


def test_a_full_disk_leaves_the_file_that_was_there(displayed, monkeypatch, tmp_path):
    monkeypatch.setenv("LECTURE_FIGURES_OUT", str(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.pdf").write_bytes(b"before")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"b\.pdf could not be written \(No space left"):
        show.figure("a/b", "caption", "alternative", draw())
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.pdf"]
    assert (tmp_path / "a/b.pdf").read_bytes() == b"before"


STABLE = """
import numpy as np
from lecture_utils import show
show.use_style()
import matplotlib.pyplot as plt
figure, axes = plt.subplots()
axes.plot([0, 1, 2], [1, 3, 2], label="$x_1$"); axes.legend(); axes.set_title("Ünïcode")
axes.fill_between([0, 1], [0, 1], hatch="//"); axes.imshow(np.eye(3))
show.figure("a/plot", "caption", "alternative", figure)
images = np.arange(576, dtype=np.uint8).reshape(3, 8, 8, 3)
show.figure("a/images", "caption", "alternative", show.grid(images, size=0.5, titles="abc"))
"""


def test_files_are_the_same_in_every_process(tmp_path):
    hashes = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        environment = os.environ | {
            "LECTURE_FIGURES_OUT": str(out), "PYTHONHASHSEED": seed, "MPLBACKEND": "agg"}  # fmt: skip
        subprocess.run([sys.executable, "-c", STABLE], env=environment, check=True)
        hashes.append({
            p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(out.rglob("*.*"))})  # fmt: skip
        time.sleep(1.1)  # files that note the second of their making would differ
    assert list(hashes[0]) == [
        f"a/{n}.{e}" for n in ("images", "plot") for e in ("pdf", "png", "svg")
    ]
    assert hashes[0] == hashes[1]


# show_source


class Example:
    """A class
    with a docstring."""

    size = 3

    def double(self, x):
        """Return twice x."""

        # Why: because.
        return 2 * x

    def only_docstring(self):
        """Nothing else."""


def fenced():
    return "```"


def test_source_is_shown_without_docstrings(displayed):
    show.show_source(Example, Example.double, fenced)
    (whole, _), (method, _), (fence, _) = displayed
    assert "with a docstring" not in whole["text/plain"]
    assert '"""Nothing else."""' in whole["text/plain"]
    compile(whole["text/plain"].partition("\n")[2], "shown", "exec")
    assert method["text/plain"].splitlines() == [
        f"{__name__}.Example.double", "", "def double(self, x):", "    # Why: because.",
        "    return 2 * x"]  # fmt: skip
    assert method["text/markdown"].startswith(f"`{__name__}.Example.double`\n\n```python\ndef")
    assert "\n````python\n" in fence["text/markdown"]
    assert fence["text/markdown"].endswith("\n````\n")


def noted(x):
    return x.shape  # type: ignore[no-any-return]


def test_source_is_shown_without_notes_to_tools(displayed):
    show.show_source(noted)
    assert displayed[0][0]["text/plain"].endswith("    return x.shape")


def test_docstrings_stay_when_asked_for(displayed):
    show.show_source(Example.double, docstrings=True)
    assert '"""Return twice x."""' in displayed[0][0]["text/plain"]


@pytest.mark.parametrize("item", [len, 3])
def test_what_has_no_source_gets_a_sentence(item):
    with pytest.raises(TypeError, match="no Python source"):
        show.show_source(item)


def test_matplotlib_is_imported_only_when_something_is_drawn():
    code = "import sys; from lecture_utils import show; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Quizzes ------------------------------------------------------------------------------------------


def test_a_quiz_is_shown_wherever_the_notebook_lies(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("jupyterquiz.display_quiz", lambda ref, **_: shown.append(ref))
    monkeypatch.chdir(tmp_path)
    show.quiz("super_resolution/vdsr")
    assert all(question["question"] for question in shown[0])


def test_an_unknown_quiz_names_those_there_are():
    with pytest.raises(ValueError, match=r"no quiz 'vdsr'; there are .*super_resolution/vdsr"):
        show.quiz("vdsr")


def test_without_jupyterquiz_the_reader_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyterquiz", None)
    with pytest.raises(ImportError, match="pip install jupyterquiz"):
        show.quiz("super_resolution/vdsr")
