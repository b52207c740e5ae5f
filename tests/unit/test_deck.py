"""Figures become slides: one each, with caption, text alternative, credit and what may be shown."""

import io
from itertools import pairwise

import pytest
import test_figures
from PIL import Image

from lecture_utils import figures, show
from lecture_utils.cli import main
from lecture_utils.deck import credit, deck

book = test_figures.book  # a fixture
pptx = pytest.importorskip("pptx", reason="python-pptx is not installed")
HTML = (
    '<figure class="lecture-figure" data-figure-id="a/plot"><img alt="A line &amp; a dot." src="x">'
    "<figcaption>The mean of $N$ faces, &lt;25 pixels.</figcaption></figure>"
)


def png(width, height):
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def made(monkeypatch):
    """Stand in for the run of a notebook: a wide figure of a restricted set, and a tall one."""
    pictures = {"a/plot": png(1400, 400), "a/grid": png(300, 900)}
    said = {"a/plot": figures._said(HTML), "a/grid": {"caption": "Grey.", "alt": "A face."}}
    data = {"a/plot": ["set5"], "a/grid": []}

    def run(book, section, staging, ids, formats, profile):
        assert formats == ("png",)
        for id in ids:
            file = staging / f"{id}.png"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(pictures[id])
        return {id: {"data": data[id], "versions": {}, **said[id]} for id in ids}

    monkeypatch.setattr(figures, "_run", run)


def test_a_deck_has_a_slide_for_each_figure(book, made, tmp_path):
    (book.parent / "_config.yml").write_text("title: Faces, and more\nauthor: ''\n")
    out = tmp_path / "deck.pptx"
    assert deck(["one"], out, profile="ci", book=book) == 2
    slides = pptx.Presentation(out)
    assert slides.slide_width / slides.slide_height == pytest.approx(16 / 9, rel=1e-3)
    first, second = slides.slides
    assert first.shapes.title.text_frame.text == "First slide"
    assert second.shapes.title.text_frame.text == "Second slide, with a comma"

    notes = first.notes_slide.notes_text_frame.text
    assert "The mean of $N$ faces, <25 pixels." in notes
    assert "Set5" in notes and "allow research only" in notes
    assert "research only" not in second.notes_slide.notes_text_frame.text
    line = credit("a/plot", ["set5"], "Faces, and more")
    assert line in [shape.text_frame.text for shape in first.shapes if shape.has_text_frame]
    assert "“Faces, and more”" in line and "a research benchmark" in line

    for slide, ratio in ((first, 400 / 1400), (second, 900 / 300)):
        (picture,) = (shape for shape in slide.shapes if shape.shape_type == 13)
        assert picture.height / picture.width == pytest.approx(ratio, rel=1e-3)
        boxes = sorted((s.top, s.top + s.height) for s in slide.shapes)
        assert all(a[1] <= b[0] for a, b in pairwise(boxes)), "overlap"
        for shape in slide.shapes:
            assert shape.left >= 0 and shape.left + shape.width <= slides.slide_width
            assert shape.top >= 0 and shape.top + shape.height <= slides.slide_height
    (picture,) = (shape for shape in first.shapes if shape.shape_type == 13)
    assert picture._element.nvPicPr.cNvPr.get("descr") == "A line & a dot."


@pytest.mark.parametrize(
    ("sections", "out", "words"),
    [
        (["one"], "deck.pdf", r"'.*deck\.pdf'; it must be a file that ends in \.pptx"),
        (["on"], "deck.pptx", "no figure and no section 'on'"),
        (["none"], "deck.pptx", "'c/none' is not made yet"),
        ([], "deck.pptx", "No figure was chosen"),
    ],
)
def test_what_cannot_be_made_gets_a_sentence(book, made, tmp_path, sections, out, words):
    with pytest.raises(ValueError, match=words):
        deck(sections, tmp_path / out, book=book)
    assert not (tmp_path / out).exists()


def test_a_figure_beyond_the_lecture_is_named_by_what_it_shows(book, made, tmp_path):
    rows = (book / "figures.csv").read_text().replace("First slide", "Beyond the slides")
    (book / "figures.csv").write_text(rows)
    deck(["a/plot"], tmp_path / "deck.pptx", book=book)
    (slide,) = pptx.Presentation(tmp_path / "deck.pptx").slides
    assert slide.shapes.title.text_frame.text == "A plot"


def test_the_command_line_makes_a_deck(book, made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(book.parent)
    out = tmp_path / "deck.pptx"
    monkeypatch.setattr(
        "sys.argv", ["lecture_utils", "figures", "deck", "--section", "one", "--out", str(out)]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (0, None)
    assert "2 slides" in capsys.readouterr().out
    assert out.is_file()


def test_a_section_without_a_deck_gets_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["lecture_utils", "figures", "a/plot", "--section", "one"])
    with pytest.raises(SystemExit):
        main()
    assert "figures deck --section one" in capsys.readouterr().err


def test_caption_and_alternative_are_read_from_what_show_figure_displays(monkeypatch):
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(2, 1))
    axes.plot([1, 2])
    shown = []
    monkeypatch.setattr(show, "_display", lambda data, _: shown.append(data["text/html"]))
    show.figure("a/plot", 'A "quoted" <caption>.', "It rises & falls.", fig)
    assert figures._said(shown[0]) == {
        "caption": 'A "quoted" <caption>.',
        "alt": "It rises & falls.",
    }
